"""`repodata.json` (CEP 36), streamed from finished records, and its compressed twin."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import BinaryIO, NamedTuple, Protocol, cast

import orjson
import zstandard

TAR_BZ2 = ".tar.bz2"
CONDA = ".conda"

# Few large writes; at about 1 KB a record this is some 2 MB at a time, whatever the size of the channel.
_RECORDS_A_WRITE = 2048
_PARTS_THAT_ARE_NO_MEMBER = 3


class Sink(Protocol):
    """Whatever takes bytes: a file, or a spool that digests them as they pass."""

    def write(self, chunk: bytes, /) -> object: ...


class IndexRow(NamedTuple):
    """One served file: its name, its record and its run exports, the last two as finished JSON."""

    filename: str
    record: bytes
    run_exports: bytes


def write_repodata(out: Sink, subdir: str, rows: Iterable[IndexRow]) -> int:
    """Write the index of a subdir and return its number of records.

    The rows come in the order of the document: every `.tar.bz2` by file name, then every `.conda` by
    file name, where "by" is the order of code points. Raises ValueError if they do not.
    """
    out.write(b'{"info":%b,' % orjson.dumps({"subdir": subdir}))
    count = write_sections(out, ((row.filename, row.record) for row in rows))
    # At top level rather than under `info`, against the letter of CEP 36: all clients look here.
    out.write(b',"removed":[],"repodata_version":1}')
    return count


def write_sections(out: Sink, members: Iterable[tuple[str, bytes]]) -> int:
    """Write `"packages":{…},"packages.conda":{…}` of (file name, JSON) pairs; return how many there were."""
    written = 0
    parts = _parts(members)
    while batch := list(islice(parts, _RECORDS_A_WRITE)):
        out.write(b"".join(batch))
        written += len(batch)
    return written - _PARTS_THAT_ARE_NO_MEMBER


def _parts(members: Iterable[tuple[str, bytes]]) -> Iterator[bytes]:
    extension, previous, comma = TAR_BZ2, "", b""
    yield b'"packages":{'
    for filename, value in members:
        if extension is TAR_BZ2 and filename.endswith(CONDA):
            yield b'},"packages.conda":{'
            extension, previous, comma = CONDA, "", b""
        if filename <= previous or not filename.endswith(extension):
            raise ValueError(f"{filename!r} must not follow {previous!r}: {TAR_BZ2} first, each kind by name")
        yield b"%b%b:%b" % (comma, orjson.dumps(filename), value)
        previous, comma = filename, b","
    if extension is TAR_BZ2:
        yield b'},"packages.conda":{'
    yield b"}"


def compress(source: BinaryIO, out: Sink, size: int, level: int = 3, threads: int = 2) -> None:
    """Compress exactly `size` bytes of `source` into one zstd frame that tells its size and checksum.

    One frame, because rattler reads only the first and then fails; the size, because conda reserves
    memory by it. The bytes do not depend on the number of threads. Raises zstandard.ZstdError if
    `source` holds more or fewer bytes.
    """
    compressor = zstandard.ZstdCompressor(level=level, threads=threads, write_checksum=True)
    compressor.copy_stream(source, cast(BinaryIO, out), size=size)
