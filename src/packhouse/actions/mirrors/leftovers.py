"""Partial files whose bytes have long become blobs: a process was killed just before it removed them."""

from contextlib import suppress

from packhouse.actions.packhouse import Packhouse
from packhouse.storage import blob_rows
from packhouse.storage.blobs.partial import PARTIAL_SUFFIX, remove_if_unheld

AT_ONCE = 1_000
DIGEST_LENGTH = 64
"""Partial files are called after the digest that is expected (`partial_key`)."""


def remove_finished_partials(packhouse: Packhouse) -> int:
    """Remove those that nobody holds; answer how many. All others wait for who goes on with them."""
    partials = sorted(packhouse.spool_dir.glob(f"*{PARTIAL_SUFFIX}"))
    removed = 0
    for start in range(0, len(partials), AT_ONCE):
        some = partials[start : start + AT_ONCE]
        with packhouse.database.reading() as connection:
            finished = blob_rows.confirmed(connection, [path.name[:DIGEST_LENGTH] for path in some])
        for path in some:
            if path.name[:DIGEST_LENGTH] in finished:
                with suppress(FileNotFoundError):  # its holder was quicker
                    removed += remove_if_unheld(path)
    return removed
