"""Upstreams that fail, lie and change, full disks and proxies: what a run says, and that the next one repairs it."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from packhouse.domain.mirror_runs import MirrorRun
from packhouse.domain.mirrors import MirrorState
from packhouse.errors import Invalid, StorageFull
from packhouse.storage.blobs.partial import PartialFile
from tests.house import House
from tests.listed_channel import WAYS, ListedChannel, environment_channel
from tests.mirroring import MirrorHouse, mirroring
from tests.proxy import Proxy
from tests.upstream import (
    Misbehaviour,
    Upstream,
    body,
    cut_after,
    hang_after,
    hang_before,
    other_bytes,
    page,
    redirect,
    slow,
    status,
    wrong_length,
)

NUMPY = "linux-64/numpy-1.26.4-py312head63a1_0.conda"


@pytest.fixture
def hasty(house: House) -> Iterator[MirrorHouse]:
    """Waits a moment for a byte, in place of half a minute."""
    with mirroring(house, upstream_timeout_seconds=0.4) as mirrors:
        yield mirrors


@pytest.fixture
def channel(upstream: Upstream) -> ListedChannel:
    """An environment of conda-forge, sharded."""
    channel = environment_channel(upstream.folder)
    channel.write()
    return channel


def assert_good_weather_repairs(
    mirrors: MirrorHouse, upstream: Upstream, channel: ListedChannel, number: int = 34
) -> None:
    """What there is by now is whole; the next run, with an upstream that behaves, brings the rest."""
    assert mirrors.faults() == []
    upstream.behave()
    run = mirrors.run("data")
    assert (run.state, run.last_error, run.tally.failed) == (MirrorState.COMPLETED, None, 0)
    assert set(mirrors.served("data", "noarch")) == set(channel.records["noarch"])
    assert set(mirrors.served("data", "linux-64")) == set(channel.records["linux-64"])
    assert mirrors.counts("data") == {"active": number}
    for ckey in channel.ckeys():
        assert mirrors.file("data", ckey) == (upstream.folder / ckey).read_bytes()
    assert mirrors.faults() == []
    assert [path for path in mirrors.packhouse.spool_dir.glob("*.part") if path.stat().st_size] == []


def mirror_and_run(mirrors: MirrorHouse, upstream: Upstream, **options: Any) -> MirrorRun:
    mirrors.mirror("data", upstream.url, mode="active", **options)
    return mirrors.run("data")


# --- indexes


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("misbehaviour", "said"),
    [
        (hang_before(), "nothing came in time"),
        (hang_after(50), "nothing came in time"),
        (page(), "a web page in place of the file"),
        (cut_after(50), "cannot be fetched"),
        (wrong_length(10), "cannot be fetched"),
        (status(503), "answered with status 503"),
        (status(403), "answered with status 403"),
        (body(b"\x28\xb5\x2f\xfd but no more"), "compressed"),
        (body(b"[]"), "linux-64/repodata"),
        (body(b'{"message": "not found"}'), "linux-64/repodata"),
        (redirect("file:///etc/passwd"), "file"),
        (redirect("http://169.254.169.254/latest"), "169.254.169.254"),
    ],
    ids=[
        "hangs",
        "hangs-within",
        "page",
        "cut",
        "length",
        "503",
        "403",
        "broken",
        "list",
        "error",
        "file",
        "inside",
    ],
)
def test_index_that_does_not_come_fails_the_run_and_changes_nothing(
    hasty: MirrorHouse, upstream: Upstream, way: str, misbehaviour: Misbehaviour, said: str
) -> None:
    channel = environment_channel(upstream.folder, way)
    channel.write()
    mirror_and_run(hasty, upstream)
    before = hasty.served("data", "linux-64")
    for subdir in ("noarch", "linux-64"):
        channel.put("more-1.0-0.conda", subdir)
    channel.write()
    upstream.misbehave(channel.index_path("linux-64"), misbehaviour)
    run = hasty.run("data")
    assert run.state is MirrorState.FAILED
    assert re.search(said, run.last_error or ""), run.last_error
    assert hasty.served("data", "linux-64") == before
    assert_good_weather_repairs(hasty, upstream, channel, 36)


def test_upstream_that_is_down_fails_the_run(
    mirrors: MirrorHouse, upstream: Upstream, channel: ListedChannel
) -> None:
    upstream.stop_listening()
    run = mirror_and_run(mirrors, upstream)
    assert run.state is MirrorState.FAILED
    assert f"127.0.0.1:{upstream.port}" in str(run.last_error)
    upstream.listen_again()
    assert_good_weather_repairs(mirrors, upstream, channel)


def test_address_without_a_channel_fails_the_run_and_keeps_what_there_was(
    mirrors: MirrorHouse, upstream: Upstream, channel: ListedChannel
) -> None:
    mirror_and_run(mirrors, upstream, on_vanished="drop")
    upstream.misbehave("*", status(404))
    run = mirrors.run("data")
    assert run.state is MirrorState.FAILED
    assert run.last_error == (
        f"There is no conda channel at {upstream.url}: none of repodata_shards.msgpack.zst, "
        "repodata.json.zst, repodata.json is there."
    )
    assert len(mirrors.served("data", "linux-64")) == 30
    assert_good_weather_repairs(mirrors, upstream, channel)


@pytest.mark.parametrize(
    "misbehaviour",
    [body(b"no shard"), cut_after(20), status(404), status(500), other_bytes(), page()],
    ids=["broken", "cut", "404", "500", "other", "page"],
)
def test_shard_that_is_broken_costs_only_its_name(
    mirrors: MirrorHouse, upstream: Upstream, channel: ListedChannel, misbehaviour: Misbehaviour
) -> None:
    upstream.misbehave(channel.shard_path("numpy", "linux-64"), misbehaviour)
    run = mirror_and_run(mirrors, upstream)
    assert (run.state, run.tally.failed, run.tally.added) == (MirrorState.COMPLETED, 1, 33)
    assert mirrors.changes(run, "data")["failed"].keys() == {"linux-64/numpy"}
    assert str(run.last_error).startswith("linux-64/numpy: ")
    assert_good_weather_repairs(mirrors, upstream, channel)


def test_shard_that_breaks_later_leaves_what_is_served(
    mirrors: MirrorHouse, upstream: Upstream, channel: ListedChannel
) -> None:
    mirror_and_run(mirrors, upstream)
    channel.put("numpy-2.0-0.conda", "linux-64")
    channel.write()
    upstream.misbehave(channel.shard_path("numpy", "linux-64"), body(b"no shard"))
    run = mirrors.run("data")
    assert (run.tally.failed, run.tally.removed, run.tally.vanished) == (1, 0, 0)
    assert NUMPY.split("/")[1] in mirrors.served("data", "linux-64")
    assert_good_weather_repairs(mirrors, upstream, channel, 35)


# --- files


@pytest.mark.parametrize(
    ("misbehaviour", "said"),
    [
        (other_bytes(), "is not what its index says: expected SHA-256"),
        (body(b"longer " * 10_000), "should have"),
        (body(b"short"), "should have"),
        (cut_after(500), "broke off|cannot be fetched"),
        (wrong_length(10), "should have"),
        (hang_after(500), "nothing came in time"),
        (hang_before(), "nothing came in time"),
        (status(404), "status 404"),
        (status(500), "status 500"),
        (page(), "a web page in place of the file|should have"),
        (redirect("file:///etc/passwd"), "file"),
        (redirect("http://10.0.0.1:1/x"), "10.0.0.1"),
    ],
    ids=[
        "other",
        "longer",
        "shorter",
        "cut",
        "length",
        "hangs-within",
        "hangs",
        "404",
        "500",
        "page",
        "file",
        "inside",
    ],
)
def test_file_that_does_not_come_is_told_and_not_served(
    hasty: MirrorHouse, upstream: Upstream, channel: ListedChannel, misbehaviour: Misbehaviour, said: str
) -> None:
    upstream.misbehave(f"/{NUMPY}", misbehaviour)
    run = mirror_and_run(hasty, upstream)
    assert (run.state, run.tally.failed, run.tally.added) == (MirrorState.COMPLETED, 1, 33)
    failed = hasty.changes(run, "data")["failed"]
    assert failed.keys() == {NUMPY}
    assert re.search(said, str(failed[NUMPY])), failed[NUMPY]
    assert NUMPY.split("/")[1] not in hasty.served("data", "linux-64")
    assert hasty.file("data", NUMPY) is None
    assert hasty.counts("data") == {"active": 33, "failed": 1}
    assert_good_weather_repairs(hasty, upstream, channel)


def test_slow_upstream_is_waited_for(hasty: MirrorHouse, upstream: Upstream, channel: ListedChannel) -> None:
    upstream.misbehave("*numpy*", slow(6_000))
    run = mirror_and_run(hasty, upstream)
    assert (run.state, run.tally.failed, run.tally.added) == (MirrorState.COMPLETED, 0, 34)


@pytest.mark.parametrize("misbehaviour", [cut_after(1_000), status(503), status(429, retry_after="0")])
def test_upstream_that_recovers_within_the_run_costs_nothing_but_time(
    mirrors: MirrorHouse, upstream: Upstream, channel: ListedChannel, misbehaviour: Misbehaviour
) -> None:
    upstream.misbehave("*.conda", misbehaviour, times=5)
    run = mirror_and_run(mirrors, upstream)
    assert (run.state, run.tally.failed, run.tally.added) == (MirrorState.COMPLETED, 0, 34)
    assert run.last_error is None


def test_all_files_that_fail_end_the_run(
    mirrors: MirrorHouse, upstream: Upstream, channel: ListedChannel
) -> None:
    for pattern in ("*.conda", "*.tar.bz2"):
        upstream.misbehave(pattern, status(404))
    run = mirror_and_run(mirrors, upstream)
    assert run.state is MirrorState.FAILED
    assert re.match("20 files failed one after the other: .* status 404", str(run.last_error))
    assert_good_weather_repairs(mirrors, upstream, channel)


def test_file_that_changed_since_the_index_was_read_comes_with_the_next_index(
    mirrors: MirrorHouse, upstream: Upstream, channel: ListedChannel
) -> None:
    (upstream.folder / NUMPY).write_bytes(b"newer bytes")
    run = mirror_and_run(mirrors, upstream)
    assert (run.tally.failed, run.tally.added) == (1, 33)
    channel.put(NUMPY.split("/")[1], "linux-64", b"newer bytes")
    channel.write()
    assert_good_weather_repairs(mirrors, upstream, channel)


# --- our own side


def test_full_disk_ends_the_run_and_keeps_what_is_here(
    mirrors: MirrorHouse, upstream: Upstream, channel: ListedChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = 0
    write = PartialFile.write

    def until_full(partial: PartialFile, chunk: bytes) -> None:
        nonlocal written
        written += len(chunk)
        if written > 60_000:
            raise StorageFull("The server has no room left for this file.")
        write(partial, chunk)

    with monkeypatch.context() as patched:
        patched.setattr(PartialFile, "write", until_full)
        run = mirror_and_run(mirrors, upstream)
    assert (run.state, run.last_error) == (
        MirrorState.FAILED,
        "The server has no room left for this file.",
    )
    assert 0 < run.tally.added < 34
    assert_good_weather_repairs(mirrors, upstream, channel)


@pytest.mark.parametrize("code", [403, 407, 503])
def test_proxy_that_refuses_is_named_without_its_password(
    mirrors: MirrorHouse, upstream: Upstream, channel: ListedChannel, code: int
) -> None:
    with Proxy(user="bob", password="s3cret") as proxy:
        proxy.refuse(code)
        run = mirror_and_run(mirrors, upstream, proxy=proxy.url)
        assert run.state is MirrorState.FAILED
        assert str(code) in str(run.last_error)
        assert "s3cret" not in str(run.last_error)
        assert upstream.log == []
        proxy.refuse(None)
        assert_good_weather_repairs(mirrors, upstream, channel)
        assert mirrors.api("/api/channels/data/mirrors/twin")["proxy"] == proxy.url.replace("s3cret", "***")


def test_proxy_that_is_not_there_is_named(
    mirrors: MirrorHouse, upstream: Upstream, channel: ListedChannel
) -> None:
    with Proxy() as proxy:
        pass
    run = mirror_and_run(mirrors, upstream, proxy=proxy.url)
    assert run.state is MirrorState.FAILED
    assert f"through the proxy 127.0.0.1:{proxy.port}" in str(run.last_error)
    assert upstream.log == []


def test_private_upstream_is_refused_where_the_settings_do_not_allow_it(
    house: House, upstream: Upstream, channel: ListedChannel
) -> None:
    with (
        mirroring(house, allow_private_upstreams=False) as mirrors,
        pytest.raises(Invalid, match="allow_private_upstreams"),
    ):
        mirrors.mirror("data", upstream.url)
    assert upstream.log == []


def test_private_upstream_is_asked_no_longer_once_the_settings_forbid_it(
    house: House, upstream: Upstream, channel: ListedChannel
) -> None:
    with mirroring(house) as mirrors:
        mirrors.mirror("data", upstream.url)
    with mirroring(house, allow_private_upstreams=False) as mirrors:
        run = mirrors.run("data")
    assert run.state is MirrorState.FAILED
    assert "allow_private_upstreams" in str(run.last_error)
    assert upstream.log == []
