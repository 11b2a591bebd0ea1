"""Sharing: by whom, with whom, named how, and what it opens."""

from collections.abc import Callable

import pytest

from packhouse.actions.authenticate import Credential, authenticate
from packhouse.actions.channels import create_channel
from packhouse.actions.login import log_in
from packhouse.actions.packhouse import Packhouse
from packhouse.actions.sharing import share, unshare
from packhouse.domain.access import ANONYMOUS, Actor, Level, level_on
from packhouse.domain.channels import Channel, Privacy
from packhouse.domain.events import Event, EventType
from packhouse.errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated
from packhouse.storage import events, users
from tests.actions.conftest import AddUser


@pytest.fixture
def lab(packhouse: Packhouse, ann: Actor) -> Channel:
    """Ann's own, and private."""
    return create_channel(packhouse, ann, "lab", Privacy.PRIVATE)


@pytest.fixture
def bob(add_user: AddUser) -> Actor:
    return add_user("bob", email="Bob@example.org")


def level_of(packhouse: Packhouse, username: str, channel: Channel) -> Level:
    session = log_in(packhouse, username, f"{username}-password")
    return level_on(authenticate(packhouse, Credential(session.token)), channel)


def history(packhouse: Packhouse, channel: Channel) -> tuple[int, list[Event]]:
    with packhouse.database.reading() as connection:
        return events.of_channel(connection, channel.id)


def uuid_of(packhouse: Packhouse, username: str) -> str:
    with packhouse.database.reading() as connection:
        user = users.by_username(connection, username)
    assert user is not None
    return user.uuid


names_of_bob = pytest.mark.parametrize(
    "named",
    [lambda _: "bob", lambda _: "bob@EXAMPLE.org", lambda house: uuid_of(house, "bob")],
    ids=["user name", "e-mail", "uuid"],
)


@names_of_bob
@pytest.mark.usefixtures("bob")
def test_shared_channel_opens_to_the_user_however_named(
    packhouse: Packhouse, ann: Actor, lab: Channel, named: Callable[[Packhouse], str]
) -> None:
    share(packhouse, ann, "lab", named(packhouse), Level.WRITE)

    assert level_of(packhouse, "bob", lab) is Level.WRITE


@pytest.mark.usefixtures("bob")
def test_sharing_again_replaces_the_level(packhouse: Packhouse, ann: Actor, lab: Channel) -> None:
    share(packhouse, ann, "lab", "bob", Level.MANAGE)
    share(packhouse, ann, "lab", "bob", Level.READ)

    assert level_of(packhouse, "bob", lab) is Level.READ


@pytest.mark.usefixtures("bob")
def test_unshared_channel_is_closed_again(packhouse: Packhouse, ann: Actor, lab: Channel) -> None:
    share(packhouse, ann, "lab", "bob", Level.MANAGE)
    unshare(packhouse, ann, "lab", "bob")

    assert level_of(packhouse, "bob", lab) is Level.NONE


@pytest.mark.usefixtures("bob")
def test_sharing_and_unsharing_are_in_the_channels_history(
    packhouse: Packhouse, ann: Actor, lab: Channel
) -> None:
    share(packhouse, ann, "lab", "bob", Level.READ)
    unshare(packhouse, ann, "lab", "bob")

    total, (newest, before, *_) = history(packhouse, lab)
    assert total == 3
    assert (newest.type, newest.actor_name, newest.data) == ("channel.unshared", "ann", {"username": "bob"})
    assert before.data == {"username": "bob", "level": "read"}


@pytest.mark.usefixtures("lab")
def test_stranger_learns_nothing_by_sharing(packhouse: Packhouse, bob: Actor) -> None:
    with pytest.raises(NotFound, match="'lab' was not found"):
        share(packhouse, bob, "lab", "bob", Level.MANAGE)


@pytest.mark.usefixtures("bob", "lab")
def test_collaborator_who_may_write_may_not_share(
    packhouse: Packhouse, ann: Actor, add_user: AddUser
) -> None:
    share(packhouse, ann, "lab", "bob", Level.WRITE)
    add_user("cy")
    session = log_in(packhouse, "bob", "bob-password")
    bob_now = authenticate(packhouse, Credential(session.token))

    with pytest.raises(Forbidden, match=r"channel\.group:edit"):
        share(packhouse, bob_now, "lab", "cy", Level.READ)


@pytest.mark.usefixtures("bob", "lab")
def test_nobody_is_asked_to_log_in(packhouse: Packhouse) -> None:
    with pytest.raises(Unauthenticated):
        share(packhouse, ANONYMOUS, "lab", "bob", Level.READ)


@pytest.mark.usefixtures("lab")
@pytest.mark.parametrize("named", ["bob", "", "a\0b", "%"])
def test_unknown_user_is_not_found(packhouse: Packhouse, ann: Actor, named: str) -> None:
    with pytest.raises(NotFound, match="No user has"):
        share(packhouse, ann, "lab", named, Level.READ)


@pytest.mark.usefixtures("lab")
def test_owner_needs_no_grant(packhouse: Packhouse, ann: Actor) -> None:
    with pytest.raises(Conflict, match="'ann' owns channel 'lab'"):
        share(packhouse, ann, "lab", "ann", Level.READ)


@pytest.mark.usefixtures("bob", "lab")
def test_sharing_for_nothing_is_refused(packhouse: Packhouse, ann: Actor) -> None:
    with pytest.raises(Invalid, match="unshare"):
        share(packhouse, ann, "lab", "bob", Level.NONE)


@pytest.mark.usefixtures("bob", "lab")
def test_unsharing_what_was_never_shared_is_not_found(packhouse: Packhouse, ann: Actor) -> None:
    with pytest.raises(NotFound, match="not shared with 'bob'"):
        unshare(packhouse, ann, "lab", "bob")


def test_history_is_read_in_pages_newest_first(packhouse: Packhouse, ann: Actor, lab: Channel) -> None:
    with packhouse.database.transaction() as connection:
        for number in range(5):
            events.record(connection, packhouse.clock(), EventType.CHANNEL_UPDATED, ann, lab, {"n": number})

    with packhouse.database.reading() as connection:
        total, page = events.of_channel(connection, lab.id, offset=1, limit=2)
    assert (total, [event.data["n"] for event in page]) == (6, [3, 2])
