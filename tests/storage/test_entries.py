"""Queries about entries that grow with what one request names."""

from packhouse.storage import entries
from tests.house import House


def test_more_names_than_one_statement_can_hold_are_found(any_house: House) -> None:
    """PostgreSQL takes 65,535 parameters; whoever copies a whole channel names more packages than that."""
    channel = any_house.channel("data")
    any_house.publish("data", "first")
    any_house.publish("data", "last")
    many = ["first", *(f"name{number}" for number in range(66_000)), "last"]

    with any_house.packhouse.database.reading() as connection:
        found = entries.of_names(connection, channel.id, "noarch", many)

    assert [row.name for row in found] == ["first", "last"]
