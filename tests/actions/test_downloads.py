"""Download counts: added up in memory, written together, not lost when that fails."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from packhouse.actions.downloads import Downloads
from packhouse.domain.artifacts import Entry
from tests.actions.ledger import at_once, counts, rows
from tests.house import House


def entry_counts(house: House) -> dict[int, int]:
    with house.packhouse.database.reading() as connection:
        found = connection.execute(text("SELECT id, download_count FROM entry"))
        return {row.id: row.download_count for row in found}


def package_counts(house: House) -> dict[str, int]:
    with house.packhouse.database.reading() as connection:
        found = connection.execute(text("SELECT name, sum(download_count) AS n FROM package GROUP BY name"))
        return {row.name: int(row.n) for row in found}


@pytest.fixture
def three(any_house: House) -> list[Entry]:
    """demo 1.0 and 2.0 in `data`, demo 1.0 in `other`."""
    any_house.channel("data")
    any_house.channel("other")
    first = any_house.publish("data", "demo", version="1.0")
    return [first, any_house.publish("data", "demo", version="2.0"), any_house.publish("other", "demo")]


def test_counts_reach_file_package_and_channel(any_house: House, three: list[Entry]) -> None:
    downloads = Downloads(any_house.packhouse)
    for entry, number in zip(three, (3, 2, 1), strict=True):
        for _ in range(number):
            downloads.count(entry.id)
    downloads.flush()
    downloads.flush()

    assert entry_counts(any_house) == {three[0].id: 3, three[1].id: 2, three[2].id: 1}
    assert package_counts(any_house) == {"demo": 6}
    assert (counts(any_house, "data").downloads, counts(any_house, "other").downloads) == (5, 1)


def test_nothing_is_written_before_the_flush(any_house: House, three: list[Entry]) -> None:
    before = rows(any_house)
    Downloads(any_house.packhouse).count(three[0].id)
    assert rows(any_house) == before


def test_counts_of_a_file_that_is_gone_are_passed_over(any_house: House, three: list[Entry]) -> None:
    downloads = Downloads(any_house.packhouse)
    downloads.count(three[0].id)
    downloads.count(three[1].id)
    any_house.remove("data", "noarch/demo-1.0-0.conda")

    downloads.flush()

    assert entry_counts(any_house) == {three[1].id: 1, three[2].id: 0}
    assert counts(any_house, "data").downloads == 1


def test_package_keeps_its_count_when_a_file_is_added(any_house: House, three: list[Entry]) -> None:
    downloads = Downloads(any_house.packhouse)
    downloads.count(three[0].id)
    downloads.flush()

    any_house.publish("data", "demo", version="3.0")

    assert package_counts(any_house)["demo"] == 1


def test_counts_that_cannot_be_written_are_written_the_next_time(house: House) -> None:
    house.channel("data")
    entry = house.publish("data", "demo")
    downloads = Downloads(house.packhouse)
    downloads.count(entry.id)
    with house.packhouse.database.transaction() as connection:
        connection.execute(text("ALTER TABLE entry RENAME TO hidden"))
    with pytest.raises(DBAPIError):
        downloads.flush()
    with house.packhouse.database.transaction() as connection:
        connection.execute(text("ALTER TABLE hidden RENAME TO entry"))
    downloads.count(entry.id)

    downloads.flush()

    assert entry_counts(house) == {entry.id: 2}


def test_processes_that_flush_at_once_lose_nothing_and_do_not_deadlock(
    any_house: House, three: list[Entry]
) -> None:
    def count_and_flush(order: list[Entry]) -> None:
        downloads = Downloads(any_house.packhouse)
        for _ in range(10):
            for entry in order:
                downloads.count(entry.id)
            downloads.flush()

    builds = [any_house.build("demo", version=f"3.{number}") for number in range(4)]
    answers = at_once(
        [
            *(lambda order=order: count_and_flush(order) for order in (three, three[::-1], three)),
            *(lambda build=build: any_house.publish("data", build) for build in builds),
        ]
    )

    assert not [answer for answer in answers if isinstance(answer, Exception)]
    assert {entry_counts(any_house)[entry.id] for entry in three} == {30}
    assert package_counts(any_house) == {"demo": 90}
    assert (counts(any_house, "data").downloads, counts(any_house, "other").downloads) == (60, 30)
