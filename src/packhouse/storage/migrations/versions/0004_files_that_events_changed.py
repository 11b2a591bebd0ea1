"""Which files an event put into a channel or took out of it."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def name(length: int) -> sa.String:
    return sa.String(length=length).with_variant(postgresql.VARCHAR(length, collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "file_change",
        sa.Column("id", ID, autoincrement=True, nullable=False),
        sa.Column("event_id", ID, nullable=False),
        sa.Column("channel_id", ID, nullable=False),
        sa.Column("action", sa.String(length=20), nullable=False),
        sa.Column("family", name(20), nullable=False),
        sa.Column("name", name(64), nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("ckey", name(260), nullable=False),
        sa.ForeignKeyConstraint(["event_id"], ["event.id"], name="fk_file_change_event_id_event"),
        sa.PrimaryKeyConstraint("id", name="pk_file_change"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_file_change_event_id", "file_change", ["event_id"], unique=False)
    op.create_index("ix_file_change_channel_id_id", "file_change", ["channel_id", "id"], unique=False)
