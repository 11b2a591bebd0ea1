"""Jobs as DBOS runs them: soon, again after a failure, and taken up after a crash."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from dbos import DBOSClient
from sqlalchemy import Engine, create_engine, text

from packhouse.actions.packhouse import Packhouse
from packhouse.jobs.dispatcher import Dispatcher
from packhouse.jobs.runner import JobRunner
from packhouse.storage import revisions
from tests.actions.ledger import Interrupted, assert_in_order, once
from tests.builders import build_conda_package
from tests.house import House
from tests.jobs.conftest import worker
from tests.live import running_server, wait_until

RunJobs = Callable[[Packhouse], JobRunner]


@contextmanager
def dispatching(packhouse: Packhouse) -> Iterator[None]:
    dispatcher = Dispatcher(packhouse)
    dispatcher.start()
    try:
        yield
    finally:
        dispatcher.stop()


def is_settled(house: House) -> bool:
    with house.packhouse.database.reading() as connection:
        return not revisions.stale(connection)


@pytest.mark.usefixtures("jobs")
def test_published_package_is_indexed_without_being_asked(house: House, run_jobs: RunJobs) -> None:
    run_jobs(house.packhouse)
    with dispatching(house.packhouse):
        house.channel("data")
        for number in range(3):
            house.publish("data", "demo", version=f"{number}.0")
        wait_until(lambda: is_settled(house))
    assert len(house.repodata("data")["packages.conda"]) == 3
    assert_in_order(house)


def test_reindex_that_fails_is_tried_again(house: House, jobs: DBOSClient, run_jobs: RunJobs) -> None:
    def fail() -> None:
        raise ConnectionError("the store is away")

    house.channel("data")
    failing = replace(house.packhouse, blobs=Interrupted(house.packhouse.blobs, once(fail), is_before=True))
    run_jobs(failing)
    with dispatching(failing):
        wait_until(lambda: is_settled(house))
        # A job ends a moment after its last step has.
        wait_until(lambda: {job.status for job in jobs.list_workflows(name="reindex")} == {"SUCCESS"})
    assert_in_order(house)


def test_runner_takes_up_what_was_asked_for_before_it_started(
    house: House, jobs: DBOSClient, run_jobs: RunJobs
) -> None:
    channel = house.channel("data")
    with dispatching(house.packhouse):
        wait_until(lambda: jobs.list_workflows(status="ENQUEUED"))

    run_jobs(house.packhouse)

    wait_until(lambda: jobs.list_workflows(status="SUCCESS"))
    with house.packhouse.database.reading() as connection:
        assert not revisions.of_channel(connection, channel.id)["noarch"].is_stale


@pytest.mark.parametrize(
    ("minutes", "line"), [(10, "*/10 * * * *"), (150, "0 */2 * * *"), (5_000, "0 */24 * * *")]
)
def test_sweep_comes_round_by_the_clock(
    house: House, jobs: DBOSClient, run_jobs: RunJobs, minutes: int, line: str
) -> None:
    settings = house.packhouse.settings.model_copy(update={"sweep_minutes": minutes})
    run_jobs(replace(house.packhouse, settings=settings))
    [schedule] = jobs.list_schedules()
    assert (schedule["schedule_name"], schedule["schedule"]) == ("sweep", line)


# --- processes of their own


def test_server_and_worker_index_together_and_a_killed_worker_is_replaced(
    tmp_path: Path, large: Mapping[str, str], postgres_url: str
) -> None:
    engine = create_engine(postgres_url)
    first, second = (build_conda_package(tmp_path, "demo", version) for version in ("1.0", "2.0"))
    with running_server(tmp_path / "live", "--no-worker", environment=large) as server:
        server.create_channel("data")
        with worker(server.data_dir, "one", large) as one:
            assert server.upload("data", first).status_code == 201
            wait_until(lambda: is_all_indexed(engine))  # the root too: its reindex would hold the upload up

            with engine.connect() as connection, connection.begin():
                connection.execute(text("LOCK TABLE document IN EXCLUSIVE MODE"))  # no reindex gets past this
                assert server.upload("data", second).status_code == 201
                wait_until(lambda: is_waiting_for_a_lock(engine))
                one.kill()
                one.wait()

        with worker(server.data_dir, "two", large) as two:
            server.wait_until_indexed("data", "noarch", first.name, second.name)
        assert two.returncode == 0
    engine.dispose()


def is_all_indexed(engine: Engine) -> bool:
    with engine.connect() as connection:
        stale = text("SELECT 1 FROM revision WHERE content <> indexed")
        return connection.execute(stale).first() is None


def is_waiting_for_a_lock(engine: Engine) -> bool:
    waiting = "FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    with engine.connect() as connection:
        return connection.execute(text(f"SELECT 1 {waiting}")).first() is not None


def test_server_killed_right_after_a_publish_indexes_it_at_the_next_start(tmp_path: Path) -> None:
    first = build_conda_package(tmp_path, "demo")
    with running_server(tmp_path / "live") as server:
        server.create_channel("data")
        server.wait_until_indexed("data", "noarch")
        assert server.upload("data", first).status_code == 201
        server.kill()
    with running_server(tmp_path / "live") as server:
        server.wait_until_indexed("data", "noarch", first.name)
