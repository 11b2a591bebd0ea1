"""What the tables are made of: names of constraints, times, keys, and text that sorts by code point."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Column, Dialect, ForeignKey, Integer, MetaData, String, TypeDecorator
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


def name_column(length: int) -> String:
    """Text compared and sorted by code point: a locale's order would not be that of sorted JSON keys."""
    return String(length).with_variant(postgresql.VARCHAR(length, collation="C"), "postgresql")


NEVER_REUSED = True
"""Ids are not given twice: caches and the event trail may still know the old bearer."""


def key() -> Column[int]:
    return Column("id", Id, primary_key=True, autoincrement=True)


def channel_key(**options: Any) -> Column[int]:
    return Column("channel_id", Id, ForeignKey("channel.id", ondelete="CASCADE"), nullable=False, **options)
