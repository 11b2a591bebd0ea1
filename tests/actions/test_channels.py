"""Channels: made once, changed, counted truly, deleted with all that is in them."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest

from packhouse.actions.channels import (
    MAX_DESCRIPTION_LENGTH,
    create_channel,
    delete_channel,
    ensure_namespace_channel,
    update_channel,
)
from packhouse.actions.downloads import Downloads
from packhouse.actions.sharing import share, unshare
from packhouse.actions.sweep import sweep
from packhouse.domain.access import ANONYMOUS, Level, Role
from packhouse.domain.channels import Channel, ChannelCounts, Indexing, Privacy
from packhouse.errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated
from packhouse.storage import channels, tables
from tests.actions.ledger import (
    assert_in_order,
    at_once,
    blobs,
    count,
    counts,
    event_types,
    files,
    history,
    kept,
    rows,
)
from tests.house import House


def get(house: House, path: str) -> Channel:
    with house.packhouse.database.reading() as connection:
        return channels.get(connection, path)


def delete(house: House, path: str) -> None:
    delete_channel(house.packhouse, house.admin, path)


def sweep_later(house: House, **after: float) -> None:
    now = house.packhouse.clock() + timedelta(**after)
    sweep(replace(house.packhouse, clock=lambda: now))


# --- creating


def test_new_channel_has_indexes_of_nothing(any_house: House) -> None:
    any_house.channel("data")
    any_house.reindex_all()

    assert any_house.sharded("data") == {}
    assert any_house.repodata("data")["packages.conda"] == {}
    assert event_types(any_house, "data") == ["channel.created"]
    assert_in_order(any_house)


@pytest.mark.parametrize("path", ["data", "parent/data"])
def test_two_who_create_one_channel_at_once_are_one_owner_and_one_conflict(
    any_house: House, path: str
) -> None:
    any_house.channel("parent")

    answers = at_once([lambda: any_house.channel(path)] * 2)

    assert sorted(type(answer).__name__ for answer in answers) == ["Channel", "Conflict"]
    assert event_types(any_house, path) == ["channel.created"]


def test_taken_name_is_refused(any_house: House) -> None:
    any_house.channel("data")
    before = rows(any_house)

    with pytest.raises(Conflict, match="Channel 'data' already exists"):
        any_house.channel("data")

    assert rows(any_house) == before


@pytest.mark.parametrize("path", ["Data", "a/b/c", "channels", "data/linux-64", "x" * 61, "", "data/"])
def test_name_that_no_channel_may_have_is_refused(house: House, path: str) -> None:
    house.channel("data")
    before = rows(house)

    with pytest.raises(Invalid):
        house.channel(path)

    assert rows(house) == before


@pytest.mark.parametrize("privacy", Privacy)
def test_subchannel_is_as_private_as_its_channel_unless_it_says_otherwise(
    house: House, privacy: Privacy
) -> None:
    admin = house.admin
    create_channel(house.packhouse, admin, "data", privacy)

    assert create_channel(house.packhouse, admin, "data/stage").privacy is privacy
    assert create_channel(house.packhouse, admin, "data/open", Privacy.PUBLIC).privacy is Privacy.PUBLIC


def test_subchannel_belongs_to_the_owner_of_its_channel(house: House) -> None:
    ann = house.user("ann")
    house.channel("data", owner=ann)

    made = create_channel(house.packhouse, house.admin, "data/stage")

    assert (made.owner_name, made.parent, made.name) == ("ann", "data", "stage")


def test_who_may_not_create_is_refused(house: House) -> None:
    bob, eve = house.user("bob"), house.user("eve", Role.VIEWER)
    house.channel("data")
    house.channel("secret", privacy=Privacy.PRIVATE)
    before = rows(house)

    with pytest.raises(Forbidden, match="'eve' is not allowed to create channels"):
        house.channel("mine", owner=eve)
    with pytest.raises(Unauthenticated):
        house.channel("mine", owner=ANONYMOUS)
    with pytest.raises(Forbidden, match="subchannel:create"):
        house.channel("data/mine", owner=bob)
    with pytest.raises(NotFound, match="Channel 'secret' was not found"):
        house.channel("secret/mine", owner=bob)
    with pytest.raises(NotFound, match="Channel 'nowhere' was not found"):
        house.channel("nowhere/mine", owner=bob)

    assert rows(house) == before


def test_subchannel_of_a_channel_that_is_being_deleted_is_made_or_not_found(any_house: House) -> None:
    for _ in range(3):
        any_house.channel("data")
        made, deleted = at_once([lambda: any_house.channel("data/stage"), lambda: delete(any_house, "data")])
        assert deleted is None
        assert isinstance(made, Channel | NotFound), made
        assert count(any_house, "channel") == 0


def test_namespace_is_made_along_with_its_channel(any_house: House) -> None:
    def ensure() -> bool:
        return ensure_namespace_channel(any_house.packhouse, any_house.admin, "lab", "stage", Privacy.PRIVATE)

    assert (ensure(), ensure()) == (True, False)
    assert get(any_house, "lab/stage").privacy is get(any_house, "lab").privacy is Privacy.PRIVATE


# --- changing


def test_change_is_kept_and_told_of(any_house: House) -> None:
    any_house.channel("data")
    changes = {"privacy": Privacy.PRIVATE, "indexing": Indexing.FROZEN, "description": "Grüße 🎁"}

    channel, changed = update_channel(any_house.packhouse, any_house.admin, "data", changes)

    assert changed
    assert channel == get(any_house, "data")
    assert {name: getattr(channel, name) for name in changes} == changes
    assert history(any_house, "data")[0].data == {
        "privacy": "private",
        "indexing": "frozen",
        "description": "Grüße 🎁",
    }


def test_change_to_what_is_already_so_is_no_change(any_house: House) -> None:
    any_house.channel("data")
    before = rows(any_house)

    _, changed = update_channel(
        any_house.packhouse, any_house.admin, "data", {"privacy": Privacy.PUBLIC, "description": ""}
    )

    assert not changed
    assert rows(any_house) == before


def test_too_long_description_is_refused(house: House) -> None:
    with pytest.raises(Invalid, match="longer than"):
        create_channel(house.packhouse, house.admin, "data", description="x" * (MAX_DESCRIPTION_LENGTH + 1))
    house.channel("data")
    with pytest.raises(Invalid, match="longer than"):
        update_channel(
            house.packhouse, house.admin, "data", {"description": "x" * (MAX_DESCRIPTION_LENGTH + 1)}
        )


def test_stranger_can_neither_change_nor_delete(house: House) -> None:
    bob = house.user("bob")
    house.channel("data")
    house.channel("secret", privacy=Privacy.PRIVATE)
    before = rows(house)

    for path, error in (("data", Forbidden), ("secret", NotFound), ("nowhere", NotFound)):
        with pytest.raises(error):
            update_channel(house.packhouse, bob, path, {"description": "mine"})
        with pytest.raises(error):
            delete_channel(house.packhouse, bob, path)

    assert rows(house) == before


# --- counting


def share_with_bob(house: House) -> None:
    share(house.packhouse, house.admin, "data", "bob", Level.READ)


def unshare_with_bob(house: House) -> None:
    unshare(house.packhouse, house.admin, "data", "bob")


def download(house: House) -> None:
    downloads = Downloads(house.packhouse)
    with house.packhouse.database.reading() as connection:
        [first, *_] = connection.execute(tables.entry.select()).all()
    downloads.count(first.id)
    downloads.count(first.id)
    downloads.flush()


STEPS: list[tuple[Callable[[House], object], ChannelCounts]] = [
    (lambda house: house.publish("data", "demo"), ChannelCounts(artifacts=1)),
    (lambda house: house.publish("data", "demo"), ChannelCounts(artifacts=1)),
    (lambda house: house.publish("data", "demo", subdir="linux-64"), ChannelCounts(artifacts=2)),
    (download, ChannelCounts(artifacts=2, downloads=2)),
    (lambda house: house.channel("data/stage"), ChannelCounts(2, 2, 1)),
    (lambda house: house.copy("data", "data/stage", "demo"), ChannelCounts(2, 2, 1)),
    (lambda house: house.remove("data", "linux-64/demo-1.0-0.conda"), ChannelCounts(1, 2, 1)),
    (lambda house: house.move("data/stage", "data", "demo"), ChannelCounts(2, 2, 1)),
    (share_with_bob, ChannelCounts(2, 2, 1, 1)),
    (share_with_bob, ChannelCounts(2, 2, 1, 1)),
    (lambda house: delete(house, "data/stage"), ChannelCounts(2, 2, 0, 1)),
    (unshare_with_bob, ChannelCounts(2, 2, 0, 0)),
    (lambda house: house.remove("data", "demo"), ChannelCounts(0, 2, 0, 0)),
]


def test_counts_are_true_after_every_kind_of_change(any_house: House) -> None:
    any_house.user("bob")
    any_house.channel("data")
    assert counts(any_house, "data") == ChannelCounts()
    for number, (step, expected) in enumerate(STEPS):
        step(any_house)
        assert counts(any_house, "data") == expected, f"after step {number}"
    assert_in_order(any_house)


# --- deleting


TRAIL = ["event", "file_change"]
"""What is remembered of channels that are no more."""


def test_deleted_channel_takes_everything_in_it_along(any_house: House) -> None:
    before = rows(any_house, without=TRAIL)
    any_house.user("bob")
    people = rows(any_house)["user"]
    any_house.channel("data")
    any_house.channel("data/stage")
    share_with_bob(any_house)
    for path in ("data", "data/stage"):
        any_house.publish(path, "demo")
        any_house.publish(path, f"{path[-4:]}-only", subdir="linux-64")
    any_house.reindex_all()

    delete(any_house, "data")

    after = rows(any_house, without=[*TRAIL, "blob"])
    assert after == {name: found for name, found in before.items() if name != "blob"} | {"user": people}
    assert set(blobs(any_house).values()) == {False}
    with pytest.raises(NotFound):
        get(any_house, "data/stage")


def test_history_of_a_deleted_channel_outlives_it(any_house: House) -> None:
    any_house.channel("data")
    delete(any_house, "data")

    with any_house.packhouse.database.reading() as connection:
        found = connection.execute(tables.event.select().where(tables.event.c.channel_path == "data")).all()
    assert [event.type for event in found] == ["channel.created", "channel.deleted"]


def test_bytes_stay_while_another_channel_has_the_file_and_go_with_the_last(any_house: House) -> None:
    for path in ("data", "data/stage", "other"):
        any_house.channel(path)
    shared = any_house.publish("data/stage", "shared")
    any_house.publish("data", "alone")
    any_house.copy("data/stage", "other", "shared")

    delete(any_house, "data")
    sweep_later(any_house, hours=2)

    sha256 = shared.artifact.digests.sha256
    assert blobs(any_house) == {sha256: True}
    assert kept(any_house) == {sha256}
    assert_in_order(any_house)

    delete(any_house, "other")
    sweep_later(any_house, hours=2)
    assert (blobs(any_house), kept(any_house)) == ({}, set())


def test_bytes_of_a_deleted_channel_stay_for_the_grace_period(any_house: House) -> None:
    any_house.channel("data")
    any_house.publish("data", "demo")
    any_house.reindex_all()
    stored = kept(any_house)

    delete(any_house, "data")
    sweep_later(any_house, minutes=any_house.packhouse.settings.orphan_minutes - 1)

    assert kept(any_house) == stored


def test_deleted_default_channel_leaves_its_user_without_one(any_house: House) -> None:
    channel = any_house.channel("data")
    with any_house.packhouse.database.transaction() as connection:
        connection.execute(tables.user.update().values(default_channel_id=channel.id))

    delete(any_house, "data")

    with any_house.packhouse.database.reading() as connection:
        assert channels.default_of(connection, any_house.admin.user_id) is None


def test_name_of_a_deleted_channel_is_free_and_the_new_one_is_empty(any_house: House) -> None:
    old = any_house.channel("data")
    any_house.publish("data", "demo")
    delete(any_house, "data")

    new = any_house.channel("data")

    assert (new.id, new.uuid) != (old.id, old.uuid)
    assert new.id > old.id
    assert files(any_house, "data") == {}
    assert counts(any_house, "data") == ChannelCounts()
    assert event_types(any_house, "data") == ["channel.created"]
    assert_in_order(any_house)


def test_deleting_while_others_publish_and_move_ends_without_leftovers(any_house: House) -> None:
    for path in ("data", "data/stage", "other"):
        any_house.channel(path)
    any_house.publish("data", "first")
    builds = [any_house.build(f"late{number}") for number in range(2)]

    answers = at_once(
        [
            lambda: delete(any_house, "data"),
            lambda: any_house.move("data", "data/stage", "first"),
            *(
                lambda path=path, build=build: any_house.publish(path, build)
                for path, build in product(("data", "data/stage"), builds)
            ),
        ]
    )

    assert answers[0] is None
    assert {type(answer) for answer in answers if isinstance(answer, Exception)} <= {NotFound}
    assert [channel[2] for channel in rows(any_house)["channel"]] == ["other"]
    assert (count(any_house, "entry"), count(any_house, "artifact")) == (0, 0)
    assert_in_order(any_house)
