"""Compares what is kept beside a channel's entries with the entries: counts, package sums and shards.

All of it changes in the entries' own transactions (`settle`), so in one snapshot every difference is damage;
but a mirror may leave the summaries of packages to the reindex of the channel's root.
"""

import hashlib
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Row

from packhouse.actions.channels import NOARCH
from packhouse.actions.check.report import Found, Recount, Reshard, SumUp
from packhouse.actions.check.side_by_side import side_by_side
from packhouse.actions.settle import channeldata_row, index_row, newest_first
from packhouse.domain.channels import Channel
from packhouse.errors import Invalid
from packhouse.formats.conda.channeldata import package_summary
from packhouse.formats.conda.shards import pack_shard, read_shard
from packhouse.storage import entries, packages, revisions, shards

Package = tuple[str, str, dict[str, Any]]
NamedShard = tuple[str, bytes]


def compare_rows(connection: Connection, channel: Channel) -> Iterator[Found]:
    counts = entries.counts(connection, channel.id)
    yield from _compare_counts(connection, channel, counts)
    yield from _compare_sums(connection, channel)
    for subdir in sorted(counts.keys() | shards.subdirs(connection, channel.id)):
        yield from _compare_shards(connection, channel, subdir)


def _compare_counts(connection: Connection, channel: Channel, counts: dict[str, int]) -> Iterator[Found]:
    present = revisions.of_channel(connection, channel.id)
    for subdir in sorted({revisions.ROOT, NOARCH, *counts, *present}):
        where = f"{channel.path}/{subdir}".rstrip("/")
        revision, count = present.get(subdir), counts.get(subdir, 0)
        if revision is None:
            yield Found(where, f"its revision is missing; files it holds: {count}.", Recount(subdir))
            continue
        if revision.artifact_count != count:
            what = f"the number of its files is said to be {revision.artifact_count}, and is {count}."
            yield Found(where, what, Recount(subdir))
        if revision.indexed > revision.content:
            what = f"documents of revision {revision.indexed} are ahead of the content, {revision.content}."
            yield Found(where, what, Recount(subdir))


def _compare_sums(connection: Connection, channel: Channel) -> Iterator[Found]:
    expected, kept = _packages(connection, channel), packages.in_order(connection, channel.id)
    pairs = side_by_side(expected, kept, itemgetter(0, 1), lambda row: (row.family, row.name))
    root = revisions.find(connection, channel.id, revisions.ROOT)
    may_be_open = root is not None and root.is_stale
    for package, row in pairs:
        if package is None:
            assert row is not None
            what = f"the package '{row.name}' is listed, but has no files."
            yield Found(channel.path, what, SumUp(row.family, row.name))
            continue
        family, name, sums = package
        if row is None:
            what = f"the package '{name}' is not listed."
            yield Found(channel.path, what, SumUp(family, name))
        elif wrong := _wrong_sums(sums, row, may_be_open):
            what = f"the package '{name}' is listed with a wrong {', '.join(wrong)}."
            yield Found(channel.path, what, SumUp(family, name))


def _wrong_sums(sums: dict[str, Any], row: Row[Any], may_be_open: bool) -> list[str]:
    is_open = may_be_open and row.channeldata is None
    return [
        key
        for key, value in sums.items()
        if getattr(row, key) != value and not (is_open and key == "channeldata")
    ]


def _packages(connection: Connection, channel: Channel) -> Iterator[Package]:
    """Family, name and columns of each package, made from its entries."""
    rows = entries.by_package(connection, channel.id)
    told = groupby(entries.by_name(connection, channel.id), key=lambda row: str(row.name))
    for (family, name), of_package in groupby(rows, key=itemgetter(0, 1)):
        sums = packages.sums(newest_first(row for _, _, row in of_package))
        if family == "conda":  # the one family that `told` has, in the same order
            sums["channeldata"] = package_summary(channeldata_row(row) for row in next(told)[1])
        yield family, name, sums


def _compare_shards(connection: Connection, channel: Channel, subdir: str) -> Iterator[Found]:
    expected = _shards(connection, channel, subdir)
    kept = shards.in_name_order(connection, channel.id, subdir)
    for shard, row in side_by_side(expected, kept, itemgetter(0), lambda row: row.name):
        name = row.name if shard is None and row is not None else shard[0] if shard is not None else ""
        if what := _shard_fault(shard, row):
            yield Found(f"{channel.path}/{subdir}", f"the shard of '{name}' {what}.", Reshard(subdir, name))


def _shards(connection: Connection, channel: Channel, subdir: str) -> Iterator[NamedShard]:
    rows = entries.in_name_order(connection, channel.id, subdir)
    for name, of_name in groupby(rows, key=lambda row: str(row.name)):
        yield name, pack_shard(index_row(row) for row in of_name)


def _shard_fault(expected: NamedShard | None, row: Row[Any] | None) -> str | None:
    if row is None:
        return "is missing"
    if expected is None:
        return "is in the shard index, but there are no files of it, or another shard stands for them"
    if hashlib.sha256(row.body).digest() != row.sha256:
        return "has other bytes than its digest says"
    if row.body != expected[1] and not _say_the_same(row.body, expected[1]):
        return "does not hold what the channel does"
    return None


def _say_the_same(body: bytes, expected: bytes) -> bool:
    """Another release of zstd may write the same shard in other bytes."""
    try:
        return read_shard(body) == read_shard(expected)
    except Invalid:
        return False
