"""Tables of what is made from the entries: revisions, shards and documents."""

from sqlalchemy import BigInteger, Column, Index, LargeBinary, String, Table

from packhouse.storage.tables.columns import Moment, channel_key, metadata, name_column

revision = Table(
    "revision",
    metadata,
    channel_key(primary_key=True),
    Column("subdir", name_column(32), primary_key=True),  # "" is the channel's root (channeldata.json)
    Column("content", BigInteger, nullable=False),  # bumped by every change of an entry
    Column("indexed", BigInteger, nullable=False),  # that of the newest documents; stale where they differ
    Column("artifact_count", BigInteger, nullable=False),
    Column("changed_at", Moment, nullable=False),
)

shard = Table(
    "shard",
    metadata,
    channel_key(primary_key=True),
    Column("subdir", name_column(32), primary_key=True),
    Column("sha256", LargeBinary(32), primary_key=True),
    Column("name", name_column(64), nullable=False),
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
    channel_key(primary_key=True),
    Column("subdir", name_column(32), primary_key=True),
    Column("name", name_column(60), primary_key=True),
    Column("sha256", String(64), nullable=False, index=True),
    Column("size", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("built_at", Moment, nullable=False),
)
