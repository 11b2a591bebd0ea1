"""Queries about log-ins from devices; of a device code, only the digest is ever here."""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, delete, func, insert, select, update

from packhouse.domain.device_logins import DeviceLogin, DeviceState
from packhouse.storage.tables import device_login


def _from_row(row: Row[Any]) -> DeviceLogin:
    return DeviceLogin(
        id=row.id,
        user_code=row.user_code,
        client_id=row.client_id,
        state=DeviceState(row.state),
        user_id=row.user_id,
        host=row.host,
        address=row.address,
        created_at=row.created_at,
        expires_at=row.expires_at,
        asked_at=row.asked_at,
    )


def _find(connection: Connection, condition: ColumnElement[bool]) -> DeviceLogin | None:
    row = connection.execute(select(device_login).where(condition)).one_or_none()
    return None if row is None else _from_row(row)


def by_digest(connection: Connection, digest: str) -> DeviceLogin | None:
    """Looked up by digest, so that the time it takes tells nothing about any device code."""
    return _find(connection, device_login.c.digest == digest)


def by_user_code(connection: Connection, user_code: str, now: datetime) -> DeviceLogin | None:
    """The one that still waits for its answer."""
    return _find(connection, _waits(user_code, now))


def _waits(user_code: str, now: datetime) -> ColumnElement[bool]:
    is_pending = device_login.c.state == DeviceState.PENDING.value
    return (device_login.c.user_code == user_code) & is_pending & (device_login.c.expires_at > now)


def count(connection: Connection) -> int:
    return int(connection.execute(select(func.count()).select_from(device_login)).scalar_one())


def add(connection: Connection, new: DeviceLogin, digest: str) -> None:
    """`new.id` is not used: the database numbers its rows itself."""
    values = {
        "digest": digest,
        "user_code": new.user_code,
        "client_id": new.client_id,
        "state": new.state.value,
        "host": new.host,
        "address": new.address,
        "created_at": new.created_at,
        "expires_at": new.expires_at,
    }
    connection.execute(insert(device_login).values(values))


def answer(
    connection: Connection, user_code: str, state: DeviceState, user_id: int | None, now: datetime
) -> bool:
    """Approve or deny one that waits; False if none does (any longer)."""
    statement = update(device_login).where(_waits(user_code, now))
    return connection.execute(statement.values(state=state.value, user_id=user_id)).rowcount == 1


def note_asked(connection: Connection, login_id: int, now: datetime) -> None:
    connection.execute(update(device_login).where(device_login.c.id == login_id).values(asked_at=now))


def take(connection: Connection, login_id: int) -> int | None:
    """The user who approved it. The row goes with the answer, so that of two who ask only one gets it."""
    approved = (device_login.c.id == login_id) & (device_login.c.state == DeviceState.APPROVED.value)
    found: int | None = connection.execute(
        delete(device_login).where(approved).returning(device_login.c.user_id)
    ).scalar_one_or_none()
    return found


def forget_expired(connection: Connection, before: datetime) -> int:
    return connection.execute(delete(device_login).where(device_login.c.expires_at < before)).rowcount


def forget_of_user(connection: Connection, user_id: int) -> None:
    """What a user approved and no device has fetched yet."""
    connection.execute(delete(device_login).where(device_login.c.user_id == user_id))
