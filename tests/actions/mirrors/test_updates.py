"""A mirror whose specification changes, that is deleted, or that meets files of others under the same names."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from packhouse.actions.mirrors.specify import Contents, delete_mirror
from packhouse.domain.mirrors import MirrorState
from tests.builders import build_conda_package
from tests.listed_channel import ListedChannel, environment_channel
from tests.mirroring import MirrorHouse
from tests.upstream import Upstream

TOOL = "noarch/tool-1.0-0.conda"


@pytest.fixture
def channel(upstream: Upstream) -> ListedChannel:
    """An environment of conda-forge, sharded."""
    channel = environment_channel(upstream.folder)
    channel.write()
    return channel


@pytest.fixture
def other(tmp_path: Path) -> Iterator[tuple[Upstream, ListedChannel]]:
    """Another upstream, that lists a file of the name of TOOL."""
    folder = tmp_path / "other"
    folder.mkdir()
    with Upstream(folder) as upstream:
        channel = ListedChannel(folder)
        channel.put("tool-1.0-0.conda", content=b"other bytes")
        channel.write()
        yield upstream, channel


def indexed(mirrors: MirrorHouse) -> set[str]:
    found = {
        f"{subdir}/{name}" for subdir in ("noarch", "linux-64") for name in mirrors.served("data", subdir)
    }
    assert mirrors.faults() == []
    return found


# --- other filters, another mode, another upstream


@pytest.mark.parametrize("mode", ["active", "passive"])
def test_contents_are_replaced_by_what_the_new_filters_allow(
    any_mirrors: MirrorHouse, upstream: Upstream, channel: ListedChannel, mode: str
) -> None:
    any_mirrors.mirror("data", upstream.url, mode=mode, only_specs=["numpy", "pip", "tzdata"])
    any_mirrors.run("data")
    any_mirrors.update("data", filters={"only_specs": ["pip", "xz"]})
    upstream.log.clear()
    run = any_mirrors.run("data")
    assert indexed(any_mirrors) == channel.ckeys("pip", "xz")
    changes = any_mirrors.changes(run, "data")
    assert {action: set(found) for action, found in changes.items()} == {
        "added": channel.ckeys("xz"),
        "removed": channel.ckeys("numpy", "tzdata"),
    }
    counted = {"active" if mode == "active" else "passive": 2, "removed": 2}
    assert any_mirrors.counts("data") == {**counted, "mirror_filtered": {"only_specs": 31}}
    assert not upstream.asked("*pip-24*")
    assert any_mirrors.file("data", next(iter(channel.ckeys("numpy")))) is None


def test_filters_that_keep_more_away_take_out_whatever_the_choice_for_vanished_files_is(
    mirrors: MirrorHouse, upstream: Upstream, channel: ListedChannel
) -> None:
    mirrors.mirror("data", upstream.url, on_vanished="keep")
    mirrors.run("data")
    mirrors.update("data", filters={"exclude_specs": ["numpy"]})
    run = mirrors.run("data")
    assert indexed(mirrors) == channel.ckeys() - channel.ckeys("numpy")
    assert (run.tally.removed, run.tally.vanished) == (1, 0)


def test_subdir_that_is_chosen_no_longer_is_taken_out(
    mirrors: MirrorHouse, upstream: Upstream, channel: ListedChannel
) -> None:
    mirrors.mirror("data", upstream.url)
    mirrors.run("data")
    mirrors.update("data", filters={"subdirs": ["win-64"]})
    mirrors.run("data")
    assert indexed(mirrors) == {ckey for ckey in channel.ckeys() if ckey.startswith("noarch/")}


def test_same_filters_in_other_words_cost_nothing(
    mirrors: MirrorHouse, upstream: Upstream, channel: ListedChannel
) -> None:
    mirrors.mirror("data", upstream.url, only_specs=["numpy", "pip"])
    mirrors.run("data")
    mirrors.update("data", filters={"only_specs": ["pip", "numpy", "pip"]})
    upstream.log.clear()
    mirrors.run("data")
    assert [one.status for one in upstream.log] == [304, 304]


def test_passive_mirror_that_becomes_active_fetches_what_is_not_here(
    any_mirrors: MirrorHouse, upstream: Upstream, channel: ListedChannel
) -> None:
    any_mirrors.mirror("data", upstream.url)
    any_mirrors.run("data")
    here = "noarch/pip-24.0-pyhd8ed1ab_0.conda"
    assert any_mirrors.file("data", here) is not None
    any_mirrors.update("data", mode="active")
    run = any_mirrors.run("data")
    assert any_mirrors.changes(run, "data") == {}
    assert any_mirrors.counts("data") == {"active": 34}
    assert upstream.count(f"/{here}") == 1
    assert indexed(any_mirrors) == channel.ckeys()


def test_active_mirror_that_becomes_passive_keeps_what_is_here(
    mirrors: MirrorHouse, upstream: Upstream, channel: ListedChannel
) -> None:
    mirrors.mirror("data", upstream.url, mode="active", only_specs=["numpy"])
    mirrors.run("data")
    mirrors.update("data", mode="passive", filters={})
    mirrors.run("data")
    counts = mirrors.counts("data")
    assert (counts["active"], counts["passive"]) == (1, 33)
    assert indexed(mirrors) == channel.ckeys()


def test_other_upstream_replaces_the_first(
    any_mirrors: MirrorHouse,
    upstream: Upstream,
    channel: ListedChannel,
    other: tuple[Upstream, ListedChannel],
) -> None:
    any_mirrors.mirror("data", upstream.url, on_vanished="drop")
    any_mirrors.run("data")
    any_mirrors.update("data", source=other[0].url)
    any_mirrors.run("data")
    assert indexed(any_mirrors) == {TOOL}
    assert any_mirrors.file("data", TOOL) == b"other bytes"


def test_update_stops_the_run_that_is_under_way_and_asks_for_another(
    mirrors: MirrorHouse, upstream: Upstream, channel: ListedChannel
) -> None:
    mirrors.mirror("data", upstream.url)
    run = mirrors.ask("data")
    mirrors.update("data", filters={"only_specs": ["pip"]})
    assert mirrors.as_it_is(run).state is MirrorState.STOPPED
    mirrors.work_on(mirrors.ask("data"))
    assert indexed(mirrors) == channel.ckeys("pip")


# --- deleted


@pytest.mark.parametrize(
    ("contents", "kept"), [(Contents.KEEP, {"noarch/pip-24.0-pyhd8ed1ab_0.conda"}), (Contents.DROP, set())]
)
def test_deleted_mirror_leaves_what_is_here_or_nothing(
    any_mirrors: MirrorHouse, upstream: Upstream, channel: ListedChannel, contents: Contents, kept: set[str]
) -> None:
    any_mirrors.mirror("data", upstream.url)
    any_mirrors.run("data")
    assert any_mirrors.file("data", "noarch/pip-24.0-pyhd8ed1ab_0.conda") is not None
    delete_mirror(any_mirrors.packhouse, any_mirrors.house.admin, "data", "twin", contents)
    assert indexed(any_mirrors) == kept
    assert any_mirrors.listed("data").keys() == ({"pip"} if kept else set())
    assert any_mirrors.api("/api/channels/data/mirrors")["items"] == []


def test_deleted_mirror_that_is_made_again_brings_everything_again(
    mirrors: MirrorHouse, upstream: Upstream, channel: ListedChannel
) -> None:
    mirrors.mirror("data", upstream.url, mode="active")
    mirrors.run("data")
    delete_mirror(mirrors.packhouse, mirrors.house.admin, "data", "twin", Contents.DROP)
    mirrors.mirror("data", upstream.url, mode="active")
    mirrors.run("data")
    assert indexed(mirrors) == channel.ckeys()
    assert mirrors.counts("data") == {"active": 34}


# --- the same name twice


@pytest.mark.parametrize("mode", ["active", "passive"])
def test_second_mirror_refuses_other_bytes_until_the_first_is_gone(
    any_mirrors: MirrorHouse, upstream: Upstream, other: tuple[Upstream, ListedChannel], mode: str
) -> None:
    channel = ListedChannel(upstream.folder)
    channel.put("tool-1.0-0.conda", content=b"first bytes")
    channel.write()
    any_mirrors.mirror("data", upstream.url, mode=mode)
    any_mirrors.run("data")
    any_mirrors.mirror("data", other[0].url, mode=mode, name="second")
    run = any_mirrors.run("data", "second")
    reason = str(any_mirrors.changes(run, "data", "second")["refused"][TOOL])
    assert "other bytes, brought by mirror 'twin'" in reason
    assert any_mirrors.file("data", TOOL) == b"first bytes"
    delete_mirror(any_mirrors.packhouse, any_mirrors.house.admin, "data", "twin", Contents.DROP)
    assert any_mirrors.run("data", "second").tally.added == 1
    assert any_mirrors.file("data", TOOL) == b"other bytes"
    assert indexed(any_mirrors) == {TOOL}


def test_second_mirror_of_the_same_bytes_leaves_them_to_the_first(
    mirrors: MirrorHouse, upstream: Upstream, channel: ListedChannel
) -> None:
    for name in ("twin", "second"):
        mirrors.mirror("data", upstream.url, mode="active", name=name)
        assert mirrors.run("data", name).tally.refused == 0
    assert indexed(mirrors) == channel.ckeys()
    assert mirrors.counts("data") == {"active": 34}
    assert mirrors.counts("data", "second") == {}
    assert upstream.count("*/numpy-1.26*") == 1


def test_second_mirror_takes_over_the_same_bytes_once_the_first_is_gone(
    mirrors: MirrorHouse, upstream: Upstream, channel: ListedChannel
) -> None:
    for name in ("twin", "second"):
        mirrors.mirror("data", upstream.url, name=name)
        mirrors.run("data", name)
    delete_mirror(mirrors.packhouse, mirrors.house.admin, "data", "twin", Contents.DROP)
    mirrors.run("data", "second")
    assert indexed(mirrors) == channel.ckeys()
    assert mirrors.counts("data", "second") == {"passive": 34}


def test_file_that_was_uploaded_is_not_replaced_by_other_bytes(
    any_mirrors: MirrorHouse, other: tuple[Upstream, ListedChannel]
) -> None:
    any_mirrors.house.channel("data")
    entry = any_mirrors.house.publish("data", "tool")
    any_mirrors.mirror("data", other[0].url, mode="active")
    run = any_mirrors.run("data")
    reason = str(any_mirrors.changes(run, "data")["refused"][TOOL])
    assert "other bytes, published there" in reason
    assert entry.artifact.digests.sha256 in reason
    any_mirrors.house.remove("data", TOOL)
    assert any_mirrors.run("data").tally.added == 1
    assert any_mirrors.file("data", TOOL) == b"other bytes"


def test_file_that_was_uploaded_stays_when_the_mirror_of_the_same_bytes_goes(
    mirrors: MirrorHouse, upstream: Upstream, tmp_path: Path
) -> None:
    package = build_conda_package(tmp_path, "tool")
    channel = ListedChannel(upstream.folder)
    channel.add(package)
    channel.write()
    mirrors.house.channel("data")
    mirrors.house.publish("data", package)
    mirrors.mirror("data", upstream.url, mode="active")
    assert mirrors.run("data").tally.added == 0
    delete_mirror(mirrors.packhouse, mirrors.house.admin, "data", "twin", Contents.DROP)
    assert indexed(mirrors) == {TOOL}
    assert mirrors.file("data", TOOL) == package.read_bytes()


def test_file_that_is_published_over_a_passive_one_is_the_channels_own(
    mirrors: MirrorHouse, upstream: Upstream, tmp_path: Path
) -> None:
    package = build_conda_package(tmp_path, "tool")
    channel = ListedChannel(upstream.folder)
    channel.add(package)
    channel.write()
    mirrors.mirror("data", upstream.url)
    mirrors.run("data")
    mirrors.house.publish("data", package)
    upstream.stop_listening()
    assert mirrors.file("data", TOOL) == package.read_bytes()
    assert indexed(mirrors) == {TOOL}
    assert mirrors.counts("data") == {"active": 1}


def test_same_bytes_under_two_names_are_fetched_once(mirrors: MirrorHouse, upstream: Upstream) -> None:
    channel = ListedChannel(upstream.folder)
    ckeys = {channel.put(f"{name}-1.0-0.conda", content=b"the same") for name in ("one", "two", "three")}
    channel.write()
    mirrors.mirror("data", upstream.url, mode="active")
    assert mirrors.run("data").tally.added == 3
    assert indexed(mirrors) == ckeys
    assert upstream.count("*.conda") == 1
