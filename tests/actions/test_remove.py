"""Removing files: gone from everything that is made from the entries, and nothing else."""

import pytest

from packhouse.actions.channels import update_channel
from packhouse.domain.access import ANONYMOUS, Role
from packhouse.domain.channels import Indexing, Privacy
from packhouse.errors import Forbidden, Frozen, NotFound, Unauthenticated
from tests.actions.ledger import (
    assert_in_order,
    at_once,
    blobs,
    count,
    counts,
    files,
    history,
    package_sums,
    revision,
    rows,
    shard_names,
)
from tests.house import House


@pytest.fixture
def stocked(any_house: House) -> House:
    """`data` holds demo 1.0 and 2.0, and other 1.0."""
    any_house.channel("data")
    for name, version in (("demo", "1.0"), ("demo", "2.0"), ("other", "1.0")):
        any_house.publish("data", name, version=version)
    any_house.reindex_all()
    return any_house


def test_removed_build_is_gone_and_the_rest_stays(stocked: House) -> None:
    removed = stocked.remove("data", "noarch/demo-2.0-0.conda")

    assert [entry.artifact.version for entry in removed] == ["2.0"]
    assert stocked.sharded("data").keys() == {"demo-1.0-0.conda", "other-1.0-0.conda"}
    assert package_sums(stocked, "data")["demo"] == (1, ["1.0"], ["noarch"], "noarch/demo-1.0-0.conda")
    assert counts(stocked, "data").artifacts == 2
    assert_in_order(stocked)


def test_removed_package_takes_all_its_files_along(stocked: House) -> None:
    stocked.publish("data", "demo", version="2.0", subdir="linux-64")

    assert len(stocked.remove("data", "demo")) == 3

    assert package_sums(stocked, "data").keys() == {"other"}
    assert shard_names(stocked, "data") == {"other"}
    assert shard_names(stocked, "data", "linux-64") == set()
    assert_in_order(stocked)


def test_subdir_without_files_keeps_an_empty_index(stocked: House) -> None:
    stocked.remove("data", "demo", "other")
    stocked.reindex_all()

    assert stocked.sharded("data") == {}
    repodata = stocked.repodata("data")
    assert (repodata["packages"], repodata["packages.conda"]) == ({}, {})
    assert repodata["info"]["subdir"] == "noarch"
    assert revision(stocked, "data").artifact_count == 0
    assert_in_order(stocked)


def test_file_named_twice_is_removed_once(stocked: House) -> None:
    removed = stocked.remove("data", "demo", "noarch/demo-1.0-0.conda", "demo")

    assert len(removed) == 2
    assert_in_order(stocked)


def test_history_tells_what_was_removed(stocked: House) -> None:
    stocked.remove("data", "demo")

    event = history(stocked, "data")[0]
    assert event.type.value == "artifacts.deleted"
    assert event.data == {
        "ckey": "noarch/demo-1.0-0.conda, noarch/demo-2.0-0.conda",
        "artifact_family": "conda",
        "count": 2,
    }


def test_bytes_are_released_with_the_last_channel_that_has_the_file(stocked: House) -> None:
    stocked.channel("other")
    [copied] = stocked.copy("data", "other", "noarch/demo-1.0-0.conda")
    sha256 = copied.artifact.digests.sha256

    stocked.remove("data", "demo")
    assert blobs(stocked)[sha256] is True
    stocked.remove("other", "demo")
    assert blobs(stocked)[sha256] is False
    assert sha256 in {found for found, _, _ in stocked.packhouse.blobs.walk()}  # until a sweep comes by


def test_removed_file_can_be_published_again_with_other_bytes(stocked: House) -> None:
    stocked.remove("data", "noarch/demo-1.0-0.conda")
    entry = stocked.publish("data", "demo", version="1.0", files={"share/new.txt": b"new"})

    assert files(stocked, "data")["noarch/demo-1.0-0.conda"] == entry.artifact.digests.sha256
    assert_in_order(stocked)


@pytest.mark.parametrize(
    "missing", ["nothing", "noarch/demo-3.0-0.conda", "linux-64/demo-1.0-0.conda"], ids=str
)
def test_one_selection_without_files_leaves_all_in_place(stocked: House, missing: str) -> None:
    before = rows(stocked)

    with pytest.raises(NotFound, match=f"'{missing}'"):
        stocked.remove("data", "demo", missing)

    assert rows(stocked) == before


def test_frozen_channel_refuses(stocked: House) -> None:
    update_channel(stocked.packhouse, stocked.admin, "data", {"indexing": Indexing.FROZEN})
    before = rows(stocked)

    with pytest.raises(Frozen, match="data is frozen"):
        stocked.remove("data", "demo")

    assert rows(stocked) == before


@pytest.mark.parametrize(
    ("privacy", "error"),
    [(Privacy.PUBLIC, Forbidden), (Privacy.PRIVATE, NotFound)],
    ids=["public", "private"],
)
def test_stranger_is_refused(house: House, privacy: Privacy, error: type[Exception]) -> None:
    house.channel("data", privacy=privacy)
    house.publish("data", "demo")
    before = rows(house)
    strangers = [house.user("bob", Role.AUTHOR), house.user("eve", Role.VIEWER)]
    people = rows(house)

    for stranger in strangers:
        with pytest.raises(error):
            house.remove("data", "demo", actor=stranger)
    with pytest.raises(Unauthenticated):
        house.remove("data", "demo", actor=ANONYMOUS)

    assert rows(house) == people
    assert before["entry"] == people["entry"]


def test_two_who_remove_the_same_file_at_once_are_one_who_did_and_one_who_did_not_find_it(
    stocked: House,
) -> None:
    answers = at_once([lambda: stocked.remove("data", "demo")] * 2)

    assert sorted(isinstance(answer, NotFound) for answer in answers) == [False, True]
    assert count(stocked, "entry") == 1
    assert_in_order(stocked)


def test_publishing_and_removing_one_name_at_once_ends_with_all_in_order(stocked: House) -> None:
    builds = [stocked.build("demo", version=f"3.{number}") for number in range(4)]

    answers = at_once(
        [
            *(lambda build=build: stocked.publish("data", build) for build in builds),
            lambda: stocked.remove("data", "noarch/demo-1.0-0.conda"),
            lambda: stocked.remove("data", "noarch/demo-2.0-0.conda"),
        ]
    )

    assert not [answer for answer in answers if isinstance(answer, Exception)]
    assert package_sums(stocked, "data")["demo"][1] == ["3.3", "3.2", "3.1", "3.0"]
    assert_in_order(stocked)
