"""Queries about documents: the pointers from an index file's name to the blob that holds its bytes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, select

from packhouse.storage.tables import document
from packhouse.storage.upsert import upsert


@dataclass(frozen=True, slots=True)
class Document:
    name: str
    sha256: str
    size: int
    built_at: datetime


def find(connection: Connection, channel_id: int, subdir: str, name: str) -> Document | None:
    statement = select(document).where(
        document.c.channel_id == channel_id, document.c.subdir == subdir, document.c.name == name
    )
    row = connection.execute(statement).one_or_none()
    return None if row is None else Document(row.name, row.sha256, row.size, row.built_at)


def put(
    connection: Connection, channel_id: int, subdir: str, revision: int, documents: Mapping[str, Document]
) -> set[str]:
    """Swap in a subdir's documents; answer the digests that were replaced."""
    where = (document.c.channel_id == channel_id) & (document.c.subdir == subdir)
    before = set(connection.execute(select(document.c.sha256).where(where)).scalars())
    for one in documents.values():
        key = {"channel_id": channel_id, "subdir": subdir, "name": one.name}
        values = {"sha256": one.sha256, "size": one.size, "revision": revision, "built_at": one.built_at}
        upsert(connection, document, key, values)
    return before - {one.sha256 for one in documents.values()}


def remove_all(connection: Connection, channel_id: int) -> set[str]:
    statement = delete(document).where(document.c.channel_id == channel_id).returning(document.c.sha256)
    return set(connection.execute(statement).scalars())


def everywhere(connection: Connection) -> Iterator[tuple[int, str, str, str, int]]:
    """Channel id, subdir, name, SHA-256 and size of every document."""
    for row in connection.execute(select(document)):
        yield row.channel_id, row.subdir, row.name, row.sha256, row.size
