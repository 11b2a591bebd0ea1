"""Turns that mirrors take seldom: files removed by hand, runs that fail half-way, several mirrors at once."""

import threading

import pytest

from packhouse.domain.mirrors import MirrorState
from tests.listed_channel import ListedChannel, environment_channel
from tests.mirroring import MirrorHouse
from tests.upstream import Upstream, status

PIP = "noarch/pip-24.0-pyhd8ed1ab_0.conda"


@pytest.fixture
def channel(upstream: Upstream) -> ListedChannel:
    channel = environment_channel(upstream.folder)
    channel.write()
    return channel


def test_file_of_a_mirror_that_was_removed_by_hand_leaves_true_counts(
    any_mirrors: MirrorHouse, upstream: Upstream, channel: ListedChannel
) -> None:
    any_mirrors.mirror("data", upstream.url, mode="active")
    any_mirrors.run("data")
    any_mirrors.house.remove("data", PIP)
    assert any_mirrors.file("data", PIP) is None
    assert any_mirrors.counts("data") == {"active": 33}
    any_mirrors.run("data")
    assert any_mirrors.faults() == []


def test_file_that_failed_is_tried_again_though_the_index_is_unchanged(
    mirrors: MirrorHouse, upstream: Upstream, channel: ListedChannel
) -> None:
    upstream.misbehave(f"/{PIP}", status(404))
    mirrors.mirror("data", upstream.url, mode="active")
    mirrors.run("data")
    upstream.behave()
    upstream.log.clear()
    run = mirrors.run("data")
    assert mirrors.changes(run, "data") == {"added": {PIP: None}}
    assert {one.path for one in upstream.log if one.status == 200} == {f"/{PIP}"}


def test_awaited_file_that_the_upstream_takes_back_is_awaited_no_longer(
    mirrors: MirrorHouse, upstream: Upstream, channel: ListedChannel
) -> None:
    upstream.misbehave(f"/{PIP}", status(404))
    mirrors.mirror("data", upstream.url, mode="active", on_vanished="keep")
    mirrors.run("data")
    del channel.records["noarch"][PIP.split("/")[1]]
    channel.write()
    upstream.log.clear()
    run = mirrors.run("data")
    assert (run.tally.failed, run.tally.removed, run.tally.vanished) == (0, 0, 0)
    assert upstream.count(f"/{PIP}") == 0
    assert mirrors.counts("data") == {"active": 33}


def test_mirrors_of_one_upstream_in_two_channels_share_the_bytes(
    any_mirrors: MirrorHouse, upstream: Upstream, channel: ListedChannel
) -> None:
    for place in ("data", "other"):
        any_mirrors.mirror(place, upstream.url, mode="active")
        assert any_mirrors.run(place).tally.added == 34
        assert any_mirrors.counts(place) == {"active": 34}
    for ckey in channel.ckeys():
        assert upstream.count(f"/{ckey}") == 1
    assert any_mirrors.faults() == []


def test_passive_mirror_has_what_an_active_one_fetched(
    mirrors: MirrorHouse, upstream: Upstream, channel: ListedChannel
) -> None:
    mirrors.mirror("data", upstream.url)
    mirrors.run("data")
    mirrors.mirror("other", upstream.url, mode="active")
    mirrors.run("other")
    assert mirrors.counts("data") == {"passive": 34}  # each file is taken when it is asked for
    upstream.stop_listening()
    assert mirrors.file("data", PIP) == (upstream.folder / PIP).read_bytes()
    assert mirrors.counts("data") == {"active": 1, "passive": 33}
    assert mirrors.faults() == []


def test_mirrors_that_run_at_the_same_time_are_all_exact(
    any_mirrors: MirrorHouse, upstream: Upstream, channel: ListedChannel
) -> None:
    places = ["data/one", "data/two", "data/three"]
    any_mirrors.house.channel("data")
    for number, place in enumerate(places):
        any_mirrors.mirror(place, upstream.url, mode="passive" if number == 1 else "active")
    runs = [any_mirrors.ask(place) for place in places]
    threads = [threading.Thread(target=any_mirrors.work_on, args=(run,)) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for place, run in zip(places, runs, strict=True):
        ended = any_mirrors.as_it_is(run)
        assert (ended.state, ended.last_error) == (MirrorState.COMPLETED, None)
        for subdir in ("noarch", "linux-64"):
            assert set(any_mirrors.served(place, subdir)) == set(channel.records[subdir])
    assert any_mirrors.faults() == []


def test_two_mirrors_of_one_channel_that_run_at_the_same_time_bring_each_file_once(
    any_mirrors: MirrorHouse, upstream: Upstream, channel: ListedChannel
) -> None:
    for name in ("one", "two"):
        any_mirrors.mirror("data", upstream.url, name=name, mode="active")
    runs = [any_mirrors.ask("data", name) for name in ("one", "two")]
    threads = [threading.Thread(target=any_mirrors.work_on, args=(run,)) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    ended = [any_mirrors.as_it_is(run) for run in runs]
    assert [run.last_error for run in ended] == [None, None]
    assert sum(run.tally.added for run in ended) == 34
    assert any_mirrors.listed("data").keys() == {
        record["name"] for found in channel.records.values() for record in found.values()
    }
    assert any_mirrors.faults() == []
