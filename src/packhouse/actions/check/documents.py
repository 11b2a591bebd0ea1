"""Compares the documents of a channel, byte by byte and file by file, with its entries.

Documents follow behind the entries. While they are under way they show an older revision, and then only
their bytes are looked at.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import orjson
import zstandard
from sqlalchemy import Connection

from packhouse.actions.check.report import Found, Reindex
from packhouse.actions.check.side_by_side import side_by_side
from packhouse.actions.packhouse import Packhouse
from packhouse.actions.reindex import CHANNELDATA, CURRENT_REPODATA, REPODATA, RUN_EXPORTS
from packhouse.actions.settle import channeldata_row, index_row
from packhouse.domain.channels import Channel
from packhouse.errors import Invalid, NotFound
from packhouse.formats.conda.channeldata import write_channeldata
from packhouse.formats.conda.members import Member, read_members
from packhouse.formats.conda.repodata import IndexRow, is_v3
from packhouse.storage import documents, entries, revisions
from packhouse.storage.documents import Document
from packhouse.storage.revisions import Revision

PATIENCE = timedelta(minutes=1)
"""What changed so lately is not called stale yet: the reindex may be on its way."""
SLICE_BYTES = 64 * 1024
"""Decompressed at once: indexes shrink to a tenth, so this bounds what is in memory."""

ROOT_DOCUMENTS = (CHANNELDATA,)
SUBDIR_DOCUMENTS = (REPODATA, CURRENT_REPODATA, RUN_EXPORTS)

Show = Callable[[IndexRow], bytes]


def compare_documents(packhouse: Packhouse, connection: Connection, channel: Channel) -> Iterator[Found]:
    present = revisions.of_channel(connection, channel.id)
    for _, revision in sorted(present.items()):
        root = present.get(revisions.ROOT, revision)
        yield from _Comparison(packhouse, connection, channel, revision, root).run()


@dataclass(frozen=True)
class _Comparison:
    """Of one subdir; `connection` is the snapshot that everything is compared in.

    `root` is the revision of the channel's root, with which each subdir's current_repodata is made.
    """

    packhouse: Packhouse
    connection: Connection
    channel: Channel
    revision: Revision
    root: Revision

    def run(self) -> Iterator[Found]:
        yield from self._staleness()
        present = documents.of_subdir(self.connection, self.channel.id, self.revision.subdir)
        is_root = self.revision.subdir == revisions.ROOT
        for name in ROOT_DOCUMENTS if is_root else SUBDIR_DOCUMENTS:
            twin_name = f"{name}.zst"
            yield from self._missing(present, name, twin_name)
            if (document := present.get(name)) is not None:
                yield from self._compare(document)
                if (twin := present.get(twin_name)) is not None:
                    yield from self._compare_twin(twin, document)

    def _staleness(self) -> Iterator[Found]:
        revision = self.revision
        if not revision.is_stale:
            return
        what = f"its documents show revision {revision.indexed}, and the content is at {revision.content}."
        is_due = self.packhouse.clock() - revision.changed_at < PATIENCE
        yield self._found("", what, is_due=is_due)

    def _missing(self, present: dict[str, Document], *names: str) -> Iterator[Found]:
        if self._is_behind(names[0]):
            return  # said already
        for name in names:
            if name not in present:
                yield self._found(name, "it is missing.")

    def _compare(self, document: Document) -> Iterator[Found]:
        """Read the document once, for its bytes and for what it says."""
        read = _Read()
        try:
            chunks = read.watched(self.packhouse.blobs.read(document.sha256))
            yield from self._contents(document.name, chunks)
            read.drain(chunks)
        except NotFound:
            yield from self._gone(document)
            return
        except Invalid as error:
            yield self._found(document.name, f"it cannot be read: {error.message}.", document.sha256)
            return
        if (read.digest, read.size) != (document.sha256, document.size):
            what = f"its blob {document.sha256} is damaged ({read.size} of {document.size} bytes)."
            yield self._found(document.name, what, document.sha256)

    def _contents(self, name: str, chunks: Iterator[bytes]) -> Iterator[Found]:
        if self._is_behind(name):
            return
        if name == CHANNELDATA:
            yield from self._channeldata(b"".join(chunks))
        elif name == RUN_EXPORTS:
            yield from self._members(name, chunks, lambda row: b'{"run_exports":%b}' % row.run_exports)
        else:
            yield from self._members(name, chunks, lambda row: row.record)

    def _is_behind(self, name: str) -> bool:
        return self.revision.is_stale or (name == CURRENT_REPODATA and self.root.is_stale)

    def _members(self, name: str, chunks: Iterator[bytes], show: Show) -> Iterator[Found]:
        """`current_repodata.json` may leave files out; what it has is that of the entries."""
        is_choice = name == CURRENT_REPODATA
        rows = entries.in_index_order(self.connection, self.channel.id, self.revision.subdir)
        expected = (row for row in map(index_row, rows) if _is_told_of(row, name))
        for row, member in side_by_side(expected, read_members(chunks), _place_of_row, _place_of_member):
            if row is None:
                assert member is not None
                yield self._found(name, f"'{member.filename}' is in it, but not in the channel.")
            elif member is None:
                if not is_choice:
                    yield self._found(name, f"'{row.filename}' is not in it.")
            elif not _is_same(show(row), member.text):
                yield self._found(name, f"'{row.filename}' has other facts in it than in the database.")

    def _channeldata(self, body: bytes) -> Iterator[Found]:
        rows = entries.by_name(self.connection, self.channel.id)
        expected = write_channeldata(channeldata_row(row) for row in rows)
        if body == expected:
            return
        try:
            told, true = orjson.loads(body)["packages"], orjson.loads(expected)["packages"]
        except (ValueError, KeyError, TypeError) as error:
            raise Invalid(f"not the JSON of a channeldata.json: {error}") from error
        for name in sorted(told.keys() | true.keys()):
            if told.get(name) != true.get(name):
                yield self._found(CHANNELDATA, f"the package '{name}' is not told of as it is.")

    def _compare_twin(self, twin: Document, plain: Document) -> Iterator[Found]:
        """A `.zst` holds the same as the plain one, in one frame."""
        try:
            digest = _digest_of_frame(self.packhouse.blobs.read(twin.sha256))
        except NotFound:
            yield from self._gone(twin)
            return
        except zstandard.ZstdError as error:
            yield self._found(twin.name, f"it cannot be decompressed: {error}.", twin.sha256)
            return
        if digest != plain.sha256:
            yield self._found(twin.name, f"it does not hold the same as {plain.name}.", twin.sha256)

    def _gone(self, document: Document) -> Iterator[Found]:
        """Its bytes are not there: damage, unless it was replaced since the snapshot and then swept."""
        with self.packhouse.database.reading() as connection:
            now = documents.find(connection, self.channel.id, self.revision.subdir, document.name)
        if now is not None and now.sha256 == document.sha256:
            yield self._found(document.name, f"its bytes ({document.sha256}) are missing.")

    def _found(self, name: str, what: str, damaged: str | None = None, is_due: bool = False) -> Found:
        where = "/".join(part for part in (self.channel.path, self.revision.subdir, name) if part)
        return Found(where, what, Reindex(self.revision.subdir, damaged), is_due)


class _Read:
    """Digest and size of what passes by."""

    def __init__(self) -> None:
        self._sha256 = hashlib.sha256()
        self.size = 0

    @property
    def digest(self) -> str:
        return self._sha256.hexdigest()

    def watched(self, chunks: Iterable[Any]) -> Iterator[bytes]:
        for chunk in chunks:
            self._sha256.update(chunk)
            self.size += len(chunk)
            yield bytes(chunk)

    def drain(self, chunks: Iterator[bytes]) -> None:
        """Take what nobody else wanted, for the digest."""
        for _ in chunks:
            pass


def _digest_of_frame(chunks: Iterable[Any]) -> str:
    """Of what the frame holds. Raises ZstdError if it ends early, or if something stands behind it."""
    frame, digest = zstandard.ZstdDecompressor().decompressobj(), hashlib.sha256()
    for chunk in chunks:
        for start in range(0, len(chunk), SLICE_BYTES):
            digest.update(frame.decompress(bytes(chunk[start : start + SLICE_BYTES])))
    if not frame.eof or frame.unused_data:
        raise zstandard.ZstdError("it is not one whole frame")
    return digest.hexdigest()


def _is_same(expected: bytes, text: str) -> bool:
    """Another release may write the same facts in other bytes."""
    return expected == text.encode() or bool(orjson.loads(expected) == orjson.loads(text))


def _is_told_of(row: IndexRow, name: str) -> bool:
    """A file whose run exports nobody knows is not in run_exports.json (CEP 12), one of v3 in no older document."""
    return bool(row.run_exports) if name == RUN_EXPORTS else name == REPODATA or not is_v3(row)


def _place_of_row(row: IndexRow) -> tuple[int | None, str]:
    return row.section, row.filename


def _place_of_member(member: Member) -> tuple[int | None, str]:
    return member.section, member.filename
