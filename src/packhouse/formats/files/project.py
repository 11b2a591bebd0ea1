"""An Anaconda project: an archive of a folder with `anaconda-project.yml` in it."""

import struct
import zipfile
import zlib
from collections.abc import Callable
from typing import BinaryIO, TypeAlias

from packhouse.domain.artifacts import FileFacts, JsonObject
from packhouse.domain.families import PROJECT, Declared
from packhouse.errors import InvalidPackage, TooLarge
from packhouse.formats.conda.archive import BoundedReads
from packhouse.formats.conda.layout import Layout, inner_path
from packhouse.formats.conda.limits import Limits
from packhouse.formats.conda.stream import DecompressedStream, Decompressor, bzip2_decompressor
from packhouse.formats.conda.tar import TarWalk
from packhouse.formats.files.environment import declared_or_own
from packhouse.formats.files.gzip import GzipDecompressor
from packhouse.formats.files.names import check_version, stem
from packhouse.formats.files.text import shown
from packhouse.formats.files.yaml import MAX_BYTES, read_mapping

DOCUMENTS = ("anaconda-project.yml", "anaconda-project.yaml")
MAX_PLATFORMS = 50
MAX_ZIP_DIRECTORY_BYTES = 16 * 1024**2
LIMITS = Limits(max_members=100_000)

Reader: TypeAlias = Callable[[BinaryIO, Limits], JsonObject]
"""Reads an archive of one kind to its end; answers the project's document."""

_ZIP_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    NotImplementedError,
    RuntimeError,
    EOFError,
    OSError,
    OverflowError,
    ValueError,
    struct.error,
)
_BOUNDED_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""`zipfile` unpacks all others as far as they go, whatever size it was asked for."""


def read_project(file: BinaryIO, filename: str, declared: Declared, limits: Limits = LIMITS) -> FileFacts:
    """Raises InvalidPackage for what is no project, TooLarge for one beyond the limits."""
    own_name = stem(filename, *_READERS)
    read = next(reader for ending, reader in _READERS.items() if filename.lower().endswith(ending))
    try:
        document = read(file, limits)
    except (InvalidPackage, TooLarge) as error:
        raise type(error)(f"{filename}: {error.message}") from error
    return FileFacts(
        family=PROJECT,
        name=declared_or_own(declared, document, own_name),
        version="" if declared.version is None else check_version(declared.version),
        filename=filename,
        about=_about(document),
    )


def _about(document: JsonObject) -> JsonObject:
    platforms = document.get("platforms")
    platforms = platforms if isinstance(platforms, list) else []
    facts = {
        "summary": shown(document.get("description")),
        "title": shown(document.get("title")),
        "platforms": [text for one in platforms[:MAX_PLATFORMS] if (text := shown(one)) is not None],
    }
    return {key: value for key, value in facts.items() if value}


class _Search:
    """Keeps the document nearest to the root, as the tools that unpack the archive look for it."""

    def __init__(self) -> None:
        self._path = ""
        self._data = b""
        self._folders: set[str] = set()

    def wants(self, path: str) -> bool:
        folder, _, name = path.rpartition("/")
        if name not in DOCUMENTS or "/" in folder:
            return False
        if folder and len(self._folders) < 2:
            self._folders.add(folder)
        return not self._path or not folder

    def keep(self, path: str, data: bytes) -> None:
        self._path, self._data = path, data

    def result(self) -> JsonObject:
        if not self._path:
            raise InvalidPackage(
                f"it is no project: it has no {DOCUMENTS[0]}, at its root or in its one folder"
            )
        if "/" in self._path and len(self._folders) > 1:
            raise InvalidPackage(f"it holds several projects: {DOCUMENTS[0]} is in more than one folder")
        return read_mapping(self._data, self._path)


def _from_tar(decompressor: Callable[[], Decompressor]) -> Reader:
    def read(file: BinaryIO, limits: Limits) -> JsonObject:
        size = file.seek(0, 2)
        file.seek(0)
        stream = DecompressedStream(file.read, decompressor(), limits.budget(size))
        walk, layout, search = TarWalk(stream, limits), Layout(), _Search()
        for member in walk:
            path = layout.place(member)
            if member.kind == "file" and search.wants(path):
                search.keep(path, walk.read(MAX_BYTES + 1))
        layout.finish()
        return search.result()

    return read


def _from_zip(file: BinaryIO, limits: Limits) -> JsonObject:
    try:
        with zipfile.ZipFile(BoundedReads(file, MAX_ZIP_DIRECTORY_BYTES)) as archive:
            return _search_zip(archive, limits).result()
    except _ZIP_ERRORS as error:
        raise InvalidPackage(f"it is no zip archive that can be read: {error}") from error


def _search_zip(archive: zipfile.ZipFile, limits: Limits) -> _Search:
    members, search = archive.infolist(), _Search()
    if len(members) > limits.max_members:
        raise TooLarge(f"it has more than {limits.max_members} members, the most allowed")
    budget = limits.budget(sum(member.compress_size for member in members))
    for member in members:
        budget.spend(member.file_size)
        path = inner_path(member.orig_filename)
        if not member.is_dir() and search.wants(path):
            _require_bounded(member)
            with archive.open(member) as content:
                search.keep(path, content.read(MAX_BYTES + 1))
    return search


def _require_bounded(member: zipfile.ZipInfo) -> None:
    if member.compress_type not in _BOUNDED_METHODS:
        raise InvalidPackage(f"its zip member {member.filename!r} is neither stored nor deflated")


_READERS: dict[str, Reader] = {
    ".tar.gz": _from_tar(GzipDecompressor),
    ".tgz": _from_tar(GzipDecompressor),
    ".tar.bz2": _from_tar(bzip2_decompressor),
    ".zip": _from_zip,
}
