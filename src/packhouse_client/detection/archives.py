"""A bounded look into an archive: enough to tell what it is, however long or hostile it may be."""

import bz2
import gzip
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import BinaryIO, Protocol

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MIB = 1024**2
MAX_UNPACKED = 32 * MIB
"""Of a longer archive only so much is unpacked; what tells its kind comes early in nearly all of them."""
MAX_MEMBERS = 20_000
MAX_DOCUMENT = 4 * MIB
MAX_ZIP_DIRECTORY = 8 * MIB
INDEX_JSON = "info/index.json"
PROJECT_DOCUMENTS = frozenset({"anaconda-project.yml", "anaconda-project.yaml"})
TELLING_NAMES = PROJECT_DOCUMENTS | {"PKG-INFO", "DESCRIPTION", "NAMESPACE", "WHEEL"}

BROKEN = (
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, zstd.ZstdError),
    # of damaged archives: bad numbers, encryption, headers that refer to headers without end
    *(EOFError, OSError, ValueError, RuntimeError, NotImplementedError),
)


@dataclass(slots=True)
class Glance:
    """The documents that were found; `is_whole` if nothing lies behind what was looked at."""

    documents: dict[str, bytes] = field(default_factory=dict)
    is_whole: bool = True

    def names(self, folder_depth: int = 1) -> set[str]:
        """Names of the documents that lie in the root, or as many folders below it."""
        return {path.rpartition("/")[2] for path in self.documents if path.count("/") <= folder_depth}


class _Stream(Protocol):
    def read(self, size: int = ..., /) -> bytes: ...


class _Bounded:
    """A stream that seems to end where the limit is."""

    def __init__(self, stream: _Stream, limit: int) -> None:
        self._stream = stream
        self._left = limit
        self.was_cut = False

    def read(self, size: int = -1) -> bytes:
        wanted = self._left if size < 0 else min(size, self._left)
        self.was_cut = self.was_cut or (self._left == 0 and size != 0)
        data = self._stream.read(wanted) if wanted else b""
        self._left -= len(data)
        return data


class _BoundedDirectory:
    """`zipfile` reads a directory in one piece, of the size that the archive claims."""

    def __init__(self, file: BinaryIO) -> None:
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable
        self._file = file

    def read(self, size: int = -1) -> bytes:
        if size > MAX_ZIP_DIRECTORY:
            raise zipfile.BadZipFile("its directory is longer than is looked at")
        return self._file.read(size if size >= 0 else MAX_ZIP_DIRECTORY)


def look_into(file: BinaryIO) -> Glance | None:
    """By its first bytes: a zip, or a tar compressed with gzip or bzip2. None for anything else.

    What is damaged is looked at up to the damage: the server says what is wrong with it.
    """
    start = file.read(4)
    file.seek(0)
    if start.startswith(b"PK"):
        return _look_into_zip(file)
    if start.startswith(b"\x1f\x8b"):
        return _look_into_tar(gzip.GzipFile(fileobj=file))
    if start.startswith(b"BZh"):
        return _look_into_tar(bz2.BZ2File(file))
    return None


def _look_into_tar(unpacked: _Stream) -> Glance:
    glance = Glance()
    bounded = _Bounded(unpacked, MAX_UNPACKED)
    with suppress(*BROKEN), tarfile.open(fileobj=bounded, mode="r|") as archive:  # type: ignore[call-overload]  # a reader is enough
        for number, member in enumerate(archive):
            if number == MAX_MEMBERS:
                bounded.was_cut = True
                break
            path = member.name.removeprefix("./")
            if member.isfile() and _is_telling(path):
                content = archive.extractfile(member)
                glance.documents[path] = b"" if content is None else content.read(MAX_DOCUMENT)
            if path == INDEX_JSON:
                break
    glance.is_whole = not bounded.was_cut
    return glance


def _look_into_zip(file: BinaryIO) -> Glance:
    glance = Glance()
    with suppress(*BROKEN), zipfile.ZipFile(_BoundedDirectory(file)) as archive:
        for member in archive.infolist():
            if _is_conda_info(member.filename):
                with archive.open(member) as packed:
                    return _look_into_tar(zstd.ZstdFile(packed))
            if _is_telling(member.filename):
                with archive.open(member) as content:
                    glance.documents[member.filename] = content.read(MAX_DOCUMENT)
    return glance


def _is_conda_info(name: str) -> bool:
    """The member of a `.conda` file that describes the package (CEP 35)."""
    return name.startswith("info-") and name.endswith(".tar.zst")


def _is_telling(path: str) -> bool:
    folder, _, name = path.rpartition("/")
    return path == INDEX_JSON or (name in TELLING_NAMES and "/" not in folder)


def json_object(data: bytes) -> Mapping[str, object]:
    """Empty for what is none."""
    import json

    with suppress(ValueError, RecursionError):
        found = json.loads(data)
        if isinstance(found, dict):
            return found
    return {}
