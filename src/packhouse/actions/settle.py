"""What a change of entries brings along in the same transaction: revisions, package sums and shards.

So these can never disagree with the entries, however the process ends. The cost is that of the names
touched; the documents that grow with the channel follow behind (`reindex`).
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

import orjson
from sqlalchemy import Connection, Row

from packhouse.domain.families import CONDA
from packhouse.formats.conda.channeldata import ChannelDataRow, package_summary
from packhouse.formats.conda.records import with_indexed_timestamp
from packhouse.formats.conda.repodata import IndexRow
from packhouse.formats.conda.shards import pack_shard, shard_digest
from packhouse.formats.conda.versions import release_order
from packhouse.storage import entries, packages, revisions, shards
from packhouse.storage.entries import VersionRow


@dataclass(frozen=True, slots=True)
class Change:
    """One entry that was added (+1) to a channel or removed (-1) from it."""

    family: str
    name: str
    subdir: str
    added: int


def settle(connection: Connection, channel_id: int, changes: Iterable[Change], now: datetime) -> None:
    """Bring everything that is visible at once up to the entries. The channel must be locked."""
    changes = list(changes)
    for family, name in sorted({(change.family, change.name) for change in changes}):
        sum_up(connection, channel_id, family, name, now)
    indexed = [change for change in changes if change.family == CONDA]
    if indexed:
        _settle_indexes(connection, channel_id, indexed, now)
    if len(changes) > len(indexed):  # no document tells of these, so none becomes stale
        added = sum(change.added for change in changes if change.family != CONDA)
        revisions.count(connection, channel_id, revisions.ROOT, added, now)


def _settle_indexes(
    connection: Connection, channel_id: int, changes: Iterable[Change], now: datetime
) -> None:
    numbers: Counter[str] = Counter()
    names: defaultdict[str, set[str]] = defaultdict(set)
    for change in changes:
        numbers[change.subdir] += change.added
        names[change.subdir].add(change.name)
    for subdir in sorted(names):
        revision = revisions.bump(connection, channel_id, subdir, numbers[subdir], now)
        reshard(connection, channel_id, subdir, names[subdir], revision, now)
    revisions.bump(connection, channel_id, revisions.ROOT, 0, now)


def sum_up(connection: Connection, channel_id: int, family: str, name: str, now: datetime) -> None:
    """Write a package's sums again from its entries; without any, the package is gone."""
    rows = entries.versions(connection, channel_id, family, name)
    if not rows:
        packages.remove(connection, channel_id, family, name)
        return
    summary = None
    if family == CONDA:
        told = entries.of_name(connection, channel_id, name)
        summary = package_summary(channeldata_row(row) for row in told)
    packages.put(connection, channel_id, family, name, newest_first(rows), summary, now)


def channeldata_row(row: Row[Any]) -> ChannelDataRow:
    record = orjson.loads(row.record)
    return ChannelDataRow(
        name=row.name,
        version=row.version,
        build_number=row.build_number,
        subdir=row.subdir,
        timestamp=record.get("timestamp"),
        license=record.get("license"),
        flags=row.flags,
        run_exports=orjson.loads(row.run_exports),
        about=row.about,
    )


def newest_first(rows: Iterable[VersionRow]) -> list[VersionRow]:
    """By version and build number; of equals, what arrived later comes first."""

    def age(row: VersionRow) -> tuple[Any, ...]:
        return *release_order(row.version, row.build_number), row.artifact_id

    return sorted(rows, key=age, reverse=True)


def reshard(
    connection: Connection, channel_id: int, subdir: str, names: set[str], revision: int, now: datetime
) -> None:
    """Make the shards of some names again; a name without entries leaves the shard index."""
    rows = entries.of_names(connection, channel_id, subdir, sorted(names))
    rows.sort(key=lambda row: row.name)
    for name in names:
        shards.replace(connection, channel_id, subdir, name, revision, now)
    for name, of_name in groupby(rows, key=lambda row: str(row.name)):
        body = pack_shard(index_row(row) for row in of_name)
        shards.put(connection, channel_id, subdir, name, shard_digest(body), body, revision)


def index_row(row: Any) -> IndexRow:
    """From a row of `entries.in_index_order`, unpacked at one go: for 100,000 records, names would cost 0.3 s."""
    _, filename, timestamp, record, splice, run_exports = row
    return IndexRow(filename, with_indexed_timestamp(record, splice, timestamp), run_exports)
