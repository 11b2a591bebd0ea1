"""The whole schema on one page. The database is the truth; indexes are made from it and can be made again."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.dialects import postgresql

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


class Moment(TypeDecorator[datetime]):
    """A UTC time as microseconds since 1970: the same integer, and the same order, on every database."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        return None if value is None else (value - EPOCH) // MICROSECOND

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        return None if value is None else EPOCH + value * MICROSECOND


Id = BigInteger().with_variant(Integer, "sqlite")
"""SQLite numbers rows by itself only for a column of exactly this type."""


def _name(length: int) -> String:
    """Text compared and sorted by code point: a locale's order would not be that of sorted JSON keys."""
    return String(length).with_variant(postgresql.VARCHAR(length, collation="C"), "postgresql")


NEVER_REUSED = True
"""Ids are not given twice: caches and the event trail may still know the old bearer."""


def _key() -> Column[int]:
    return Column("id", Id, primary_key=True, autoincrement=True)


def _channel_key(**options: Any) -> Column[int]:
    return Column("channel_id", Id, ForeignKey("channel.id", ondelete="CASCADE"), nullable=False, **options)


# --- people -----------------------------------------------------------------------------------

user = Table(
    "user",
    metadata,
    _key(),
    Column("uuid", String(36), nullable=False, unique=True),
    Column("username", String(100), nullable=False, unique=True),
    Column("email", String(320)),
    Column("password_hash", String(255)),
    Column("role", String(20), nullable=False),
    Column("default_channel_id", Id),  # no foreign key: channels refer to users already
    Column("created_at", Moment, nullable=False),
    Column("sessions_valid_from", Moment, nullable=False),  # a changed password ends older sessions
    sqlite_autoincrement=NEVER_REUSED,
)

token = Table(
    "token",
    metadata,
    _key(),
    Column("uuid", String(36), nullable=False, unique=True),
    Column("user_id", Id, ForeignKey("user.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("name", String(200), nullable=False),
    Column("digest", String(64), nullable=False, unique=True),  # SHA-256 of the secret, never the secret
    Column("scopes", JSON(none_as_null=True)),
    Column("resources", JSON(none_as_null=True)),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment),
    Column("last_used_at", Moment),
    sqlite_autoincrement=NEVER_REUSED,
)

device_login = Table(
    "device_login",
    metadata,
    _key(),
    Column("digest", String(64), nullable=False, unique=True),  # SHA-256 of the device code, never the code
    Column("user_code", String(20), nullable=False, unique=True),
    Column("client_id", String(100), nullable=False),
    Column("state", String(20), nullable=False),
    Column("user_id", Id, ForeignKey("user.id", ondelete="CASCADE")),  # who approved it
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False, index=True),
    Column("asked_at", Moment),  # when the device last asked; one that asks too often is told so
    Column("host", String(100)),  # what the device calls itself
    Column("address", String(45)),  # where it asked from
    sqlite_autoincrement=NEVER_REUSED,
)

authorization_code = Table(
    "authorization_code",
    metadata,
    Column("digest", String(64), primary_key=True),  # SHA-256 of the code and of all that it is bound to
    Column("user_id", Id, ForeignKey("user.id", ondelete="CASCADE"), nullable=False),
    Column("expires_at", Moment, nullable=False, index=True),
)

secret = Table(
    "secret",
    metadata,
    Column("name", String(50), primary_key=True),
    Column("value", LargeBinary, nullable=False),
)

# --- channels ---------------------------------------------------------------------------------

channel = Table(
    "channel",
    metadata,
    _key(),
    Column("uuid", String(36), nullable=False, unique=True),
    Column("path", _name(130), nullable=False, unique=True),
    Column("parent_id", Id, ForeignKey("channel.id"), index=True),
    Column("description", Text, nullable=False, default=""),
    Column("privacy", String(20), nullable=False),
    Column("indexing", String(20), nullable=False),
    Column("owner_id", Id, ForeignKey("user.id"), nullable=False, index=True),
    Column("download_count", BigInteger, nullable=False, default=0),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    sqlite_autoincrement=NEVER_REUSED,
)

grant = Table(
    "grant",
    metadata,
    _channel_key(primary_key=True),
    Column("user_id", Id, ForeignKey("user.id", ondelete="CASCADE"), primary_key=True, index=True),
    Column("level", SmallInteger, nullable=False),
)

event = Table(
    "event",
    metadata,
    _key(),
    Column("uuid", String(36), nullable=False, unique=True),
    Column("type", String(50), nullable=False),
    Column("actor_id", Id),  # no foreign keys: the trail outlives users and channels
    Column("actor_name", String(100), nullable=False),
    Column("channel_id", Id),
    Column("channel_path", String(130)),
    Column("created_at", Moment, nullable=False),
    Column("data", JSON, nullable=False),
    Index("ix_event_channel_id_id", "channel_id", "id"),
    sqlite_autoincrement=NEVER_REUSED,
)

file_change = Table(
    "file_change",
    metadata,
    _key(),
    Column("event_id", Id, ForeignKey("event.id"), nullable=False, index=True),
    Column("channel_id", Id, nullable=False),  # no foreign key: the trail outlives channels
    Column("action", String(20), nullable=False),
    Column("family", _name(20), nullable=False),
    Column("name", _name(64), nullable=False),
    Column("version", String(64), nullable=False),
    Column("ckey", _name(260), nullable=False),
    Index("ix_file_change_channel_id_id", "channel_id", "id"),
    sqlite_autoincrement=NEVER_REUSED,
)

# --- artifacts --------------------------------------------------------------------------------

artifact = Table(
    "artifact",
    metadata,
    _key(),
    Column("family", _name(20), nullable=False),
    Column("name", _name(64), nullable=False),
    Column("version", String(64), nullable=False),
    Column("build", String(64), nullable=False),
    Column("build_number", BigInteger, nullable=False),
    Column("subdir", _name(32), nullable=False),
    Column("filename", _name(211), nullable=False),
    Column("ckey", _name(260), nullable=False),
    Column("md5", String(32), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("record", LargeBinary, nullable=False),  # exact index record, JSON, without indexed_timestamp
    Column("record_splice", Integer, nullable=False),  # where indexed_timestamp goes into it
    Column("run_exports", LargeBinary, nullable=False),  # JSON
    Column("about", JSON, nullable=False),
    Column("flags", JSON, nullable=False),
    Column("details", JSON, nullable=False),
    Column("created_at", Moment, nullable=False),
    UniqueConstraint("sha256", "ckey"),
    sqlite_autoincrement=NEVER_REUSED,
)

entry = Table(
    "entry",
    metadata,
    _key(),
    _channel_key(),
    Column("artifact_id", Id, ForeignKey("artifact.id"), nullable=False, index=True),
    Column("family", _name(20), nullable=False),
    Column("name", _name(64), nullable=False),
    Column("subdir", _name(32), nullable=False),
    Column("section", SmallInteger, nullable=False),  # 0 "packages" (.tar.bz2), 1 "packages.conda"
    Column("filename", _name(211), nullable=False),
    Column("ckey", _name(260), nullable=False),
    Column("indexed_timestamp", BigInteger, nullable=False),  # ms; set once, never recomputed (CEP 47)
    Column("added_at", Moment, nullable=False),
    Column("added_by", Id),
    Column("download_count", BigInteger, nullable=False, default=0),
    UniqueConstraint("channel_id", "ckey"),
    Index("ix_entry_index_order", "channel_id", "subdir", "section", "filename"),
    Index("ix_entry_package", "channel_id", "family", "name"),
    sqlite_autoincrement=NEVER_REUSED,
)

package = Table(
    "package",
    metadata,
    _channel_key(primary_key=True),
    Column("family", _name(20), primary_key=True),
    Column("name", _name(64), primary_key=True),
    Column("latest_artifact_id", Id, ForeignKey("artifact.id"), nullable=False, index=True),
    Column("file_count", Integer, nullable=False),
    Column("versions", JSON, nullable=False),  # newest first
    Column("subdirs", JSON, nullable=False),
    Column("channeldata", LargeBinary),  # JSON: what channeldata.json says of it; conda only
    Column("platforms", String(600), nullable=False),  # the same as ",noarch,linux-64," to filter by
    Column("download_count", BigInteger, nullable=False, default=0),
    Column("updated_at", Moment, nullable=False),
    Index("ix_package_name", "name"),
)

blob = Table(
    "blob",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("unreferenced_since", Moment, index=True),  # null while a row refers to the bytes
)

# --- uploads that come in parts ------------------------------------------------------------------

upload = Table(
    "upload",
    metadata,
    _key(),
    Column("uuid", String(36), nullable=False, unique=True),
    Column("user_id", Id, ForeignKey("user.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("filename", String(255), nullable=False),
    Column("size", BigInteger, nullable=False),  # as announced
    Column("received", BigInteger, nullable=False),  # the sum of its parts
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False, index=True),
    sqlite_autoincrement=NEVER_REUSED,
)

upload_part = Table(
    "upload_part",
    metadata,
    Column("upload_id", Id, ForeignKey("upload.id", ondelete="CASCADE"), primary_key=True),
    Column("start", BigInteger, primary_key=True),  # offset of its first byte
    Column("size", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False, index=True),  # of the blob that holds its bytes
)

# --- indexes ----------------------------------------------------------------------------------

revision = Table(
    "revision",
    metadata,
    _channel_key(primary_key=True),
    Column("subdir", _name(32), primary_key=True),  # "" is the channel's root (channeldata.json)
    Column("content", BigInteger, nullable=False),  # bumped by every change of an entry
    Column("indexed", BigInteger, nullable=False),  # that of the newest documents; stale where they differ
    Column("artifact_count", BigInteger, nullable=False),
    Column("changed_at", Moment, nullable=False),
)

shard = Table(
    "shard",
    metadata,
    _channel_key(primary_key=True),
    Column("subdir", _name(32), primary_key=True),
    Column("sha256", LargeBinary(32), primary_key=True),
    Column("name", _name(64), nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("revision", BigInteger, nullable=False),  # of the change that made or replaced it
    Column("replaced_at", Moment),  # null for the shard that the shard index names
    Index("ix_shard_name", "channel_id", "subdir", "name"),
    Index("ix_shard_revision", "channel_id", "subdir", "revision"),
    Index("ix_shard_replaced_at", "replaced_at"),
)

document = Table(
    "document",
    metadata,
    _channel_key(primary_key=True),
    Column("subdir", _name(32), primary_key=True),
    Column("name", _name(60), primary_key=True),
    Column("sha256", String(64), nullable=False, index=True),
    Column("size", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("built_at", Moment, nullable=False),
)
