"""Queries about file changes: what each event put into a channel or took out of it."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select

from packhouse.domain.artifacts import Artifact
from packhouse.domain.events import FileAction, FileChange
from packhouse.storage.tables import event, file_change


def record(
    connection: Connection, event_id: int, channel_id: int, action: FileAction, files: Iterable[Artifact]
) -> None:
    rows = [
        {
            "event_id": event_id,
            "channel_id": channel_id,
            "action": action.value,
            "family": file.family,
            "name": file.name,
            "version": file.version,
            "ckey": file.ckey,
        }
        for file in files
    ]
    if rows:
        connection.execute(insert(file_change), rows)


def of_channel(
    connection: Connection, channel_id: int, offset: int = 0, limit: int | None = None
) -> tuple[int, list[FileChange]]:
    """How many there are, and one page of them, newest first."""
    here = file_change.c.channel_id == channel_id
    total = connection.execute(select(func.count()).select_from(file_change).where(here)).scalar_one()
    statement = (
        select(file_change, event.c.uuid, event.c.actor_name, event.c.created_at)
        .join(event, event.c.id == file_change.c.event_id)
        .where(here)
        .order_by(file_change.c.id.desc())
    )
    return total, [_from_row(row) for row in connection.execute(statement.offset(offset).limit(limit))]


def _from_row(row: Row[Any]) -> FileChange:
    return FileChange(
        event_uuid=row.uuid,
        action=FileAction(row.action),
        family=row.family,
        name=row.name,
        version=row.version,
        ckey=row.ckey,
        actor_name=row.actor_name,
        created_at=row.created_at,
    )
