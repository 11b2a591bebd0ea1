"""Queries about the server's own secrets: made once, and the same for every process ever after."""

from collections.abc import Callable

from sqlalchemy import Connection, select

from packhouse.storage.tables import secret
from packhouse.storage.upsert import upsert


def find(connection: Connection, name: str) -> bytes | None:
    found: bytes | None = connection.execute(
        select(secret.c.value).where(secret.c.name == name)
    ).scalar_one_or_none()
    return found


def get_or_create(connection: Connection, name: str, make: Callable[[], bytes]) -> bytes:
    """The secret of this name. Of two processes that make it at once, both get the one that was kept."""
    found = find(connection, name)
    if found is not None:
        return found
    unchanged = {"value": secret.c.value}
    kept: bytes = upsert(
        connection, secret, {"name": name}, {"value": make()}, unchanged, returning=[secret.c.value]
    ).scalar_one()
    return kept
