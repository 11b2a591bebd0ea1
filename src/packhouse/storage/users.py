"""Queries about users: who they are, and what their passwords and sessions are checked against."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, func, insert, or_, select, update

from packhouse.domain.access import Role
from packhouse.domain.users import User
from packhouse.storage.tables import channel, user


def _select() -> Select[Any]:
    default = user.c.default_channel_id == channel.c.id
    return select(user, channel.c.path.label("default_channel")).outerjoin(channel, default)


def _from_row(row: Row[Any]) -> User:
    return User(
        id=row.id,
        uuid=row.uuid,
        username=row.username,
        email=row.email,
        role=Role(row.role),
        default_channel=row.default_channel,
        created_at=row.created_at,
    )


def _find(connection: Connection, condition: Any) -> User | None:
    row = connection.execute(_select().where(condition)).one_or_none()
    return None if row is None else _from_row(row)


def by_id(connection: Connection, user_id: int) -> User | None:
    return _find(connection, user.c.id == user_id)


def by_uuid(connection: Connection, uuid: str) -> User | None:
    return _find(connection, user.c.uuid == uuid)


def by_username(connection: Connection, username: str) -> User | None:
    return _find(connection, user.c.username == username)


def everyone(connection: Connection) -> list[User]:
    return [_from_row(row) for row in connection.execute(_select().order_by(user.c.username))]


def meant_by(connection: Connection, text: str) -> list[User]:
    """The users whose UUID, user name or e-mail address this is; case counts only in the user name."""
    lower = text.lower()
    named = or_(user.c.uuid == lower, user.c.username == text, func.lower(user.c.email) == lower)
    return [_from_row(row) for row in connection.execute(_select().where(named))]


def is_name_taken(connection: Connection, name: str) -> bool:
    """Whether a user name or e-mail address is, in any case, another user's name or address."""
    same = or_(func.lower(user.c.username) == name.lower(), func.lower(user.c.email) == name.lower())
    return connection.execute(select(user.c.id).where(same).limit(1)).first() is not None


def any_has_role(connection: Connection, role: Role) -> bool:
    return connection.execute(select(user.c.id).where(user.c.role == role.value).limit(1)).first() is not None


def add(connection: Connection, uuid: str, values: Mapping[str, Any]) -> int:
    statement = insert(user).values(uuid=uuid, **values).returning(user.c.id)
    return int(connection.execute(statement).scalar_one())


def password_hash(connection: Connection, user_id: int) -> str | None:
    """None for a user who has no password here."""
    found: str | None = connection.execute(
        select(user.c.password_hash).where(user.c.id == user_id)
    ).scalar_one()
    return found


def replace_password_hash(connection: Connection, user_id: int, old: str, new: str) -> None:
    """The same password, hashed anew; a password that was changed meanwhile stays."""
    unchanged = (user.c.id == user_id) & (user.c.password_hash == old)
    connection.execute(update(user).where(unchanged).values(password_hash=new))


def set_password_hash(connection: Connection, user_id: int, new: str) -> None:
    connection.execute(update(user).where(user.c.id == user_id).values(password_hash=new))


def sessions_valid_from(connection: Connection, user_id: int) -> datetime:
    found: datetime = connection.execute(
        select(user.c.sessions_valid_from).where(user.c.id == user_id)
    ).scalar_one()
    return found


def set_sessions_valid_from(connection: Connection, user_id: int, moment: datetime) -> None:
    connection.execute(update(user).where(user.c.id == user_id).values(sessions_valid_from=moment))


def set_default_channel(connection: Connection, user_id: int, channel_id: int | None) -> None:
    connection.execute(update(user).where(user.c.id == user_id).values(default_channel_id=channel_id))
