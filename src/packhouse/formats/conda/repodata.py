"""`repodata.json` (CEP 36), streamed from finished records, and its compressed twin."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, groupby, islice, pairwise, repeat
from operator import lt
from typing import BinaryIO, NamedTuple, Protocol, cast

import orjson
import zstandard

from packhouse.domain.sections import FIRST_V3, Section
from packhouse.formats.conda.v3_summary import V3Summary

TAR_BZ2 = Section.TAR_BZ2.extension
CONDA = Section.CONDA.extension

# Few large writes; at about 1 KB a record this is some 2 MB at a time, whatever the size of the channel.
_RECORDS_A_WRITE = 2048


class Sink(Protocol):
    """Whatever takes bytes: a file, or a spool that digests them as they pass."""

    def write(self, chunk: bytes, /) -> object: ...


class IndexRow(NamedTuple):
    """One served file: its name, its record and its run exports, the last two as finished JSON.

    `run_exports` is empty if they are unknown. Without a `section`, the file name says which: only those
    of `v3` need to be told.
    """

    filename: str
    record: bytes
    run_exports: bytes
    section: int | None = None


class RepodataWriter:
    """The index of a subdir, a batch of records after the other.

    The rows come in the order of the document: by section, in each by file name, where "by" is the order
    of code points. `extend` raises ValueError if they do not.
    """

    def __init__(self, out: Sink, subdir: str, v3: V3Summary | None = None) -> None:
        """`v3` sums up the rows to come that belong there; None if none does."""
        self._promised = v3
        self._seen: V3Summary | None = None
        info = {} if v3 is None else {"repodata_revisions": v3.revisions()}
        out.write(b'{"info":%b,' % orjson.dumps(info | {"subdir": subdir}))
        # At top level rather than under `info`, against the letter of CEP 36: all clients look here.
        self._sections = SectionsWriter(out, b',"removed":[],"repodata_version":1')
        self._out = out

    def extend(self, rows: Sequence[IndexRow]) -> None:
        if not rows:
            return
        names, records, _, sections = zip(*rows, strict=True)  # at a third of the cost of asking each row
        self._sections.extend(sections, names, records)
        if is_v3(rows[-1]):
            self._count_v3(rows)

    def close(self) -> int:
        """Write the end; the number of records. Raises ValueError if `v3` was not true of the rows."""
        count = self._sections.close()
        self._out.write(b"}")
        if self._seen != self._promised:
            raise ValueError(f"the head tells of {self._promised}, but under v3 stand {self._seen}")
        return count

    def _count_v3(self, rows: Sequence[IndexRow]) -> None:
        summary = summarize_v3(rows)
        if summary is not None:
            self._seen = summary if self._seen is None else self._seen.joined(summary)


def write_repodata(out: Sink, subdir: str, rows: Iterable[IndexRow], v3: V3Summary | None = None) -> int:
    """Write the index of a subdir and return its number of records; see RepodataWriter for their order."""
    writer = RepodataWriter(out, subdir, v3)
    for batch in batches(rows):
        writer.extend(batch)
    return writer.close()


def section_of(filename: str) -> Section:
    """Where a record stands that every client can read. Raises ValueError if none could stand there."""
    if filename.endswith(CONDA):
        return Section.CONDA
    if filename.endswith(TAR_BZ2):
        return Section.TAR_BZ2
    raise ValueError(f"{filename!r} is neither {CONDA} nor {TAR_BZ2}")


def is_v3(row: IndexRow) -> bool:
    return row.section is not None and row.section >= FIRST_V3


def summarize_v3(rows: Iterable[IndexRow]) -> V3Summary | None:
    """What the head of a document must tell of the rows; None if none belongs under `v3`."""
    times = [orjson.loads(row.record)["indexed_timestamp"] for row in rows if is_v3(row)]
    return V3Summary(len(times), min(times), max(times)) if times else None


def batches(rows: Iterable[IndexRow]) -> Iterator[list[IndexRow]]:
    """The rows, so many at a time that neither calls nor memory count."""
    remaining = iter(rows)
    while batch := list(islice(remaining, _RECORDS_A_WRITE)):
        yield batch


class SectionsWriter:
    """`"packages":{…},"packages.conda":{…}`, and `"v3":{…}` if anything stands there; a write for each batch.

    `between` is the text between the two, and at the end of a document without `v3`.
    """

    def __init__(self, out: Sink, between: bytes = b"") -> None:
        self._out, self._comma, self._between = out, b"", between
        self._openings = {
            Section.CONDA: b'},"packages.conda":{',
            Section.V3_TAR_BZ2: b'}%b,"v3":{"tar.bz2":{' % between,
            Section.V3_CONDA: b'},"conda":{',
        }
        out.write(b'"packages":{')
        self._section, self._previous = Section.TAR_BZ2, ""
        self._count = 0

    def extend(self, sections: Sequence[int | None], names: Sequence[str], values: Sequence[bytes]) -> None:
        """Add files, each with the finished JSON that stands behind its name; see IndexRow for a section of None."""
        start = 0
        for section, run in groupby(_told(sections, names)):
            end = start + len(list(run))
            self._advance(section, names[start])
            self._write(names[start:end], values[start:end])
            start = end

    def close(self) -> int:
        """Write the end; the number of files."""
        if self._section < FIRST_V3:
            self._advance(Section.CONDA)
            self._out.write(b"}" + self._between)
        else:
            self._advance(Section.V3_CONDA)
            self._out.write(b"}}")
        return self._count

    def _advance(self, section: int, filename: str = "") -> None:
        if section < self._section:
            raise ValueError(f"{filename!r} of section {section} must not follow section {self._section:d}")
        while self._section < section:
            self._section = Section(self._section + 1)
            self._out.write(self._openings[self._section])
            self._comma, self._previous = b"", ""

    def _write(self, names: Sequence[str], values: Sequence[bytes]) -> None:
        self._check_order(names)
        keyed = zip(self._keys(names), values, strict=True)
        parts = [b"%b:%b" % (orjson.dumps(key), value) for key, value in keyed]
        self._out.write(self._comma + b",".join(parts))
        self._comma = b","
        self._count += len(names)

    def _check_order(self, names: Sequence[str]) -> None:
        if not all(map(lt, chain((self._previous,), names), names)):
            late = next(later for earlier, later in pairwise((self._previous, *names)) if later <= earlier)
            raise ValueError(f"{late!r} comes too late: the files of each section go by name")
        self._previous = names[-1]

    def _keys(self, names: Sequence[str]) -> Sequence[str]:
        if self._section < FIRST_V3 and all(map(str.endswith, names, repeat(self._section.extension))):
            return names  # as below, in a tenth of the time
        return [self._section.key(name) for name in names]


def _told(sections: Sequence[int | None], names: Sequence[str]) -> Iterator[int]:
    for section, name in zip(sections, names, strict=True):
        yield section_of(name) if section is None else section


def compress(source: BinaryIO, out: Sink, size: int, level: int = 3, threads: int = 2) -> None:
    """Compress exactly `size` bytes of `source` into one zstd frame that tells its size and checksum.

    One frame, because rattler reads only the first and then fails; the size, because conda reserves
    memory by it. The bytes do not depend on the number of threads. Raises zstandard.ZstdError if
    `source` holds more or fewer bytes.
    """
    compressor = zstandard.ZstdCompressor(level=level, threads=threads, write_checksum=True)
    compressor.copy_stream(source, cast(BinaryIO, out), size=size)
