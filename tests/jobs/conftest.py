"""A real job runner and its tables; DBOS exists once a process, so each test takes it and gives it back."""

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from dbos import DBOS, DBOSClient

from packhouse.actions.packhouse import Packhouse
from packhouse.jobs.runner import JobRunner
from tests.house import House


@pytest.fixture(scope="session")
def jobs_tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A `jobs.db` that a worker has made, to copy."""
    path = tmp_path_factory.mktemp("jobs") / "jobs.db"
    DBOS(config={"name": "tables", "system_database_url": f"sqlite:///{path}", "log_level": "WARNING"})
    DBOS.launch()
    DBOS.destroy(destroy_registry=True)
    return path


@pytest.fixture
def jobs(house: House, jobs_tables: Path) -> Iterator[DBOSClient]:
    """Looks at the jobs of a house."""
    url = house.packhouse.settings.jobs_database_url
    shutil.copy(jobs_tables, url.removeprefix("sqlite:///"))
    client = DBOSClient(system_database_url=url)
    yield client
    client.destroy()


@pytest.fixture
def run_jobs() -> Iterator[Callable[[Packhouse], JobRunner]]:
    """Starts a runner that is stopped at the end of the test."""
    started: list[JobRunner] = []

    def run(packhouse: Packhouse) -> JobRunner:
        runner = JobRunner(packhouse)
        runner.start()
        started.append(runner)
        return runner

    yield run
    for runner in started:
        runner.stop()
    DBOS.destroy(destroy_registry=True)


def wait_until(done: Callable[[], object], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, f"still not so after {seconds} s"
        time.sleep(0.02)
