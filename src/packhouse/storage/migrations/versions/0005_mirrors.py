"""Mirrors, their runs, and what they know of their upstreams; files whose bytes are not here yet."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.BigInteger()


def name(length: int) -> sa.String:
    return sa.String(length=length).with_variant(postgresql.VARCHAR(length, collation="C"), "postgresql")


def counter(label: str) -> sa.Column[int]:
    return sa.Column(label, sa.BigInteger(), nullable=False)


def mirror_key(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["mirror_id"], ["mirror.id"], name=f"fk_{table}_mirror_id_mirror", ondelete="CASCADE"
    )


def upgrade() -> None:
    _tell_records_of_the_same_bytes_apart()
    _let_entries_await_their_bytes()
    _add_mirrors()
    _add_runs()
    _add_knowledge_of_upstreams()


def _tell_records_of_the_same_bytes_apart() -> None:
    with op.batch_alter_table("artifact", table_kwargs={"sqlite_autoincrement": True}) as batch:
        batch.add_column(
            sa.Column("variant", sa.String(length=16), nullable=False, server_default=sa.text("''"))
        )
        batch.add_column(sa.Column("mirror_id", ID, nullable=True))
        batch.drop_constraint("uq_artifact_sha256_ckey", type_="unique")
        batch.create_unique_constraint("uq_artifact_sha256_ckey_variant", ["sha256", "ckey", "variant"])


def _let_entries_await_their_bytes() -> None:
    op.add_column("entry", sa.Column("is_served", sa.Boolean(), nullable=False, server_default=sa.true()))
    op.add_column("entry", sa.Column("is_awaited", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("entry", sa.Column("has_bytes", sa.Boolean(), nullable=False, server_default=sa.true()))
    op.add_column("entry", sa.Column("mirror_id", ID, nullable=True))
    op.add_column("entry", sa.Column("vanished_at", MOMENT, nullable=True))
    awaited = sa.column("is_awaited").is_(True)
    op.create_index(
        "ix_entry_awaited", "entry", ["mirror_id", "id"], sqlite_where=awaited, postgresql_where=awaited
    )


def _add_mirrors() -> None:
    op.create_table(
        "mirror",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("uuid", sa.String(length=36), nullable=False),
        sa.Column("channel_id", ID, nullable=False),
        sa.Column("name", name(100), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("type", sa.String(length=20), nullable=False),
        sa.Column("mode", sa.String(length=20), nullable=False),
        sa.Column("cron", sa.String(length=100), nullable=False),
        sa.Column("timezone", sa.String(length=100), nullable=False),
        sa.Column("proxy", sa.Text(), nullable=True),
        sa.Column("filters", sa.JSON(), nullable=False),
        sa.Column("on_vanished", sa.String(length=20), nullable=False),
        sa.Column("use_channel_policy", sa.Boolean(), nullable=False),
        sa.Column("policy_id", sa.String(length=36), nullable=True),
        sa.Column("state", sa.String(length=20), nullable=False),
        counter("active"),
        counter("passive"),
        sa.Column("last_run_at", MOMENT, nullable=True),
        sa.Column("next_run_at", MOMENT, nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["channel.id"], name="fk_mirror_channel_id_channel", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_mirror"),
        sa.UniqueConstraint("channel_id", "name", name="uq_mirror_channel_id_name"),
        sa.UniqueConstraint("uuid", name="uq_mirror_uuid"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_mirror_next_run_at", "mirror", ["next_run_at"], unique=False)


def _add_runs() -> None:
    op.create_table(
        "mirror_run",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("uuid", sa.String(length=36), nullable=False),
        sa.Column("mirror_id", ID, nullable=False),
        sa.Column("event_id", ID, nullable=True),
        sa.Column("trigger", sa.String(length=20), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("asked_at", MOMENT, nullable=False),
        sa.Column("started_at", MOMENT, nullable=True),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.Column("holder", sa.String(length=100), nullable=True),
        sa.Column("seen_at", MOMENT, nullable=True),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("step_count", sa.Integer(), nullable=False),
        sa.Column("description", sa.String(length=300), nullable=False),
        sa.Column("percentage", sa.Integer(), nullable=False),
        *(counter(label) for label in ("added", "removed", "changed", "vanished", "refused", "failed")),
        *(counter(label) for label in ("planned", "planned_bytes", "transferred")),
        sa.Column("filtered", sa.JSON(), nullable=False),
        sa.Column("filtered_examples", sa.JSON(), nullable=False),
        sa.Column("last_ckey", sa.String(length=260), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        mirror_key("mirror_run"),
        sa.PrimaryKeyConstraint("id", name="pk_mirror_run"),
        sa.UniqueConstraint("uuid", name="uq_mirror_run_uuid"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_mirror_run_state", "mirror_run", ["state"], unique=False)
    op.create_index("ix_mirror_run_mirror_id_id", "mirror_run", ["mirror_id", "id"], unique=False)
    op.create_table(
        "mirror_refusal",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("run_id", ID, nullable=False),
        sa.Column("ckey", sa.String(length=400), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("is_failure", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"], ["mirror_run.id"], name="fk_mirror_refusal_run_id_mirror_run", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_mirror_refusal"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_mirror_refusal_run_id_ckey", "mirror_refusal", ["run_id", "ckey"], unique=False)


def _add_knowledge_of_upstreams() -> None:
    op.create_table(
        "mirror_subdir",
        sa.Column("mirror_id", ID, nullable=False),
        sa.Column("subdir", name(32), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("etag", sa.Text(), nullable=True),
        sa.Column("last_modified", sa.Text(), nullable=True),
        sa.Column("base_url", sa.Text(), nullable=False),
        sa.Column("meaning", sa.String(length=64), nullable=False),
        sa.Column("unseen", sa.Integer(), nullable=False),
        sa.Column("is_complete", sa.Boolean(), nullable=False),
        sa.Column("checked_at", MOMENT, nullable=False),
        mirror_key("mirror_subdir"),
        sa.PrimaryKeyConstraint("mirror_id", "subdir", name="pk_mirror_subdir"),
    )
    op.create_table(
        "mirror_name",
        sa.Column("mirror_id", ID, nullable=False),
        sa.Column("subdir", name(32), nullable=False),
        sa.Column("name", name(64), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("filtered", sa.JSON(), nullable=True),
        mirror_key("mirror_name"),
        sa.PrimaryKeyConstraint("mirror_id", "subdir", "name", name="pk_mirror_name"),
        sqlite_with_rowid=False,
    )
