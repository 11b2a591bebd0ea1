"""Fills a channel with tiny packages before anything is measured, a thousand in a transaction.

The packages are read, stored and indexed by the server's own functions; only HTTP and the transaction
of each single upload are left out, which would take an hour for what is not measured here.
"""

import concurrent.futures
import hashlib
import itertools
import json
import time
from collections.abc import Iterable
from pathlib import Path

import orjson
import synth
from house import Connection, House

from packhouse.actions.packhouse import Packhouse
from packhouse.actions.settle import Change, settle
from packhouse.app import build
from packhouse.domain.artifacts import Digests, PackageFacts
from packhouse.formats.conda.package import read_package
from packhouse.formats.conda.records import make_record
from packhouse.settings import load_settings
from packhouse.storage import artifacts, blob_rows, channels, entries

BATCH = 1_000
PATIENCE = 600.0  # seconds for the index to follow the last package

Read = tuple[Path, PackageFacts, Digests]


class NeverIndexed(RuntimeError):
    """The index did not take up what was stored."""


def fill(house: House, channel: str, packages: list[Path]) -> None:
    """Bring an existing channel to hold `packages`, and return when repodata.json.zst lists them."""
    connection = house.log_in()
    known = indexed_files(connection, channel)
    missing = [path for path in packages if path.name not in known]
    started = time.monotonic()
    if missing:
        _store_all(build(load_settings(data_dir=house.data_dir)), channel, missing)
        seconds = time.monotonic() - started
        print(f"{channel}: {len(missing)} packages stored in {seconds:.1f} s", flush=True)
    await_indexed(connection, channel, {path.name for path in packages})


def _store_all(packhouse: Packhouse, channel: str, packages: list[Path]) -> None:
    with concurrent.futures.ProcessPoolExecutor() as pool:
        read = pool.map(_read, packages, chunksize=100)
        while batch := list(itertools.islice(read, BATCH)):
            _store(packhouse, channel, batch)
    packhouse.database.close()


def _read(path: Path) -> Read:
    content = path.read_bytes()
    with path.open("rb") as file:
        facts = read_package(file, path.name)
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    return path, facts, Digests(md5, hashlib.sha256(content).hexdigest(), len(content))


def _store(packhouse: Packhouse, channel: str, batch: Iterable[Read]) -> None:
    """The steps of `actions.publish`, each for the whole batch."""
    now = packhouse.clock()
    additions, changes = [], []
    with packhouse.database.transaction() as connection:
        channel_id = channels.get(connection, channel).id
        channels.lock(connection, [channel_id], now)
        for path, facts, digests in batch:
            blob_rows.claim(connection, digests.sha256, digests.size, now)
            with path.open("rb") as source:
                packhouse.blobs.keep(digests, source)
            blob_rows.confirm(connection, digests.sha256)
            record = make_record(facts, digests)
            row = (record.body, record.splice, orjson.dumps(facts.run_exports))
            artifact_id = artifacts.add(connection, facts, digests, row, now)
            additions.append(entries.addition(artifact_id, facts, None))
            changes.append(Change(facts.family, facts.name, facts.subdir, +1))
        entries.add(connection, channel_id, additions, now)
        settle(connection, channel_id, changes, now)


def await_indexed(connection: Connection, channel: str, expected: set[str]) -> None:
    """Return when the compressed index lists every expected file; raises NeverIndexed."""
    deadline = time.monotonic() + PATIENCE
    while absent := expected - indexed_files(connection, channel):
        if time.monotonic() > deadline:
            raise NeverIndexed(f"{channel}: {len(absent)} files, for one {min(absent)}, are in no index")
        time.sleep(0.5)


def indexed_files(connection: Connection, channel: str) -> set[str]:
    """The .conda files that the channel's repodata.json.zst lists; none while there is no such index."""
    answer = connection.get(f"/api/repo/{channel}/{synth.SUBDIR}/repodata.json.zst")
    if answer.status != 200:
        return set()
    return set(json.loads(answer.decompressed())["packages.conda"])
