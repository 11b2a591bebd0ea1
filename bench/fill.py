"""Fills a channel with tiny packages before anything is measured, a thousand in a transaction.

The packages are read, stored and indexed by the server's own functions; only HTTP and the transaction
of each single upload are left out, which would take an hour for what is not measured here.
"""

import hashlib
import json
import time
from pathlib import Path
from typing import Any

import house as served
import synth
from house import House
from sqlalchemy import Connection, insert, select

from packhouse.actions.packhouse import Packhouse
from packhouse.actions.settle import Change, settle
from packhouse.app import build
from packhouse.domain.artifacts import Digests, PackageFacts
from packhouse.formats.conda.package import read_package
from packhouse.formats.conda.records import make_record
from packhouse.settings import load_settings
from packhouse.storage import artifacts, channels, entries, tables

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
    for start in range(0, len(packages), BATCH):
        _store(packhouse, channel, [_read(path) for path in packages[start : start + BATCH]])
    packhouse.database.close()


def _read(path: Path) -> Read:
    content = path.read_bytes()
    with path.open("rb") as file:
        facts = read_package(file, path.name)
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    return path, facts, Digests(md5, hashlib.sha256(content).hexdigest(), len(content))


def _store(packhouse: Packhouse, channel: str, batch: list[Read]) -> None:
    """The steps of `actions.publish`, each for the whole batch; a package that other channels have is reused."""
    now = packhouse.clock()
    with packhouse.database.transaction() as connection:
        channel_id = channels.get(connection, channel).id
        channels.lock(connection, [channel_id], now)
        ids = _artifact_ids(packhouse, connection, batch)
        additions = [entries.addition(ids[facts.ckey], facts, None) for _, facts, _ in batch]
        entries.add(connection, channel_id, additions, now)
        changes = [Change(facts.family, facts.name, facts.subdir, +1) for _, facts, _ in batch]
        settle(connection, channel_id, changes, now)


def _artifact_ids(packhouse: Packhouse, connection: Connection, batch: list[Read]) -> dict[str, int]:
    known = _ids(connection, batch)
    new = [read for read in batch if read[1].ckey not in known]
    if new:
        for path, _, digests in new:
            with path.open("rb") as source:
                packhouse.blobs.keep(digests, source)
        blobs = [{"sha256": digests.sha256, "size": digests.size} for _, _, digests in new]
        connection.execute(insert(tables.blob), blobs)
        connection.execute(insert(tables.artifact), [_row(packhouse, *read[1:]) for read in new])
    return known | _ids(connection, new)


def _row(packhouse: Packhouse, facts: PackageFacts, digests: Digests) -> dict[str, Any]:
    return artifacts.row_of(facts, digests, make_record(facts, digests), packhouse.clock())


def _ids(connection: Connection, batch: list[Read]) -> dict[str, int]:
    table = tables.artifact
    digests = [digests.sha256 for _, _, digests in batch]
    rows = connection.execute(select(table.c.ckey, table.c.id).where(table.c.sha256.in_(digests)))
    return {row.ckey: row.id for row in rows}


def await_indexed(connection: served.Connection, channel: str, expected: set[str]) -> None:
    """Return when the compressed index lists every expected file; raises NeverIndexed."""
    deadline = time.monotonic() + PATIENCE
    while absent := expected - indexed_files(connection, channel):
        if time.monotonic() > deadline:
            raise NeverIndexed(f"{channel}: {len(absent)} files, for one {min(absent)}, are in no index")
        time.sleep(0.5)


def indexed_files(connection: served.Connection, channel: str) -> set[str]:
    """The .conda files that the channel's repodata.json.zst lists; none while there is no such index."""
    answer = connection.get(f"/api/repo/{channel}/{synth.SUBDIR}/repodata.json.zst")
    if answer.status != 200:
        return set()
    return set(json.loads(answer.decompressed())["packages.conda"])
