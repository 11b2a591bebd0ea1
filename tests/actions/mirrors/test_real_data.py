"""Real channels, mirrored in every way, beside what the raw documents of the upstream say should be there."""

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from rattler.index import index_fs

from packhouse.domain.mirrors import MirrorState
from tests.listed_channel import (
    PLAIN,
    SHARDS,
    WAYS,
    ZST,
    ListedChannel,
    as_served,
    environment_channel,
    real_channel,
    real_packages,
)
from tests.mirroring import MirrorHouse, records_of
from tests.upstream import Upstream

SUBDIRS = ("noarch", "linux-64")
XZ = "xz-5.2.6-h166bdaf_0.tar.bz2"
DOCUMENTS = {SHARDS: "repodata_shards.msgpack.zst", ZST: "repodata.json.zst", PLAIN: "repodata.json"}


def expected(channel: ListedChannel, subdir: str) -> dict[str, dict[str, Any]]:
    return {name: as_served(record, subdir) for name, record in channel.records[subdir].items()}


def assert_served(mirrors: MirrorHouse, channel: ListedChannel, at: str = "data") -> None:
    """Everything that the upstream lists, in each form of the index, and in the listing."""
    for subdir in SUBDIRS:
        assert mirrors.served(at, subdir) == expected(channel, subdir)
    names = [record["name"] for records in channel.records.values() for record in records.values()]
    assert mirrors.listed(at) == Counter(names)
    assert mirrors.faults() == []


# --- a whole channel


@pytest.mark.parametrize("way", WAYS)
def test_passive_mirror_lists_every_record_of_a_real_channel(
    any_mirrors: MirrorHouse, upstream: Upstream, way: str
) -> None:
    channel = real_channel(upstream.folder, way)
    channel.write()
    any_mirrors.mirror("data", upstream.url)
    run = any_mirrors.run("data")
    assert (run.state, run.last_error) == (MirrorState.COMPLETED, None)
    assert_served(any_mirrors, channel)
    assert any_mirrors.counts("data") == {"passive": 356}
    assert any_mirrors.changes(run, "data").keys() == {"added"}
    assert any_mirrors.changes(run, "data")["added"].keys() == channel.ckeys()
    assert upstream.count("*.conda") == upstream.count("*.tar.bz2") == 0


@pytest.mark.parametrize("way", WAYS)
def test_active_mirror_has_every_file_of_a_real_environment(
    any_mirrors: MirrorHouse, upstream: Upstream, way: str
) -> None:
    channel = environment_channel(upstream.folder, way)
    channel.write()
    any_mirrors.mirror("data", upstream.url, mode="active")
    run = any_mirrors.run("data")
    assert (run.state, run.last_error) == (MirrorState.COMPLETED, None)
    assert_served(any_mirrors, channel)
    assert any_mirrors.counts("data") == {"active": 34}
    assert (run.tally.added, run.planned) == (34, 0)
    upstream.stop_listening()
    for ckey in channel.ckeys():
        assert any_mirrors.file("data", ckey) == (upstream.folder / ckey).read_bytes()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("mode", ["active", "passive"])
def test_real_packages_that_another_tool_has_indexed_are_the_same_here(
    mirrors: MirrorHouse, upstream: Upstream, way: str, mode: str
) -> None:
    documents = indexed_by_rattler(upstream.folder, way)
    mirrors.mirror("data", upstream.url, mode=mode)
    run = mirrors.run("data")
    assert (run.state, run.last_error) == (MirrorState.COMPLETED, None)
    elsewhere: dict[str, str] = {}
    number = 0
    for subdir in SUBDIRS:
        records = records_of(documents[subdir])
        wrong = {name for name, record in records.items() if record["subdir"] != subdir}
        elsewhere |= {f"{subdir}/{name}": records[name]["subdir"] for name in wrong}
        right = {name: as_served(record, subdir) for name, record in records.items() if name not in wrong}
        assert mirrors.served("data", subdir) == right
        for filename in right:
            there = (upstream.folder / subdir / filename).read_bytes()
            assert mirrors.file("data", f"{subdir}/{filename}") == there
        number += len(right)
    assert mirrors.changes(run, "data")["refused"] == {
        ckey: f"its 'subdir' is '{told}', and yet it is listed in 'linux-64'"
        for ckey, told in elsewhere.items()
    }
    assert mirrors.counts("data") == {"active": number, "refused": 3}
    assert mirrors.faults() == []


def indexed_by_rattler(folder: Path, way: str) -> dict[str, bytes]:
    """A channel of conda's own test packages, as rattler-index writes it; only one form of its index is left."""
    for subdir in SUBDIRS:
        (folder / subdir).mkdir()
        for package in real_packages(subdir):
            (folder / subdir / package.name).write_bytes(package.read_bytes())
    asyncio.run(index_fs(folder, write_zst=True, write_shards=True))
    documents = {subdir: (folder / subdir / "repodata.json").read_bytes() for subdir in SUBDIRS}
    for subdir in SUBDIRS:
        for other in DOCUMENTS.keys() - {way}:
            (folder / subdir / DOCUMENTS[other]).unlink()
    return documents


def test_all_platforms_of_an_upstream_are_found_unless_some_are_chosen(
    mirrors: MirrorHouse, upstream: Upstream
) -> None:
    channel = ListedChannel(upstream.folder)
    there = ("noarch", "linux-64", "osx-arm64", "win-64", "zos-z")
    for subdir in there:
        channel.put("tool-1.0-0.conda", subdir)
    channel.write()
    mirrors.mirror("data", upstream.url, subdirs=[])
    assert mirrors.run("data").tally.added == 5
    for subdir in there:
        assert mirrors.served("data", subdir).keys() == {"tool-1.0-0.conda"}


def test_noarch_is_mirrored_beside_the_chosen_platform(mirrors: MirrorHouse, upstream: Upstream) -> None:
    channel = ListedChannel(upstream.folder)
    for subdir in ("noarch", "linux-64", "win-64"):
        channel.put("tool-1.0-0.conda", subdir)
    channel.write()
    mirrors.mirror("data", upstream.url, subdirs=["win-64"])
    run = mirrors.run("data")
    assert mirrors.changes(run, "data")["added"].keys() == {
        "noarch/tool-1.0-0.conda",
        "win-64/tool-1.0-0.conda",
    }


# --- changes of the upstream


def test_patched_record_is_served_anew_and_its_file_is_not_fetched_again(
    any_mirrors: MirrorHouse, upstream: Upstream
) -> None:
    channel = ListedChannel(upstream.folder)
    package = real_packages("linux-64")[0]
    assert b"patched-in" not in package.read_bytes()
    ckey = channel.add(package, "linux-64", depends=["patched-in"], license="Patched")
    channel.write()
    any_mirrors.mirror("data", upstream.url, mode="active")
    any_mirrors.run("data")
    assert_served(any_mirrors, channel)
    channel.records["linux-64"][package.name]["depends"] = ["patched-again >=2"]
    channel.write()
    run = any_mirrors.run("data")
    assert any_mirrors.changes(run, "data") == {"changed": {ckey: None}}
    assert_served(any_mirrors, channel)
    assert upstream.count(f"/{ckey}") == 1
    assert any_mirrors.counts("data") == {"active": 1}


@pytest.mark.parametrize("mode", ["active", "passive"])
def test_file_that_the_upstream_replaced_is_replaced_here(
    any_mirrors: MirrorHouse, upstream: Upstream, mode: str
) -> None:
    channel = ListedChannel(upstream.folder)
    ckey = channel.put("tool-1.0-0.conda")
    channel.write()
    any_mirrors.mirror("data", upstream.url, mode=mode)
    any_mirrors.run("data")
    channel.put("tool-1.0-0.conda", content=b"other bytes")
    channel.write()
    any_mirrors.run("data")
    assert_served(any_mirrors, channel)
    assert any_mirrors.file("data", ckey) == b"other bytes"
    assert any_mirrors.faults() == []


@pytest.mark.parametrize(
    ("choice", "stays", "tallied"), [("keep", True, (0, 1)), ("flag", True, (0, 1)), ("drop", False, (1, 1))]
)
def test_file_that_the_upstream_lists_no_longer(
    any_mirrors: MirrorHouse,
    upstream: Upstream,
    choice: str,
    stays: bool,
    tallied: tuple[int, int],
) -> None:
    channel = environment_channel(upstream.folder)
    channel.write()
    any_mirrors.mirror("data", upstream.url, mode="active", on_vanished=choice)
    any_mirrors.run("data")
    del channel.records["linux-64"][XZ]
    channel.write()
    run = any_mirrors.run("data")
    assert (run.tally.removed, run.tally.vanished) == tallied
    assert (XZ in any_mirrors.served("data", "linux-64")) is stays
    is_there = any_mirrors.file("data", f"linux-64/{XZ}") is not None
    assert is_there is stays
    removed = {} if stays else {"removed": {f"linux-64/{XZ}": None}}
    assert any_mirrors.changes(run, "data") == removed
    assert any_mirrors.counts("data")["active"] == 33 + stays
    assert any_mirrors.faults() == []


@pytest.mark.parametrize("way", WAYS)
def test_vanished_file_counts_once_and_may_come_back(
    mirrors: MirrorHouse, upstream: Upstream, way: str
) -> None:
    channel = environment_channel(upstream.folder, way)
    channel.write()
    mirrors.mirror("data", upstream.url, on_vanished="flag")
    mirrors.run("data")
    record = channel.records["noarch"].pop("pip-24.0-pyhd8ed1ab_0.conda")
    channel.write()
    assert mirrors.run("data").tally.vanished == 1
    channel.list("other-1.0-0.conda", sha256="b" * 64, size=1)
    channel.write()
    assert mirrors.run("data").tally.vanished == 0
    channel.records["noarch"]["pip-24.0-pyhd8ed1ab_0.conda"] = record
    channel.write()
    mirrors.run("data")
    assert_served(mirrors, channel)


def test_subdir_that_vanishes_is_dropped_where_files_are(mirrors: MirrorHouse, upstream: Upstream) -> None:
    channel = environment_channel(upstream.folder)
    channel.write()
    mirrors.mirror("data", upstream.url, on_vanished="drop")
    mirrors.run("data")
    (upstream.folder / channel.index_path("noarch").lstrip("/")).unlink()
    run = mirrors.run("data")
    assert (run.state, run.tally.removed) == (MirrorState.COMPLETED, 4)
    assert mirrors.served("data", "noarch") == {}
    assert mirrors.served("data", "linux-64") == expected(channel, "linux-64")


def test_upstream_that_stops_to_serve_shards_is_read_on_in_the_next_best_way(
    mirrors: MirrorHouse, upstream: Upstream
) -> None:
    channel = environment_channel(upstream.folder)
    channel.write()
    mirrors.mirror("data", upstream.url, on_vanished="drop")
    mirrors.run("data")
    for subdir in SUBDIRS:
        (upstream.folder / channel.index_path(subdir).lstrip("/")).unlink()
    channel.way = PLAIN
    channel.write()
    run = mirrors.run("data")
    assert (run.state, mirrors.changes(run, "data")) == (MirrorState.COMPLETED, {})
    assert_served(mirrors, channel)


def test_index_is_valid_json_with_the_time_of_indexing(mirrors: MirrorHouse, upstream: Upstream) -> None:
    channel = ListedChannel(upstream.folder)
    channel.put("tool-1.0-0.conda")
    channel.write()
    mirrors.mirror("data", upstream.url)
    mirrors.run("data")
    mirrors.house.reindex_all()
    record = json.loads(mirrors.house.document("data", "noarch", "repodata.json"))["packages.conda"][
        "tool-1.0-0.conda"
    ]
    before = record["indexed_timestamp"]
    channel.records["noarch"]["tool-1.0-0.conda"]["depends"] = ["more"]
    channel.write()
    mirrors.run("data")
    mirrors.house.reindex_all()
    record = mirrors.house.repodata("data")["packages.conda"]["tool-1.0-0.conda"]
    assert (record["indexed_timestamp"], record["depends"]) == (before, ["more"])
