"""Reindexing: documents follow the entries, whoever else is at work, and never go back."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from packhouse.actions.channels import delete_channel, update_channel
from packhouse.actions.packhouse import Packhouse
from packhouse.actions.reindex import reindex
from packhouse.domain.channels import Indexing
from packhouse.storage import channels, revisions, tables
from tests.actions.ledger import (
    Interrupted,
    assert_in_order,
    at_once,
    blobs,
    count,
    once,
    revision,
    rows,
    spooled,
)
from tests.house import House

OF_THE_SUBDIR = {"repodata.json", "repodata.json.zst", "run_exports.json", "run_exports.json.zst"}
OF_THE_ROOT = {
    "channeldata.json",
    "channeldata.json.zst",
    "current_repodata.json",
    "current_repodata.json.zst",
}


def run(house: House, channel: str = "data", subdir: str = "noarch", by: Packhouse | None = None) -> bool:
    with house.packhouse.database.reading() as connection:
        channel_id = channels.get(connection, channel).id
    return reindex(by or house.packhouse, channel_id, subdir)


def meanwhile(house: House, happens: Callable[[], object]) -> Packhouse:
    """A packhouse in whose reindex something else happens, once, after the first document is kept."""
    return replace(house.packhouse, blobs=Interrupted(house.packhouse.blobs, once(happens)))


def listed(house: House, subdir: str = "noarch") -> set[str]:
    return set(house.repodata("data", subdir)["packages.conda"])


def stale(house: House) -> set[tuple[str, str]]:
    with house.packhouse.database.reading() as connection:
        return {(one.channel_path, one.subdir) for one in revisions.stale(connection)}


def document_rows(house: House) -> list[Any]:
    return rows(house)["document"]


@pytest.fixture
def stocked(any_house: House) -> House:
    any_house.channel("data")
    any_house.publish("data", "demo", run_exports={"weak": ["demo >=1"]})
    return any_house


def made(house: House) -> set[str]:
    with house.packhouse.database.reading() as connection:
        return set(connection.execute(select(tables.document.c.name)).scalars())


def test_every_document_is_made(stocked: House) -> None:
    assert run(stocked) is True
    assert made(stocked) == OF_THE_SUBDIR
    assert run(stocked, subdir=revisions.ROOT) is True
    assert made(stocked) == OF_THE_SUBDIR | OF_THE_ROOT

    run_exports = json.loads(stocked.document("data", "noarch", "run_exports.json"))
    assert run_exports["packages.conda"]["demo-1.0-0.conda"] == {"run_exports": {"weak": ["demo >=1"]}}
    assert_in_order(stocked)


def test_second_run_finds_nothing_to_do(stocked: House) -> None:
    stocked.reindex_all()
    before = rows(stocked)

    assert run(stocked) is False

    assert rows(stocked) == before


def test_subdir_or_channel_that_is_not_there_is_nothing_to_do(stocked: House) -> None:
    assert run(stocked, subdir="linux-64") is False
    assert reindex(stocked.packhouse, 999, "noarch") is False


def test_change_makes_its_subdir_and_the_root_stale_and_no_other(stocked: House) -> None:
    stocked.channel("other")
    stocked.publish("data", "demo", subdir="linux-64")
    stocked.reindex_all()

    stocked.publish("data", "more")

    assert stale(stocked) == {("data", "noarch"), ("data", "")}


def test_frozen_channel_is_still_brought_up_to_date(stocked: House) -> None:
    update_channel(stocked.packhouse, stocked.admin, "data", {"indexing": Indexing.FROZEN})
    stocked.reindex_all()
    assert listed(stocked) == {"demo-1.0-0.conda"}


def test_change_during_a_reindex_leaves_it_stale_and_the_next_run_mends_it(stocked: House) -> None:
    slow = meanwhile(stocked, lambda: stocked.publish("data", "late"))

    run(stocked, by=slow)

    now = revision(stocked, "data")
    assert now.is_stale
    assert now.indexed == now.content - 1
    assert listed(stocked) == {"demo-1.0-0.conda"}  # one snapshot, whatever came later

    assert run(stocked) is True
    assert listed(stocked) == {"demo-1.0-0.conda", "late-1.0-0.conda"}
    assert_in_order(stocked)


def test_reindex_of_an_old_revision_that_ends_last_changes_nothing(stocked: House) -> None:
    def overtake() -> None:
        stocked.publish("data", "late")
        assert run(stocked) is True
        overtaken.extend(document_rows(stocked))

    overtaken: list[Any] = []

    assert run(stocked, by=meanwhile(stocked, overtake)) is False

    assert document_rows(stocked) == overtaken
    assert not revision(stocked, "data").is_stale
    assert_in_order(stocked)


def test_channel_deleted_during_a_reindex_keeps_no_documents(stocked: House) -> None:
    slow = meanwhile(stocked, lambda: delete_channel(stocked.packhouse, stocked.admin, "data"))

    assert run(stocked, by=slow) is False

    assert (count(stocked, "document"), count(stocked, "revision")) == (0, 0)
    assert set(blobs(stocked).values()) == {False}
    assert spooled(stocked) == []


def test_replaced_documents_are_released(stocked: House) -> None:
    stocked.reindex_all()
    [before] = [row for row in rows(stocked)["document"] if row[1:3] == ("noarch", "repodata.json")]

    stocked.publish("data", "more")
    stocked.reindex_all()

    assert blobs(stocked)[before[3]] is False
    assert {blobs(stocked)[row[3]] for row in document_rows(stocked)} == {True}


def test_document_that_another_channel_has_too_is_not_released(any_house: House) -> None:
    for name in ("data", "empty"):
        any_house.channel(name)
    any_house.reindex_all()
    any_house.publish("data", "demo")
    any_house.reindex_all()

    of_empty = [row[3] for row in document_rows(any_house) if row[2].startswith("repodata")]
    assert {blobs(any_house)[sha256] for sha256 in of_empty} == {True}
    assert_in_order(any_house)


def test_death_in_mid_reindex_leaves_it_stale_and_the_next_run_mends_it(stocked: House) -> None:
    def die() -> None:
        raise KeyboardInterrupt

    for is_before in (True, False):
        dying = replace(
            stocked.packhouse, blobs=Interrupted(stocked.packhouse.blobs, once(die), is_before=is_before)
        )
        with pytest.raises(KeyboardInterrupt):
            run(stocked, by=dying)
        assert revision(stocked, "data").is_stale

    assert run(stocked) is True
    assert_in_order(stocked)
    assert spooled(stocked) == []


def test_many_reindexes_beside_many_changes_end_with_all_in_order(stocked: House) -> None:
    builds = [stocked.build("many", version=f"1.{number}") for number in range(6)]

    answers = at_once(
        [
            *(lambda build=build: stocked.publish("data", build) for build in builds),
            *[lambda: run(stocked)] * 4,
            *[lambda: run(stocked, subdir="")] * 2,
        ]
    )

    assert not [answer for answer in answers if isinstance(answer, Exception)]
    assert_in_order(stocked)


def test_channeldata_tells_of_all_subdirs(stocked: House) -> None:
    stocked.publish("data", "demo", version="2.0", subdir="linux-64", about={"summary": "Newer"})
    stocked.reindex_all()

    channeldata = json.loads(stocked.document("data", "", "channeldata.json"))
    assert channeldata["subdirs"] == ["linux-64", "noarch"]
    assert channeldata["packages"]["demo"]["version"] == "2.0"
    assert channeldata["packages"]["demo"]["summary"] == "Newer"
