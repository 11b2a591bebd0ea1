"""Compare database, blobs and indexes, say what differs, and make again what can be made again.

It may run beside a server. A channel is compared in one snapshot of the database, and mended in one
transaction that holds the channel's lock, from what the entries say then.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress

from packhouse.actions.check.blobs import check_blobs
from packhouse.actions.check.documents import compare_documents
from packhouse.actions.check.mirrors import check_mirrors
from packhouse.actions.check.report import Found, Reindex, Report, Reshard, SumUp
from packhouse.actions.check.rows import compare_rows
from packhouse.actions.check.uploads import check_uploads
from packhouse.actions.packhouse import Packhouse
from packhouse.actions.reindex import reindex
from packhouse.actions.settle import reshard, sum_up
from packhouse.errors import NotFound
from packhouse.storage import channels, entries, revisions
from packhouse.storage.database import retried

NAMES_AT_ONCE = 500


def check(packhouse: Packhouse, repair: bool, deep: bool) -> Report:
    """Compare everything. `repair` mends what can be made from the entries; `deep` reads every blob."""
    report = Report()
    for channel_id, path in _all_channels(packhouse):
        found = compare_channel(packhouse, channel_id, path)
        if found and repair:
            with suppress(NotFound):  # deleted meanwhile, and all that was wrong with it
                _mend_channel(packhouse, channel_id, found)
        report.channels += 1
        report.add_found(found, are_mended=repair)
    check_uploads(packhouse, report, repair, deep)
    check_blobs(packhouse, report, repair, deep)
    check_mirrors(packhouse, report, repair)  # whose files may have been lost, as was just found
    return report


def _all_channels(packhouse: Packhouse) -> list[tuple[int, str]]:
    with packhouse.database.reading() as connection:
        return channels.everywhere(connection)


def compare_channel(packhouse: Packhouse, channel_id: int, path: str) -> list[Found]:
    """What differs in one channel; of one that was deleted since, nothing."""
    with packhouse.database.reading() as connection:
        channel = channels.find(connection, path)
        if channel is None or channel.id != channel_id:
            return []
        rows = list(compare_rows(connection, channel))
        return [*rows, *compare_documents(packhouse, connection, channel)]


def _mend_channel(packhouse: Packhouse, channel_id: int, found: Sequence[Found]) -> None:
    _mend_rows(packhouse, channel_id, found)
    for one in found:
        if isinstance(one.remedy, Reindex) and one.remedy.damaged is not None:
            packhouse.blobs.remove(one.remedy.damaged)  # or what is there would be taken for good
    for subdir in sorted(_subdirs(found)):
        reindex(packhouse, channel_id, subdir)


@retried
def _mend_rows(packhouse: Packhouse, channel_id: int, found: Sequence[Found]) -> None:
    """Sums, counts and shards; the new revision tells running servers, and calls for a reindex."""
    with packhouse.database.transaction() as connection:
        now = packhouse.clock()
        channels.lock(connection, [channel_id], now)
        for one in found:
            if isinstance(one.remedy, SumUp):
                sum_up(connection, channel_id, one.remedy.family, [one.remedy.name], now)
        names, counts = _names(found), entries.counts(connection, channel_id)
        for subdir in sorted(_subdirs(found)):
            revision = revisions.renew(connection, channel_id, subdir, counts.get(subdir, 0), now)
            for some in _batches(names[subdir]):
                reshard(connection, channel_id, subdir, some, revision, now)


def _subdirs(found: Iterable[Found]) -> set[str]:
    """Where there is something to make again; the root's documents are made from all of the channel."""
    return {one.remedy.subdir for one in found if not isinstance(one.remedy, SumUp)} | {revisions.ROOT}


def _names(found: Iterable[Found]) -> defaultdict[str, set[str]]:
    names: defaultdict[str, set[str]] = defaultdict(set)
    for one in found:
        if isinstance(one.remedy, Reshard):
            names[one.remedy.subdir].add(one.remedy.name)
    return names


def _batches(names: set[str]) -> Iterable[set[str]]:
    ordered = sorted(names)
    return (set(ordered[start : start + NAMES_AT_ONCE]) for start in range(0, len(ordered), NAMES_AT_ONCE))
