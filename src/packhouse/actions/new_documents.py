"""New documents of one subdir: written side by side, kept as blobs with their compressed twins, swapped in."""

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from packhouse.actions.packhouse import Packhouse
from packhouse.domain.artifacts import Digests
from packhouse.formats.conda.repodata import Sink, compress
from packhouse.storage import blob_rows, documents, revisions
from packhouse.storage.blobs import Spool
from packhouse.storage.database import retried
from packhouse.storage.documents import Document
from packhouse.storage.revisions import Revision


class NewDocuments:
    """Open, write, `swap_in`; what is left when the `with` block ends is gone."""

    def __init__(self, packhouse: Packhouse, channel_id: int, revision: Revision) -> None:
        self._packhouse = packhouse
        self._channel_id = channel_id
        self._revision = revision
        self._open = ExitStack()
        self._spools: dict[str, Spool] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def open(self, name: str) -> Sink:
        self._spools[name] = self._open.enter_context(Spool(self._packhouse.spool_dir, with_md5=False))
        return self._spools[name]

    def swap_in(self) -> None:
        """Keep what was written and point the names at it, unless newer documents are there."""
        kept = [document for name, spool in self._spools.items() for document in self._keep(name, spool)]
        _swap(self._packhouse, self._channel_id, self._revision, kept)

    def _keep(self, name: str, spool: Spool) -> list[Document]:
        digests = spool.finish()
        with Spool(self._packhouse.spool_dir, with_md5=False) as compressed:
            compress(spool.file, compressed, digests.size)
            twin = self._kept(f"{name}.zst", compressed.finish(), compressed.path)
        return [self._kept(name, digests, spool.path), twin]

    def _kept(self, name: str, digests: Digests, path: Path) -> Document:
        now = self._packhouse.clock()
        with self._packhouse.database.transaction(quiet=True) as connection:
            blob_rows.claim(connection, digests.sha256, digests.size, now)
        self._packhouse.blobs.keep_file(digests, path)
        return Document(name, digests.sha256, digests.size, self._revision.content, now)


@retried
def _swap(packhouse: Packhouse, channel_id: int, revision: Revision, kept: list[Document]) -> None:
    with packhouse.database.transaction() as connection:
        if not revisions.lock(connection, channel_id, revision.subdir):
            return  # the channel is gone; a sweep takes the blobs
        for document in kept:
            blob_rows.confirm(connection, document.sha256)
            replaced = documents.put(connection, channel_id, revision.subdir, document)
            blob_rows.release(connection, {replaced, document.sha256}, packhouse.clock())
