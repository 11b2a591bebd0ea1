"""Records and documents as an upstream writes them."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import msgpack
import zstandard

SUBDIR = "linux-64"
INDEX_URL = "https://upstream.example/channel/linux-64/repodata.json"
SHARDS_URL = "https://upstream.example/channel/linux-64/repodata_shards.msgpack.zst"

Records = Mapping[str, Mapping[str, Any]]


def record(name: str = "zlib", version: str = "1.3", build: str = "h1_0", **fields: Any) -> dict[str, Any]:
    identity = f"{name}-{version}-{build}".encode()
    return {
        "build": build,
        "build_number": 0,
        "depends": ["libc >=2"],
        "license": "MIT",
        "md5": hashlib.md5(identity).hexdigest(),
        "name": name,
        "sha256": hashlib.sha256(identity).hexdigest(),
        "size": 1234,
        "subdir": SUBDIR,
        "timestamp": 1_700_000_000_000,
        "version": version,
    } | fields


def without(document: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key not in keys}


def repodata(tar_bz2: Records | None = None, conda: Records | None = None, **parts: Any) -> dict[str, Any]:
    head = {"info": {"subdir": SUBDIR}, "packages": tar_bz2 or {}, "packages.conda": conda or {}}
    return head | {"removed": [], "repodata_version": 1} | parts


def pack(document: object) -> bytes:
    return zstandard.compress(msgpack.packb(document))


def shard(name: str, document: Mapping[str, Any]) -> bytes:
    """The shard of one name that a monolithic index amounts to, digests as bytes (CEP 16)."""
    parts: dict[str, Any] = {
        key: {filename: _with_raw_digests(found) for filename, found in _of(name, document.get(key, {}))}
        for key in ("packages", "packages.conda")
    }
    parts["removed"] = [filename for filename in document["removed"] if filename.rsplit("-", 2)[0] == name]
    for key in {"v3", "signatures"} & document.keys():
        parts[key] = document[key]
    return pack(parts)


def _of(name: str, section: Records) -> Iterable[tuple[str, Mapping[str, Any]]]:
    return [(filename, found) for filename, found in section.items() if filename.rsplit("-", 2)[0] == name]


def _with_raw_digests(found: Mapping[str, Any]) -> dict[str, Any]:
    raw = {key: bytes.fromhex(found[key]) for key in ("md5", "sha256") if key in found}
    return {**found, **raw}
