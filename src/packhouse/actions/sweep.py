"""Clean up what crashes and changes leave behind: orphaned blobs, old shards, spool files, what has expired."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from packhouse.actions.mirrors.leftovers import remove_finished_partials
from packhouse.actions.packhouse import Packhouse
from packhouse.actions.uploads import drop_expired_uploads
from packhouse.storage import authorization_codes, blob_rows, device_logins, shards
from packhouse.storage.blobs import remove_leftover_spools

BATCH = 1_000
LOGIN_GRACE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Swept:
    blobs: int
    shards: int
    files: int
    uploads: int
    logins: int


def sweep(packhouse: Packhouse) -> Swept:
    """Remove blobs that nothing has referred to for a while, replaced shards older than clients' indexes,
    and uploads and log-ins that were never finished; the uploads' blobs follow when their while is over."""
    settings = packhouse.settings
    age = timedelta(minutes=settings.orphan_minutes)
    upload_age = age + timedelta(seconds=settings.max_upload_seconds)
    files = remove_leftover_spools(packhouse.spool_dir, upload_age)
    files += packhouse.blobs.remove_leftovers(upload_age)
    files += remove_finished_partials(packhouse)
    uploads = drop_expired_uploads(packhouse)
    logins = _forget_logins(packhouse)
    return Swept(_remove_orphans(packhouse, age), _remove_shards(packhouse), files, uploads, logins)


def _remove_orphans(packhouse: Packhouse, age: timedelta) -> int:
    before = packhouse.clock() - age
    removed = 0
    while orphans := _orphans(packhouse, before):
        for sha256 in orphans:
            # One transaction each: the bytes go while the row's lock keeps anybody from claiming them again.
            with packhouse.database.transaction(quiet=True) as connection:
                if blob_rows.forget(connection, sha256, before):
                    packhouse.blobs.remove(sha256)
                    removed += 1
    return removed


def _orphans(packhouse: Packhouse, before: datetime) -> list[str]:
    with packhouse.database.reading() as connection:
        return blob_rows.orphans(connection, before, BATCH)


def _remove_shards(packhouse: Packhouse) -> int:
    before = packhouse.clock() - timedelta(days=packhouse.settings.shard_days)
    with packhouse.database.transaction(quiet=True) as connection:
        return shards.remove_replaced(connection, before)


def _forget_logins(packhouse: Packhouse) -> int:
    """Some minutes after they expired: until then a device that still asks is told so."""
    before = packhouse.clock() - LOGIN_GRACE
    with packhouse.database.transaction(quiet=True) as connection:
        return device_logins.forget_expired(connection, before) + authorization_codes.forget_expired(
            connection, before
        )
