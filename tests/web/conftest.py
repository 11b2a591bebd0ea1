"""People with every kind of right on the channels of a house."""

from dataclasses import dataclass
from uuid import uuid4

import pytest

from packhouse.actions.sessions import open_session
from packhouse.actions.sharing import share
from packhouse.domain.access import Actor, Level, Role
from packhouse.domain.channels import Privacy
from packhouse.storage import users
from tests.house import House


@dataclass(frozen=True)
class People:
    """Sessions by name; `owner` owns what `channel` makes, which is shared with `reader` and `writer`."""

    house: House
    owner: Actor
    sessions: dict[str, str | None]

    def __getitem__(self, name: str) -> str | None:
        return self.sessions[name]

    def channel(self, path: str, privacy: Privacy = Privacy.PUBLIC) -> None:
        self.house.channel(path, self.owner, privacy)
        for name, level in (("reader", Level.READ), ("writer", Level.WRITE)):
            share(self.house.packhouse, self.owner, path, name, level)


@pytest.fixture
def people(house: House) -> People:
    authors = [_add(house, name, Role.AUTHOR) for name in ("owner", "reader", "writer", "stranger")]
    _add(house, "viewer", Role.VIEWER)
    names = ("admin", "viewer", *(author.name for author in authors))
    return People(house, authors[0], {"anonymous": None, **{name: session(house, name) for name in names}})


@pytest.fixture
def admin(house: House) -> str:
    """The admin's session."""
    return session(house, "admin")


def session(house: House, name: str) -> str:
    """As a log-in opens it; the password, which is slow to check on purpose, is for other tests."""
    with house.packhouse.database.reading() as connection:
        user = users.by_username(connection, name)
        assert user is not None
        valid_from = users.sessions_valid_from(connection, user.id)
    return open_session(house.packhouse, user, valid_from).token


def _add(house: House, name: str, role: Role) -> Actor:
    now = house.packhouse.clock()
    values = {"username": name, "role": role, "created_at": now, "sessions_valid_from": now}
    with house.packhouse.database.transaction() as connection:
        return Actor(users.add(connection, str(uuid4()), values), name, role)
