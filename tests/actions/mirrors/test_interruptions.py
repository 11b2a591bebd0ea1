"""Runs that are stopped, taken by others, or whose channel changes under them."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import update

from packhouse.actions.channels import delete_channel
from packhouse.actions.mirrors.runs import restart_mirror, runs_to_work_on, stop_mirror, take_run
from packhouse.actions.mirrors.specify import Contents, delete_mirror
from packhouse.domain.mirror_runs import MirrorRun
from packhouse.domain.mirrors import MirrorState
from packhouse.errors import Conflict, NotFound
from packhouse.storage import tables
from tests.listed_channel import ListedChannel, environment_channel
from tests.mirroring import MirrorHouse, mirroring
from tests.upstream import Upstream, hang_after, slow

LARGE = "linux-64/large-1.0-0.conda"
CONTENT = bytes(range(256)) * 4_000  # a megabyte


@pytest.fixture
def channel(upstream: Upstream) -> ListedChannel:
    """An environment of conda-forge, and one file that takes its time."""
    channel = environment_channel(upstream.folder)
    channel.put("large-1.0-0.conda", "linux-64", CONTENT)
    channel.write()
    return channel


@contextmanager
def at_work(mirrors: MirrorHouse, run: MirrorRun) -> Iterator[threading.Thread]:
    """Another thread works on the run; at the end of the block it must have ended within a few seconds."""
    failed: list[BaseException] = []

    def work() -> None:
        try:
            mirrors.work_on(run)
        except NotFound:
            pass  # the run went with its channel
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    yield thread
    thread.join(10)
    assert not thread.is_alive()
    assert failed == []


def wait_until(is_so: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.02)


def begun(upstream: Upstream) -> bool:
    """Whether half of the large file was sent."""
    return any(one.sent > len(CONTENT) // 2 for one in upstream.asked(f"/{LARGE}"))


def assert_whole(mirrors: MirrorHouse, channel: ListedChannel) -> None:
    for subdir in ("noarch", "linux-64"):
        assert set(mirrors.served("data", subdir)) == set(channel.records[subdir])
    assert mirrors.counts("data") == {"active": 35}
    assert mirrors.file("data", LARGE) == CONTENT
    assert mirrors.faults() == []


# --- stop and restart


def test_stop_takes_effect_at_once_and_the_next_run_goes_on_where_it_was(
    any_mirrors: MirrorHouse, upstream: Upstream, channel: ListedChannel
) -> None:
    packhouse, admin = any_mirrors.packhouse, any_mirrors.house.admin
    upstream.misbehave(f"/{LARGE}", hang_after(len(CONTENT) * 3 // 4))
    any_mirrors.mirror("data", upstream.url, mode="active")
    run = any_mirrors.ask("data")
    with at_work(any_mirrors, run) as thread:
        wait_until(lambda: begun(upstream))
        stopped = time.monotonic()
        assert stop_mirror(packhouse, admin, "data", "twin").state is MirrorState.STOPPED
        thread.join(10)
        assert time.monotonic() - stopped < 2.5
    assert any_mirrors.as_it_is(run).state is MirrorState.STOPPED
    assert any_mirrors.faults() == []
    assert any_mirrors.file("data", LARGE) is None
    upstream.behave()
    already = {one.path for one in upstream.log if one.completed and "/shards/" not in one.path}
    restart_mirror(packhouse, admin, "data", "twin")
    last = any_mirrors.run("data")
    assert last.state is MirrorState.COMPLETED
    assert_whole(any_mirrors, channel)
    first, second = upstream.asked(f"/{LARGE}")
    assert second.range is not None
    assert int(second.range.removeprefix("bytes=").rstrip("-")) > 0
    assert first.sent + second.sent < 1.3 * len(CONTENT)
    for path in already:
        if path.endswith((".conda", ".bz2")):
            assert upstream.count(path) == 1, path


def test_stop_while_indexes_are_read_takes_effect_at_once(
    mirrors: MirrorHouse, upstream: Upstream, channel: ListedChannel
) -> None:
    upstream.misbehave("*.zst", slow(10))
    mirrors.mirror("data", upstream.url)
    run = mirrors.ask("data")
    with at_work(mirrors, run) as thread:
        wait_until(lambda: upstream.count() > 0)
        stopped = time.monotonic()
        stop_mirror(mirrors.packhouse, mirrors.house.admin, "data", "twin")
        thread.join(10)
        assert time.monotonic() - stopped < 2.5
    assert mirrors.as_it_is(run).state is MirrorState.STOPPED


def test_mirror_that_does_not_run_cannot_be_stopped(
    mirrors: MirrorHouse, upstream: Upstream, channel: ListedChannel
) -> None:
    mirrors.mirror("data", upstream.url)
    mirrors.run("data")
    with pytest.raises(Conflict, match="Mirror twin cannot be stopped in its current state: completed"):
        stop_mirror(mirrors.packhouse, mirrors.house.admin, "data", "twin")


def test_process_that_ends_leaves_its_run_to_the_next(
    mirrors: MirrorHouse, upstream: Upstream, channel: ListedChannel
) -> None:
    upstream.misbehave(f"/{LARGE}", hang_after(len(CONTENT) * 3 // 4))
    mirrors.mirror("data", upstream.url, mode="active")
    run = mirrors.ask("data")
    with at_work(mirrors, run):
        wait_until(lambda: begun(upstream))
        mirrors.packhouse.closing.set()
    mirrors.packhouse.closing.clear()
    assert mirrors.as_it_is(run).state is MirrorState.RUNNING
    assert [one.uuid for one in runs_to_work_on(mirrors.packhouse)] == [run.uuid]
    upstream.behave()
    assert mirrors.work_on(run).state is MirrorState.COMPLETED
    assert_whole(mirrors, channel)


# --- two workers


def test_run_is_worked_on_by_one_worker_at_a_time(
    any_mirrors: MirrorHouse, upstream: Upstream, channel: ListedChannel
) -> None:
    any_mirrors.mirror("data", upstream.url)
    run = any_mirrors.ask("data")
    assert any_mirrors.ask("data").uuid == run.uuid
    with mirroring(any_mirrors.house, worker_name="another") as another:
        assert take_run(another.packhouse, run.uuid)
    assert not take_run(any_mirrors.packhouse, run.uuid)
    assert runs_to_work_on(any_mirrors.packhouse) == []


def test_run_whose_worker_is_lost_is_taken_over(
    mirrors: MirrorHouse, upstream: Upstream, channel: ListedChannel
) -> None:
    mirrors.mirror("data", upstream.url, mode="active")
    run = mirrors.ask("data")
    with mirroring(mirrors.house, worker_name="another") as another:
        assert take_run(another.packhouse, run.uuid)
    with mirrors.packhouse.database.transaction() as connection:
        long_ago = mirrors.packhouse.clock().replace(year=2020)
        connection.execute(update(tables.mirror_run).values(seen_at=long_ago))
    assert mirrors.work_on(run).state is MirrorState.COMPLETED
    assert_whole(mirrors, channel)


# --- the channel


def freeze(mirrors: MirrorHouse, is_frozen: bool) -> None:
    answer = mirrors.house.request(
        "PUT",
        "/api/channels/data",
        mirrors.house.session("admin"),
        json={"indexing_behavior": "frozen" if is_frozen else "default"},
    )
    assert answer.status < 300, answer.body


def test_channel_that_is_frozen_while_its_mirror_runs_takes_nothing_more(
    mirrors: MirrorHouse, upstream: Upstream, channel: ListedChannel
) -> None:
    upstream.misbehave(f"/{LARGE}", slow(800_000))
    mirrors.mirror("data", upstream.url, mode="active")
    run = mirrors.ask("data")
    with at_work(mirrors, run):
        wait_until(lambda: begun(upstream))
        freeze(mirrors, True)
    run = mirrors.as_it_is(run)
    assert (run.state, run.last_error) == (
        MirrorState.FAILED,
        "Channel data is frozen. Unfreeze it, then restart the mirror.",
    )
    assert mirrors.faults() == []
    assert mirrors.file("data", LARGE) is None
    freeze(mirrors, False)
    assert mirrors.run("data").state is MirrorState.COMPLETED
    assert_whole(mirrors, channel)


def test_channel_that_is_deleted_while_its_mirror_runs_takes_everything_with_it(
    any_mirrors: MirrorHouse, upstream: Upstream, channel: ListedChannel
) -> None:
    upstream.misbehave(f"/{LARGE}", slow(800_000))
    any_mirrors.mirror("data", upstream.url, mode="active")
    run = any_mirrors.ask("data")
    with at_work(any_mirrors, run):
        wait_until(lambda: begun(upstream))
        delete_channel(any_mirrors.packhouse, any_mirrors.house.admin, "data")
    assert any_mirrors.file("data", LARGE) is None
    assert any_mirrors.faults() == []
    with any_mirrors.packhouse.database.reading() as connection:
        for table in (tables.entry, tables.mirror, tables.mirror_run, tables.artifact):
            assert connection.execute(table.select()).all() == []


def test_mirror_that_is_deleted_while_it_runs_brings_nothing_more(
    mirrors: MirrorHouse, upstream: Upstream, channel: ListedChannel
) -> None:
    upstream.misbehave(f"/{LARGE}", slow(800_000))
    mirrors.mirror("data", upstream.url, mode="active")
    run = mirrors.ask("data")
    with at_work(mirrors, run):
        wait_until(lambda: begun(upstream))
        delete_mirror(mirrors.packhouse, mirrors.house.admin, "data", "twin", Contents.DROP)
    assert mirrors.served("data", "linux-64") == {}
    assert mirrors.faults() == []
