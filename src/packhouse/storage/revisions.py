"""Queries about revisions: what changed in a channel's subdir, and how far its documents have followed."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Connection, delete, func, select, update

from packhouse.storage.tables import channel, document, revision, shard
from packhouse.storage.upsert import upsert

ROOT = ""
"""The subdir of documents that stand at the channel's root, such as channeldata.json, and of files in none."""


@dataclass(frozen=True, slots=True)
class Revision:
    subdir: str
    content: int
    indexed: int
    artifact_count: int
    changed_at: datetime

    @property
    def is_stale(self) -> bool:
        return self.content != self.indexed


@dataclass(frozen=True, slots=True)
class Stale:
    """A subdir whose documents are older than its content."""

    channel_id: int
    channel_path: str
    subdir: str
    content: int
    indexed: int
    changed_at: datetime


def bump(connection: Connection, channel_id: int, subdir: str, added: int, now: datetime) -> int:
    """Say that entries of a subdir changed (`added` more than before); answer the new content revision."""
    key = {"channel_id": channel_id, "subdir": subdir}
    first = {"content": 1, "indexed": 0, "artifact_count": added, "changed_at": now}
    changes = {
        "content": revision.c.content + 1,
        "artifact_count": revision.c.artifact_count + added,
        "changed_at": now,
    }
    result = upsert(connection, revision, key, first, changes, returning=[revision.c.content])
    return int(result.scalar_one())


def count(connection: Connection, channel_id: int, subdir: str, added: int, now: datetime) -> None:
    """Count files that no document tells of: nothing becomes stale."""
    key = {"channel_id": channel_id, "subdir": subdir}
    first = {"content": 0, "indexed": 0, "artifact_count": added, "changed_at": now}
    upsert(connection, revision, key, first, {"artifact_count": revision.c.artifact_count + added})


def find(connection: Connection, channel_id: int, subdir: str) -> Revision | None:
    row = connection.execute(
        select(revision).where(revision.c.channel_id == channel_id, revision.c.subdir == subdir)
    ).one_or_none()
    return None if row is None else _from_row(row)


def of_channel(connection: Connection, channel_id: int) -> dict[str, Revision]:
    rows = connection.execute(select(revision).where(revision.c.channel_id == channel_id))
    return {row.subdir: _from_row(row) for row in rows}


def stale(connection: Connection) -> list[Stale]:
    """Everything that a reindex would change, the longest waiting first."""
    rows = connection.execute(
        select(revision, channel.c.path)
        .join(channel, channel.c.id == revision.c.channel_id)
        .where(revision.c.content != revision.c.indexed)
        .order_by(revision.c.changed_at)
    )
    return [
        Stale(row.channel_id, row.path, row.subdir, row.content, row.indexed, row.changed_at) for row in rows
    ]


def lock(connection: Connection, channel_id: int, subdir: str) -> bool:
    """Make other writers of the subdir's documents wait for this transaction; False if it is gone."""
    statement = select(revision.c.content).where(
        revision.c.channel_id == channel_id, revision.c.subdir == subdir
    )
    return connection.execute(statement.with_for_update()).first() is not None


def remove_all(connection: Connection, channel_id: int) -> None:
    connection.execute(delete(revision).where(revision.c.channel_id == channel_id))


def mark_indexed(connection: Connection, channel_id: int, subdir: str, content: int) -> bool:
    """Record that documents of `content` are in place; False when newer ones are already there."""
    changed = connection.execute(
        update(revision)
        .where(
            revision.c.channel_id == channel_id,
            revision.c.subdir == subdir,
            revision.c.indexed < content,
            revision.c.content >= content,
        )
        .values(indexed=content)
    )
    return changed.rowcount == 1


def renew(connection: Connection, channel_id: int, subdir: str, artifact_count: int, now: datetime) -> int:
    """Set a true count and ask for everything to be made again (repair); answer the new content revision.

    It is higher than all that are on record, or what is made would be taken for older than what is there.
    """
    columns = (revision.c.content, revision.c.indexed, document.c.revision, shard.c.revision)
    content = 1 + max(_highest(connection, column, channel_id, subdir) for column in columns)
    key = {"channel_id": channel_id, "subdir": subdir}
    changes = {"content": content, "artifact_count": artifact_count, "changed_at": now}
    upsert(connection, revision, key, {**changes, "indexed": 0}, changes)
    return content


def _highest(connection: Connection, column: Column[int], channel_id: int, subdir: str) -> int:
    table = column.table
    here = (table.c.channel_id == channel_id) & (table.c.subdir == subdir)
    return connection.execute(select(func.max(column)).where(here)).scalar() or 0


def _from_row(row: Any) -> Revision:
    return Revision(row.subdir, row.content, row.indexed, row.artifact_count, row.changed_at)
