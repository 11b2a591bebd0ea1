"""Queries about file changes: what each event put into a channel or took out of it."""

from collections.abc import Iterable
from typing import Any, Protocol

from sqlalchemy import Connection, Row, func, select

from packhouse.domain.artifacts import Artifact
from packhouse.domain.events import FileAction, FileChange
from packhouse.domain.families import CONDA
from packhouse.storage import bulk
from packhouse.storage.tables import event, file_change


class CondaFile(Protocol):
    """What is told of a conda package."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    @property
    def ckey(self) -> str: ...


def record(
    connection: Connection, event_id: int, channel_id: int, action: FileAction, files: Iterable[Artifact]
) -> None:
    _record(connection, event_id, channel_id, action, ((file.family, file) for file in files))


def record_conda(
    connection: Connection, event_id: int, channel_id: int, action: FileAction, files: Iterable[CondaFile]
) -> None:
    _record(connection, event_id, channel_id, action, ((CONDA, file) for file in files))


def _record(
    connection: Connection,
    event_id: int,
    channel_id: int,
    action: FileAction,
    files: Iterable[tuple[str, CondaFile]],
) -> None:
    rows = ((family, file.name, file.version, file.ckey) for family, file in files)
    constants = {"event_id": event_id, "channel_id": channel_id, "action": action.value}
    bulk.insert_rows(connection, file_change, ("family", "name", "version", "ckey"), rows, constants)


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


def of_event(
    connection: Connection, event_id: int, action: FileAction | None, offset: int, limit: int | None
) -> tuple[int, list[Row[Any]]]:
    """How many files one event concerned, and one page of them in the order in which it did."""
    here = file_change.c.event_id == event_id
    if action is not None:
        here &= file_change.c.action == action.value
    total = connection.execute(select(func.count()).select_from(file_change).where(here)).scalar_one()
    statement = select(file_change.c.action, file_change.c.ckey).where(here).order_by(file_change.c.id)
    return total, list(connection.execute(statement.offset(offset).limit(limit)))


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
