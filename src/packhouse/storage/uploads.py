"""Queries about uploads that come in parts, and the blobs that their parts are."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from packhouse.domain.uploads import Upload, UploadPart
from packhouse.storage.tables import upload, upload_part, user


def _from_row(row: Row[Any]) -> Upload:
    return Upload(
        id=row.id,
        uuid=row.uuid,
        user_id=row.user_id,
        filename=row.filename,
        size=row.size,
        received=row.received,
        created_at=row.created_at,
        expires_at=row.expires_at,
    )


def by_uuid(connection: Connection, user_id: int, uuid: str, now: datetime) -> Upload | None:
    """An upload of this user that has not expired; those of others are not found."""
    wanted = (upload.c.user_id == user_id) & (upload.c.uuid == uuid) & (upload.c.expires_at > now)
    row = connection.execute(select(upload).where(wanted)).one_or_none()
    return None if row is None else _from_row(row)


def find(connection: Connection, upload_id: int) -> Upload | None:
    row = connection.execute(select(upload).where(upload.c.id == upload_id)).one_or_none()
    return None if row is None else _from_row(row)


def lock(connection: Connection, upload_id: int) -> Upload | None:
    """Wait for whoever is appending to the upload, and keep others from it until this transaction ends."""
    row = connection.execute(select(upload).where(upload.c.id == upload_id).with_for_update()).one_or_none()
    return None if row is None else _from_row(row)


def count_open(connection: Connection, user_id: int, now: datetime) -> int:
    """How many the user has. Until this transaction ends, no other can add one."""
    connection.execute(select(user.c.id).where(user.c.id == user_id).with_for_update())
    of_user = (upload.c.user_id == user_id) & (upload.c.expires_at > now)
    return int(connection.execute(select(func.count()).select_from(upload).where(of_user)).scalar_one())


def add(connection: Connection, new: Upload) -> None:
    """`new.id` is not used: the database numbers its rows itself."""
    values = {
        "uuid": new.uuid,
        "user_id": new.user_id,
        "filename": new.filename,
        "size": new.size,
        "received": new.received,
        "created_at": new.created_at,
        "expires_at": new.expires_at,
    }
    connection.execute(insert(upload).values(values))


def add_part(connection: Connection, upload_id: int, part: UploadPart, expires_at: datetime) -> bool:
    """Append a part; False if the upload is gone, or another part came first."""
    at_its_end = (upload.c.id == upload_id) & (upload.c.received == part.start)
    values = {"received": part.start + part.size, "expires_at": expires_at}
    if connection.execute(update(upload).where(at_its_end).values(values)).rowcount == 0:
        return False
    row = {"upload_id": upload_id, "start": part.start, "size": part.size, "sha256": part.sha256}
    connection.execute(insert(upload_part).values(row))
    return True


def count_parts(connection: Connection, upload_id: int) -> int:
    of_upload = upload_part.c.upload_id == upload_id
    return int(
        connection.execute(select(func.count()).select_from(upload_part).where(of_upload)).scalar_one()
    )


def parts(connection: Connection, upload_id: int) -> list[UploadPart]:
    """In the order of their bytes."""
    statement = select(upload_part).where(upload_part.c.upload_id == upload_id).order_by(upload_part.c.start)
    return [UploadPart(row.start, row.size, row.sha256) for row in connection.execute(statement)]


def remove(connection: Connection, upload_id: int) -> set[str]:
    """Remove the upload, which is locked, with its parts; answer the digests of the blobs it lets go of."""
    digests = {part.sha256 for part in parts(connection, upload_id)}
    connection.execute(delete(upload).where(upload.c.id == upload_id))
    return digests


def expired(connection: Connection, now: datetime, limit: int) -> list[int]:
    statement = select(upload.c.id).where(upload.c.expires_at <= now).limit(limit)
    return list(connection.execute(statement).scalars())


def page(connection: Connection, after: int, limit: int) -> list[Upload]:
    """The next uploads behind the id `after`, expired or not."""
    statement = select(upload).where(upload.c.id > after).order_by(upload.c.id).limit(limit)
    return [_from_row(row) for row in connection.execute(statement)]
