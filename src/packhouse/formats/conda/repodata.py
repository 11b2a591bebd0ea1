"""`repodata.json` (CEP 36), streamed from finished records, and its compressed twin."""

from collections.abc import Iterable
from typing import BinaryIO, NamedTuple, Protocol, cast

import orjson
import zstandard

TAR_BZ2 = ".tar.bz2"
CONDA = ".conda"

# Few large writes; at about 1 KB a record this is some 2 MB at a time, whatever the size of the channel.
_RECORDS_A_WRITE = 2048


class Sink(Protocol):
    """Whatever takes bytes: a file, or a spool that digests them as they pass."""

    def write(self, chunk: bytes, /) -> object: ...


class IndexRow(NamedTuple):
    """One served file: its name, its record and its run exports, the last two as finished JSON."""

    filename: str
    record: bytes
    run_exports: bytes


class RepodataWriter:
    """The index of a subdir, one record after the other.

    The rows come in the order of the document: every `.tar.bz2` by file name, then every `.conda` by
    file name, where "by" is the order of code points. `add` raises ValueError if they do not.
    """

    def __init__(self, out: Sink, subdir: str) -> None:
        self._out = out
        out.write(b'{"info":%b,' % orjson.dumps({"subdir": subdir}))
        self._sections = SectionsWriter(out)

    def add(self, row: IndexRow) -> None:
        self._sections.add(row.filename, row.record)

    def close(self) -> int:
        """Write the end; the number of records."""
        count = self._sections.close()
        # At top level rather than under `info`, against the letter of CEP 36: all clients look here.
        self._out.write(b',"removed":[],"repodata_version":1}')
        return count


def write_repodata(out: Sink, subdir: str, rows: Iterable[IndexRow]) -> int:
    """Write the index of a subdir and return its number of records; see RepodataWriter for their order."""
    writer = RepodataWriter(out, subdir)
    for row in rows:
        writer.add(row)
    return writer.close()


class SectionsWriter:
    """`"packages":{…},"packages.conda":{…}` of file names and finished JSON, a few large writes at a time."""

    def __init__(self, out: Sink) -> None:
        self._out = out
        self._parts = [b'"packages":{']
        self._extension, self._previous, self._comma = TAR_BZ2, "", b""
        self._count = 0

    def add(self, filename: str, value: bytes) -> None:
        if not filename.endswith(self._extension) and self._extension is TAR_BZ2:
            self._begin_conda()
        if filename <= self._previous or not filename.endswith(self._extension):
            raise ValueError(
                f"{filename!r} must not follow {self._previous!r}: {TAR_BZ2} first, each kind by name"
            )
        self._parts.append(b"%b%b:%b" % (self._comma, orjson.dumps(filename), value))
        self._previous, self._comma = filename, b","
        self._count += 1
        if len(self._parts) >= _RECORDS_A_WRITE:
            self._flush()

    def close(self) -> int:
        """Write the end; the number of files."""
        if self._extension is TAR_BZ2:
            self._begin_conda()
        self._parts.append(b"}")
        self._flush()
        return self._count

    def _begin_conda(self) -> None:
        self._parts.append(b'},"packages.conda":{')
        self._extension, self._previous, self._comma = CONDA, "", b""

    def _flush(self) -> None:
        self._out.write(b"".join(self._parts))
        self._parts.clear()


def compress(source: BinaryIO, out: Sink, size: int, level: int = 3, threads: int = 2) -> None:
    """Compress exactly `size` bytes of `source` into one zstd frame that tells its size and checksum.

    One frame, because rattler reads only the first and then fails; the size, because conda reserves
    memory by it. The bytes do not depend on the number of threads. Raises zstandard.ZstdError if
    `source` holds more or fewer bytes.
    """
    compressor = zstandard.ZstdCompressor(level=level, threads=threads, write_checksum=True)
    compressor.copy_stream(source, cast(BinaryIO, out), size=size)
