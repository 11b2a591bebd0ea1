"""Queries about grants: which channels were shared with whom, and how far."""

from sqlalchemy import Connection, delete, select

from packhouse.domain.access import Level
from packhouse.storage.tables import grant
from packhouse.storage.upsert import upsert


def of_user(connection: Connection, user_id: int) -> dict[int, Level]:
    """Channel id -> level, as an `Actor` holds it."""
    rows = connection.execute(select(grant.c.channel_id, grant.c.level).where(grant.c.user_id == user_id))
    return {row.channel_id: Level(row.level) for row in rows}


def give(connection: Connection, channel_id: int, user_id: int, level: Level) -> None:
    """One grant per user and channel: a new level replaces the old one."""
    upsert(connection, grant, {"channel_id": channel_id, "user_id": user_id}, {"level": int(level)})


def remove(connection: Connection, channel_id: int, user_id: int) -> bool:
    """Whether there was one to remove."""
    theirs = (grant.c.channel_id == channel_id) & (grant.c.user_id == user_id)
    return connection.execute(delete(grant).where(theirs)).rowcount > 0
