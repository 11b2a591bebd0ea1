"""A real job runner and its tables; DBOS exists once a process, so each test takes it and gives it back."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from dbos import DBOS, DBOSClient

from packhouse.actions.packhouse import Packhouse
from packhouse.jobs.runner import JobRunner
from tests.house import House
from tests.services import Service


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


# --- processes of their own


@contextmanager
def worker(data_dir: Path, name: str, environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """`packhouse worker`, stopped with SIGTERM at the end."""
    chosen = {**os.environ, **environment, "PACKHOUSE_WORKER_NAME": name}
    command = [sys.executable, "-m", "packhouse", "worker", "--data-dir", str(data_dir)]
    with (data_dir / f"{name}.log").open("w") as log:
        process = subprocess.Popen(command, env=chosen, stderr=log)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(timeout=20)


@pytest.fixture
def large(postgres_url: str, s3_url: str, s3_options: Service) -> Mapping[str, str]:
    """The environment of every process of one installation on PostgreSQL and S3."""
    return {
        "PACKHOUSE_DATABASE_URL": postgres_url.replace("+psycopg", ""),
        "PACKHOUSE_BLOB_URL": s3_url,
        "PACKHOUSE_BLOB_OPTIONS": json.dumps(dict(s3_options)),
    }
