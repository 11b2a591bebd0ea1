"""What tests get by naming it: databases and blob stores of every kind the server runs on."""

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from uuid import uuid4

import pytest

from packhouse.storage.database import Database
from tests.house import House, open_house
from tests.live import LiveServer, running_server
from tests.services import RUN_PID, S3_BUCKET, Service, ServiceUnavailable, fresh_database, service


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):  # xdist's workers inherit the process id of the run
        os.environ[RUN_PID] = str(os.getpid())


def _service(name: str, folders: pytest.TempPathFactory) -> Service:
    try:
        return service(name, folders.getbasetemp().parent)
    except ServiceUnavailable as unavailable:
        reason = str(unavailable)
    pytest.fail(reason, pytrace=False)  # out of the except block: the sentence alone, no trace


@pytest.fixture(scope="session")
def postgresql_server(tmp_path_factory: pytest.TempPathFactory) -> Service:
    return _service("postgresql", tmp_path_factory)


@pytest.fixture(scope="session")
def s3_options(tmp_path_factory: pytest.TempPathFactory) -> Service:
    """What `open_blobs` needs beside the URL to reach the S3 server of this test run."""
    return _service("s3", tmp_path_factory)


@pytest.fixture
def postgres_url(postgresql_server: Service) -> Iterator[str]:
    """An empty database, of this test alone."""
    with fresh_database(postgresql_server) as url:
        yield url


@pytest.fixture
def s3_url(s3_options: Service) -> str:
    """An empty prefix, of this test alone."""
    return f"s3://{S3_BUCKET}/{uuid4().hex}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database on each engine."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'packhouse.db'}"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture(params=["folder", "s3"])
def blob_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty blob store of each kind; `blob_options` belong to it."""
    if request.param == "folder":
        return str(tmp_path / "store")
    url: str = request.getfixturevalue("s3_url")
    return url


@pytest.fixture
def blob_options(request: pytest.FixtureRequest, blob_url: str) -> Mapping[str, str]:
    if not blob_url.startswith("s3:"):
        return {}
    options: Service = request.getfixturevalue("s3_options")
    return options


@pytest.fixture
def house(tmp_path: Path, migrated_sqlite: Path) -> Iterator[House]:
    """Packhouse as it is embedded: SQLite and a folder."""
    database = tmp_path / "packhouse.db"
    shutil.copy(migrated_sqlite, database)
    with open_house(tmp_path, f"sqlite:///{database}", str(tmp_path / "store"), {}) as opened:
        yield opened


@pytest.fixture(params=["embedded", "large"])
def any_house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    """Packhouse as it is embedded, and on PostgreSQL with an S3 store."""
    if request.param == "embedded":
        yield request.getfixturevalue("house")
        return
    options = request.getfixturevalue("s3_options")
    server = request.getfixturevalue("postgresql_server")
    template = request.getfixturevalue("migrated_postgresql")
    with (
        fresh_database(server, template) as database_url,
        open_house(tmp_path, database_url, request.getfixturevalue("s3_url"), options) as opened,
    ):
        yield opened


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of the newest schema to copy: migrating takes longer than most tests."""
    path = tmp_path_factory.mktemp("migrated") / "packhouse.db"
    database = Database(f"sqlite:///{path}")
    database.migrate()
    with database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    return path


@pytest.fixture(scope="session")
def migrated_postgresql(postgresql_server: Service) -> Iterator[str]:
    """Name of a database of the newest schema to copy."""
    with fresh_database(postgresql_server) as url:
        database = Database(url)
        database.migrate()
        database.close()
        yield url.rpartition("/")[2]


@pytest.fixture
def live_server(tmp_path: Path) -> Iterator[LiveServer]:
    """A server in its own process, as an operator starts it."""
    with running_server(tmp_path / "live") as server:
        yield server
