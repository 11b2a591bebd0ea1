"""What a change of entries brings along in the same transaction: revisions, package sums and shards.

So these can never disagree with the entries, however the process ends. The cost is that of the names
touched; the documents that grow with the channel follow behind (`reindex`).
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection, Row

from packhouse.domain.families import CONDA
from packhouse.formats.conda.channeldata import ChannelDataRow, package_summary
from packhouse.formats.conda.records import with_indexed_timestamp
from packhouse.formats.conda.repodata import IndexRow
from packhouse.formats.conda.shards import pack_shard, shard_digest
from packhouse.formats.conda.versions import release_order
from packhouse.storage import artifacts, blob_rows, entries, packages, revisions, shards
from packhouse.storage.entries import VersionRow
from packhouse.storage.packages import Sums

SUMMED_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Change:
    """One entry that was added (+1) to a channel or removed (-1) from it."""

    family: str
    name: str
    subdir: str
    added: int


def settle(
    connection: Connection,
    channel_id: int,
    changes: Iterable[Change],
    now: datetime,
    *,
    summaries_later: bool = False,
) -> None:
    """Bring everything that is visible at once up to the entries. The channel must be locked.

    With `summaries_later`, what channeldata.json says of the packages is left to the next reindex of the
    channel's root: for thousands of names at a time.
    """
    changes = list(changes)
    for family in sorted({change.family for change in changes}):
        names = sorted({change.name for change in changes if change.family == family})
        (count_up if summaries_later else sum_up)(connection, channel_id, family, names, now)
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


def sum_up(connection: Connection, channel_id: int, family: str, names: Sequence[str], now: datetime) -> None:
    """Write some packages' sums again from their entries; one without any is gone."""
    for start in range(0, len(names), SUMMED_AT_ONCE):
        some = names[start : start + SUMMED_AT_ONCE]
        of_name: defaultdict[str, list[Row[Any]]] = defaultdict(list)
        for row in entries.of_packages(connection, channel_id, family, some):
            of_name[row.name].append(row)
        summed = [_sums(family, name, rows) for name, rows in of_name.items()]
        packages.put(connection, channel_id, family, summed, now)
        packages.remove(connection, channel_id, family, [name for name in some if name not in of_name])


def count_up(
    connection: Connection, channel_id: int, family: str, names: Sequence[str], now: datetime
) -> None:
    """As `sum_up`, with the summaries left open."""
    versions = entries.versions_of(connection, channel_id, family, names)
    counted = [Sums(name, newest_first(rows), None) for name, rows in versions.items()]
    packages.put(connection, channel_id, family, counted, now)
    packages.remove(connection, channel_id, family, [name for name in names if name not in versions])


def _sums(family: str, name: str, rows: Sequence[Row[Any]]) -> Sums:
    versions = [
        VersionRow(row.id, row.version, row.build_number, row.subdir, row.download_count) for row in rows
    ]
    summary = package_summary(channeldata_row(row) for row in rows) if family == CONDA else None
    return Sums(name, newest_first(versions), summary)


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
        run_exports=orjson.loads(row.run_exports or b"{}"),
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
    ordered = sorted(names)
    of_name: defaultdict[str, list[IndexRow]] = defaultdict(list)
    for row in entries.of_names(connection, channel_id, subdir, ordered):
        of_name[row.name].append(index_row(row))
    shards.replace(connection, channel_id, subdir, ordered, revision, now)
    bodies = [(name, pack_shard(of_name[name])) for name in ordered if name in of_name]
    packed = [(name, shard_digest(body), body) for name, body in bodies]
    shards.put(connection, channel_id, subdir, packed, revision)


def index_row(row: Any) -> IndexRow:
    """From a row of `entries.in_index_order`, unpacked at one go: for 100,000 records, names would cost 0.3 s."""
    _, filename, timestamp, record, splice, run_exports, section = row
    return IndexRow(filename, with_indexed_timestamp(record, splice, timestamp), run_exports, section)


def drop_unused(connection: Connection, artifact_ids: set[int], now: datetime) -> None:
    """Remove those of some artifacts that are in no channel any more; bytes follow when nobody refers to them."""
    blob_rows.release(connection, artifacts.remove_unused(connection, artifact_ids), now)
