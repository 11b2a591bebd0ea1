"""The dispatcher: asks once for what is stale, and again when there is reason to."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from dbos import DBOSClient

from packhouse.actions.channels import delete_channel
from packhouse.actions.reindex import reindex
from packhouse.jobs.dispatcher import LOST_SECONDS, RETRY_SECONDS, Dispatcher
from packhouse.storage import revisions
from tests.house import House
from tests.live import wait_until

Asked = list[tuple[int, str]]


def asked(jobs: DBOSClient) -> Asked:
    """Channel id and subdir of every job asked for so far, sorted."""
    found = jobs.list_workflows(name="reindex", load_input=True)
    return sorted(job.input["args"] for job in found if job.input)


@contextmanager
def dispatching(house: House, lost_seconds: float = LOST_SECONDS) -> Iterator[Dispatcher]:
    dispatcher = Dispatcher(house.packhouse, lost_seconds)
    dispatcher.start()
    try:
        yield dispatcher
    finally:
        dispatcher.stop()


def some_looks() -> None:
    time.sleep(4 * RETRY_SECONDS)


@pytest.fixture
def channel_id(house: House) -> int:
    """Of `data`, which holds one package and has all its documents."""
    channel = house.channel("data")
    house.publish("data", "demo")
    house.reindex_all()
    return channel.id


@pytest.mark.usefixtures("channel_id")
def test_nothing_is_asked_for_while_nothing_is_stale(house: House, jobs: DBOSClient) -> None:
    with dispatching(house):
        some_looks()
        assert asked(jobs) == []


def test_what_was_stale_before_the_start_is_asked_for(
    house: House, jobs: DBOSClient, channel_id: int
) -> None:
    house.publish("data", "more")
    with dispatching(house):
        wait_until(lambda: asked(jobs))
    assert asked(jobs) == [(channel_id, "noarch")]


def test_commit_is_noticed_at_once(house: House, jobs: DBOSClient, channel_id: int) -> None:
    with dispatching(house):
        some_looks()
        house.publish("data", "more", subdir="linux-64")
        wait_until(lambda: asked(jobs), seconds=5)
    assert asked(jobs) == [(channel_id, "linux-64")]


def test_root_is_asked_for_after_the_subdirs(house: House, jobs: DBOSClient, channel_id: int) -> None:
    house.publish("data", "more")
    with dispatching(house):
        wait_until(lambda: asked(jobs))
        some_looks()
        assert asked(jobs) == [(channel_id, "noarch")]

        reindex(house.packhouse, channel_id, "noarch")
        wait_until(lambda: len(asked(jobs)) == 2)
    assert asked(jobs) == [(channel_id, revisions.ROOT), (channel_id, "noarch")]


def test_job_on_its_way_is_not_asked_for_again(house: House, jobs: DBOSClient, channel_id: int) -> None:
    with dispatching(house):
        for version in ("2.0", "3.0", "4.0"):
            house.publish("data", "demo", version=version)
            some_looks()
    assert asked(jobs) == [(channel_id, "noarch")]


def test_content_that_moved_on_during_the_job_is_asked_for_again(
    house: House, jobs: DBOSClient, channel_id: int
) -> None:
    with dispatching(house):
        house.publish("data", "more")
        wait_until(lambda: len(asked(jobs)) == 1)
        with house.packhouse.database.reading() as connection:
            content = revisions.of_channel(connection, channel_id)["noarch"].content
        house.publish("data", "even-more")
        with house.packhouse.database.transaction() as connection:  # as a job that began before it ends
            assert revisions.mark_indexed(connection, channel_id, "noarch", content)
        wait_until(lambda: len(asked(jobs)) == 2)
    assert asked(jobs) == [(channel_id, "noarch")] * 2


def test_job_that_does_not_end_is_asked_for_again(house: House, jobs: DBOSClient, channel_id: int) -> None:
    house.publish("data", "more")
    with dispatching(house, lost_seconds=0.5):
        wait_until(lambda: len(asked(jobs)) >= 2)
    assert set(asked(jobs)) == {(channel_id, "noarch")}


def test_restarted_process_asks_anew_for_what_it_had_asked_for(
    house: House, jobs: DBOSClient, channel_id: int
) -> None:
    house.publish("data", "more")
    for number in (1, 2):
        with dispatching(house):
            wait_until(lambda number=number: len(asked(jobs)) == number)
    assert asked(jobs) == [(channel_id, "noarch")] * 2


def test_two_processes_ask_for_one_change_once(house: House, jobs: DBOSClient, channel_id: int) -> None:
    with dispatching(house), dispatching(house):
        some_looks()
        house.publish("data", "more")
        wait_until(lambda: asked(jobs))
        some_looks()
    assert asked(jobs) == [(channel_id, "noarch")]


def test_deleted_channel_is_no_longer_asked_for(house: House, jobs: DBOSClient, channel_id: int) -> None:
    house.publish("data", "more")
    with dispatching(house, lost_seconds=0.5):
        wait_until(lambda: asked(jobs))
        delete_channel(house.packhouse, house.admin, "data")
        some_looks()
        before = asked(jobs)
        time.sleep(1)
    assert asked(jobs) == before
