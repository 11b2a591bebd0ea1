"""Keeps, reads and removes blobs in an object store; a folder (`folder.py`) does some of it faster."""

import hashlib
import io
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import Executor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

import obstore
from obstore.store import AzureStore, GCSStore, ObjectStore, S3Store

from packhouse.domain.artifacts import Digests
from packhouse.errors import Corrupt
from packhouse.storage.blobs.failures import full_storage_explained, missing_explained
from packhouse.storage.blobs.keys import FOLDER, blob_key, digest_of

PART_BYTES = 8 * 1024**2  # S3 takes 10,000 parts at most, so a blob may have 80 GiB
PARTS_AT_ONCE = 4  # bounds the memory of one write to 4 parts
CHUNK_BYTES = 1024**2


class Blobs:
    """Blobs by their SHA-256. A reader sees a whole blob or none, whoever writes meanwhile."""

    def __init__(self, store: ObjectStore) -> None:
        self.store = store

    def keep(self, digests: Digests, source: BinaryIO) -> None:
        """Stores what `source` gives, unless it is there. Raises Corrupt, StorageFull; keeps nothing then."""
        if self.size(digests.sha256) == digests.size:
            return
        with full_storage_explained():
            self._write(digests, checked(digests, source))

    def keep_file(self, digests: Digests, path: Path) -> None:
        """Stores the file at `path`, which stays the caller's to remove. Raises as `keep` does."""
        with path.open("rb") as source:
            self.keep(digests, source)

    def keep_files(self, files: Sequence[tuple[Digests, Path]], threads: Executor) -> None:
        """As `keep_file` for each, several at a time in `threads`; if one raises, others may be kept or not."""
        for _ in threads.map(lambda file: self.keep_file(*file), files):
            pass

    def _write(self, digests: Digests, chunks: Iterator[bytes]) -> None:
        key = blob_key(digests.sha256)
        if digests.size <= PART_BYTES:  # one request in place of three
            obstore.put(self.store, key, b"".join(chunks), use_multipart=False)
        else:
            obstore.put(self.store, key, chunks, chunk_size=PART_BYTES, max_concurrency=PARTS_AT_ONCE)

    def path(self, sha256: str) -> Path | None:
        """Where the blob's file is, there or not; None when the store is no folder."""
        return None

    def signed_url(self, sha256: str, valid: timedelta) -> str | None:
        """An address that anyone may download from for a while; None when the store is a folder."""
        if not isinstance(self.store, S3Store | GCSStore | AzureStore):
            return None
        return obstore.sign(self.store, "GET", blob_key(sha256), valid)

    def size(self, sha256: str) -> int | None:
        """In bytes, as the store tells it; None when the blob is not there."""
        try:
            return obstore.head(self.store, blob_key(sha256))["size"]
        except FileNotFoundError:
            return None

    def read(self, sha256: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Chunks of the bytes from `start` until before `end`. Raises NotFound at the call, not later."""
        with missing_explained(sha256):
            answer = obstore.get(self.store, blob_key(sha256), options=_range(start, end))
            return answer.stream(CHUNK_BYTES)

    async def stream(self, sha256: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """As `read`, for the event loop: a thread per download would be the limit of a server."""
        with missing_explained(sha256):
            answer = await obstore.get_async(self.store, blob_key(sha256), options=_range(start, end))
            return answer.stream(CHUNK_BYTES)

    def open(self, sha256: str) -> BinaryIO:
        """A seekable file of the blob, fetching only the parts that are read. Raises NotFound."""
        with missing_explained(sha256):
            reader = obstore.open_reader(self.store, blob_key(sha256), buffer_size=CHUNK_BYTES)
        return io.BufferedReader(_SeekableBlob(reader), CHUNK_BYTES)

    def verify(self, sha256: str) -> bool:
        """Reads the whole blob: are its bytes still what its name says? Raises NotFound."""
        found = hashlib.sha256()
        for chunk in self.read(sha256):
            found.update(chunk)
        return found.hexdigest() == sha256

    def remove(self, sha256: str) -> None:
        """Removes the blob if it is there."""
        try:
            obstore.delete(self.store, blob_key(sha256))
        except FileNotFoundError:
            return

    def walk(self) -> Iterator[tuple[str, int, datetime]]:
        """Digest, size and time of last change of every blob, in no order, a thousand in memory at most."""
        for page in obstore.list(self.store, FOLDER, chunk_size=1000):
            for entry in page:
                if digest := digest_of(entry["path"]):
                    yield digest, entry["size"], entry["last_modified"]

    def remove_leftovers(self, older_than: timedelta) -> int:
        """Removes what killed writers left in the store and returns how many files that were.

        An object store shows them to nobody and drops them by its own rule for unfinished multipart
        uploads (`AbortIncompleteMultipartUpload` in S3), so here it is always 0.
        """
        return 0


def checked(digests: Digests, source: BinaryIO) -> Iterator[bytes]:
    """The chunks of `source`. Raises Corrupt in place of the end if they are not what `digests` says."""
    found, size = hashlib.sha256(), 0
    while size <= digests.size and (chunk := source.read(CHUNK_BYTES)):
        found.update(chunk)
        size += len(chunk)
        yield chunk
    if (found.hexdigest(), size) != (digests.sha256, digests.size):
        raise Corrupt(
            f"The bytes of {digests.sha256} are not those that were announced ({digests.size} bytes): {size} "
            f"were read, with SHA-256 {found.hexdigest()}. Nothing was kept; send the file again."
        )


def _range(start: int, end: int | None) -> "obstore.GetOptions":
    if end is not None:
        return {"range": (start, end)}
    # Asking for a range of an empty blob is an error in every store.
    return {"range": {"offset": start}} if start else {}


class _SeekableBlob(io.RawIOBase):
    """obstore's reader in the form that zipfile, tarfile and io.BufferedReader ask for."""

    def __init__(self, reader: "obstore.ReadableFile") -> None:
        self._reader = reader

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        chunk = memoryview(self._reader.read(len(buffer)))
        buffer[: len(chunk)] = chunk
        return len(chunk)

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        return self._reader.seek(offset, whence)

    def tell(self) -> int:
        return self._reader.tell()
