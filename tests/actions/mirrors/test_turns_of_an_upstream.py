"""Upstreams that change or fail between two runs: what was served before, and what the history says of it."""

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from packhouse.domain.mirrors import MirrorState
from packhouse.storage import channels, entries, mirror_entries
from tests.builders import build_conda_package
from tests.listed_channel import ListedChannel, environment_channel
from tests.mirroring import MirrorHouse
from tests.upstream import Misbehaviour, Plan, Upstream, status

TOOL, OTHER = "noarch/tool-1.0-0.conda", "noarch/other-1.0-0.conda"
CHOICES = ["keep", "drop"]


@pytest.fixture
def channel(upstream: Upstream) -> ListedChannel:
    """It has one file."""
    channel = ListedChannel(upstream.folder)
    channel.put(Path(TOOL).name)
    channel.write()
    return channel


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Upstream]:
    """Another upstream, with another file."""
    folder = tmp_path / "other"
    folder.mkdir()
    channel = ListedChannel(folder)
    channel.put(Path(OTHER).name)
    channel.write()
    with Upstream(folder) as upstream:
        yield upstream


def indexed(mirrors: MirrorHouse) -> set[str]:
    return {
        f"{subdir}/{name}" for subdir in ("noarch", "linux-64") for name in mirrors.served("data", subdir)
    }


def meanwhile(happens: Callable[[], object]) -> Misbehaviour:
    """An honest answer, before which something else happens."""

    def answer(plan: Plan) -> Plan:
        happens()
        return plan

    return answer


# --- what cannot be read does not vanish


@pytest.mark.parametrize("choice", CHOICES)
def test_dependency_that_cannot_be_read_fails_the_run_and_nothing_goes(
    mirrors: MirrorHouse, upstream: Upstream, choice: str
) -> None:
    channel = environment_channel(upstream.folder)
    channel.write()
    filters: dict[str, Any] = {"only_specs": ["numpy", "pip"], "include_dependencies": True}
    mirrors.mirror("data", upstream.url, on_vanished=choice, **filters)
    mirrors.run("data")
    before = indexed(mirrors)
    channel.put("newer-1.0-0.conda")
    channel.write()
    upstream.misbehave(channel.shard_path("python", "linux-64"), status(404))
    run = mirrors.run("data")
    said = "Some names could not be read, so what depends on what is not known."
    assert (run.state, run.last_error) == (MirrorState.FAILED, said)
    assert indexed(mirrors) == before
    assert mirrors.faults() == []


@pytest.mark.parametrize("choice", CHOICES)
def test_upstream_that_has_nothing_any_more_fails_the_run_and_nothing_goes(
    mirrors: MirrorHouse, upstream: Upstream, channel: ListedChannel, choice: str
) -> None:
    mirrors.mirror("data", upstream.url, on_vanished=choice)
    mirrors.run("data")
    upstream.misbehave("*", status(404))
    run = mirrors.run("data")
    assert run.state is MirrorState.FAILED
    assert str(run.last_error).startswith(f"There is no conda channel at {upstream.url}")
    assert indexed(mirrors) == {TOOL}


def test_file_of_an_upstream_whose_indexes_were_gone_for_a_while_is_still_fetched(
    mirrors: MirrorHouse, upstream: Upstream, channel: ListedChannel
) -> None:
    mirrors.mirror("data", upstream.url)
    mirrors.run("data")
    upstream.misbehave("*", status(404))
    mirrors.run("data")
    upstream.behave()
    assert mirrors.file("data", TOOL) == (upstream.folder / TOOL).read_bytes()


def test_kept_file_of_a_subdir_that_vanished_is_still_fetched(
    mirrors: MirrorHouse, upstream: Upstream, channel: ListedChannel
) -> None:
    channel.put("native-1.0-0.conda", "linux-64")
    channel.write()
    mirrors.mirror("data", upstream.url, on_vanished="keep")
    mirrors.run("data")
    upstream.misbehave("/noarch/repodata*", status(404))
    assert mirrors.run("data").tally.vanished == 1
    assert mirrors.file("data", TOOL) == (upstream.folder / TOOL).read_bytes()


# --- another source


@pytest.mark.parametrize("moment", ["/noarch/repodata_shards*", "/noarch/shards/*"])
def test_run_during_which_the_source_changes_leaves_nothing_of_the_old_one(
    mirrors: MirrorHouse, upstream: Upstream, channel: ListedChannel, other: Upstream, moment: str
) -> None:
    mirrors.mirror("data", upstream.url, on_vanished="drop")
    upstream.misbehave(moment, meanwhile(lambda: mirrors.update("data", source=other.url)), times=1)
    assert mirrors.run("data").state is MirrorState.STOPPED
    upstream.log.clear()
    assert mirrors.run("data").state is MirrorState.COMPLETED
    assert indexed(mirrors) == {OTHER}
    assert mirrors.file("data", OTHER) == (other.folder / OTHER).read_bytes()
    assert upstream.log == []


# --- other records, other bytes


def told(mirrors: MirrorHouse, ckey: str) -> tuple[object, object, object]:
    """What is known of a file from the file itself."""
    with mirrors.packhouse.database.reading() as connection:
        found = entries.find(connection, channels.get(connection, "data").id, ckey)
    assert found is not None
    return found.artifact.about, found.artifact.flags, found.artifact.run_exports


def test_patched_record_keeps_what_the_package_told_of_itself(
    any_mirrors: MirrorHouse, upstream: Upstream
) -> None:
    folder = any_mirrors.house.folder
    package = build_conda_package(folder, "patched", about={"summary": "A patched tool"}, run_exports=["p"])
    channel = ListedChannel(upstream.folder)
    ckey = channel.add(package)
    channel.write()
    any_mirrors.mirror("data", upstream.url, mode="active")
    any_mirrors.run("data")
    before = told(any_mirrors, ckey)
    channel.add(package, depends=["newer >=1"])
    channel.write()
    assert any_mirrors.run("data").tally.changed == 1
    assert any_mirrors.served("data", "noarch")[package.name]["depends"] == ["newer >=1"]
    assert told(any_mirrors, ckey) == before
    assert before[0] == {"summary": "A patched tool"}
    assert any_mirrors.faults() == []


def sections(mirrors: MirrorHouse) -> tuple[set[str], set[str]]:
    """What all clients see, and what newer ones see alone."""
    mirrors.house.reindex_all()
    document = json.loads(mirrors.get("/api/repo/data/noarch/repodata.json").body)
    return set(document["packages.conda"]), set(document.get("v3", {}).get("conda", {}))


def test_record_that_moves_to_where_only_newer_clients_look_moves_here(
    any_mirrors: MirrorHouse, upstream: Upstream, channel: ListedChannel
) -> None:
    any_mirrors.mirror("data", upstream.url)
    any_mirrors.run("data")
    channel.list_v3(Path(TOOL).name)
    channel.write()
    any_mirrors.run("data")
    assert sections(any_mirrors) == (set(), {"tool-1.0-0"})
    assert any_mirrors.faults() == []


def test_record_that_moves_to_where_all_clients_look_moves_here(
    any_mirrors: MirrorHouse, upstream: Upstream, channel: ListedChannel
) -> None:
    channel.list_v3(Path(TOOL).name)
    channel.write()
    any_mirrors.mirror("data", upstream.url)
    any_mirrors.run("data")
    channel.v3.clear()
    channel.put(Path(TOOL).name)
    channel.write()
    any_mirrors.run("data")
    assert sections(any_mirrors) == ({Path(TOOL).name}, set())
    assert any_mirrors.faults() == []


def test_bytes_that_change_are_a_file_removed_and_another_added(
    any_mirrors: MirrorHouse, upstream: Upstream, channel: ListedChannel
) -> None:
    any_mirrors.mirror("data", upstream.url, mode="active")
    any_mirrors.run("data")
    channel.put(Path(TOOL).name, content=b"other bytes")
    channel.write()
    run = any_mirrors.run("data")
    changes = any_mirrors.api(f"/api/channels/data/mirrors/twin/runs/{run.uuid}/changes")["items"]
    assert [(one["action"], one["ckey"]) for one in changes] == [("removed", TOOL), ("added", TOOL)]
    assert (run.tally.removed, run.tally.added, run.tally.changed) == (1, 1, 0)
    assert any_mirrors.counts("data")["active"] == 1


# --- two at once


@pytest.mark.parametrize("any_house", ["large"], indirect=True)
def test_two_channels_that_take_in_the_same_new_file_at_once_both_get_it(
    any_mirrors: MirrorHouse, upstream: Upstream, channel: ListedChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both find that nobody has added it yet; on SQLite, one writes after the other anyway."""
    both_have_looked = threading.Barrier(2)
    looked: set[int] = set()
    known_artifacts = mirror_entries.known_artifacts

    def look_together(*arguments: Any) -> Any:
        found = known_artifacts(*arguments)
        if arguments[1] and threading.get_ident() not in looked:
            looked.add(threading.get_ident())
            both_have_looked.wait(20)
        return found

    monkeypatch.setattr(mirror_entries, "known_artifacts", look_together)
    for place in ("data", "second"):
        any_mirrors.mirror(place, upstream.url)
    runs = [any_mirrors.ask(place) for place in ("data", "second")]
    threads = [threading.Thread(target=any_mirrors.work_on, args=(run,)) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    ended = [any_mirrors.as_it_is(run) for run in runs]
    assert [(run.state, run.tally.added) for run in ended] == [(MirrorState.COMPLETED, 1)] * 2
    assert len(looked) == 2
    assert any_mirrors.faults() == []
