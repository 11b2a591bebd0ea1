"""What a mirror makes of the parts of an index: base URLs, removed files, run exports, v3, and bad records."""

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import zstandard
from rattler.index import index_fs

from packhouse.domain.mirrors import MirrorState
from tests.builders import build_conda_package
from tests.listed_channel import PLAIN, SHARDS, ListedChannel, as_served, digests_of, made_up, wheel_records
from tests.mirroring import MirrorHouse
from tests.upstream import Upstream, redirect

MODES = ("active", "passive")
MD5_ONLY = "the upstream tells only its MD5, which protects nobody from other bytes"


@pytest.fixture(params=[SHARDS, PLAIN])
def channel(upstream: Upstream, request: pytest.FixtureRequest) -> ListedChannel:
    """An empty channel, sharded and in one document."""
    return ListedChannel(upstream.folder, request.param)


def run_exports_of(mirrors: MirrorHouse, filename: str, subdir: str = "noarch") -> Any:
    """As run_exports.json and the shards tell them; both must agree, and None is "unknown"."""
    mirrors.house.reindex_all()
    document = json.loads(mirrors.house.document("data", subdir, "run_exports.json"))
    section = "packages.conda" if filename.endswith(".conda") else "packages"
    told = document[section].get(filename, {}).get("run_exports")
    assert mirrors.sharded("data", subdir)[1][filename] == told
    return told


# --- where files are


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("base", ["../files/", "{url}/files", "/files/"])
def test_files_are_fetched_from_the_base_url_of_the_index(
    mirrors: MirrorHouse, upstream: Upstream, channel: ListedChannel, mode: str, base: str
) -> None:
    ckey = channel.put("tool-1!1.0+x-0.conda")
    (upstream.folder / "files").mkdir()
    shutil.move(upstream.folder / ckey, upstream.folder / "files")
    channel.base_url = base.format(url=upstream.url)
    channel.write()
    mirrors.mirror("data", upstream.url, mode=mode)
    mirrors.run("data")
    assert mirrors.file("data", ckey) == made_up("tool-1!1.0+x-0.conda")
    assert upstream.count("/files/tool-1!1.0+x-0.conda") == 1
    assert mirrors.counts("data") == {"active": 1}


def test_base_url_that_changes_later_is_heeded(mirrors: MirrorHouse, upstream: Upstream) -> None:
    channel = ListedChannel(upstream.folder)
    ckey = channel.put("tool-1.0-0.conda")
    channel.write()
    mirrors.mirror("data", upstream.url)
    mirrors.run("data")
    (upstream.folder / "moved").mkdir()
    shutil.move(upstream.folder / ckey, upstream.folder / "moved")
    channel.base_url = "../moved/"
    channel.write()
    mirrors.run("data")
    assert mirrors.file("data", ckey) == made_up("tool-1.0-0.conda")


@pytest.mark.parametrize("mode", MODES)
def test_files_are_where_the_channel_is_though_its_index_lies_elsewhere(
    mirrors: MirrorHouse, upstream: Upstream, channel: ListedChannel, mode: str
) -> None:
    """As with servers that send clients on to a store of theirs, under a signed address."""
    ckey = channel.put("tool-1.0-0.conda")
    channel.write()
    (upstream.folder / "store").mkdir()
    index = upstream.folder / channel.index_path().lstrip("/")
    shutil.copy(index, upstream.folder / "store/4711")
    upstream.misbehave(channel.index_path(), redirect(f"{upstream.url}/store/4711?signed=1"))
    mirrors.mirror("data", upstream.url, mode=mode)
    mirrors.run("data")
    assert mirrors.file("data", ckey) == made_up("tool-1.0-0.conda")


# --- files that are there, and not wanted


def test_removed_file_is_not_taken_though_it_is_listed(
    mirrors: MirrorHouse, upstream: Upstream, channel: ListedChannel
) -> None:
    channel.put("tool-1.0-0.conda")
    channel.put("tool-2.0-0.conda")
    channel.removed["noarch"] = ["tool-1.0-0.conda", "never-there-1.0-0.conda"]
    channel.write()
    mirrors.mirror("data", upstream.url, mode="active")
    mirrors.run("data")
    assert mirrors.served("data", "noarch").keys() == {"tool-2.0-0.conda"}
    assert upstream.count("*/tool-1.0-0.conda") == 0


@pytest.mark.parametrize(("choice", "stays"), [("keep", True), ("flag", True), ("drop", False)])
def test_file_that_is_removed_later_goes_as_one_that_vanished(
    mirrors: MirrorHouse, upstream: Upstream, channel: ListedChannel, choice: str, stays: bool
) -> None:
    channel.put("tool-1.0-0.conda")
    channel.put("tool-2.0-0.conda")
    channel.write()
    mirrors.mirror("data", upstream.url, on_vanished=choice)
    mirrors.run("data")
    channel.removed["noarch"] = ["tool-1.0-0.conda"]
    channel.write()
    assert mirrors.run("data").tally.vanished == 1
    assert ("tool-1.0-0.conda" in mirrors.served("data", "noarch")) is stays


# --- patches


def test_record_of_the_index_wins_over_what_the_package_says(
    mirrors: MirrorHouse, upstream: Upstream, channel: ListedChannel, tmp_path: Path
) -> None:
    package = build_conda_package(tmp_path, "tool", depends=["old >=1"])
    channel.add(package, depends=["new >=2"], license="Patched", custom={"kept": [1, None]})
    channel.write()
    mirrors.mirror("data", upstream.url, mode="active")
    mirrors.run("data")
    record = mirrors.served("data", "noarch")[package.name]
    assert record == as_served(channel.records["noarch"][package.name], "noarch")
    assert (record["depends"], record["custom"]) == (["new >=2"], {"kept": [1, None]})
    items = mirrors.api("/api/channels/data/artifacts")["items"]
    assert items[0]["metadata"]["summary"] == "The tool package"
    assert items[0]["metadata"]["license"] == "Patched"


# --- run exports


def test_run_exports_of_the_records_are_served(
    mirrors: MirrorHouse, upstream: Upstream, channel: ListedChannel
) -> None:
    channel.put("tool-1.0-0.conda", run_exports={"weak": ["tool >=1"], "noarch": ["x"]})
    channel.put("bare-1.0-0.conda", run_exports={})
    channel.put("silent-1.0-0.conda")
    channel.write()
    mirrors.mirror("data", upstream.url)
    mirrors.run("data")
    assert run_exports_of(mirrors, "tool-1.0-0.conda") == {"noarch": ["x"], "weak": ["tool >=1"]}
    assert run_exports_of(mirrors, "bare-1.0-0.conda") == {}
    assert run_exports_of(mirrors, "silent-1.0-0.conda") is None


@pytest.mark.parametrize("name", ["run_exports.json", "run_exports.json.zst"])
def test_run_exports_of_the_document_beside_the_index_are_served(
    mirrors: MirrorHouse, upstream: Upstream, name: str
) -> None:
    channel = ListedChannel(upstream.folder, PLAIN)
    channel.put("tool-1.0-0.conda")
    channel.write()
    document = {"packages.conda": {"tool-1.0-0.conda": {"run_exports": {"strong": ["tool"]}}}}
    body = json.dumps(document).encode()
    path = upstream.folder / "noarch" / name
    path.write_bytes(zstandard.compress(body) if name.endswith(".zst") else body)
    mirrors.mirror("data", upstream.url)
    mirrors.run("data")
    assert run_exports_of(mirrors, "tool-1.0-0.conda") == {"strong": ["tool"]}


def test_run_exports_that_nobody_told_come_from_the_file_once_it_is_here(
    mirrors: MirrorHouse, upstream: Upstream, channel: ListedChannel, tmp_path: Path
) -> None:
    package = build_conda_package(tmp_path, "tool", run_exports={"weak": ["tool 1.*"]})
    ckey = channel.add(package)
    channel.write()
    mirrors.mirror("data", upstream.url)
    mirrors.run("data")
    assert run_exports_of(mirrors, package.name) is None
    assert mirrors.file("data", ckey) == package.read_bytes()
    assert run_exports_of(mirrors, package.name) == {"weak": ["tool 1.*"]}
    assert mirrors.faults() == []


# --- v3, wheels


@pytest.mark.parametrize("mode", MODES)
def test_records_of_v3_are_served_where_only_newer_clients_look(
    any_mirrors: MirrorHouse, upstream: Upstream, mode: str
) -> None:
    channel = ListedChannel(upstream.folder)
    channel.put("old-1.0-0.conda")
    channel.put("newer-1.0-0.conda", extra_depends={"more": ["old"]}, depends=['old[when="__unix"]'])
    channel.put("newest-1.0-0.tar.bz2", flags=["gpu"])
    for filename in ("newer-1.0-0.conda", "newest-1.0-0.tar.bz2"):
        channel.list_v3(filename)
    channel.write()
    any_mirrors.mirror("data", upstream.url, mode=mode)
    run = any_mirrors.run("data")
    assert (run.state, run.tally.refused) == (MirrorState.COMPLETED, 0)
    v3 = channel.v3["noarch"]
    assert any_mirrors.served("data", "noarch") == {
        "old-1.0-0.conda": as_served(channel.records["noarch"]["old-1.0-0.conda"], "noarch"),
        "newer-1.0-0.conda": as_served(v3["conda"]["newer-1.0-0"], "noarch"),
        "newest-1.0-0.tar.bz2": as_served(v3["tar.bz2"]["newest-1.0-0"], "noarch"),
    }
    document = any_mirrors.house.repodata("data")
    assert document["packages.conda"].keys() == {"old-1.0-0.conda"}
    assert document["v3"]["conda"].keys() == {"newer-1.0-0"}
    for filename in ("newer-1.0-0.conda", "newest-1.0-0.tar.bz2"):
        assert any_mirrors.file("data", f"noarch/{filename}") == made_up(filename)
    assert any_mirrors.faults() == []


@pytest.mark.parametrize("mode", MODES)
def test_packages_that_another_tool_put_into_v3_are_the_same_here(
    mirrors: MirrorHouse, upstream: Upstream, tmp_path: Path, mode: str
) -> None:
    (upstream.folder / "noarch").mkdir()
    package = build_conda_package(upstream.folder / "noarch", "tool")
    asyncio.run(index_fs(upstream.folder, repodata_revisions=["v3"], package_revision_assignment="latest"))
    document = json.loads((upstream.folder / "noarch/repodata.json").read_bytes())
    record = document["v3"]["conda"]["tool-1.0-0"]
    mirrors.mirror("data", upstream.url, mode=mode)
    mirrors.run("data")
    assert mirrors.served("data", "noarch") == {"tool-1.0-0.conda": as_served(record, "noarch")}
    assert mirrors.file("data", "noarch/tool-1.0-0.conda") == package.read_bytes()


def test_wheels_are_refused_with_a_reason(
    mirrors: MirrorHouse, upstream: Upstream, channel: ListedChannel
) -> None:
    wheels = wheel_records()
    channel.put("tool-1.0-0.conda")
    channel.v3["noarch"] = {"whl": wheels}
    channel.write()
    mirrors.mirror("data", upstream.url, mode="active")
    run = mirrors.run("data")
    assert run.state is MirrorState.COMPLETED
    assert mirrors.changes(run, "data")["refused"] == {
        f"noarch/{stem}.whl": "wheels in a conda channel are not served yet" for stem in wheels
    }
    assert mirrors.counts("data") == {"active": 1, "refused": 45}


# --- records that cannot be taken


def test_record_with_md5_alone_is_refused_with_a_reason(
    mirrors: MirrorHouse, upstream: Upstream, channel: ListedChannel
) -> None:
    channel.put("tool-1.0-0.conda")
    channel.put("weak-1.0-0.conda")
    del channel.records["noarch"]["weak-1.0-0.conda"]["sha256"]
    channel.write()
    mirrors.mirror("data", upstream.url, mode="active")
    run = mirrors.run("data")
    assert mirrors.changes(run, "data") == {
        "added": {"noarch/tool-1.0-0.conda": None},
        "refused": {"noarch/weak-1.0-0.conda": MD5_ONLY},
    }
    assert mirrors.served("data", "noarch").keys() == {"tool-1.0-0.conda"}


@pytest.mark.parametrize(
    "filename",
    [
        "../../evil-1.0-0.conda",
        "/etc/evil-1.0-0.conda",
        "evil\0-1.0-0.conda",
        "evil%2f..%2f-1.0-0.conda",
        "evil-1.0-..conda/x-1-0.conda",
        f"{'e' * 300}-1.0-0.conda",
        "evil-1.0-0.exe",
        "\U0001f608-1.0-0.conda",
        "evil-1.0-0.CONDA",
    ],
)
def test_file_name_that_tries_to_escape_is_refused(
    mirrors: MirrorHouse, upstream: Upstream, channel: ListedChannel, filename: str
) -> None:
    channel.put("tool-1.0-0.conda")
    facts = {"name": "evil", "version": "1.0", "build": "0", "build_number": 0, "depends": []}
    record = {**facts, "subdir": "noarch", **digests_of(b"evil")}
    channel.records["noarch"][filename] = record
    channel.write()
    mirrors.mirror("data", upstream.url, mode="active")
    run = mirrors.run("data")
    assert (run.state, run.tally.added, run.tally.refused) == (MirrorState.COMPLETED, 1, 1)
    assert mirrors.served("data", "noarch").keys() == {"tool-1.0-0.conda"}
    assert mirrors.faults() == []
    assert not [one for one in upstream.log if "evil" in one.path and "shards" not in one.path]


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"name": "other"}, "'name'"),
        ({"subdir": "win-64"}, "'subdir'"),
        ({"size": -1}, "'size'"),
        ({"size": 2**63}, "'size'"),
        ({"size": "7"}, "'size'"),
        ({"build_number": None}, "'build_number'"),
        ({"depends": "python"}, "'depends'"),
        ({"depends": [1]}, "'depends'"),
        ({"sha256": "0" * 63}, "'sha256'"),
        ({"license": "N\0UL"}, "NUL"),
    ],
)
def test_bad_record_is_refused_and_costs_no_other(
    mirrors: MirrorHouse, upstream: Upstream, facts: dict[str, Any], reason: str
) -> None:
    channel = ListedChannel(upstream.folder, PLAIN)
    channel.put("tool-1.0-0.conda")
    channel.list("tool-2.0-0.conda", **digests_of(b"x"))
    channel.records["noarch"]["tool-2.0-0.conda"].update(facts)
    channel.write()
    mirrors.mirror("data", upstream.url, mode="active")
    run = mirrors.run("data")
    assert mirrors.served("data", "noarch").keys() == {"tool-1.0-0.conda"}
    refused = mirrors.changes(run, "data")["refused"]
    assert refused.keys() == {"noarch/tool-2.0-0.conda"}
    assert reason in str(refused["noarch/tool-2.0-0.conda"])


def test_record_that_was_refused_is_taken_once_it_is_right(
    mirrors: MirrorHouse, upstream: Upstream, channel: ListedChannel
) -> None:
    ckey = channel.put("tool-1.0-0.conda", depends="python")
    channel.write()
    mirrors.mirror("data", upstream.url)
    assert mirrors.run("data").tally.refused == 1
    channel.records["noarch"]["tool-1.0-0.conda"]["depends"] = ["python"]
    channel.write()
    run = mirrors.run("data")
    assert mirrors.changes(run, "data") == {"added": {ckey: None}}
