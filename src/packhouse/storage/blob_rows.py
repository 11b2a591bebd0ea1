"""Queries about blobs: which digests the database refers to, and since when nobody has.

A claim is made before the bytes are kept and confirmed in the transaction that refers to them. What a
crash leaves between the two is an unconfirmed claim, which the sweep finds without walking the store.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, exists, or_, select, update

from packhouse.errors import Conflict
from packhouse.storage.tables import artifact, blob, document
from packhouse.storage.upsert import upsert


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
    for sha256 in digests:
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
    return or_(
        exists().where(artifact.c.sha256 == blob.c.sha256), exists().where(document.c.sha256 == blob.c.sha256)
    )


def referenced(connection: Connection) -> Iterable[tuple[str, int]]:
    """Digest and size of all that must be in the store, streamed."""
    yield from (
        (row.sha256, row.size)
        for row in connection.execution_options(yield_per=10_000).execute(
            select(blob.c.sha256, blob.c.size).where(blob.c.unreferenced_since.is_(None))
        )
    )


def is_known(connection: Connection, sha256: str) -> bool:
    return bool(connection.execute(select(exists().where(blob.c.sha256 == sha256))).scalar())
