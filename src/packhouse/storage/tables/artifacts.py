"""Tables of files: what they are, which channels they are in, and which bytes they consist of."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    UniqueConstraint,
    false,
    text,
    true,
)

from packhouse.storage.tables.columns import NEVER_REUSED, Id, Moment, channel_key, key, metadata, name_column

artifact = Table(
    "artifact",
    metadata,
    key(),
    Column("family", name_column(20), nullable=False),
    Column("name", name_column(64), nullable=False),
    Column("version", String(64), nullable=False),
    Column("build", String(64), nullable=False),
    Column("build_number", BigInteger, nullable=False),
    Column("subdir", name_column(32), nullable=False),
    Column("filename", name_column(211), nullable=False),
    Column("ckey", name_column(260), nullable=False),
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
    Column(
        "variant", String(16), nullable=False, server_default=text("''")
    ),  # tells records of the same bytes apart
    Column("mirror_id", Id),  # where bytes that are not here can be fetched; no foreign key: it may be gone
    UniqueConstraint("sha256", "ckey", "variant"),
    sqlite_autoincrement=NEVER_REUSED,
)

entry = Table(
    "entry",
    metadata,
    key(),
    channel_key(),
    Column("artifact_id", Id, ForeignKey("artifact.id"), nullable=False, index=True),
    Column("family", name_column(20), nullable=False),
    Column("name", name_column(64), nullable=False),
    Column("subdir", name_column(32), nullable=False),
    Column("section", SmallInteger, nullable=False),  # as in the index (domain/sections.py)
    Column("filename", name_column(211), nullable=False),
    Column("ckey", name_column(260), nullable=False),
    Column("indexed_timestamp", BigInteger, nullable=False),  # ms; set once, never recomputed (CEP 47)
    Column("added_at", Moment, nullable=False),
    Column("added_by", Id),
    Column("download_count", BigInteger, nullable=False, default=0),
    Column("is_served", Boolean, nullable=False, server_default=true()),
    Column("is_awaited", Boolean, nullable=False, server_default=false()),  # a mirror is to fetch its bytes
    Column("has_bytes", Boolean, nullable=False, server_default=true()),  # false: they were never seen here
    Column("mirror_id", Id),  # which mirror brought it
    Column("vanished_at", Moment),  # since when the upstream lists it no longer
    UniqueConstraint("channel_id", "ckey"),
    Index("ix_entry_index_order", "channel_id", "subdir", "section", "filename"),
    Index("ix_entry_package", "channel_id", "family", "name"),
    sqlite_autoincrement=NEVER_REUSED,
)

_AWAITED = entry.c.is_awaited.is_(True)
Index("ix_entry_awaited", entry.c.mirror_id, entry.c.id, sqlite_where=_AWAITED, postgresql_where=_AWAITED)

package = Table(
    "package",
    metadata,
    channel_key(primary_key=True),
    Column("family", name_column(20), primary_key=True),
    Column("name", name_column(64), primary_key=True),
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

upload = Table(
    "upload",
    metadata,
    key(),
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
