"""Queries about shards (CEP 16): their bytes lie in the database, so they change with the entries."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, select, update

from packhouse.storage.tables import shard
from packhouse.storage.upsert import upsert


def put(
    connection: Connection, channel_id: int, subdir: str, name: str, sha256: bytes, body: bytes, revision: int
) -> None:
    """Make `body` the shard of `name`; the one before stays readable for clients with an old shard index."""
    key = {"channel_id": channel_id, "subdir": subdir, "sha256": sha256}
    upsert(connection, shard, key, {"name": name, "body": body, "revision": revision, "replaced_at": None})


def replace(
    connection: Connection, channel_id: int, subdir: str, name: str, revision: int, now: datetime
) -> None:
    """Take the present shard of `name` out of the shard index; `put` may set another in its place."""
    connection.execute(
        update(shard)
        .where(
            shard.c.channel_id == channel_id,
            shard.c.subdir == subdir,
            shard.c.name == name,
            shard.c.replaced_at.is_(None),
        )
        .values(replaced_at=now, revision=revision)
    )


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
