"""Which channels a listing shows: the SQL of it and the rule of the domain are the same."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import product
from typing import Any

import pytest
from sqlalchemy import Connection, insert

from packhouse.domain.access import ANONYMOUS, Actor, Level, Role, is_visible
from packhouse.domain.channels import Channel, ChannelPath, Indexing, Privacy
from packhouse.errors import NotFound
from packhouse.storage import channels, tables
from packhouse.storage.database import Database

NOW = datetime(2030, 1, 1, tzinfo=UTC)
ME, OTHER = 1, 2


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    """With channels of every privacy and owner, each with subchannels of every privacy and owner."""
    database = Database(database_url)
    database.migrate()
    with database.transaction() as opened:
        for id in (ME, OTHER):
            opened.execute(insert(tables.user).values(_user(id)))
        for privacy, owner in product(Privacy, (ME, OTHER)):
            parent = _add(opened, f"{privacy.value}-{owner}", None, privacy, owner)
            for own_privacy, own_owner in product(Privacy, (ME, OTHER)):
                path = f"{privacy.value}-{owner}/{own_privacy.value}-{own_owner}"
                _add(opened, path, parent, own_privacy, own_owner)
        yield opened
    database.close()


def _user(id: int) -> dict[str, Any]:
    words = {"id": id, "uuid": str(id), "username": f"user{id}", "role": "author"}
    return words | {"created_at": NOW, "sessions_valid_from": NOW}


def _add(connection: Connection, path: str, parent: int | None, privacy: Privacy, owner: int) -> int:
    values = {"parent_id": parent, "description": "", "privacy": privacy, "indexing": Indexing.DEFAULT}
    values |= {"owner_id": owner, "created_at": NOW, "updated_at": NOW}
    return channels.add(connection, ChannelPath.parse(path), path, values)


def all_channels(connection: Connection) -> list[Channel]:
    return channels.listing(connection, tables.channel.c.id > 0, subchannels=True)[1]


def some(options: list[Any]) -> list[tuple[Any, ...]]:
    """None of them, each alone, and all together."""
    return [(), *((option,) for option in options), tuple(options)]


def actors(there: list[Channel]) -> Iterator[Actor]:
    """Every role, with what may be shared with it and what a token may leave of it."""
    yield ANONYMOUS
    private = [channel for channel in there if channel.path.startswith("private-2")]
    parent, child = private[0], next(one for one in private if one.path.endswith("/private-2"))
    shared = [
        (parent.id, Level.READ),
        (child.id, Level.WRITE),
        (child.id, Level.NONE),
        (parent.id, Level.MANAGE),
    ]
    named = [parent.path, child.path, "public-1", "public-2/private-1", "nowhere"]
    for role, grants, names in product(Role, some(shared), [None, *some(named)]):
        resources = None if names is None else dict.fromkeys(names, Level.READ)
        yield Actor(ME, "me", role, dict(grants), resources=resources)


def test_listing_shows_what_is_visible_to_each_actor_and_no_more(connection: Connection) -> None:
    there = all_channels(connection)
    assert len(there) == 6 + 36
    assert len(list(actors(there))) == 1 + 3 * 6 * 8
    for actor in actors(there):
        total, found = channels.listing(connection, channels.visible_to(actor), subchannels=True)
        expected = {channel.path for channel in there if is_visible(actor, channel)}
        assert {channel.path for channel in found} == expected, actor
        assert total == len(expected)


def test_own_listing_is_what_one_owns_or_was_given_as_far_as_visible(connection: Connection) -> None:
    there = all_channels(connection)
    for actor in actors(there):
        if not actor.is_anonymous:
            _, found = channels.listing(connection, channels.belonging_to(actor), subchannels=True)
            expected = {
                channel.path
                for channel in there
                if (channel.owner_id == ME or channel.id in actor.grants) and is_visible(actor, channel)
            }
            assert {channel.path for channel in found} == expected, actor


def test_listing_pages_by_path(connection: Connection) -> None:
    paths = sorted(channel.path for channel in all_channels(connection))
    pages = [
        channels.listing(connection, tables.channel.c.id > 0, subchannels=True, offset=offset, limit=10)
        for offset in range(0, 50, 10)
    ]
    assert [channel.path for _, page in pages for channel in page] == paths
    assert {total for total, _ in pages} == {42}


def test_listing_without_subchannels_shows_top_level_channels_alone(connection: Connection) -> None:
    total, found = channels.listing(connection, tables.channel.c.id > 0, subchannels=False)
    assert total == len(found) == 6
    assert all(channel.parent is None for channel in found)


def test_locking_a_channel_that_is_gone_says_so(connection: Connection) -> None:
    with pytest.raises(NotFound, match="deleted in the meantime"):
        channels.lock(connection, [999], NOW)
