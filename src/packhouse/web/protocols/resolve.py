"""From a content address and an actor to an answer: the database asked once, nothing decided twice."""

import hashlib
import io
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Connection

from packhouse.actions.packhouse import Packhouse
from packhouse.domain.access import Actor, Permission, require
from packhouse.domain.channels import Channel, Privacy
from packhouse.errors import Corrupt, NotFound
from packhouse.formats.conda.channeldata import write_channeldata
from packhouse.formats.conda.repodata import compress, write_repodata
from packhouse.formats.conda.run_exports import write_run_exports
from packhouse.storage import channels, documents, entries, shards
from packhouse.storage.documents import Document
from packhouse.web.protocols.conda_urls import ROOT, Target
from packhouse.web.protocols.content import (
    FILE_SECONDS,
    IMMUTABLE_SECONDS,
    INDEX_SECONDS,
    Answer,
    cache_control,
    validators,
)
from packhouse.web.protocols.shard_indexes import ShardIndexes

JSON, ZSTD, OCTETS = b"application/json", b"application/zstd", b"application/octet-stream"
AS_A_FILE = [(b"content-disposition", b"attachment"), (b"x-content-type-options", b"nosniff")]
"""Whoever may publish may publish a page: no browser should show it as one of ours."""
SHARD_INDEX = "repodata_shards.msgpack.zst"

EMPTY: dict[tuple[str, str], Callable[[io.BytesIO], object]] = {
    ("noarch", "repodata.json"): lambda out: write_repodata(out, "noarch", []),
    ("noarch", "current_repodata.json"): lambda out: write_repodata(out, "noarch", []),
    ("noarch", "run_exports.json"): lambda out: write_run_exports(out, "noarch", []),
    (ROOT, "channeldata.json"): lambda out: out.write(write_channeldata([])),
}
"""What a channel has from its first moment; the real documents follow when the first reindex has run."""


class Resolver:
    """Answers for conda's addresses."""

    def __init__(self, packhouse: Packhouse) -> None:
        self._packhouse = packhouse
        self._shard_indexes = ShardIndexes()

    def resolve(self, actor: Actor, target: Target) -> Answer:
        """Raise NotFound, Unauthenticated or Forbidden where there is nothing for this actor."""
        with self._packhouse.database.reading() as connection:
            channel = channels.get(connection, target.channel)
            require(actor, Permission.ARTIFACT_DOWNLOAD, channel)
            is_shared = channel.privacy is Privacy.PUBLIC and target.token is None
            answer = self._find(connection, channel, target, is_shared)
        if not is_shared:
            answer.headers.append((b"vary", b"Authorization, X-Auth"))
        return answer.seal()

    def _find(self, connection: Connection, channel: Channel, target: Target, is_shared: bool) -> Answer:
        if target.is_in_folder:
            return self._file(connection, channel, target, is_shared)
        if target.shard is not None:
            return self._shard(connection, channel, target, target.shard, is_shared)
        if target.file == SHARD_INDEX and target.subdir:
            return self._shard_index(connection, channel, target, is_shared)
        if (document := documents.find(connection, channel.id, target.subdir, target.file)) is not None:
            return self._document(document, is_shared)
        if (write := EMPTY.get((target.subdir, target.file.removesuffix(".zst")))) is not None:
            return _empty(write, channel, target.file, is_shared)
        return self._file(connection, channel, target, is_shared)

    def _shard_index(
        self, connection: Connection, channel: Channel, target: Target, is_shared: bool
    ) -> Answer:
        packed = self._shard_indexes.get(connection, channel.id, target.subdir)
        if packed is None:
            raise _not_found(target)
        modified = int(packed.changed_at.timestamp())
        return _small(packed.body, packed.etag, modified, OCTETS, cache_control(is_shared, INDEX_SECONDS))

    def _shard(
        self, connection: Connection, channel: Channel, target: Target, sha256: bytes, is_shared: bool
    ) -> Answer:
        body = shards.body(connection, channel.id, target.subdir, sha256)
        if body is None:
            raise _not_found(target)
        return _small(body, sha256.hex(), 0, OCTETS, cache_control(is_shared, IMMUTABLE_SECONDS))

    def _document(self, document: Document, is_shared: bool) -> Answer:
        kind = ZSTD if document.name.endswith(".zst") else JSON
        modified = int(document.built_at.timestamp())
        answer = self._blob(document.sha256, document.size, modified)
        answer.headers += [
            (b"content-type", kind),
            (b"cache-control", cache_control(is_shared, INDEX_SECONDS)),
        ]
        return answer

    def _file(self, connection: Connection, channel: Channel, target: Target, is_shared: bool) -> Answer:
        entry = entries.find(connection, channel.id, f"{target.subdir}/{target.file}")
        if entry is None or not entry.is_served:
            raise _not_found(target)
        digests = entry.artifact.digests
        modified = int(entry.added_at.timestamp())
        if not entry.has_bytes:
            answer = _answer(digests.sha256, digests.size, modified, None)
            answer.awaited = entry
        else:
            answer = self._blob(digests.sha256, digests.size, modified)
        answer.entry_id = entry.id
        answer.headers += [
            (b"content-type", OCTETS),
            (b"cache-control", cache_control(is_shared, FILE_SECONDS)),
            *AS_A_FILE,
        ]
        return answer

    def file_here(self, answer: Answer) -> Answer:
        """The same answer for a file whose bytes have come since."""
        assert answer.sha256 is not None
        found = self._blob(answer.sha256, answer.size, answer.modified)
        found.headers, found.entry_id, found.actor = answer.headers, answer.entry_id, answer.actor
        return found.seal()

    def _blob(self, sha256: str, size: int, modified: int) -> Answer:
        path = self._packhouse.blobs.path(sha256)
        if path is not None and not path.exists():
            raise Corrupt(f"The bytes of {sha256} are missing. `packhouse check` says what else is.")
        return _answer(sha256, size, modified, path)


def _answer(sha256: str, size: int, modified: int, path: Path | None) -> Answer:
    return Answer(
        sha256=sha256,
        size=size,
        path=None if path is None else str(path),
        etag=f'"{sha256}"'.encode(),
        modified=modified,
        headers=[*validators(sha256, modified), (b"accept-ranges", b"bytes")],
    )


def _small(body: bytes, etag: str, modified: int, kind: bytes, caching: bytes) -> Answer:
    headers = [*validators(etag, modified), (b"content-type", kind), (b"cache-control", caching)]
    if not modified:
        headers = [pair for pair in headers if pair[0] != b"last-modified"]
    return Answer(body=body, size=len(body), etag=f'"{etag}"'.encode(), modified=modified, headers=headers)


def _empty(write: Callable[[io.BytesIO], object], channel: Channel, file: str, is_shared: bool) -> Answer:
    out = io.BytesIO()
    write(out)
    kind = JSON
    if file.endswith(".zst"):
        kind, plain, out = ZSTD, out.getvalue(), io.BytesIO()
        compress(io.BytesIO(plain), out, len(plain))
    body, modified = out.getvalue(), int(channel.created_at.timestamp())
    caching = cache_control(is_shared, INDEX_SECONDS)
    return _small(body, hashlib.sha256(body).hexdigest(), modified, kind, caching)


def _not_found(target: Target) -> NotFound:
    where = f"{target.subdir}/{target.file}" if target.subdir else target.file
    return NotFound(f"'{where}' was not found in channel '{target.channel}'.")
