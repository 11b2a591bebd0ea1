"""`repodata.json` (CEP 36), streamed from finished records, and its compressed twin."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, pairwise
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
    """The index of a subdir, a batch of records after the other.

    The rows come in the order of the document: every `.tar.bz2` by file name, then every `.conda` by
    file name, where "by" is the order of code points. `extend` raises ValueError if they do not.
    """

    def __init__(self, out: Sink, subdir: str) -> None:
        self._out = out
        out.write(b'{"info":%b,' % orjson.dumps({"subdir": subdir}))
        self._sections = SectionsWriter(out)

    def extend(self, rows: Sequence[IndexRow]) -> None:
        self._sections.extend([(filename, record) for filename, record, _ in rows])

    def close(self) -> int:
        """Write the end; the number of records."""
        count = self._sections.close()
        # At top level rather than under `info`, against the letter of CEP 36: all clients look here.
        self._out.write(b',"removed":[],"repodata_version":1}')
        return count


def write_repodata(out: Sink, subdir: str, rows: Iterable[IndexRow]) -> int:
    """Write the index of a subdir and return its number of records; see RepodataWriter for their order."""
    writer = RepodataWriter(out, subdir)
    for batch in batches(rows):
        writer.extend(batch)
    return writer.close()


def batches(rows: Iterable[IndexRow]) -> Iterator[list[IndexRow]]:
    """The rows, so many at a time that neither calls nor memory count."""
    remaining = iter(rows)
    while batch := list(islice(remaining, _RECORDS_A_WRITE)):
        yield batch


class SectionsWriter:
    """`"packages":{…},"packages.conda":{…}` of file names and finished JSON, a write for each batch."""

    def __init__(self, out: Sink) -> None:
        self._out, self._comma = out, b""
        out.write(b'"packages":{')
        self._extension, self._previous = TAR_BZ2, ""
        self._count = 0

    def extend(self, members: Sequence[tuple[str, bytes]]) -> None:
        """Add (file name, JSON) pairs."""
        conda = next((place for place, (name, _) in enumerate(members) if name.endswith(CONDA)), len(members))
        if self._extension is TAR_BZ2:
            self._write(members[:conda])
            if conda < len(members):
                self._begin_conda()
            members = members[conda:]
        if self._extension is CONDA:
            self._write(members)

    def close(self) -> int:
        """Write the end; the number of files."""
        if self._extension is TAR_BZ2:
            self._begin_conda()
        self._out.write(b"}")
        return self._count

    def _begin_conda(self) -> None:
        self._out.write(b'},"packages.conda":{')
        self._comma, self._extension, self._previous = b"", CONDA, ""

    def _write(self, members: Sequence[tuple[str, bytes]]) -> None:
        if not members:
            return
        self._check_order([name for name, _ in members])
        parts = [b"%b:%b" % (orjson.dumps(name), value) for name, value in members]
        self._out.write(self._comma + b",".join(parts))
        self._comma = b","
        self._count += len(members)

    def _check_order(self, names: list[str]) -> None:
        for earlier, later in pairwise([self._previous, *names]):
            if later <= earlier or not later.endswith(self._extension):
                raise ValueError(f"{later!r} must not follow {earlier!r}: {TAR_BZ2} first, each kind by name")
        self._previous = names[-1]


def compress(source: BinaryIO, out: Sink, size: int, level: int = 3, threads: int = 2) -> None:
    """Compress exactly `size` bytes of `source` into one zstd frame that tells its size and checksum.

    One frame, because rattler reads only the first and then fails; the size, because conda reserves
    memory by it. The bytes do not depend on the number of threads. Raises zstandard.ZstdError if
    `source` holds more or fewer bytes.
    """
    compressor = zstandard.ZstdCompressor(level=level, threads=threads, write_checksum=True)
    compressor.copy_stream(source, cast(BinaryIO, out), size=size)
