"""Receives a file whose digest is not known yet: bytes go to disk and through the digests at once."""

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from time import time
from types import TracebackType
from typing import BinaryIO, Self
from uuid import uuid4

from packhouse.domain.artifacts import Digests
from packhouse.errors import TooLarge
from packhouse.storage.blobs.failures import full_storage_explained
from packhouse.storage.blobs.partial import PARTIAL_SUFFIX, remove_if_unheld

PARTIAL_AGE = timedelta(days=3)
_SUFFIX = ".spool"


class Spool:
    """A file that lives as long as its `with` block; what is to stay is kept by Blobs.keep_file.

    Give a `directory` on the file system of the blobs: then keeping costs a link, not a copy. Without
    MD5, which only package records need, it is a third faster.
    """

    def __init__(self, directory: Path, max_bytes: int | None = None, with_md5: bool = True) -> None:
        self.path = directory / f"{uuid4().hex}{_SUFFIX}"
        self.max_bytes = max_bytes
        self._size = 0
        self._md5 = hashlib.md5(usedforsecurity=False) if with_md5 else None
        self._sha256 = hashlib.sha256()

    def __enter__(self) -> Self:
        with full_storage_explained():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.file: BinaryIO = self.path.open("xb")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):  # a full disk fails once more when the buffer is flushed
            self.file.close()
        self.path.unlink(missing_ok=True)

    def write(self, chunk: bytes) -> None:
        """Takes the next bytes. Raises TooLarge before writing past the limit, and StorageFull."""
        if self.max_bytes is not None and self._size + len(chunk) > self.max_bytes:
            raise TooLarge(
                f"The file is larger than {_in_units(self.max_bytes)}, the most that this server takes. "
                "Send a smaller file or ask the operator to raise the limit."
            )
        with full_storage_explained():
            self.file.write(chunk)
        self._size += len(chunk)
        self._sha256.update(chunk)
        if self._md5 is not None:
            self._md5.update(chunk)

    def finish(self) -> Digests:
        """Ends writing; from here `file` is open for reading, at its start. Raises StorageFull."""
        with full_storage_explained():
            self.file.close()
        self.file = self.path.open("rb")
        md5 = "" if self._md5 is None else self._md5.hexdigest()
        return Digests(md5=md5, sha256=self._sha256.hexdigest(), size=self._size)


def remove_leftover_spools(directory: Path, older_than: timedelta) -> int:
    """Removes what killed processes left behind and returns how many files that were.

    A file that is being written is young: each write renews its time. Partial files stay for days, so that
    a mirror that runs every night goes on with them, and as long as somebody holds them.
    """
    removed = 0
    for path in _older(directory, _SUFFIX, older_than):
        with suppress(FileNotFoundError):
            path.unlink()
            removed += 1
    for path in _older(directory, PARTIAL_SUFFIX, max(older_than, PARTIAL_AGE)):
        with suppress(FileNotFoundError):
            removed += remove_if_unheld(path)
    return removed


def _older(directory: Path, suffix: str, age: timedelta) -> Iterator[Path]:
    limit = time() - age.total_seconds()
    for path in directory.glob(f"*{suffix}"):
        with suppress(FileNotFoundError):  # its process finished meanwhile
            if path.stat().st_mtime <= limit:
                yield path


def _in_units(size: int) -> str:
    for exponent, unit in ((4, "TiB"), (3, "GiB"), (2, "MiB"), (1, "KiB")):
        if size >= 1024**exponent:
            return f"{size / 1024**exponent:.4g} {unit}"
    return f"{size} bytes"
