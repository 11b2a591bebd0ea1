"""Queries about documents: the pointers from an index file's name to the blob that holds its bytes."""

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
    revision: int
    built_at: datetime


def find(connection: Connection, channel_id: int, subdir: str, name: str) -> Document | None:
    statement = select(document).where(
        document.c.channel_id == channel_id, document.c.subdir == subdir, document.c.name == name
    )
    row = connection.execute(statement).one_or_none()
    return None if row is None else Document(row.name, row.sha256, row.size, row.revision, row.built_at)


def put(connection: Connection, channel_id: int, subdir: str, new: Document) -> str:
    """Swap in a document unless a newer one is there; answer the digest that was there before, or the new one."""
    before = find(connection, channel_id, subdir, new.name)
    key = {"channel_id": channel_id, "subdir": subdir, "name": new.name}
    values = {
        "sha256": new.sha256,
        "size": new.size,
        "revision": new.revision,
        "built_at": new.built_at,
    }
    upsert(connection, document, key, values, where=document.c.revision <= new.revision)
    return new.sha256 if before is None else before.sha256


def remove_all(connection: Connection, channel_id: int) -> set[str]:
    statement = delete(document).where(document.c.channel_id == channel_id).returning(document.c.sha256)
    return set(connection.execute(statement).scalars())


def of_subdir(connection: Connection, channel_id: int, subdir: str) -> dict[str, Document]:
    statement = select(document).where(document.c.channel_id == channel_id, document.c.subdir == subdir)
    rows = connection.execute(statement)
    return {row.name: Document(row.name, row.sha256, row.size, row.revision, row.built_at) for row in rows}
