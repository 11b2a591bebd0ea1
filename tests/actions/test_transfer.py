"""Copying and moving between channels: rows, all or none, never bytes."""

from collections.abc import Callable

import pytest

from packhouse.actions.channels import update_channel
from packhouse.actions.sharing import share
from packhouse.domain.access import ANONYMOUS, Actor, Level
from packhouse.domain.artifacts import Entry
from packhouse.domain.channels import Indexing, Privacy
from packhouse.errors import Conflict, Forbidden, Frozen, Invalid, NotFound, Unauthenticated
from packhouse.storage import grants
from tests.actions.ledger import (
    assert_in_order,
    at_once,
    blobs,
    count,
    event_types,
    files,
    history,
    kept,
    rows,
    shard_names,
)
from tests.house import House

DEMO, OTHER = "noarch/demo-1.0-0.conda", "noarch/other-1.0-0.conda"
Transfer = Callable[..., list[Entry]]


@pytest.fixture
def stocked(any_house: House) -> House:
    """`source` holds demo and other; `target` is empty."""
    any_house.channel("source")
    any_house.channel("target")
    any_house.publish("source", "demo")
    any_house.publish("source", "other")
    return any_house


@pytest.fixture(params=["copy", "move"])
def transfer(request: pytest.FixtureRequest, stocked: House) -> Transfer:
    """Either of the two."""
    action: Transfer = getattr(stocked, request.param)
    return action


def freeze(house: House, channel: str) -> None:
    update_channel(house.packhouse, house.admin, channel, {"indexing": Indexing.FROZEN})


def test_copied_files_are_in_both_channels_and_stored_once(stocked: House) -> None:
    artifacts, stored = count(stocked, "artifact"), kept(stocked)

    stocked.copy("source", "target", "demo")

    assert files(stocked, "source").keys() == {DEMO, OTHER}
    assert files(stocked, "target") == {DEMO: files(stocked, "source")[DEMO]}
    assert (count(stocked, "artifact"), kept(stocked)) == (artifacts, stored)
    assert_in_order(stocked)


def test_moved_files_are_in_the_target_alone(stocked: House) -> None:
    digests = files(stocked, "source")

    stocked.move("source", "target", "demo", "other")

    assert files(stocked, "source") == {}
    assert files(stocked, "target") == digests
    assert shard_names(stocked, "source") == set()
    assert set(blobs(stocked).values()) == {True}
    assert_in_order(stocked)


def test_transferred_file_is_first_seen_now_in_its_new_channel(stocked: House) -> None:
    stocked.move("source", "target", "demo")
    stocked.reindex_all()

    [record] = stocked.repodata("target")["packages.conda"].values()
    [sharded] = stocked.sharded("target").values()
    assert record["indexed_timestamp"] == sharded["indexed_timestamp"] > 0


def test_both_histories_tell_of_the_transfer(transfer: Transfer, stocked: House) -> None:
    transfer("source", "target", "demo")

    for channel in ("source", "target"):
        event = history(stocked, channel)[0]
        assert event.type.value in {"artifacts.copied", "artifacts.moved"}
        assert event.data == {
            "ckey": DEMO,
            "artifact_family": "conda",
            "count": 1,
            "source": "source",
            "target": "target",
        }


def test_one_conflicting_file_stops_the_whole_transfer(transfer: Transfer, stocked: House) -> None:
    there = stocked.publish("target", "other", files={"share/mine.txt": b"mine"})
    before = rows(stocked)

    with pytest.raises(Conflict) as refusal:
        transfer("source", "target", "demo", "other")

    assert OTHER in refusal.value.message
    assert there.artifact.digests.sha256 in refusal.value.message
    assert files(stocked, "source")[OTHER] in refusal.value.message
    assert rows(stocked) == before


def test_one_missing_file_stops_the_whole_transfer(transfer: Transfer, stocked: House) -> None:
    before = rows(stocked)

    with pytest.raises(NotFound, match="'nothing'"):
        transfer("source", "target", "demo", "nothing")

    assert rows(stocked) == before


def test_copying_what_is_there_already_changes_no_file(stocked: House) -> None:
    stocked.copy("source", "target", "demo")
    before = rows(stocked, without=["event", "channel"])

    assert [entry.artifact.ckey for entry in stocked.copy("source", "target", "demo")] == [DEMO]

    assert rows(stocked, without=["event", "channel"]) == before


def test_moving_what_is_there_already_takes_it_out_of_the_source(stocked: House) -> None:
    stocked.copy("source", "target", "demo")

    stocked.move("source", "target", "demo")

    assert files(stocked, "source").keys() == {OTHER}
    assert files(stocked, "target").keys() == {DEMO}
    assert_in_order(stocked)


@pytest.mark.parametrize(
    ("source", "target"), [("source/stage", "source"), ("source", "source/stage")], ids=["up", "down"]
)
def test_files_move_between_a_channel_and_its_subchannel(stocked: House, source: str, target: str) -> None:
    stocked.channel("source/stage")
    stocked.publish(source, "third")

    stocked.move(source, target, "third")

    assert "noarch/third-1.0-0.conda" in files(stocked, target)
    assert "noarch/third-1.0-0.conda" not in files(stocked, source)
    assert_in_order(stocked)


def test_channel_cannot_be_its_own_target(transfer: Transfer, stocked: House) -> None:
    before = rows(stocked)

    with pytest.raises(Invalid, match="both source and target"):
        transfer("source", "source", "demo")

    assert rows(stocked) == before


@pytest.mark.parametrize("missing", ["source", "target"])
def test_missing_channel_is_named(transfer: Transfer, stocked: House, missing: str) -> None:
    paths = {"source": "source", "target": "target"} | {missing: "nowhere"}

    with pytest.raises(NotFound, match="Channel 'nowhere' was not found"):
        transfer(paths["source"], paths["target"], "demo")


def test_frozen_target_refuses(transfer: Transfer, stocked: House) -> None:
    freeze(stocked, "target")
    before = rows(stocked)

    with pytest.raises(Frozen, match="target is frozen"):
        transfer("source", "target", "demo")

    assert rows(stocked) == before


def test_frozen_source_refuses_a_move(stocked: House) -> None:
    freeze(stocked, "source")
    before = rows(stocked)

    with pytest.raises(Frozen, match="source is frozen"):
        stocked.move("source", "target", "demo")

    assert rows(stocked) == before


def test_frozen_source_can_be_copied_from(stocked: House) -> None:
    freeze(stocked, "source")
    stocked.copy("source", "target", "demo")
    assert files(stocked, "target").keys() == {DEMO}


def with_grant(house: House, actor: Actor, channel: str, level: Level) -> Actor:
    share(house.packhouse, house.admin, channel, actor.name, level)
    with house.packhouse.database.reading() as connection:
        assert actor.user_id is not None
        return Actor(actor.user_id, actor.name, actor.role, grants.of_user(connection, actor.user_id))


def test_author_copies_from_a_readable_channel_into_a_writable_one_but_may_not_move(house: House) -> None:
    bob = house.user("bob")
    house.channel("source")
    house.channel("target")
    house.publish("source", "demo")
    bob = with_grant(house, bob, "target", Level.WRITE)

    house.copy("source", "target", "demo", actor=bob)
    assert files(house, "target").keys() == {DEMO}
    with pytest.raises(Forbidden, match="artifact:delete"):
        house.move("source", "target", "demo", actor=bob)
    with pytest.raises(Forbidden, match="artifact:create"):
        house.copy("target", "source", "demo", actor=bob)
    with pytest.raises(Unauthenticated):
        house.copy("source", "target", "demo", actor=ANONYMOUS)


def test_private_source_is_not_there_for_a_stranger(house: House) -> None:
    bob = house.user("bob")
    house.channel("source", privacy=Privacy.PRIVATE)
    house.channel("target", owner=bob)
    house.publish("source", "demo")

    with pytest.raises(NotFound, match="Channel 'source' was not found"):
        house.copy("source", "target", "demo", actor=bob)
    assert files(house, "target") == {}


def test_opposite_moves_at_once_do_not_deadlock(stocked: House) -> None:
    stocked.move("source", "target", "other")

    answers = at_once(
        [
            lambda: stocked.move("source", "target", "demo"),
            lambda: stocked.move("target", "source", "other"),
        ]
        * 3
    )

    done = [answer for answer in answers if not isinstance(answer, Exception)]
    assert len(done) == 2
    assert {type(answer) for answer in answers if isinstance(answer, Exception)} == {NotFound}
    assert files(stocked, "source").keys() == {OTHER}
    assert files(stocked, "target").keys() == {DEMO}
    assert_in_order(stocked)


def test_two_copies_of_one_file_at_once_are_one_entry(stocked: House) -> None:
    answers = at_once([lambda: stocked.copy("source", "target", "demo")] * 4)

    assert not [answer for answer in answers if isinstance(answer, Exception)]
    assert files(stocked, "target").keys() == {DEMO}
    assert event_types(stocked, "target").count("artifacts.copied") == 4
    assert_in_order(stocked)
