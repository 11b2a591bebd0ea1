"""Compares the blob store with the rows about it, while others write to both.

A row is claimed before its bytes are kept, and released an hour before they go. So whatever looks wrong
in passing is looked at once more, and only what is still wrong is told.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import islice
from typing import TypeVar

from sqlalchemy import Connection

from packhouse.actions.check.report import Report
from packhouse.actions.packhouse import Packhouse
from packhouse.actions.settle import drop_unused
from packhouse.actions.sweep import sweep
from packhouse.errors import NotFound
from packhouse.storage import artifacts, blob_rows, mirror_bytes, mirrors
from packhouse.storage.database import retried

T = TypeVar("T")

BATCH = 1_000
AT_ONCE = 8
"""Requests under way to the store, whose answers may take a while each."""


def check_blobs(packhouse: Packhouse, report: Report, repair: bool, deep: bool) -> None:
    _check_unused_artifacts(packhouse, report, repair)
    _check_unused(packhouse, report, repair)
    _check_unlisted(packhouse, report, repair)
    _check_claims(packhouse, report, repair)
    _check_bytes(packhouse, report, repair, deep)
    _check_orphans(packhouse, report, repair)


def _check_unused_artifacts(packhouse: Packhouse, report: Report, repair: bool) -> None:
    for row in _each(packhouse, artifacts.unused, repair):
        report.add(row.ckey, f"the artifact {row.sha256} is in no channel.", repair)
        if repair:
            with packhouse.database.transaction() as connection:
                drop_unused(connection, {row.id}, packhouse.clock())


def _check_unused(packhouse: Packhouse, report: Report, repair: bool) -> None:
    for sha256 in _each(packhouse, blob_rows.unused, repair):
        report.add(
            f"blob {sha256}", "it is kept, but no artifact, document or upload consists of it.", repair
        )
        if repair:
            with packhouse.database.transaction(quiet=True) as connection:
                blob_rows.release(connection, [sha256], packhouse.clock())


def _check_unlisted(packhouse: Packhouse, report: Report, repair: bool) -> None:
    for row in _each(packhouse, blob_rows.unlisted, repair):
        report.add(
            f"blob {row.sha256}", "an artifact, document or upload needs it, but it has no row.", repair
        )
        if repair:
            with packhouse.database.transaction(quiet=True) as connection:
                blob_rows.claim(connection, row.sha256, row.size, packhouse.clock())
                blob_rows.confirm(connection, row.sha256)


def _each(packhouse: Packhouse, query: Callable[[Connection, int], Sequence[T]], repair: bool) -> Iterator[T]:
    """All rows of a query whose rows go away as they are mended; without repair, the first thousand."""
    while True:
        with packhouse.database.reading() as connection:
            rows = query(connection, BATCH)
        yield from rows
        if len(rows) < BATCH or not repair:
            return


def _check_claims(packhouse: Packhouse, report: Report, repair: bool) -> None:
    """Left by a crash between claim and row, and not swept since."""
    settings = packhouse.settings
    age = timedelta(minutes=settings.orphan_minutes + 2 * settings.sweep_minutes)
    with packhouse.database.reading() as connection:
        claims = blob_rows.orphans(connection, packhouse.clock() - age, BATCH)
    for sha256 in claims:
        report.add(f"blob {sha256}", "nothing refers to it, and no sweep has removed it.", repair)
    if claims and repair:
        sweep(packhouse)


def _check_bytes(packhouse: Packhouse, report: Report, repair: bool, deep: bool) -> None:
    """What artifacts need; the bytes of documents were read with the channels."""
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="check") as threads:
        for rows in _pages(packhouse):
            report.blobs += len(rows)
            faults = threads.map(lambda row: fault_of(packhouse, row[0], row[1], deep), rows)
            for (sha256, size), fault in zip(rows, faults, strict=True):
                if fault is not None and (places := _places(packhouse, sha256, size, deep)):
                    _tell_damage(packhouse, report, sha256, fault, places, repair)


def _pages(packhouse: Packhouse) -> Iterator[list[tuple[str, int]]]:
    last = ""
    while True:
        with packhouse.database.reading() as connection:
            rows = [(row.sha256, row.size) for row in blob_rows.page(connection, last, BATCH)]
        if not rows:
            return
        yield rows
        last = rows[-1][0]


def fault_of(packhouse: Packhouse, sha256: str, size: int, deep: bool) -> str | None:
    """What is wrong with the bytes in the store; None if nothing is."""
    found = packhouse.blobs.size(sha256)
    if found is None:
        return "are missing"
    if found != size:
        return f"are {found}, not {size}"
    try:
        return "are damaged" if deep and not packhouse.blobs.verify(sha256) else None
    except NotFound:
        return "are missing"


def _places(packhouse: Packhouse, sha256: str, size: int, deep: bool) -> list[str]:
    """The files that suffer, if something is still wrong at a second look."""
    with packhouse.database.reading() as connection:
        places = artifacts.places(connection, sha256) if blob_rows.is_needed(connection, sha256) else []
    return places if places and fault_of(packhouse, sha256, size, deep) else []


def _tell_damage(
    packhouse: Packhouse, report: Report, sha256: str, fault: str, places: list[str], repair: bool
) -> None:
    """But for a mirror's upstream, no other copy is known; and bytes that are wrong are worse than none."""
    is_fetchable = _is_fetchable(packhouse, sha256)
    if repair:
        if is_fetchable:
            _have_fetched_again(packhouse, sha256)
        packhouse.blobs.remove(sha256)
    way_out = (
        "Its mirror can fetch it again." if is_fetchable else "Publish the same file again, or remove it."
    )
    for place in places:
        report.add(place, f"the bytes of its blob {sha256} {fault}. {way_out}", repair and is_fetchable)


def _is_fetchable(packhouse: Packhouse, sha256: str) -> bool:
    with packhouse.database.reading() as connection:
        return blob_rows.is_fetchable(connection, sha256)


@retried
def _have_fetched_again(packhouse: Packhouse, sha256: str) -> None:
    """Without a row for its bytes, a file is fetched when it is asked for."""
    with packhouse.database.transaction() as connection:
        mirrors.count_losses(connection, [sha256])
        mirror_bytes.lose(connection, sha256)
        blob_rows.forget_lost(connection, sha256)


def _check_orphans(packhouse: Packhouse, report: Report, repair: bool) -> None:
    """Bytes in the store that no row knows of."""
    stored = packhouse.blobs.walk()
    while batch := {sha256: size for sha256, size, _ in islice(stored, BATCH)}:
        with packhouse.database.reading() as connection:
            unknown = batch.keys() - blob_rows.known(connection, list(batch))
        for sha256 in sorted(unknown):
            if packhouse.blobs.size(sha256) is not None:  # else a sweep came between the two looks
                is_mended = repair and _remove_orphan(packhouse, sha256, batch[sha256])
                report.add(
                    f"blob {sha256}", "it is in the store, but the database knows nothing of it.", is_mended
                )


def _remove_orphan(packhouse: Packhouse, sha256: str, size: int) -> bool:
    """As `sweep` does it: the row that is made here keeps anybody from claiming the bytes as they go."""
    with packhouse.database.transaction(quiet=True) as connection:
        if not blob_rows.adopt(connection, sha256, size):
            return True  # claimed since, so it is an orphan no longer
        if blob_rows.forget(connection, sha256, packhouse.clock()):
            packhouse.blobs.remove(sha256)
        return True
