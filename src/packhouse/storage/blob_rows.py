"""Queries about blobs: which digests the database refers to, and since when nobody has.

A claim is made before the bytes are kept and confirmed in the transaction that refers to them. What a
crash leaves between the two is an unconfirmed claim, which the sweep finds without walking the store.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, Table, delete, exists, or_, select, union, update

from packhouse.errors import Conflict
from packhouse.storage.tables import artifact, blob, document, upload_part
from packhouse.storage.upsert import upsert

_REFERRING = (artifact, document, upload_part)
"""Tables whose rows consist of a blob: `sha256` and `size`."""


def claim(connection: Connection, sha256: str, size: int, now: datetime) -> None:
    """Announce that bytes of this digest are about to be kept and referred to.

    Waits for a sweep that is removing the same digest, so that it is kept again afterwards.
    """
    values = {"size": size, "unreferenced_since": now}
    upsert(connection, blob, {"sha256": sha256}, values, where=blob.c.unreferenced_since.is_not(None))


def confirm(connection: Connection, sha256: str) -> None:
    """A row refers to the bytes now. Raise Conflict if a sweep took them, which needs a claim an hour old."""
    changed = connection.execute(update(blob).where(blob.c.sha256 == sha256).values(unreferenced_since=None))
    if changed.rowcount == 0:
        raise Conflict(f"The bytes of {sha256} were removed while they were being published. Try again.")


def release(connection: Connection, digests: Iterable[str], now: datetime) -> None:
    """Mark those of the digests that no row refers to any more; the sweep removes them after a while."""
    for sha256 in sorted(digests):
        # Where two let go of the same bytes at once, the second waits here, and sees that nobody is left.
        connection.execute(select(blob.c.sha256).where(blob.c.sha256 == sha256).with_for_update())
        unused = (blob.c.sha256 == sha256) & ~_is_referenced()
        connection.execute(update(blob).where(unused).values(unreferenced_since=now))


def orphans(connection: Connection, before: datetime, limit: int) -> list[str]:
    statement = select(blob.c.sha256).where(blob.c.unreferenced_since < before).limit(limit)
    return list(connection.execute(statement).scalars())


def forget(connection: Connection, sha256: str, before: datetime) -> bool:
    """Remove the row if it is still an orphan; True means that the bytes may go, before this commits.

    A row that is referred to after all is an orphan no longer.
    """
    old = (blob.c.sha256 == sha256) & (blob.c.unreferenced_since < before)
    connection.execute(update(blob).where(old, _is_referenced()).values(unreferenced_since=None))
    return connection.execute(delete(blob).where(old)).rowcount == 1


def _is_referenced() -> Any:
    return or_(*(exists().where(table.c.sha256 == blob.c.sha256) for table in _REFERRING))


def page(connection: Connection, after: str, limit: int) -> list[Row[Any]]:
    """SHA-256 and size of the next blobs that must be in the store, in order of their digests."""
    behind = blob.c.unreferenced_since.is_(None) & (blob.c.sha256 > after)
    statement = select(blob.c.sha256, blob.c.size).where(behind)
    return list(connection.execute(statement.order_by(blob.c.sha256).limit(limit)))


def is_needed(connection: Connection, sha256: str) -> bool:
    """Whether the bytes must be in the store."""
    needed = (blob.c.sha256 == sha256) & blob.c.unreferenced_since.is_(None)
    return bool(connection.execute(select(exists().where(needed))).scalar())


def known(connection: Connection, digests: Sequence[str]) -> set[str]:
    """Those of the digests (a thousand at most) that have a row."""
    return set(connection.execute(select(blob.c.sha256).where(blob.c.sha256.in_(digests))).scalars())


def unused(connection: Connection, limit: int) -> list[str]:
    """Blobs that are said to be referred to, though nothing does."""
    statement = select(blob.c.sha256).where(blob.c.unreferenced_since.is_(None), ~_is_referenced())
    return list(connection.execute(statement.limit(limit)).scalars())


def unlisted(connection: Connection, limit: int) -> list[Row[Any]]:
    """SHA-256 and size of what a row elsewhere refers to without a row here."""
    statement = union(*(_without_row(table) for table in _REFERRING))
    return list(connection.execute(statement.limit(limit)))


def _without_row(table: Table) -> Select[Any]:
    return select(table.c.sha256, table.c.size).where(~exists().where(blob.c.sha256 == table.c.sha256))


def adopt(connection: Connection, sha256: str, size: int) -> bool:
    """Make a row, long an orphan, for bytes that nobody knows; False when somebody claimed them meanwhile.

    Until this transaction ends, nobody else can claim them: `forget` may follow, and the bytes go.
    """
    long_ago = datetime.fromtimestamp(0, UTC)
    values = {"size": size, "unreferenced_since": long_ago}
    kept = {"size": blob.c.size}
    where = blob.c.unreferenced_since == long_ago
    result = upsert(connection, blob, {"sha256": sha256}, values, kept, where, returning=[blob.c.sha256])
    return result.one_or_none() is not None
