"""A packhouse on each database, with a clock that the test turns."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from packhouse.actions.packhouse import Packhouse
from packhouse.actions.users import create_user
from packhouse.domain.access import Actor, Role
from packhouse.settings import Settings
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


@pytest.fixture
def packhouse(database_url: str, tmp_path: Path, clock: Clock) -> Iterator[Packhouse]:
    settings = Settings(data_dir=tmp_path, database_url=database_url)
    database = Database(settings.effective_database_url)
    database.migrate()
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
