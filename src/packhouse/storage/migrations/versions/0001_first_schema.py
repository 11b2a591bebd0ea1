"""The first schema: people, channels, artifacts, indexes."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.BigInteger()


def name(length: int) -> sa.String:
    return sa.String(length).with_variant(sa.VARCHAR(length, collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "artifact",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("family", name(20), nullable=False),
        sa.Column("name", name(64), nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("build", sa.String(length=64), nullable=False),
        sa.Column("build_number", sa.BigInteger(), nullable=False),
        sa.Column("subdir", name(32), nullable=False),
        sa.Column("filename", name(211), nullable=False),
        sa.Column("ckey", name(260), nullable=False),
        sa.Column("md5", sa.String(length=32), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("record", sa.LargeBinary(), nullable=False),
        sa.Column("record_splice", sa.Integer(), nullable=False),
        sa.Column("run_exports", sa.LargeBinary(), nullable=False),
        sa.Column("about", sa.JSON(), nullable=False),
        sa.Column("flags", sa.JSON(), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_artifact"),
        sa.UniqueConstraint("sha256", "ckey", name="uq_artifact_sha256_ckey"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "blob",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("unreferenced_since", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("sha256", name="pk_blob"),
    )
    op.create_index("ix_blob_unreferenced_since", "blob", ["unreferenced_since"], unique=False)
    op.create_table(
        "event",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("uuid", sa.String(length=36), nullable=False),
        sa.Column("type", sa.String(length=50), nullable=False),
        sa.Column("actor_id", ID, nullable=True),
        sa.Column("actor_name", sa.String(length=100), nullable=False),
        sa.Column("channel_id", ID, nullable=True),
        sa.Column("channel_path", sa.String(length=130), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_event"),
        sa.UniqueConstraint("uuid", name="uq_event_uuid"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_event_channel_id_id", "event", ["channel_id", "id"], unique=False)
    op.create_table(
        "secret",
        sa.Column("name", sa.String(length=50), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_secret"),
    )
    op.create_table(
        "user",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("uuid", sa.String(length=36), nullable=False),
        sa.Column("username", sa.String(length=100), nullable=False),
        sa.Column("email", sa.String(length=320), nullable=True),
        sa.Column("password_hash", sa.String(length=255), nullable=True),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("default_channel_id", ID, nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("sessions_valid_from", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_user"),
        sa.UniqueConstraint("username", name="uq_user_username"),
        sa.UniqueConstraint("uuid", name="uq_user_uuid"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "channel",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("uuid", sa.String(length=36), nullable=False),
        sa.Column("path", name(130), nullable=False),
        sa.Column("parent_id", ID, nullable=True),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("privacy", sa.String(length=20), nullable=False),
        sa.Column("indexing", sa.String(length=20), nullable=False),
        sa.Column("owner_id", ID, nullable=False),
        sa.Column("download_count", sa.BigInteger(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["user.id"], name="fk_channel_owner_id_user"),
        sa.ForeignKeyConstraint(["parent_id"], ["channel.id"], name="fk_channel_parent_id_channel"),
        sa.PrimaryKeyConstraint("id", name="pk_channel"),
        sa.UniqueConstraint("path", name="uq_channel_path"),
        sa.UniqueConstraint("uuid", name="uq_channel_uuid"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_channel_owner_id", "channel", ["owner_id"], unique=False)
    op.create_index("ix_channel_parent_id", "channel", ["parent_id"], unique=False)
    op.create_table(
        "token",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("uuid", sa.String(length=36), nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("scopes", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("resources", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=True),
        sa.Column("last_used_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name="fk_token_user_id_user", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_token"),
        sa.UniqueConstraint("digest", name="uq_token_digest"),
        sa.UniqueConstraint("uuid", name="uq_token_uuid"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_token_user_id", "token", ["user_id"], unique=False)
    op.create_table(
        "document",
        sa.Column("channel_id", ID, nullable=False),
        sa.Column("subdir", name(32), nullable=False),
        sa.Column("name", name(60), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("built_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["channel.id"], name="fk_document_channel_id_channel", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("channel_id", "subdir", "name", name="pk_document"),
    )
    op.create_index("ix_document_sha256", "document", ["sha256"], unique=False)
    op.create_table(
        "entry",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("channel_id", ID, nullable=False),
        sa.Column("artifact_id", ID, nullable=False),
        sa.Column("family", name(20), nullable=False),
        sa.Column("name", name(64), nullable=False),
        sa.Column("subdir", name(32), nullable=False),
        sa.Column("section", sa.SmallInteger(), nullable=False),
        sa.Column("filename", name(211), nullable=False),
        sa.Column("ckey", name(260), nullable=False),
        sa.Column("indexed_timestamp", sa.BigInteger(), nullable=False),
        sa.Column("added_at", MOMENT, nullable=False),
        sa.Column("added_by", ID, nullable=True),
        sa.Column("download_count", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["artifact_id"], ["artifact.id"], name="fk_entry_artifact_id_artifact"),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["channel.id"], name="fk_entry_channel_id_channel", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_entry"),
        sa.UniqueConstraint("channel_id", "ckey", name="uq_entry_channel_id_ckey"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_entry_artifact_id", "entry", ["artifact_id"], unique=False)
    op.create_index(
        "ix_entry_index_order", "entry", ["channel_id", "subdir", "section", "filename"], unique=False
    )
    op.create_index("ix_entry_package", "entry", ["channel_id", "family", "name"], unique=False)
    op.create_table(
        "grant",
        sa.Column("channel_id", ID, nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("level", sa.SmallInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["channel.id"], name="fk_grant_channel_id_channel", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name="fk_grant_user_id_user", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("channel_id", "user_id", name="pk_grant"),
    )
    op.create_index("ix_grant_user_id", "grant", ["user_id"], unique=False)
    op.create_table(
        "package",
        sa.Column("channel_id", ID, nullable=False),
        sa.Column("family", name(20), nullable=False),
        sa.Column("name", name(64), nullable=False),
        sa.Column("latest_artifact_id", ID, nullable=False),
        sa.Column("file_count", sa.Integer(), nullable=False),
        sa.Column("versions", sa.JSON(), nullable=False),
        sa.Column("subdirs", sa.JSON(), nullable=False),
        sa.Column("channeldata", sa.LargeBinary(), nullable=True),
        sa.Column("platforms", sa.String(length=600), nullable=False),
        sa.Column("download_count", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["channel.id"], name="fk_package_channel_id_channel", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["latest_artifact_id"], ["artifact.id"], name="fk_package_latest_artifact_id_artifact"
        ),
        sa.PrimaryKeyConstraint("channel_id", "family", "name", name="pk_package"),
    )
    op.create_index("ix_package_latest_artifact_id", "package", ["latest_artifact_id"], unique=False)
    op.create_index("ix_package_name", "package", ["name"], unique=False)
    op.create_table(
        "revision",
        sa.Column("channel_id", ID, nullable=False),
        sa.Column("subdir", name(32), nullable=False),
        sa.Column("content", sa.BigInteger(), nullable=False),
        sa.Column("indexed", sa.BigInteger(), nullable=False),
        sa.Column("artifact_count", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["channel.id"], name="fk_revision_channel_id_channel", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("channel_id", "subdir", name="pk_revision"),
    )
    op.create_table(
        "shard",
        sa.Column("channel_id", ID, nullable=False),
        sa.Column("subdir", name(32), nullable=False),
        sa.Column("sha256", sa.LargeBinary(length=32), nullable=False),
        sa.Column("name", name(64), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("replaced_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["channel.id"], name="fk_shard_channel_id_channel", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("channel_id", "subdir", "sha256", name="pk_shard"),
    )
    op.create_index("ix_shard_name", "shard", ["channel_id", "subdir", "name"], unique=False)
    op.create_index("ix_shard_replaced_at", "shard", ["replaced_at"], unique=False)
    op.create_index("ix_shard_revision", "shard", ["channel_id", "subdir", "revision"], unique=False)
