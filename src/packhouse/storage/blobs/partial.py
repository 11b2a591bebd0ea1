"""A download that may take several tries, and several processes: what arrived stays until the rest follows."""

import fcntl
import hashlib
import os
import re
import shutil
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self
from uuid import uuid4

from packhouse.domain.artifacts import Digests
from packhouse.errors import Invalid
from packhouse.storage.blobs.failures import full_storage_explained

PARTIAL_SUFFIX = ".part"
_KEY_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_CHUNK_BYTES = 1024**2
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC


class PartialFile:
    """`<directory>/<key>.part`, open and locked for this process until it is closed or discarded.

    What a process left, even a killed one, is read again when the file is opened, and writing goes on
    behind it. While another holder has it, the bytes go to a file of a private name, which goes with
    its holder. Not buffered: who reads along sees every byte that was written.
    """

    def __init__(self, directory: Path, key: str, with_md5: bool = False) -> None:
        if not _KEY_PATTERN.fullmatch(key):
            raise Invalid(f"'{key[:80]}' is no name for a download; take the SHA-256 of the file.")
        self._with_md5 = with_md5
        with full_storage_explained():
            self.path, self._file = _opened(directory, key)
        self.is_shared = self.path.name == f"{key}{PARTIAL_SUFFIX}"
        """Whether the next holder will find these bytes; those of a private name are found by nobody."""
        self._rehash()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def position(self) -> int:
        """How many bytes are there."""
        return self._position

    def write(self, chunk: bytes) -> None:
        """Takes the next bytes. Raises StorageFull; then as many of them stay as found room."""
        rest = memoryview(chunk)
        while rest:
            with full_storage_explained():
                written = self._file.write(rest) or 0
            self._count(rest[:written])
            rest = rest[written:]

    def restart(self) -> None:
        """Forgets what is there; the next byte written is the first."""
        self._file.seek(0)
        self._file.truncate()
        self._begin()

    def finish(self) -> Digests:
        """What is there by now; without MD5, unless it was asked for. The file stays open and locked."""
        md5 = "" if self._md5 is None else self._md5.hexdigest()
        return Digests(md5=md5, sha256=self._sha256.hexdigest(), size=self._position)

    def close(self) -> None:
        """Lets go of it: the bytes stay for the next holder, unless the name is private."""
        if not self.is_shared:
            self.path.unlink(missing_ok=True)
        self._file.close()

    def discard(self) -> None:
        """Lets go of it and removes it; what was kept of it by Blobs.keep_file stays."""
        if not self._file.closed:  # once let go, the name may be another holder's
            self.path.unlink(missing_ok=True)
            self._file.close()

    def _begin(self) -> None:
        self._position = 0
        self._sha256 = hashlib.sha256()
        self._md5 = hashlib.md5(usedforsecurity=False) if self._with_md5 else None

    def _count(self, chunk: memoryview | bytes) -> None:
        self._position += len(chunk)
        self._sha256.update(chunk)
        if self._md5 is not None:
            self._md5.update(chunk)

    def _rehash(self) -> None:
        self._begin()
        self._file.seek(0)
        while chunk := self._file.read(_CHUNK_BYTES):
            self._count(chunk)


def remove_if_unheld(path: Path) -> bool:
    """Removes a partial file that nobody holds; whoever opens it meanwhile begins with a new one."""
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        path.unlink()
    return True


def _opened(directory: Path, key: str) -> tuple[Path, BinaryIO]:
    path = directory / f"{key}{PARTIAL_SUFFIX}"
    while file := _locked(path):
        if _is_still_at(path, file):
            return path, _unlinked(path, file)
        file.close()  # its holder removed it while we opened it: begin with a new one
    private = directory / f"{key}.{uuid4().hex}{PARTIAL_SUFFIX}"
    taken = _locked(private)
    assert taken is not None, "nobody else knows this name"
    return private, taken


def _unlinked(path: Path, file: BinaryIO) -> BinaryIO:
    """The file, or a copy of one that became a blob just before its holder was killed: blobs never change."""
    if os.fstat(file.fileno()).st_nlink == 1:
        return file
    with file, full_storage_explained():
        copied = path.with_suffix(f".{uuid4().hex}{PARTIAL_SUFFIX}")
        copy = _locked(copied)
        assert copy is not None, "nobody else knows this name"
        shutil.copyfileobj(file, copy, _CHUNK_BYTES)
        copied.replace(path)  # locked already, before it can be found by this name
    return copy


def _locked(path: Path) -> BinaryIO | None:
    """The file, made if it is not there; None while somebody else holds it."""
    try:
        descriptor = os.open(path, _FLAGS, 0o600)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, _FLAGS, 0o600)
    file = os.fdopen(descriptor, "r+b", buffering=0)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def _is_still_at(path: Path, file: BinaryIO) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    return False
