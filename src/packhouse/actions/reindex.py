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
from packhouse.storage.documents import Document

Write = Callable[[Sink], object]


def reindex(packhouse: Packhouse, channel_id: int, subdir: str) -> bool:
    """Bring a subdir's documents up to its content revision; False when there was nothing to do."""
    with packhouse.database.reading() as connection:
        revision = revisions.find(connection, channel_id, subdir)
        if revision is None or not revision.is_stale:
            return False
        written = _write_all(packhouse, connection, channel_id, subdir)
    return _swap(packhouse, channel_id, subdir, revision.content, written)


def _write_all(packhouse: Packhouse, connection: Connection, channel_id: int, subdir: str) -> list[Document]:
    keeper = _Keeper(packhouse)
    if subdir == revisions.ROOT:
        body = write_channeldata(_channeldata_row(row) for row in entries.by_name(connection, channel_id))
        keeper.write("channeldata.json", lambda out: out.write(body))
        return keeper.kept

    def rows() -> Iterator[IndexRow]:
        return (index_row(row) for row in entries.in_index_order(connection, channel_id, subdir))

    keeper.write("repodata.json", lambda out: write_repodata(out, subdir, rows()))
    keeper.write("run_exports.json", lambda out: write_run_exports(out, subdir, rows()))
    current = select_current(rows())
    chosen = (row for row in rows() if row.filename in current)
    keeper.write("current_repodata.json", lambda out: write_repodata(out, subdir, chosen))
    return keeper.kept


def _channeldata_row(row: Row[Any]) -> ChannelDataRow:
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


def _swap(packhouse: Packhouse, channel_id: int, subdir: str, content: int, written: list[Document]) -> bool:
    with packhouse.database.transaction() as connection:
        if not revisions.mark_indexed(connection, channel_id, subdir, content):
            return False  # newer documents are there, or the channel is gone; a sweep takes the blobs
        for document in written:
            blob_rows.confirm(connection, document.sha256)
        by_name = {document.name: document for document in written}
        replaced = documents.put(connection, channel_id, subdir, content, by_name)
        blob_rows.release(connection, replaced, packhouse.clock())
        return True


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
