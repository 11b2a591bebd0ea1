"""Blobs in a local folder: durable before `keep` returns, and a spooled file is linked, not copied.

obstore writes a file and renames it but never calls fsync, so a blob could be lost by a power cut
after the row that names it was committed. Writing is therefore done here, all the rest by obstore.
"""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO

from obstore.store import LocalStore

from packhouse.domain.artifacts import Digests
from packhouse.errors import Corrupt
from packhouse.storage.blobs.failures import full_storage_explained, missing_explained
from packhouse.storage.blobs.keys import blob_key
from packhouse.storage.blobs.spool import Spool, remove_leftover_spools
from packhouse.storage.blobs.store import Blobs


class FolderBlobs(Blobs):
    """`<root>/blobs/…`, with files on their way there in `<root>/incoming`."""

    def __init__(self, root: Path) -> None:
        super().__init__(LocalStore(root, mkdir=True))
        self.root = root
        self.incoming = root / "incoming"

    def keep_file(self, digests: Digests, path: Path) -> None:
        """As in Blobs; but where the file system can, the file becomes the blob without a second write.

        Its digests are taken as the caller computed them while writing it (Spool); its size is checked.
        """
        folder = self._link_or_copy(digests, path)
        with full_storage_explained():
            _sync(folder)

    def keep_files(self, files: Sequence[tuple[Digests, Path]], threads: Executor) -> None:
        """As in Blobs; the folders are synced once all are in them, which costs the disk little more than one."""
        folders = set(threads.map(lambda file: self._link_or_copy(*file), files))
        with full_storage_explained():
            for _ in threads.map(_sync, sorted(folders)):
                pass

    def _link_or_copy(self, digests: Digests, path: Path) -> Path:
        """The folder that is to be synced before the blob is safe: another may just have linked the same bytes."""
        place = self._place_for(digests.sha256)
        if self.size(digests.sha256) == digests.size:
            return place.parent
        if path.stat().st_size != digests.size:
            raise Corrupt(
                f"{path.name} has not the {digests.size} bytes it was received with; send it again."
            )
        with full_storage_explained():
            _sync(path)
            try:
                os.link(path, place)
            except OSError:  # another file system, one without links, or a damaged blob in its place
                super().keep_file(digests, path)
        return place.parent

    def _write(self, digests: Digests, chunks: Iterator[bytes]) -> None:
        with Spool(self.incoming) as spool:
            for chunk in chunks:
                spool.write(chunk)
            spool.finish()
            _sync(spool.path)
            place = self._place_for(digests.sha256)
            spool.path.replace(place)
            _sync(place.parent)

    def _place_for(self, sha256: str) -> Path:
        place = self.path(sha256)
        if not place.parent.is_dir():
            with full_storage_explained():
                place.parent.mkdir(parents=True, exist_ok=True)
                _sync(place.parent.parent)
        return place

    def path(self, sha256: str) -> Path:
        return self.root / blob_key(sha256)

    def size(self, sha256: str) -> int | None:
        """As in Blobs; obstore would take a turn in its own threads for it."""
        try:
            return self.path(sha256).stat().st_size
        except FileNotFoundError:
            return None

    def open(self, sha256: str) -> BinaryIO:
        with missing_explained(sha256):
            return self.path(sha256).open("rb")

    def remove_leftovers(self, older_than: timedelta) -> int:
        return remove_leftover_spools(self.incoming, older_than)


def _sync(path: Path) -> None:
    """What `path` holds, bytes or names, survives a power cut from here on."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
