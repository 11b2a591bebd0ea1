"""`channeldata.json` (CEP 38): a channel's packages at a glance, over all its subdirs."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import orjson

from packhouse.domain.artifacts import JsonObject
from packhouse.formats.conda.versions import version_order

_FLAGS = ("activate.d", "binary_prefix", "deactivate.d", "post_link", "pre_link", "pre_unlink", "text_prefix")
_TEXTS = ("dev_url", "doc_url", "home", "license", "source_url", "summary")
_END_OF_YEAR_9999 = 253_402_300_799


class ChannelDataRow(NamedTuple):
    """What the document needs of one file. `timestamp` is the package's own, in milliseconds or,
    in old packages, seconds; `about` is its `info/about.json`, `license` that of `info/index.json`.
    """

    name: str
    version: str
    build_number: int
    subdir: str
    timestamp: int | None
    license: str | None
    flags: Mapping[str, bool]
    run_exports: JsonObject
    about: JsonObject


def write_channeldata(rows: Iterable[ChannelDataRow]) -> bytes:
    """The document of a channel; at no time are there rows of more than one name in memory.

    Raises ValueError if the rows of a name do not stand together.
    """
    packages: dict[str, dict[str, Any]] = {}
    for name, of_name in groupby(rows, key=lambda row: row.name):
        if name in packages:
            raise ValueError(f"rows of {name!r} in two places; they must be sorted by name")
        packages[name] = _package(sorted(of_name, key=_age))
    subdirs = {"noarch"}.union(*(package["subdirs"] for package in packages.values()))
    document = {"channeldata_version": 1, "packages": packages, "subdirs": sorted(subdirs)}
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)


def package_summary(rows: Iterable[ChannelDataRow]) -> bytes:
    """What the document says of one package, as JSON, from all of its files."""
    return orjson.dumps(_package(sorted(rows, key=_age)), option=orjson.OPT_SORT_KEYS)


def join_summaries(summaries: Iterable[tuple[str, bytes]], subdirs: Iterable[str]) -> bytes:
    """The document from the summaries of its packages, sorted by name; byte for byte that of `write_channeldata`."""
    members = b",".join(orjson.dumps(name) + b":" + summary for name, summary in summaries)
    where = orjson.dumps(sorted({"noarch", *subdirs}))
    return b'{"channeldata_version":1,"packages":{%b},"subdirs":%b}' % (members, where)


def _package(oldest_first: Sequence[ChannelDataRow]) -> dict[str, Any]:
    newest = oldest_first[-1]
    return {
        **_flags([row for row in oldest_first if row.version == newest.version]),
        **_texts(newest),
        "run_exports": {row.version: row.run_exports for row in oldest_first if row.run_exports},
        "subdirs": sorted({row.subdir for row in oldest_first}),
        "timestamp": max(_seconds(row.timestamp) for row in oldest_first),
        "version": newest.version,
    }


def _age(row: ChannelDataRow) -> tuple[Any, ...]:
    return version_order(row.version), row.build_number, _seconds(row.timestamp), row.subdir


def _flags(builds: Iterable[ChannelDataRow]) -> dict[str, bool]:
    """True if any build of the version has it: the document does not tell platforms apart."""
    having = {flag for build in builds for flag, has in build.flags.items() if has}
    return {flag: flag in having for flag in _FLAGS}


def _texts(row: ChannelDataRow) -> dict[str, Any]:
    """Of a type that CEP 38 allows; recipes also write lists, nulls and empty strings."""
    told = {"license": row.license or row.about.get("license")}
    told |= {key: row.about.get(key) for key in _TEXTS if key != "license"}
    return {key: value for key, value in told.items() if value and _fits(key, value)}


def _fits(key: str, value: object) -> bool:
    if key == "source_url" and isinstance(value, list):
        return all(isinstance(each, str) for each in value)
    return isinstance(value, str)


def _seconds(timestamp: int | None) -> int:
    """Beyond the year 9999 if it were seconds, so it is milliseconds: the rule of conda-build#1988."""
    if timestamp is None:
        return 0
    return timestamp // 1000 if timestamp > _END_OF_YEAR_9999 else timestamp
