"""Make the documents that grow with the channel: repodata, run_exports, current_repodata, channeldata.

Each is written from one snapshot of the database, kept as a blob, and swapped in with the revision it
shows. Running it twice, or with nothing to do, is harmless.
"""

from collections.abc import Iterator, Mapping

from sqlalchemy import Connection

from packhouse.actions.new_documents import NewDocuments
from packhouse.actions.packhouse import Packhouse
from packhouse.actions.settle import SUMMED_AT_ONCE, index_row, sum_up
from packhouse.domain.families import CONDA
from packhouse.formats.conda.channeldata import join_summaries
from packhouse.formats.conda.current_repodata import select_current
from packhouse.formats.conda.repodata import IndexRow, RepodataWriter, batches, write_repodata
from packhouse.formats.conda.run_exports import RunExportsWriter
from packhouse.formats.conda.v3_summary import V3Summary
from packhouse.storage import channels, documents, entries, packages, revisions
from packhouse.storage.database import retried
from packhouse.storage.revisions import Revision

REPODATA, RUN_EXPORTS = "repodata.json", "run_exports.json"
CURRENT_REPODATA, CHANNELDATA = "current_repodata.json", "channeldata.json"


def reindex(packhouse: Packhouse, channel_id: int, subdir: str) -> bool:
    """Bring documents up to the content revision; False when there was nothing to do.

    repodata and run_exports belong to their subdir: they are what people wait for. The channel's root has
    channeldata, and makes each subdir's current_repodata: the slowest, and wanted by the fewest clients.
    """
    if subdir == revisions.ROOT:
        _make_summaries(packhouse, channel_id)
    with packhouse.database.reading() as connection:
        present = revisions.of_channel(connection, channel_id)
        revision = present.get(subdir)
        if revision is None or not revision.is_stale:
            return False
        if subdir == revisions.ROOT:
            _reindex_root(packhouse, connection, channel_id, present)
        else:
            _reindex_subdir(packhouse, connection, channel_id, revision)
    return _finish(packhouse, channel_id, revision)


def _reindex_subdir(
    packhouse: Packhouse, connection: Connection, channel_id: int, revision: Revision
) -> None:
    """Both documents from one pass over the rows: they cannot disagree, and the rows are read once."""
    span = entries.v3_span(connection, channel_id, revision.subdir)
    v3 = None if span is None else V3Summary(*span)
    with NewDocuments(packhouse, channel_id, revision) as new:
        writers = (
            RepodataWriter(new.open(REPODATA), revision.subdir, v3),
            RunExportsWriter(new.open(RUN_EXPORTS), revision.subdir),
        )
        for batch in batches(_rows(connection, channel_id, revision.subdir)):
            for writer in writers:
                writer.extend(batch)
        for writer in writers:
            writer.close()
        new.swap_in()


def _make_summaries(packhouse: Packhouse, channel_id: int) -> None:
    """Make the summaries that a mirror left open (`settle`), some at a time: other writers wait for each lot."""
    while True:
        with packhouse.database.transaction(quiet=True) as connection:
            names = packages.unsummed(connection, channel_id, SUMMED_AT_ONCE)
            if not names:
                return
            channels.lock(connection, [channel_id], packhouse.clock())
            sum_up(connection, channel_id, CONDA, names, packhouse.clock())


def _reindex_root(
    packhouse: Packhouse, connection: Connection, channel_id: int, present: Mapping[str, Revision]
) -> None:
    with NewDocuments(packhouse, channel_id, present[revisions.ROOT]) as new:
        subdirs = [one.subdir for one in present.values() if one.artifact_count and one.subdir]
        new.open(CHANNELDATA).write(join_summaries(packages.summaries(connection, channel_id), subdirs))
        new.swap_in()
    for subdir in sorted(present.keys() - {revisions.ROOT}):
        current = documents.find(connection, channel_id, subdir, CURRENT_REPODATA)
        if current is None or current.revision < present[subdir].content:
            _write_current(packhouse, connection, channel_id, present[subdir])


def _write_current(packhouse: Packhouse, connection: Connection, channel_id: int, revision: Revision) -> None:
    kept = select_current(_rows(connection, channel_id, revision.subdir))
    rows = (row for row in _rows(connection, channel_id, revision.subdir) if row.filename in kept)
    with NewDocuments(packhouse, channel_id, revision) as new:
        write_repodata(new.open(CURRENT_REPODATA), revision.subdir, rows)
        new.swap_in()


def _rows(connection: Connection, channel_id: int, subdir: str) -> Iterator[IndexRow]:
    return (index_row(row) for row in entries.in_index_order(connection, channel_id, subdir))


@retried
def _finish(packhouse: Packhouse, channel_id: int, revision: Revision) -> bool:
    with packhouse.database.transaction(quiet=True) as connection:
        return revisions.mark_indexed(connection, channel_id, revision.subdir, revision.content)
