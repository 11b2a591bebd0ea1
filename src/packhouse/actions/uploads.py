"""Take a file in parts: open an upload, append to it, publish it, give it up."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import uuid4

from sqlalchemy import Connection

from packhouse.actions.packhouse import Packhouse
from packhouse.actions.publish import publish, require_publish
from packhouse.domain.access import Actor, Level, Permission, has_scope, require_user
from packhouse.domain.artifacts import Digests, Entry
from packhouse.domain.channels import ChannelPath
from packhouse.domain.families import Declared
from packhouse.domain.uploads import Upload, UploadPart, upload_filename
from packhouse.errors import ChecksumMismatch, Conflict, Corrupt, Forbidden, Invalid, NotFound, TooLarge
from packhouse.storage import blob_rows, channels, uploads
from packhouse.storage.blobs import Spool
from packhouse.storage.database import retried

MAX_PARTS = 10_000
"""As S3 has it. Each part is a blob and a row, so nobody may send a file byte by byte."""
BATCH = 1_000


def create_upload(packhouse: Packhouse, actor: Actor, channel_path: str, filename: str, size: int) -> Upload:
    """Announce a file of `size` bytes, meant for the channel: nobody sends a gigabyte to be refused.

    Raises what `require_publish` does, TooLarge, and Conflict for a user who has too many uploads open.
    """
    user_id, now = require_user(actor), packhouse.clock()
    new = Upload(0, str(uuid4()), user_id, upload_filename(filename), size, 0, now, _expiry(packhouse, now))
    limit = packhouse.settings.max_upload_bytes
    if size > limit:
        raise TooLarge(f"'{new.filename}' has {size} bytes; this server takes {limit} at most.")
    with packhouse.database.transaction(quiet=True) as connection:
        require_publish(actor, channels.get(connection, str(ChannelPath.parse(channel_path))))
        _require_few(packhouse, connection, actor, user_id)
        uploads.add(connection, new)
    return new


def _expiry(packhouse: Packhouse, now: datetime) -> datetime:
    return now + timedelta(hours=packhouse.settings.upload_hours)


def _require_few(packhouse: Packhouse, connection: Connection, actor: Actor, user_id: int) -> None:
    limit = packhouse.settings.max_open_uploads
    if uploads.count_open(connection, user_id, packhouse.clock()) >= limit:
        raise Conflict(
            f"'{actor.name}' has {limit} uploads open, the most that this server allows. "
            "Finish or delete some of them; what gets no more parts expires by itself."
        )


def find_upload(packhouse: Packhouse, actor: Actor, uuid: str) -> Upload:
    """One of the actor's own; raises NotFound for all others, and for one that expired."""
    with packhouse.database.reading() as connection:
        return _find(packhouse, connection, actor, uuid)


def _find(packhouse: Packhouse, connection: Connection, actor: Actor, uuid: str) -> Upload:
    user_id = _require_uploader(actor)
    upload = uploads.by_uuid(connection, user_id, uuid, packhouse.clock())
    if upload is None:
        raise NotFound(f"There is no upload '{uuid}' among yours; it may have expired. Send the file again.")
    return upload


def _require_uploader(actor: Actor) -> int:
    """The user's id; Forbidden for a token that could publish nowhere."""
    user_id = require_user(actor)
    levels = None if actor.resources is None else actor.resources.values()
    may_write = levels is None or max(levels, default=Level.NONE) >= Level.WRITE
    if not (may_write and has_scope(actor, Permission.ARTIFACT_CREATE, is_subchannel=False)):
        raise Forbidden("This token may publish nowhere, so it has no uploads. Use one that may.")
    return user_id


def find_upload_at(packhouse: Packhouse, actor: Actor, uuid: str, start: int) -> Upload:
    """The upload that the byte at `start` comes next for; raises Conflict if another byte does."""
    upload = find_upload(packhouse, actor, uuid)
    if upload.received != start:
        raise _elsewhere(upload, start)
    return upload


def _elsewhere(upload: Upload, start: int) -> Conflict:
    return Conflict(
        f"'{upload.filename}' goes on at byte {upload.received}, not at {start}. "
        "Ask for the offset, and send what follows it."
    )


def append_part(packhouse: Packhouse, actor: Actor, upload: Upload, spool: Spool, digests: Digests) -> Upload:
    """Keep the spooled bytes as the next part of the upload; of two at once, the second raises Conflict."""
    if digests.size == 0:
        return upload
    with packhouse.database.transaction(quiet=True) as connection:
        _require_room(connection, upload)
        blob_rows.claim(connection, digests.sha256, digests.size, packhouse.clock())
    packhouse.blobs.keep_file(digests, spool.path)
    part = UploadPart(upload.received, digests.size, digests.sha256)
    longer = _record_part(packhouse, upload, part)
    if longer is None:
        raise _elsewhere(find_upload(packhouse, actor, upload.uuid), upload.received)
    return longer


def _require_room(connection: Connection, upload: Upload) -> None:
    if uploads.count_parts(connection, upload.id) >= MAX_PARTS:
        raise Invalid(
            f"'{upload.filename}' has come in {MAX_PARTS} parts already. Send it again in larger ones."
        )


@retried
def _record_part(packhouse: Packhouse, upload: Upload, part: UploadPart) -> Upload | None:
    """None if the upload is gone, or another part came first."""
    longer = replace(
        upload, received=part.start + part.size, expires_at=_expiry(packhouse, packhouse.clock())
    )
    with packhouse.database.transaction(quiet=True) as connection:
        if not uploads.add_part(connection, upload.id, part, longer.expires_at):
            return None
        blob_rows.confirm(connection, part.sha256)
        return longer


@contextmanager
def put_together(packhouse: Packhouse, actor: Actor, uuid: str) -> Iterator[tuple[Upload, Spool, Digests]]:
    """The whole file of a complete upload, spooled. The upload stays, to be published elsewhere as well.

    Raises Conflict for one that is not complete, Corrupt when stored bytes are not those that came.
    """
    with packhouse.database.reading() as connection:  # both at once: it may be given up meanwhile
        upload = _find(packhouse, connection, actor, uuid)
        parts = uploads.parts(connection, upload.id)
    if upload.missing:
        raise Conflict(
            f"'{upload.filename}' is not complete: {upload.missing} of its {upload.size} bytes are missing. "
            f"Send them, from byte {upload.received} on."
        )
    with Spool(packhouse.spool_dir) as spool:
        are_sound = all(_spooled(packhouse, part, spool) for part in parts)
        digests = spool.finish()
        if not are_sound or digests.size != upload.size:
            raise Corrupt(
                f"'{upload.filename}' was damaged in the store. Delete its upload, and send it again."
            )
        yield upload, spool, digests


def _spooled(packhouse: Packhouse, part: UploadPart, spool: Spool) -> bool:
    """Write the part's bytes into the spool; False if they are not those that came."""
    found = hashlib.sha256()
    for chunk in packhouse.blobs.read(part.sha256):
        found.update(chunk)
        spool.write(bytes(chunk))
    return found.hexdigest() == part.sha256


def publish_upload(
    packhouse: Packhouse,
    actor: Actor,
    channel_path: str,
    uuid: str,
    declared: Declared,
    sha256: str | None = None,
) -> tuple[Entry, bool]:
    """As `publish`, with what came in parts; raises ChecksumMismatch if that is not the `sha256` expected."""
    with put_together(packhouse, actor, uuid) as (upload, spool, digests):
        if sha256 not in (None, digests.sha256):
            raise ChecksumMismatch(
                f"'{upload.filename}' has arrived with SHA-256 {digests.sha256}, not {sha256}. "
                "Delete its upload, and send the file again."
            )
        return publish(packhouse, actor, channel_path, upload.filename, spool, digests, declared)


def delete_upload(packhouse: Packhouse, actor: Actor, uuid: str) -> None:
    """Give up what arrived; what was published from it stays."""
    drop_upload(packhouse, find_upload(packhouse, actor, uuid).id)


def drop_expired_uploads(packhouse: Packhouse) -> int:
    """For the sweep; answers how many went."""
    now, dropped = packhouse.clock(), 0
    while expired := _expired(packhouse, now):
        dropped += sum(drop_upload(packhouse, upload_id, expired_by=now) for upload_id in expired)
    return dropped


def _expired(packhouse: Packhouse, now: datetime) -> list[int]:
    with packhouse.database.reading() as connection:
        return uploads.expired(connection, now, BATCH)


@retried
def drop_upload(packhouse: Packhouse, upload_id: int, expired_by: datetime | None = None) -> bool:
    """Remove an upload and let go of its blobs; False for one that is gone, or got another part meanwhile."""
    with packhouse.database.transaction(quiet=True) as connection:
        upload = uploads.lock(connection, upload_id)
        if upload is None or (expired_by is not None and upload.expires_at > expired_by):
            return False
        blob_rows.release(connection, uploads.remove(connection, upload_id), packhouse.clock())
        return True
