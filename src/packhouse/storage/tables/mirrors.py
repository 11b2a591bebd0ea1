"""Tables of mirrors, their runs, and what they know of their upstreams."""

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from packhouse.storage.tables.columns import NEVER_REUSED, Id, Moment, channel_key, key, metadata, name_column


def _mirror_key(**options: Any) -> Column[int]:
    return Column("mirror_id", Id, ForeignKey("mirror.id", ondelete="CASCADE"), nullable=False, **options)


mirror = Table(
    "mirror",
    metadata,
    key(),
    Column("uuid", String(36), nullable=False, unique=True),
    channel_key(),
    Column("name", name_column(100), nullable=False),
    Column("source", Text, nullable=False),
    Column("type", String(20), nullable=False),
    Column("mode", String(20), nullable=False),
    Column("cron", String(100), nullable=False),
    Column("timezone", String(100), nullable=False),
    Column("proxy", Text),  # with its password, which is never shown
    Column("filters", JSON, nullable=False),
    Column("on_vanished", String(20), nullable=False),
    Column("use_channel_policy", Boolean, nullable=False),
    Column("policy_id", String(36)),
    Column("state", String(20), nullable=False),
    Column("active", BigInteger, nullable=False),  # files whose bytes are here
    Column("passive", BigInteger, nullable=False),  # files whose bytes come when they are asked for
    Column("last_run_at", Moment),
    Column("next_run_at", Moment, index=True),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    UniqueConstraint("channel_id", "name"),
    sqlite_autoincrement=NEVER_REUSED,
)

mirror_run = Table(
    "mirror_run",
    metadata,
    key(),
    Column("uuid", String(36), nullable=False, unique=True),
    _mirror_key(),
    Column("event_id", Id),  # of the event that its file changes belong to
    Column("trigger", String(20), nullable=False),
    Column("state", String(20), nullable=False, index=True),
    Column("asked_at", Moment, nullable=False),
    Column("started_at", Moment),
    Column("ended_at", Moment),
    Column("holder", String(100)),  # the process that works on it
    Column("seen_at", Moment),  # when that process last said so
    Column("step", Integer, nullable=False, default=0),
    Column("step_count", Integer, nullable=False, default=0),
    Column("description", String(300), nullable=False, default=""),
    Column("percentage", Integer, nullable=False, default=0),  # of the step
    Column("added", BigInteger, nullable=False, default=0),
    Column("removed", BigInteger, nullable=False, default=0),
    Column("changed", BigInteger, nullable=False, default=0),
    Column("vanished", BigInteger, nullable=False, default=0),
    Column("refused", BigInteger, nullable=False, default=0),
    Column("failed", BigInteger, nullable=False, default=0),
    Column("planned", BigInteger, nullable=False, default=0),  # files still to be fetched
    Column("planned_bytes", BigInteger, nullable=False, default=0),
    Column("transferred", BigInteger, nullable=False, default=0),  # bytes from the upstream
    Column("filtered", JSON, nullable=False),  # reason -> how many files
    Column("filtered_examples", JSON, nullable=False),  # reason -> some of their ckeys
    Column("last_ckey", String(260)),
    Column("last_error", Text),
    Index("ix_mirror_run_mirror_id_id", "mirror_id", "id"),
    sqlite_autoincrement=NEVER_REUSED,
)

mirror_refusal = Table(
    "mirror_refusal",
    metadata,
    key(),
    Column("run_id", Id, ForeignKey("mirror_run.id", ondelete="CASCADE"), nullable=False),
    Column("ckey", String(400), nullable=False),
    Column("reason", Text, nullable=False),
    Column("is_failure", Boolean, nullable=False),  # it was to come, and did not; else it never will
    Index("ix_mirror_refusal_run_id_ckey", "run_id", "ckey"),
    sqlite_autoincrement=NEVER_REUSED,
)

mirror_subdir = Table(
    "mirror_subdir",
    metadata,
    _mirror_key(primary_key=True),
    Column("subdir", name_column(32), primary_key=True),
    Column("address", Text, nullable=False),  # of the index document that was read last
    Column("etag", Text),
    Column("last_modified", Text),
    Column("base_url", Text, nullable=False),  # what file names are appended to
    Column("meaning", String(64), nullable=False),  # of the filters that it was read with
    Column("unseen", Integer, nullable=False),  # names that no spec mentions: they are not even looked at
    Column("is_complete", Boolean, nullable=False),  # whether all that it listed was looked at
    Column("checked_at", Moment, nullable=False),
)

mirror_name = Table(
    "mirror_name",
    metadata,
    _mirror_key(primary_key=True),
    Column("subdir", name_column(32), primary_key=True),
    Column("name", name_column(64), primary_key=True),
    Column("digest", LargeBinary, nullable=False),  # of what the upstream says of it, and of the filters
    Column("filtered", JSON(none_as_null=True)),  # reason -> how many of its files were not taken
    sqlite_with_rowid=False,
)
