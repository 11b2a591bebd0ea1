"""Queries about shards (CEP 16): their bytes lie in the database, so they change with the entries."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, select, update

from packhouse.storage.tables import shard
from packhouse.storage.upsert import upsert_many


def put(
    connection: Connection,
    channel_id: int,
    subdir: str,
    packed: Iterable[tuple[str, bytes, bytes]],
    revision: int,
) -> None:
    """Make (name, SHA-256, body) the shards of their names; those before stay, for clients with an old index."""
    here = {"channel_id": channel_id, "subdir": subdir, "revision": revision, "replaced_at": None}
    rows = [{**here, "name": name, "sha256": sha256, "body": body} for name, sha256, body in packed]
    upsert_many(connection, shard, ("channel_id", "subdir", "sha256"), rows)


def replace(
    connection: Connection,
    channel_id: int,
    subdir: str,
    names: Sequence[str],
    revision: int,
    now: datetime,
) -> None:
    """Take the present shards of some names out of the shard index; `put` may set others in their place."""
    present = (shard.c.channel_id == channel_id) & (shard.c.subdir == subdir) & shard.c.replaced_at.is_(None)
    for start in range(0, len(names), 500):
        chosen = present & shard.c.name.in_(names[start : start + 500])
        connection.execute(update(shard).where(chosen).values(replaced_at=now, revision=revision))


def body(connection: Connection, channel_id: int, subdir: str, sha256: bytes) -> bytes | None:
    statement = select(shard.c.body).where(
        shard.c.channel_id == channel_id, shard.c.subdir == subdir, shard.c.sha256 == sha256
    )
    return connection.execute(statement).scalar_one_or_none()


def current(connection: Connection, channel_id: int, subdir: str) -> dict[str, bytes]:
    """The whole shard index: name -> SHA-256."""
    rows = connection.execute(
        select(shard.c.name, shard.c.sha256).where(
            shard.c.channel_id == channel_id, shard.c.subdir == subdir, shard.c.replaced_at.is_(None)
        )
    )
    return {row.name: bytes(row.sha256) for row in rows}


def in_name_order(connection: Connection, channel_id: int, subdir: str) -> Iterator[Row[Any]]:
    """Name, SHA-256 and body of each shard that the shard index names; streamed."""
    here = (shard.c.channel_id == channel_id) & (shard.c.subdir == subdir) & shard.c.replaced_at.is_(None)
    statement = select(shard.c.name, shard.c.sha256, shard.c.body).where(here).order_by(shard.c.name)
    rows: Iterable[Row[Any]] = connection.execute(statement, execution_options={"yield_per": 500})
    yield from rows


def subdirs(connection: Connection, channel_id: int) -> set[str]:
    statement = select(shard.c.subdir).where(shard.c.channel_id == channel_id, shard.c.replaced_at.is_(None))
    return set(connection.execute(statement.distinct()).scalars())


def changes(connection: Connection, channel_id: int, subdir: str, since: int) -> Mapping[str, bytes | None]:
    """What changed in the shard index after revision `since`: name -> SHA-256, None for a name gone."""
    rows = connection.execute(
        select(shard.c.name, shard.c.sha256, shard.c.replaced_at).where(
            shard.c.channel_id == channel_id, shard.c.subdir == subdir, shard.c.revision > since
        )
    )
    found: dict[str, bytes | None] = {}
    for row in rows:
        if row.replaced_at is None:
            found[row.name] = bytes(row.sha256)
        else:
            found.setdefault(row.name, None)
    return found


def remove_replaced(connection: Connection, before: datetime) -> int:
    return connection.execute(delete(shard).where(shard.c.replaced_at < before)).rowcount
