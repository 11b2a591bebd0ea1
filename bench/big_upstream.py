"""Writes the indexes of an upstream conda channel of any size: realistic records, no packages behind them."""

import hashlib
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack  # type: ignore[import-untyped]  # it has no stubs
import zstandard

SUBDIRS = {"linux-64": 0.7, "noarch": 0.3}
"""Which share of the records each has, as of conda-forge for one platform."""
RECORDS_A_NAME = 20
LICENSES = ("BSD-3-Clause", "MIT", "Apache-2.0", "GPL-3.0-or-later", "LGPL-2.1-only", "PSF-2.0")
LEVEL = 3


def write_channel(folder: Path, records: int, sharded: bool = True) -> dict[str, int]:
    """Write `records` records in all; answer how many names each subdir has."""
    names = {}
    for subdir, share in SUBDIRS.items():
        names[subdir] = int(records * share) // RECORDS_A_NAME
        (folder / subdir).mkdir(parents=True, exist_ok=True)
        write_subdir(folder / subdir, names[subdir], sharded)
    return names


def write_subdir(folder: Path, names: int, sharded: bool) -> None:
    digests: dict[str, bytes] = {}
    sections: dict[str, dict[str, Any]] = {"packages": {}, "packages.conda": {}}
    for name in map(name_of, range(names)):
        shard = shard_of(folder.name, name)
        if sharded:
            digests[name] = write_shard(folder, shard)
        else:
            for key, section in sections.items():
                section.update(shard[key])
    if sharded:
        write_index(folder, digests)
    else:
        document = {"info": {"subdir": folder.name}, **sections, "removed": [], "repodata_version": 1}
        body = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
        (folder / "repodata.json.zst").write_bytes(zstandard.compress(body, LEVEL))
        (folder / "repodata.json").write_bytes(body)


def change_names(folder: Path, changed: int, more: int = 1) -> None:
    """Give the first names of a sharded subdir so many builds more than they had at first."""
    decompressed = zstandard.decompress((folder / "repodata_shards.msgpack.zst").read_bytes())
    digests = msgpack.unpackb(decompressed)["shards"]
    for name in sorted(digests)[:changed]:
        shard = shard_of(folder.name, name, builds=RECORDS_A_NAME + more)
        digests[name] = write_shard(folder, shard)
    write_index(folder, digests)


def name_of(number: int) -> str:
    return f"package-{number:05}"


def shard_of(subdir: str, name: str, builds: int = RECORDS_A_NAME) -> dict[str, Any]:
    packages = dict(_records(subdir, name, builds))
    return {
        "packages": {file: one for file, one in packages.items() if file.endswith(".tar.bz2")},
        "packages.conda": {file: one for file, one in packages.items() if file.endswith(".conda")},
        "removed": [],
    }


def _records(subdir: str, name: str, builds: int) -> Iterator[tuple[str, dict[str, Any]]]:
    dice = random.Random(f"{subdir}/{name}")
    for number in range(builds):
        version, build = f"1.{number // 4}.{number % 4}", f"h{dice.getrandbits(28):07x}_{number}"
        extension = ".conda" if number % 4 else ".tar.bz2"
        filename = f"{name}-{version}-{build}{extension}"
        yield (
            filename,
            {
                "build": build,
                "build_number": number,
                "depends": [
                    f"{name_of(dice.randrange(1000))} >={i}.{number % 10},<{i + 1}.0a0" for i in range(7)
                ],
                "license": dice.choice(LICENSES),
                "md5": hashlib.md5(f"{subdir}{filename}".encode(), usedforsecurity=False).hexdigest(),
                "name": name,
                "sha256": hashlib.sha256(f"{subdir}{filename}".encode()).hexdigest(),
                "size": dice.randrange(5_000, 5_000_000),
                "subdir": subdir,
                "timestamp": 1_600_000_000_000 + number * 86_400_000,
                "version": version,
            },
        )


def write_shard(folder: Path, shard: dict[str, Any]) -> bytes:
    packed = {
        key: {file: _raw(one) for file, one in value.items()} if isinstance(value, dict) else value
        for key, value in shard.items()
    }
    body = zstandard.compress(msgpack.packb(packed), LEVEL)
    digest = hashlib.sha256(body)
    (folder / "shards").mkdir(exist_ok=True)
    (folder / "shards" / f"{digest.hexdigest()}.msgpack.zst").write_bytes(body)
    return digest.digest()


def _raw(record: dict[str, Any]) -> dict[str, Any]:
    return {**record, **{key: bytes.fromhex(record[key]) for key in ("md5", "sha256")}}


def write_index(folder: Path, digests: dict[str, bytes]) -> None:
    info = {
        "subdir": folder.name,
        "base_url": "",
        "shards_base_url": "./shards/",
        "created_at": "2026-11-22T07:00:00Z",
    }
    document = {"version": 1, "info": info, "shards": dict(sorted(digests.items()))}
    (folder / "repodata_shards.msgpack.zst").write_bytes(zstandard.compress(msgpack.packb(document), LEVEL))
