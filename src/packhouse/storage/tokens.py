"""Queries about tokens; of a secret, only the digest is ever here."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, delete, insert, or_, select, update

from packhouse.domain.tokens import Resource, Token
from packhouse.storage.tables import token


def _from_row(row: Row[Any]) -> Token:
    return Token(
        id=row.id,
        uuid=row.uuid,
        user_id=row.user_id,
        name=row.name,
        scopes=None if row.scopes is None else tuple(row.scopes),
        resources=None if row.resources is None else tuple(Resource(*pair) for pair in row.resources),
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
    )


def _find(connection: Connection, condition: ColumnElement[bool]) -> Token | None:
    row = connection.execute(select(token).where(condition)).one_or_none()
    return None if row is None else _from_row(row)


def by_digest(connection: Connection, digest: str) -> Token | None:
    """Looked up by digest, so that the time it takes tells nothing about any secret."""
    return _find(connection, token.c.digest == digest)


def by_uuid(connection: Connection, user_id: int, uuid: str) -> Token | None:
    """A token of this user; those of others are not found."""
    return _find(connection, (token.c.user_id == user_id) & (token.c.uuid == uuid))


def of_user(connection: Connection, user_id: int) -> list[Token]:
    rows = connection.execute(select(token).where(token.c.user_id == user_id).order_by(token.c.id))
    return [_from_row(row) for row in rows]


def add(connection: Connection, new: Token, digest: str) -> None:
    """`new.id` is not used: the database numbers its rows itself."""
    resources = None if new.resources is None else [[item.path, item.permission] for item in new.resources]
    values = {
        "uuid": new.uuid,
        "user_id": new.user_id,
        "name": new.name,
        "digest": digest,
        "scopes": None if new.scopes is None else list(new.scopes),
        "resources": resources,
        "created_at": new.created_at,
        "expires_at": new.expires_at,
    }
    connection.execute(insert(token).values(values))


def change(connection: Connection, token_id: int, values: Mapping[str, Any]) -> None:
    connection.execute(update(token).where(token.c.id == token_id).values(**values))


def note_use(connection: Connection, token_id: int, now: datetime, unless_since: datetime) -> None:
    """Say that the token is used, unless another request said so since `unless_since`."""
    stale = or_(token.c.last_used_at.is_(None), token.c.last_used_at <= unless_since)
    connection.execute(update(token).where((token.c.id == token_id) & stale).values(last_used_at=now))


def remove(connection: Connection, token_id: int) -> None:
    connection.execute(delete(token).where(token.c.id == token_id))
