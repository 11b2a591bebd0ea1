"""Sharded repodata (CEP 16): one small document a package name, and one index that names them by digest."""

import hashlib
import threading
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any

import msgpack  # type: ignore[import-untyped]  # ships no types, and no stubs are published
import orjson
import zstandard

from packhouse.domain.sections import Section
from packhouse.errors import Invalid, TooLarge
from packhouse.formats.conda.repodata import IndexRow, section_of
from packhouse.formats.conda.v3_summary import V3Summary

# What conda allows when a frame does not tell its size; a larger document would serve nobody.
LARGEST_SHARD = 16 * 1024 * 1024
LARGEST_SHARD_INDEX = 128 * 1024 * 1024

# Pinned: the name of a shard is the digest of its compressed bytes.
_SHARD_LEVEL = 3
# Digests do not compress, and names are the smaller part: at 30,000 names level 3 saves 7 % more than
# level -5 does, and takes ten times as long.
_INDEX_LEVEL = -5

_DIGEST_SIZE = hashlib.sha256().digest_size


class _Kept(threading.local):
    """A thread's own: their contexts are large, and to allocate one costs more than a shard does."""

    def __init__(self) -> None:
        self.compressor = zstandard.ZstdCompressor(level=_SHARD_LEVEL)
        self.decompressor = zstandard.ZstdDecompressor()


_kept = _Kept()


def pack_shard(rows: Iterable[IndexRow]) -> bytes:
    """The shard of one package name: the same rows, in whatever order, give the same bytes."""
    shard: dict[str, Any] = {"packages": {}, "packages.conda": {}, "removed": []}
    v3: dict[str, Any] = {"conda": {}, "tar.bz2": {}}
    places = {
        Section.TAR_BZ2: shard["packages"],
        Section.CONDA: shard["packages.conda"],
        Section.V3_TAR_BZ2: v3["tar.bz2"],
        Section.V3_CONDA: v3["conda"],
    }
    for row in sorted(rows, key=attrgetter("filename")):
        section = section_of(row.filename) if row.section is None else Section(row.section)
        places[section][section.key(row.filename)] = _packable(row)
    if any(v3.values()):
        shard["v3"] = v3
    return _kept.compressor.compress(_packed(shard))


def shard_digest(body: bytes) -> bytes:
    """What the index calls a shard: the raw SHA-256 of its compressed bytes."""
    return hashlib.sha256(body).digest()


class ShardIndex:
    """The names of one subdir and the digests of their shards, ready to be packed again after each change.

    Each name is kept as the bytes that it takes in the document, in order of the names; so one change
    costs a bisection, and packing is one join. `v3` sums up the v3 records in all of the shards, and is to
    be set again when they change.
    """

    def __init__(self, subdir: str, digests: Mapping[str, bytes], v3: V3Summary | None = None) -> None:
        self._subdir, self.v3 = subdir, v3
        self._names = sorted(digests)
        self._entries = [_entry(name, digests[name]) for name in self._names]

    def __len__(self) -> int:
        return len(self._names)

    def update(self, changes: Mapping[str, bytes | None]) -> None:
        """Set the digests of the names given; None takes a name out, and taking it out twice is harmless."""
        for name, digest in changes.items():
            place = bisect_left(self._names, name)
            known = self._names[place : place + 1] == [name]
            after = place + 1 if known else place
            self._names[place:after] = [] if digest is None else [name]
            self._entries[place:after] = [] if digest is None else [_entry(name, digest)]

    def pack(self, created_at: datetime) -> bytes:
        """The document. `created_at` must know its time zone; it is written in UTC, to the second."""
        packer = msgpack.Packer(autoreset=False)
        packer.pack_map_header(3)
        packer.pack("info")
        packer.pack(self._info(created_at))
        packer.pack("shards")
        packer.pack_map_header(len(self._entries))
        head = packer.bytes()
        document = b"".join([head, *self._entries, _packed("version"), _packed(1)])
        return zstandard.ZstdCompressor(level=_INDEX_LEVEL, write_checksum=True).compress(document)

    def _info(self, created_at: datetime) -> dict[str, Any]:
        if created_at.tzinfo is None:
            raise ValueError("created_at needs a time zone")
        revisions = {} if self.v3 is None else {"repodata_revisions": self.v3.revisions()}
        return {
            "base_url": "",  # both URLs are read from where the index lies, so every mount point works
            "created_at": created_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            **revisions,
            "shards_base_url": "./shards/",
            "subdir": self._subdir,
        }


def read_shard(body: bytes, max_output_size: int = LARGEST_SHARD) -> dict[str, Any]:
    """Raises TooLarge beyond `max_output_size` bytes of content, Invalid if this is no such document."""
    return _unpacked(body, max_output_size, {"packages": dict, "packages.conda": dict})


def read_shard_index(body: bytes, max_output_size: int = LARGEST_SHARD_INDEX) -> dict[str, Any]:
    """Raises TooLarge beyond `max_output_size` bytes of content, Invalid if this is no such document."""
    return _unpacked(body, max_output_size, {"info": dict, "shards": dict, "version": int})


def content_of(body: bytes, limit: int) -> bytes:
    """Decompressed. Raises TooLarge beyond `limit` bytes, Invalid if this is no zstd."""
    try:
        # The library heeds its own limit only where the frame does not tell the size.
        if zstandard.frame_content_size(body) > limit:
            size = zstandard.frame_content_size(body)
            raise TooLarge(f"{size} bytes of content; at most {limit} are read")
        return _kept.decompressor.decompress(body, max_output_size=limit)
    except zstandard.ZstdError as error:
        raise Invalid(f"not zstd-compressed msgpack: {error}") from error


def _unpacked(body: bytes, limit: int, wanted: Mapping[str, type]) -> dict[str, Any]:
    """The map of a shard or an index of our own, which has a key of each type `wanted`."""
    try:
        document = msgpack.unpackb(content_of(body, limit))
    except (ValueError, msgpack.UnpackException) as error:
        raise Invalid(f"not zstd-compressed msgpack: {error}") from error
    if not isinstance(document, dict):
        raise Invalid(f"expected a map, found {type(document).__name__}")
    for key, kind in wanted.items():
        if not isinstance(document.get(key), kind):
            raise Invalid(f"the map has no {key!r} of type {kind.__name__}")
    return document


def _packable(row: IndexRow) -> dict[str, Any]:
    record: dict[str, Any] = orjson.loads(row.record)
    for digest in ("md5", "sha256"):
        if record.get(digest):  # upstreams may tell but one of them
            record[digest] = bytes.fromhex(record[digest])
    if row.run_exports:  # a missing key says "unknown"
        record["run_exports"] = orjson.loads(row.run_exports)
    return dict(sorted(record.items()))


def _entry(name: str, digest: bytes) -> bytes:
    if len(digest) != _DIGEST_SIZE:
        raise ValueError(f"the digest of {name!r} has {len(digest)} bytes, not {_DIGEST_SIZE}")
    return _packed(name) + _packed(digest)


def _packed(value: object) -> bytes:
    packed: bytes = msgpack.packb(value)
    return packed
