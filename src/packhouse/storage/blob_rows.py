"""Queries about blobs: which digests the database refers to, and since when nobody has.

A claim is made before the bytes are kept and confirmed in the transaction that refers to them. What a
crash leaves between the two is an unconfirmed claim, which the sweep finds without walking the store.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, Table, delete, exists, or_, select, union, update

from packhouse.errors import Conflict
from packhouse.storage.tables import artifact, blob, document, mirror, upload_part
from packhouse.storage.upsert import upsert, upsert_many

_CHUNK = 500
_REFERRING = (artifact, document, upload_part)
"""Tables whose rows consist of a blob: `sha256` and `size`. An artifact that a mirror listed may await it."""


def claim(connection: Connection, sha256: str, size: int, now: datetime) -> None:
    """Announce that bytes of this digest are about to be kept and referred to.

    Waits for a sweep that is removing the same digest, so that it is kept again afterwards.
    """
    claim_all(connection, {sha256: size}, now)


def claim_all(connection: Connection, sizes: Mapping[str, int], now: datetime) -> None:
    """As `claim`, for many: SHA-256 -> size in bytes."""
    rows = [{"sha256": key, "size": sizes[key], "unreferenced_since": now} for key in sorted(sizes)]
    upsert_many(connection, blob, ["sha256"], rows, where=blob.c.unreferenced_since.is_not(None))


def confirm(connection: Connection, sha256: str) -> bool:
    """A row refers to the bytes now; answer whether none did before.

    Raise Conflict if a sweep took them, which needs a claim an hour old.
    """
    return sha256 in confirm_all(connection, [sha256])


def confirm_all(connection: Connection, digests: Iterable[str]) -> set[str]:
    """As `confirm`, for many; answer those that no row referred to before."""
    added: set[str] = set()
    for some in _chunks(digests):
        found = {row.sha256: row.unreferenced_since for row in _locked(connection, some)}
        for sha256 in some:
            if sha256 not in found:
                raise Conflict(
                    f"The bytes of {sha256} were removed while they were being published. Try again."
                )
        claimed = [sha256 for sha256, since in found.items() if since is not None]
        if claimed:
            connection.execute(update(blob).where(blob.c.sha256.in_(claimed)).values(unreferenced_since=None))
        added.update(claimed)
    return added


def release(connection: Connection, digests: Iterable[str], now: datetime) -> None:
    """Mark those of the digests that no row refers to any more; the sweep removes them after a while."""
    for some in _chunks(digests):
        _locked(connection, some)
        unused = blob.c.sha256.in_(some) & ~_is_referenced()
        connection.execute(update(blob).where(unused).values(unreferenced_since=now))


def _locked(connection: Connection, digests: Sequence[str]) -> list[Row[Any]]:
    """Whoever lets go of the same bytes at this moment waits, or is waited for, and then sees who is left.

    In order, so that no two wait for each other.
    """
    statement = select(blob.c.sha256, blob.c.unreferenced_since).where(blob.c.sha256.in_(digests))
    return list(connection.execute(statement.order_by(blob.c.sha256).with_for_update()))


def _chunks(digests: Iterable[str]) -> Iterator[list[str]]:
    ordered = sorted(set(digests))
    return (ordered[start : start + _CHUNK] for start in range(0, len(ordered), _CHUNK))


def orphans(connection: Connection, before: datetime, limit: int) -> list[str]:
    statement = select(blob.c.sha256).where(blob.c.unreferenced_since < before).limit(limit)
    return list(connection.execute(statement).scalars())


def forget(connection: Connection, sha256: str, before: datetime) -> bool:
    """Remove the row if it is still an orphan; True means that the bytes may go, before this commits.

    A row that is referred to after all is an orphan no longer. Who only awaits the bytes does not count:
    they may never have been kept, and are fetched when they are asked for.
    """
    old = (blob.c.sha256 == sha256) & (blob.c.unreferenced_since < before)
    connection.execute(update(blob).where(old, _is_depended_on()).values(unreferenced_since=None))
    return connection.execute(delete(blob).where(old)).rowcount == 1


def forget_lost(connection: Connection, sha256: str) -> None:
    """Remove the row of bytes that are lost, so that a mirror fetches them again."""
    connection.execute(delete(blob).where(blob.c.sha256 == sha256))


def is_fetchable(connection: Connection, sha256: str) -> bool:
    """Whether a mirror can bring the bytes of this row again, and all who refer to them can wait for it."""
    listed = exists().where(artifact.c.sha256 == sha256, artifact.c.mirror_id == mirror.c.id)
    statement = select(blob.c.sha256).where(blob.c.sha256 == sha256, listed, ~_is_depended_on())
    return connection.execute(statement).first() is not None


def _is_referenced() -> Any:
    return or_(*(exists().where(table.c.sha256 == blob.c.sha256) for table in _REFERRING))


def _is_depended_on() -> Any:
    """Whether a row refers to the bytes that could not be without them."""
    return or_(
        *(exists().where(table.c.sha256 == blob.c.sha256, *_cannot_wait(table)) for table in _REFERRING)
    )


def _cannot_wait(table: Table) -> list[Any]:
    return [table.c.mirror_id.is_(None)] if table is artifact else []


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


def confirmed(connection: Connection, digests: Sequence[str]) -> set[str]:
    """Those of the digests (a thousand at most) that rows refer to: their bytes are in the store."""
    chosen = blob.c.sha256.in_(digests) & blob.c.unreferenced_since.is_(None)
    return set(connection.execute(select(blob.c.sha256).where(chosen)).scalars())


def unused(connection: Connection, limit: int) -> list[str]:
    """Blobs that are said to be referred to, though nothing does."""
    statement = select(blob.c.sha256).where(blob.c.unreferenced_since.is_(None), ~_is_referenced())
    return list(connection.execute(statement.limit(limit)).scalars())


def unlisted(connection: Connection, limit: int) -> list[Row[Any]]:
    """SHA-256 and size of what a row elsewhere depends on without a row here."""
    statement = union(*(_without_row(table) for table in _REFERRING))
    return list(connection.execute(statement.limit(limit)))


def _without_row(table: Table) -> Select[Any]:
    is_known = exists().where(blob.c.sha256 == table.c.sha256)
    return select(table.c.sha256, table.c.size).where(~is_known, *_cannot_wait(table))


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
