"""Tables of channels, of who may do what in them, and of what happened."""

from sqlalchemy import JSON, BigInteger, Column, ForeignKey, Index, SmallInteger, String, Table, Text

from packhouse.storage.tables.columns import NEVER_REUSED, Id, Moment, channel_key, key, metadata, name_column

channel = Table(
    "channel",
    metadata,
    key(),
    Column("uuid", String(36), nullable=False, unique=True),
    Column("path", name_column(130), nullable=False, unique=True),
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
    channel_key(primary_key=True),
    Column("user_id", Id, ForeignKey("user.id", ondelete="CASCADE"), primary_key=True, index=True),
    Column("level", SmallInteger, nullable=False),
)

event = Table(
    "event",
    metadata,
    key(),
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
    key(),
    Column("event_id", Id, ForeignKey("event.id"), nullable=False, index=True),
    Column("channel_id", Id, nullable=False),  # no foreign key: the trail outlives channels
    Column("action", String(20), nullable=False),
    Column("family", name_column(20), nullable=False),
    Column("name", name_column(64), nullable=False),
    Column("version", String(64), nullable=False),
    Column("ckey", name_column(260), nullable=False),
    Index("ix_file_change_channel_id_id", "channel_id", "id"),
    sqlite_autoincrement=NEVER_REUSED,
)
