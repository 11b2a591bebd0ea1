"""Clean up what crashes and changes leave behind: orphaned blobs, old shards, forgotten spool files."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from packhouse.actions.packhouse import Packhouse
from packhouse.storage import blob_rows, shards
from packhouse.storage.blobs import remove_leftover_spools

BATCH = 1_000


@dataclass(frozen=True, slots=True)
class Swept:
    blobs: int
    shards: int
    files: int


def sweep(packhouse: Packhouse) -> Swept:
    """Remove blobs that nothing has referred to for a while, and replaced shards older than clients' indexes."""
    settings = packhouse.settings
    age = timedelta(minutes=settings.orphan_minutes)
    upload_age = age + timedelta(seconds=settings.max_upload_seconds)
    files = remove_leftover_spools(packhouse.spool_dir, upload_age)
    files += packhouse.blobs.remove_leftovers(upload_age)
    return Swept(_remove_orphans(packhouse, age), _remove_shards(packhouse), files)


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
