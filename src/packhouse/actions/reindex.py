"""Make the documents that grow with the channel: repodata, run_exports, current_repodata, channeldata.

Each is written from one snapshot of the database, kept as a blob, and swapped in with the revision it
shows. Running it twice, or with nothing to do, is harmless.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Connection, Row

from packhouse.actions.packhouse import Packhouse
from packhouse.actions.settle import index_row
from packhouse.domain.artifacts import Digests
from packhouse.formats.conda.channeldata import ChannelDataRow, write_channeldata
from packhouse.formats.conda.current_repodata import select_current
from packhouse.formats.conda.repodata import IndexRow, Sink, compress, write_repodata
from packhouse.formats.conda.run_exports import write_run_exports
from packhouse.storage import blob_rows, documents, entries, revisions
from packhouse.storage.blobs import Spool
from packhouse.storage.database import retried
from packhouse.storage.documents import Document

Write = Callable[[Sink], object]


def reindex(packhouse: Packhouse, channel_id: int, subdir: str) -> bool:
    """Bring a subdir's documents up to its content revision; False when there was nothing to do.

    repodata goes ahead: it is what people wait for, and takes a fraction of the time of all.
    """
    with packhouse.database.reading() as connection:
        revision = revisions.find(connection, channel_id, subdir)
        if revision is None or not revision.is_stale:
            return False
        snapshot = _Snapshot(connection, channel_id, subdir)
        for write in _ROOT_STAGES if subdir == revisions.ROOT else _SUBDIR_STAGES:
            keeper = _Keeper(packhouse)
            write(keeper, snapshot)
            _swap(packhouse, channel_id, subdir, revision.content, keeper.kept)
    return _finish(packhouse, channel_id, subdir, revision.content)


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """The entries of one subdir at one moment, read as often as a document needs them."""

    connection: Connection
    channel_id: int
    subdir: str

    def rows(self) -> Iterator[IndexRow]:
        found = entries.in_index_order(self.connection, self.channel_id, self.subdir)
        return (index_row(row) for row in found)


def _write_repodata(keeper: "_Keeper", snapshot: _Snapshot) -> None:
    keeper.write("repodata.json", lambda out: write_repodata(out, snapshot.subdir, snapshot.rows()))


def _write_run_exports(keeper: "_Keeper", snapshot: _Snapshot) -> None:
    keeper.write("run_exports.json", lambda out: write_run_exports(out, snapshot.subdir, snapshot.rows()))


def _write_current_repodata(keeper: "_Keeper", snapshot: _Snapshot) -> None:
    current = select_current(snapshot.rows())
    chosen = (row for row in snapshot.rows() if row.filename in current)
    keeper.write("current_repodata.json", lambda out: write_repodata(out, snapshot.subdir, chosen))


def _write_channeldata(keeper: "_Keeper", snapshot: _Snapshot) -> None:
    rows = entries.by_name(snapshot.connection, snapshot.channel_id)
    body = write_channeldata(channeldata_row(row) for row in rows)
    keeper.write("channeldata.json", lambda out: out.write(body))


_SUBDIR_STAGES = (_write_repodata, _write_run_exports, _write_current_repodata)
_ROOT_STAGES = (_write_channeldata,)


def channeldata_row(row: Row[Any]) -> ChannelDataRow:
    record = orjson.loads(row.record)
    return ChannelDataRow(
        name=row.name,
        version=row.version,
        build_number=row.build_number,
        subdir=row.subdir,
        timestamp=record.get("timestamp"),
        license=record.get("license"),
        flags=row.flags,
        run_exports=orjson.loads(row.run_exports),
        about=row.about,
    )


@retried
def _swap(packhouse: Packhouse, channel_id: int, subdir: str, content: int, written: list[Document]) -> None:
    """Point the names at the new blobs, unless newer ones are in place or the channel is gone."""
    with packhouse.database.transaction() as connection:
        if not revisions.lock(connection, channel_id, subdir):
            return
        for document in written:
            blob_rows.confirm(connection, document.sha256)
            replaced = documents.put(connection, channel_id, subdir, content, document)
            blob_rows.release(connection, {replaced, document.sha256}, packhouse.clock())


@retried
def _finish(packhouse: Packhouse, channel_id: int, subdir: str, content: int) -> bool:
    with packhouse.database.transaction(quiet=True) as connection:
        return revisions.mark_indexed(connection, channel_id, subdir, content)


@dataclass
class _Keeper:
    """Keeps each document as a blob as soon as it is written, with its compressed twin."""

    packhouse: Packhouse

    def __post_init__(self) -> None:
        self.kept: list[Document] = []

    def write(self, name: str, write: Write) -> None:
        with Spool(self.packhouse.spool_dir) as spool:
            write(spool)
            digests = spool.finish()
            self._keep(name, digests, spool.path)
            with Spool(self.packhouse.spool_dir) as compressed:
                compress(spool.file, compressed, digests.size)
                self._keep(f"{name}.zst", compressed.finish(), compressed.path)

    def _keep(self, name: str, digests: Digests, path: Path) -> None:
        now = self.packhouse.clock()
        with self.packhouse.database.transaction(quiet=True) as connection:
            blob_rows.claim(connection, digests.sha256, digests.size, now)
        self.packhouse.blobs.keep_file(digests, path)
        self.kept.append(Document(name, digests.sha256, digests.size, now))
