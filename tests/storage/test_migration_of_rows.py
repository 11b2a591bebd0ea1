"""Migrations of a database that is in use: every row stays, and everything still agrees."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import MetaData, insert, inspect, text
from sqlalchemy.exc import IntegrityError

from packhouse.actions.check import check
from packhouse.actions.sharing import share
from packhouse.domain.access import Level
from packhouse.storage import schema
from packhouse.storage.database import Database
from tests.house import House
from tests.loose_files import publish_all

BEFORE_MIRRORS = "0004"
Rows = dict[str, list[dict[str, Any]]]


@pytest.fixture
def stocked(house: House) -> House:
    """Rows in most tables: people, channels, files of every family, documents, what changed and what was replaced."""
    for path in ("data", "data/stage", "other"):
        house.channel(path)
    house.publish("data", "demo", version="1.0", run_exports={"weak": ["demo >=1"]})
    house.publish("data", "demo", version="2.0", extension=".tar.bz2")
    house.publish("data", "tool", subdir="linux-64", depends=["demo"])
    house.copy("data", "data/stage", "demo")
    house.move("data/stage", "other", "demo")
    house.publish("data", "brief")
    house.remove("data", "brief")
    publish_all(house, "data")
    house.user("bob")
    house.session("bob")
    share(house.packhouse, house.admin, "data", "bob", Level.WRITE)
    house.reindex_all()
    return house


@pytest.fixture
def other_url(database_url: str) -> str:
    """An empty database beside that of the house."""
    return database_url.replace("packhouse.db", "before.db")


@contextmanager
def opened(url: str) -> Iterator[Database]:
    database = Database(url)
    try:
        yield database
    finally:
        database.close()


@pytest.fixture
def migrated(stocked: House, other_url: str) -> Iterator[tuple[House, Rows]]:
    """The house on a database that was filled before there were mirrors; and what its rows were then."""
    with opened(other_url) as database:
        _migrate_to(database, BEFORE_MIRRORS)
        _fill(database, _rows(stocked.packhouse.database))
        before = _rows(database)
        database.migrate()
        stocked.packhouse = replace(stocked.packhouse, database=database)
        yield stocked, before


def _migrate_to(database: Database, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(schema.MIGRATIONS))
    config.set_main_option("path_separator", "os")
    with database.transaction() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def _tables(database: Database) -> MetaData:
    """As they are, not as the code has them."""
    found = MetaData()
    found.reflect(database.engine)
    return found


def _rows(database: Database) -> Rows:
    with database.reading() as connection:
        return {
            table.name: sorted((dict(row._mapping) for row in connection.execute(table.select())), key=repr)
            for table in _tables(database).sorted_tables
        }


def _fill(database: Database, rows: Rows) -> None:
    with database.transaction() as connection:
        for table in _tables(database).sorted_tables:
            kept = [{column.name: row[column.name] for column in table.c} for row in rows[table.name]]
            if kept and table.name != "alembic_version":
                connection.execute(insert(table), kept)


def test_every_row_is_what_it_was(migrated: tuple[House, Rows]) -> None:
    house, before = migrated
    after = _rows(house.packhouse.database)
    assert {"artifact", "entry", "package", "shard", "document", "blob"} <= {
        name for name in before if before[name]
    }
    del before["alembic_version"]
    for name, rows in before.items():
        kept = [{column: row[column] for column in rows[0]} for row in after[name]] if rows else after[name]
        assert sorted(kept, key=repr) == rows, name


def test_files_are_served_and_of_no_mirror(migrated: tuple[House, Rows]) -> None:
    house, before = migrated
    after = _rows(house.packhouse.database)
    states = {(row["is_served"], row["is_awaited"], row["mirror_id"]) for row in after["entry"]}
    assert (states, len(after["entry"])) == ({(True, False, None)}, len(before["entry"]))
    assert {(row["variant"], row["mirror_id"]) for row in after["artifact"]} == {("", None)}


def test_check_finds_nothing(migrated: tuple[House, Rows]) -> None:
    house, _ = migrated
    report = check(house.packhouse, repair=False, deep=True)
    assert ([str(one) for one in report.differences], report.channels) == ([], 3)
    assert house.sharded("data").keys() == {"demo-1.0-0.conda", "demo-2.0-0.tar.bz2"}


@pytest.mark.parametrize("table", ["entry", "package"])
def test_rows_still_need_the_artifact_that_they_refer_to(migrated: tuple[House, Rows], table: str) -> None:
    house, _ = migrated
    database = house.packhouse.database
    keys = inspect(database.engine).get_foreign_keys(table)
    assert {key["referred_table"] for key in keys} == {"artifact", "channel"}
    with pytest.raises(IntegrityError), database.transaction() as connection:
        connection.execute(text("DELETE FROM artifact"))


def test_same_bytes_can_have_a_second_record_and_no_third_of_its_kind(migrated: tuple[House, Rows]) -> None:
    house, _ = migrated
    database = house.packhouse.database
    artifact = _tables(database).tables["artifact"]
    row = _rows(database)["artifact"][0]
    second = {**row, "id": 1_000, "variant": "0123456789abcdef", "mirror_id": 1}
    with database.transaction() as connection:
        connection.execute(insert(artifact), [second])
    with pytest.raises(IntegrityError), database.transaction() as connection:
        connection.execute(insert(artifact), [{**second, "id": 1_001}])
