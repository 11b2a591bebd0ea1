"""Runs of mirrors as jobs of one worker: soon, several at a time, and ended by a sentence whatever happens."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from dbos import DBOSClient

from packhouse.actions.channels import delete_channel
from packhouse.actions.mirrors.runs import restart_mirror, stop_mirror
from packhouse.actions.mirrors.specify import Contents, delete_mirror
from packhouse.actions.packhouse import Packhouse
from packhouse.domain.mirror_runs import MirrorRun
from packhouse.domain.mirrors import MirrorState
from packhouse.jobs.mirroring import MIRROR
from packhouse.jobs.runner import JobRunner
from packhouse.jobs.scheduler import MirrorScheduler
from packhouse.storage import mirror_runs
from packhouse.storage.blobs import Blobs
from tests.house import House
from tests.listed_channel import ListedChannel
from tests.live import wait_until
from tests.mirroring import NAME, MirrorHouse, mirroring
from tests.upstream import Upstream, slow

RunJobs = Callable[[Packhouse], JobRunner]

FILES = 3
FILE_BYTES = 200_000
SLOW = slow(FILE_BYTES / 20)
"""So that a file takes longer than any test waits."""


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[Upstream]:
    channel = ListedChannel(tmp_path / "upstream")
    for number in range(FILES):
        channel.put(f"demo-{number}.0-0.conda", "linux-64", bytes([number]) * FILE_BYTES)
    channel.write()
    with Upstream(channel.folder) as serving:
        yield serving


@pytest.fixture
def mirrors(house: House) -> Iterator[MirrorHouse]:
    with mirroring(house) as opened:
        yield opened


@contextmanager
def scheduling(packhouse: Packhouse) -> Iterator[None]:
    scheduler = MirrorScheduler(packhouse)
    scheduler.start()
    try:
        yield
    finally:
        scheduler.stop()


@pytest.fixture
def working(mirrors: MirrorHouse, jobs: DBOSClient, run_jobs: RunJobs) -> Iterator[MirrorHouse]:
    """A house where jobs run."""
    run_jobs(mirrors.packhouse)
    with scheduling(mirrors.packhouse):
        yield mirrors


def is_slow(upstream: Upstream) -> None:
    upstream.misbehave("*.conda", SLOW)


def wait_until_ended(mirrors: MirrorHouse, run: MirrorRun) -> MirrorRun:
    wait_until(lambda: not mirrors.as_it_is(run).state.is_under_way)
    return mirrors.as_it_is(run)


def jobs_under_way(jobs: DBOSClient) -> int:
    return len(jobs.list_workflows(name=MIRROR, status=["PENDING", "ENQUEUED"]))


def test_run_that_is_asked_for_begins_within_moments(working: MirrorHouse, upstream: Upstream) -> None:
    working.mirror("data", upstream.url, "active")
    started = time.monotonic()
    run = working.ask("data")
    wait_until(upstream.count)
    assert time.monotonic() - started < 5  # about one second; the rest is for a busy machine
    ended = wait_until_ended(working, run)
    assert (ended.state, ended.tally.added, ended.last_error) == (MirrorState.COMPLETED, FILES, None)
    assert working.faults() == []


def test_run_asked_for_before_the_worker_started_is_worked_on(
    mirrors: MirrorHouse, jobs: DBOSClient, run_jobs: RunJobs, upstream: Upstream
) -> None:
    mirrors.mirror("data", upstream.url, "active")
    run = mirrors.ask("data")
    with scheduling(mirrors.packhouse):
        wait_until(lambda: jobs_under_way(jobs) == 1)
        run_jobs(mirrors.packhouse)
        assert wait_until_ended(mirrors, run).state is MirrorState.COMPLETED


def test_several_mirrors_run_at_the_same_time(working: MirrorHouse, upstream: Upstream) -> None:
    is_slow(upstream)
    for channel in ("one", "two", "three"):
        working.mirror(channel, upstream.url, "active", name=channel)
        working.ask(channel, channel)
    wait_until(lambda: upstream.most_at_once == 3 * FILES)
    states = [working.the(channel, channel).state for channel in ("one", "two", "three")]
    assert states == [MirrorState.RUNNING] * 3


def test_restart_of_a_mirror_that_runs_begins_no_second_run(working: MirrorHouse, upstream: Upstream) -> None:
    is_slow(upstream)
    working.mirror("data", upstream.url, "active")
    working.ask("data")
    wait_until(lambda: upstream.count("*.conda") == FILES)
    restart_mirror(working.packhouse, working.house.admin, "data", NAME)
    with working.packhouse.database.reading() as connection:
        total, _ = mirror_runs.of_mirror(connection, working.the("data").id, 0, None)
    assert total == 1


def test_twin_of_a_job_leaves_the_run_to_the_one_that_works_on_it(
    working: MirrorHouse, jobs: DBOSClient, upstream: Upstream
) -> None:
    is_slow(upstream)
    working.mirror("data", upstream.url, "active")
    run = working.ask("data")
    wait_until(lambda: upstream.count("*.conda") == FILES)
    twin = jobs.enqueue({"workflow_name": MIRROR, "queue_name": "mirrors"}, run.uuid)
    assert twin.get_result() == "another job works on this run"
    assert working.as_it_is(run).holder == working.packhouse.settings.worker_name
    assert jobs_under_way(jobs) == 1


def test_stop_cuts_off_what_is_on_its_way(working: MirrorHouse, jobs: DBOSClient, upstream: Upstream) -> None:
    is_slow(upstream)
    working.mirror("data", upstream.url, "active")
    run = working.ask("data")
    wait_until(lambda: upstream.count("*.conda") == FILES)
    stop_mirror(working.packhouse, working.house.admin, "data", NAME)
    wait_until(lambda: not jobs_under_way(jobs), seconds=5)
    ended = working.as_it_is(run)
    assert (ended.state, ended.holder, ended.last_error) == (MirrorState.STOPPED, None, None)
    assert working.faults() == []


def test_run_that_was_stopped_and_restarted_goes_on_where_it_was(
    working: MirrorHouse, jobs: DBOSClient, upstream: Upstream
) -> None:
    is_slow(upstream)
    working.mirror("data", upstream.url, "active")
    working.ask("data")
    wait_until(lambda: sum(one.sent for one in upstream.asked("*.conda")) > FILE_BYTES / 10)
    stop_mirror(working.packhouse, working.house.admin, "data", NAME)
    wait_until(lambda: not jobs_under_way(jobs), seconds=5)
    upstream.behave()
    ended = wait_until_ended(working, working.ask("data"))
    assert (ended.state, ended.tally.added) == (MirrorState.COMPLETED, FILES)
    assert all(one.range is not None for one in upstream.asked("*.conda")[FILES:])


@pytest.mark.parametrize("contents", list(Contents))
def test_mirror_deleted_while_it_runs_leaves_nothing_behind(
    working: MirrorHouse, jobs: DBOSClient, upstream: Upstream, contents: Contents
) -> None:
    is_slow(upstream)
    upstream.misbehave("*/demo-0.0-0.conda")  # comes at once
    working.mirror("data", upstream.url, "active")
    working.ask("data")
    wait_until(lambda: upstream.count("*.conda") == FILES)
    delete_mirror(working.packhouse, working.house.admin, "data", NAME, contents)
    wait_until(lambda: not jobs_under_way(jobs), seconds=5)
    assert working.faults() == []


def test_channel_deleted_while_its_mirror_runs_leaves_nothing_behind(
    working: MirrorHouse, jobs: DBOSClient, upstream: Upstream
) -> None:
    is_slow(upstream)
    working.mirror("data", upstream.url, "active")
    working.ask("data")
    wait_until(lambda: upstream.count("*.conda") == FILES)
    delete_channel(working.packhouse, working.house.admin, "data")
    wait_until(lambda: not jobs_under_way(jobs), seconds=5)
    assert [job.status for job in jobs.list_workflows(name=MIRROR)] == ["SUCCESS"]
    assert working.faults() == []


class Divided:
    """A blob store that fails as none should."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs

    def keep_files(self, *_: object) -> None:
        raise ZeroDivisionError

    def __getattr__(self, name: str) -> Any:
        return getattr(self._blobs, name)


@pytest.mark.usefixtures("jobs")
def test_what_nobody_foresaw_ends_the_run_with_a_sentence(
    mirrors: MirrorHouse, run_jobs: RunJobs, upstream: Upstream
) -> None:
    packhouse = mirrors.packhouse
    run_jobs(replace(packhouse, blobs=Divided(packhouse.blobs)))
    mirrors.mirror("data", upstream.url, "active")
    with scheduling(packhouse):
        ended = wait_until_ended(mirrors, mirrors.ask("data"))
    assert ended.state is MirrorState.FAILED
    assert ended.last_error == "The server failed (ZeroDivisionError); its log says more."
    assert mirrors.faults() == []


def test_upstream_without_a_channel_ends_the_run_with_a_sentence(
    working: MirrorHouse, upstream: Upstream
) -> None:
    working.mirror("data", f"{upstream.url}/elsewhere", "active")
    ended = wait_until_ended(working, working.ask("data"))
    assert ended.state is MirrorState.FAILED
    assert "There is no conda channel at" in (ended.last_error or "")


def test_run_goes_on_after_a_worker_that_ended_in_its_middle(
    mirrors: MirrorHouse, jobs: DBOSClient, run_jobs: RunJobs, upstream: Upstream
) -> None:
    is_slow(upstream)
    mirrors.mirror("data", upstream.url, "active")
    with scheduling(mirrors.packhouse):
        runner = run_jobs(mirrors.packhouse)
        run = mirrors.ask("data")
        wait_until(lambda: upstream.count("*.conda") == FILES)
        runner.stop()
        left = mirrors.as_it_is(run)
        assert (left.state, left.holder) == (MirrorState.RUNNING, None)

    upstream.behave()
    mirrors.packhouse.closing.clear()  # as in the process that comes next
    run_jobs(mirrors.packhouse)
    with scheduling(mirrors.packhouse):
        started = time.monotonic()
        wait_until(lambda: upstream.count("*.conda") > FILES)
        assert time.monotonic() - started < 5
        assert wait_until_ended(mirrors, run).tally.added == FILES
    assert jobs_under_way(jobs) == 0
