"""A packhouse whose clock the test turns, and people in it."""

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from packhouse.actions.packhouse import Packhouse
from packhouse.actions.users import create_user
from packhouse.domain.access import Actor, Role
from packhouse.settings import load_settings
from packhouse.storage.blobs import open_blobs
from packhouse.storage.database import Database


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2030, 1, 1, 12, 0, 0, 250_000, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **amount: float) -> None:
        self.now += timedelta(**amount)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database file with the newest schema, to copy: quicker than to migrate for every test."""
    path = tmp_path_factory.mktemp("migrated") / "packhouse.db"
    database = Database(f"sqlite:///{path}")
    database.migrate()
    database.close()
    return path


@pytest.fixture
def packhouse(migrated: Path, tmp_path: Path, clock: Clock) -> Iterator[Packhouse]:
    settings = load_settings(data_dir=tmp_path)
    shutil.copy(migrated, tmp_path)
    database = Database(settings.effective_database_url)
    yield Packhouse(settings, database, open_blobs(str(tmp_path / "blobs"), {}), clock)
    database.close()


AddUser = Callable[..., Actor]


@pytest.fixture
def add_user(packhouse: Packhouse) -> AddUser:
    """Adds a user with the password `<username>-password`, and answers them acting in person."""

    def add(username: str, role: Role = Role.AUTHOR, email: str | None = None) -> Actor:
        user = create_user(packhouse, None, username, f"{username}-password", role, email)
        return Actor(user.id, user.username, user.role)

    return add


@pytest.fixture
def ann(add_user: AddUser) -> Actor:
    return add_user("ann", email="ann@example.org")


@pytest.fixture
def admin(add_user: AddUser) -> Actor:
    return add_user("root", Role.ADMIN)
