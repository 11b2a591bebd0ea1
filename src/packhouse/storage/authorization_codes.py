"""Queries about authorization codes; of a code, only the digest is ever here."""

from datetime import datetime

from sqlalchemy import Connection, delete, insert

from packhouse.storage.tables import authorization_code


def add(connection: Connection, digest: str, user_id: int, expires_at: datetime) -> None:
    values = {"digest": digest, "user_id": user_id, "expires_at": expires_at}
    connection.execute(insert(authorization_code).values(values))


def take(connection: Connection, digest: str, now: datetime) -> int | None:
    """The user whose code it is. The row goes with the answer, so that a code is good for one time."""
    found = (authorization_code.c.digest == digest) & (authorization_code.c.expires_at > now)
    user_id: int | None = connection.execute(
        delete(authorization_code).where(found).returning(authorization_code.c.user_id)
    ).scalar_one_or_none()
    return user_id


def forget_expired(connection: Connection, before: datetime) -> int:
    expired = authorization_code.c.expires_at < before
    return connection.execute(delete(authorization_code).where(expired)).rowcount


def forget_of_user(connection: Connection, user_id: int) -> None:
    connection.execute(delete(authorization_code).where(authorization_code.c.user_id == user_id))
