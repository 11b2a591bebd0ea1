"""Queries about events: written once, in the transaction of what they tell of, and read back as history."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, Row, func, insert, select

from packhouse.domain.access import Actor
from packhouse.domain.channels import Channel
from packhouse.domain.events import Event, EventType
from packhouse.storage.tables import event

OPERATOR = "operator"
"""Whoever works at the server's own command line has no user."""


def record(
    connection: Connection,
    at: datetime,
    type: EventType,
    actor: Actor | None,
    channel: Channel | None,
    data: Mapping[str, Any],
) -> int:
    """Add one event; answer its id. `actor` None is the operator, `channel` None an event of no channel."""
    values = {
        "uuid": str(uuid4()),
        "type": type.value,
        "actor_id": None if actor is None else actor.user_id,
        "actor_name": OPERATOR if actor is None else actor.name,
        "channel_id": None if channel is None else channel.id,
        "channel_path": None if channel is None else channel.path,
        "created_at": at,
        "data": dict(data),
    }
    return int(connection.execute(insert(event).values(values).returning(event.c.id)).scalar_one())


def of_channel(
    connection: Connection, channel_id: int, offset: int = 0, limit: int | None = None
) -> tuple[int, list[Event]]:
    """How many there are, and one page of them, newest first."""
    here = event.c.channel_id == channel_id
    total = connection.execute(select(func.count()).select_from(event).where(here)).scalar_one()
    newest_first = select(event).where(here).order_by(event.c.id.desc())
    page = newest_first.offset(offset).limit(limit)
    return total, [_from_row(row) for row in connection.execute(page)]


def _from_row(row: Row[Any]) -> Event:
    return Event(
        uuid=row.uuid,
        type=EventType(row.type),
        actor_name=row.actor_name,
        channel_path=row.channel_path,
        created_at=row.created_at,
        data=row.data,
    )
