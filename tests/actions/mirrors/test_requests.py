"""What a mirror asks of its upstream: no more than changed."""

import pytest

from packhouse.domain.mirrors import MirrorState
from tests.actions.mirrors.test_real_data import SUBDIRS, assert_served
from tests.listed_channel import PLAIN, WAYS, ListedChannel, environment_channel, real_channel
from tests.mirroring import MirrorHouse
from tests.upstream import Upstream, without

ZIP = "zip-cos6-x86_64-3.0-he87db71_0.tar.bz2"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("mode", ["active", "passive"])
def test_unchanged_upstream_costs_one_conditional_request_a_subdir(
    mirrors: MirrorHouse, upstream: Upstream, way: str, mode: str
) -> None:
    channel = environment_channel(upstream.folder, way)
    channel.write()
    mirrors.mirror("data", upstream.url, mode=mode)
    mirrors.run("data")
    upstream.log.clear()
    run = mirrors.run("data")
    assert [(one.path, one.status) for one in upstream.log] == [
        (channel.index_path(subdir), 304) for subdir in SUBDIRS
    ]
    assert run.state is MirrorState.COMPLETED
    assert mirrors.changes(run, "data") == {}
    assert_served(mirrors, channel)


def test_subdir_that_the_upstream_has_not_costs_one_request(mirrors: MirrorHouse, upstream: Upstream) -> None:
    channel = ListedChannel(upstream.folder)
    channel.put("tool-1.0-0.conda")
    channel.write()
    mirrors.mirror("data", upstream.url, subdirs=["win-64"])
    mirrors.run("data")
    upstream.log.clear()
    mirrors.run("data")
    assert sorted((one.path, one.status) for one in upstream.log) == [
        (channel.index_path(), 304),
        ("/win-64/repodata.json", 404),
    ]


def test_subdir_that_the_upstream_gets_later_is_mirrored(mirrors: MirrorHouse, upstream: Upstream) -> None:
    channel = ListedChannel(upstream.folder)
    del channel.records["linux-64"]
    channel.put("tool-1.0-0.conda")
    channel.write()
    mirrors.mirror("data", upstream.url)
    mirrors.run("data")
    channel.way = PLAIN  # the document that every channel has
    channel.put("late-1.0-0.conda", "linux-64")
    channel.write()
    assert mirrors.run("data").tally.added == 1
    assert mirrors.served("data", "linux-64").keys() == {"late-1.0-0.conda"}


def test_only_the_shards_of_changed_names_are_asked_for(mirrors: MirrorHouse, upstream: Upstream) -> None:
    channel = real_channel(upstream.folder)
    channel.write()
    mirrors.mirror("data", upstream.url)
    mirrors.run("data")
    channel.list("numpy-2.0-0.conda", "linux-64", sha256="a" * 64, size=7)
    del channel.records["noarch"]["affine-2.1.0-pyh128a3a6_1.tar.bz2"]
    record = channel.records["noarch"][ZIP]
    record["depends"] = ["other"]
    channel.write()
    upstream.log.clear()
    run = mirrors.run("data")
    assert sorted(one.path for one in upstream.log) == sorted(
        [
            *(channel.index_path(subdir) for subdir in SUBDIRS),
            channel.shard_path("numpy", "linux-64"),
            channel.shard_path("zip-cos6-x86_64"),
        ]
    )
    assert {action: set(ckeys) for action, ckeys in mirrors.changes(run, "data").items()} == {
        "added": {"linux-64/numpy-2.0-0.conda"},
        "changed": {f"noarch/{ZIP}"},
    }
    assert run.tally.vanished == 1


@pytest.mark.parametrize("way", WAYS)
def test_time_of_the_last_change_does_where_there_is_no_etag(
    mirrors: MirrorHouse, upstream: Upstream, way: str
) -> None:
    channel = environment_channel(upstream.folder, way)
    channel.write()
    upstream.misbehave("*", without("ETag"))
    mirrors.mirror("data", upstream.url)
    mirrors.run("data")
    upstream.log.clear()
    mirrors.run("data")
    assert [(one.path, one.status) for one in upstream.log] == [
        (channel.index_path(subdir), 304) for subdir in SUBDIRS
    ]


def test_index_without_any_validator_is_read_again_but_not_its_shards(
    mirrors: MirrorHouse, upstream: Upstream
) -> None:
    channel = environment_channel(upstream.folder)
    channel.write()
    upstream.misbehave("*", without("ETag", "Last-Modified"))
    mirrors.mirror("data", upstream.url)
    mirrors.run("data")
    upstream.log.clear()
    run = mirrors.run("data")
    assert [(one.path, one.status) for one in upstream.log] == [
        (channel.index_path(subdir), 200) for subdir in SUBDIRS
    ]
    assert mirrors.changes(run, "data") == {}
    assert_served(mirrors, channel)


def test_names_that_no_spec_mentions_are_never_asked_for(mirrors: MirrorHouse, upstream: Upstream) -> None:
    channel = real_channel(upstream.folder)
    channel.write()
    mirrors.mirror("data", upstream.url, only_specs=["numpy", "pip >=20"])
    mirrors.run("data")
    assert {one.path for one in upstream.asked("*/shards/*")} == {
        channel.shard_path("numpy", "linux-64"),
        channel.shard_path("pip"),
    }
