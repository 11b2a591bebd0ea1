"""The database: how it is opened, what readers and writers see of each other, and what a full disk does."""

import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, insert, select, text
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import IntegrityError, OperationalError

from packhouse.errors import StorageFull
from packhouse.storage.database import ATTEMPTS, BUSY_TIMEOUT_MS, Database, retried
from packhouse.storage.tables import Moment, secret
from tests.actions.ledger import assert_in_order, rows, spooled
from tests.house import House, open_house


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """With one table more than it needs: `tally`, a number."""
    opened = Database(database_url)
    opened.migrate()
    with opened.transaction() as connection:
        connection.execute(text("CREATE TABLE tally (number INTEGER)"))
        connection.execute(text("INSERT INTO tally VALUES (0)"))
    yield opened
    opened.close()


def number(connection: Connection) -> int:
    return int(connection.execute(text("SELECT number FROM tally")).scalar_one())


def add_one(connection: Connection) -> None:
    connection.execute(text("UPDATE tally SET number = number + 1"))


def value_of(database: Database) -> int:
    with database.reading() as connection:
        return number(connection)


def add_one_and_fail(database: Database) -> None:
    with database.transaction() as connection:
        add_one(connection)
        raise ZeroDivisionError


# --- transactions


def test_transaction_that_fails_changes_nothing(database: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        add_one_and_fail(database)
    assert value_of(database) == 0


def test_failure_tells_no_value_that_was_to_be_stored(database: Database) -> None:
    def add() -> None:
        with database.transaction() as connection:
            connection.execute(insert(secret).values(name="key", value=b"not to be told"))

    add()
    with pytest.raises(IntegrityError) as told:
        add()

    assert "not to be told" not in str(told.value)


def test_reader_sees_one_moment_however_long_it_reads(database: Database) -> None:
    with database.reading() as connection:
        assert number(connection) == 0
        with database.transaction() as writer:
            add_one(writer)
        assert number(connection) == 0
    assert value_of(database) == 1


def test_reader_sees_nothing_of_a_transaction_that_is_not_over(database: Database) -> None:
    with database.transaction() as writer:
        add_one(writer)
        assert value_of(database) == 0


def test_writers_in_many_threads_lose_no_update(database: Database) -> None:
    def read_and_write(_: int) -> None:
        with database.transaction() as connection:
            number(connection)  # a read first, which is what makes SQLite's writers collide
            add_one(connection)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(read_and_write, range(80)))

    assert value_of(database) == 80


def test_writers_of_two_processes_lose_no_update(database: Database, database_url: str) -> None:
    other = Database(database_url)  # locks of this process mean nothing to it, as to another process
    start = threading.Barrier(2)

    def write_often(one: Database) -> None:
        start.wait(timeout=10)
        for _ in range(30):
            with one.transaction() as connection:
                number(connection)
                add_one(connection)

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(write_often, (database, other)))
    other.close()

    assert value_of(database) == 60


def test_listeners_hear_of_every_commit_that_is_not_quiet(database: Database) -> None:
    heard: list[int] = []
    database.on_commit(lambda: heard.append(value_of(database)))

    with database.transaction() as connection:
        add_one(connection)
    with database.transaction(quiet=True) as connection:
        add_one(connection)
    with pytest.raises(ZeroDivisionError):
        add_one_and_fail(database)
    with database.transaction() as connection:
        add_one(connection)

    assert heard == [1, 3]  # after the commit, so a listener that looks finds the change


def test_foreign_keys_are_kept(database: Database) -> None:
    with pytest.raises(IntegrityError), database.transaction() as connection:
        connection.execute(text('INSERT INTO "grant" (channel_id, user_id, level) VALUES (1, 1, 1)'))


def test_sqlite_is_opened_as_it_must_be(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'packhouse.db'}")
    with database.engine.connect() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "foreign_keys", "busy_timeout", "synchronous")
        }
    database.close()
    assert found == {
        "journal_mode": "wal",
        "foreign_keys": 1,
        "busy_timeout": BUSY_TIMEOUT_MS,
        "synchronous": 1,  # NORMAL
    }


# --- trying again


def failing(times: int, error: Exception) -> tuple[list[int], object]:
    calls: list[int] = []

    @retried
    def action(word: str, *, again: str) -> str:
        calls.append(1)
        if len(calls) <= times:
            raise error
        return word + again

    return calls, action


@pytest.mark.parametrize("kind", [IntegrityError, OperationalError])
def test_action_that_another_transaction_got_in_the_way_of_runs_again(kind: type[Exception]) -> None:
    calls, action = failing(ATTEMPTS - 1, kind("statement", {}, Exception("deadlock detected")))
    assert action("a", again="b") == "ab"  # type: ignore[operator]
    assert len(calls) == ATTEMPTS


def test_action_is_given_up_after_some_attempts() -> None:
    calls, action = failing(99, IntegrityError("statement", {}, Exception("still there")))
    with pytest.raises(IntegrityError):
        action("a", again="b")  # type: ignore[operator]
    assert len(calls) == ATTEMPTS


def test_any_other_failure_is_not_tried_again() -> None:
    calls, action = failing(1, ValueError("no"))
    with pytest.raises(ValueError, match="no"):
        action("a", again="b")  # type: ignore[operator]
    assert len(calls) == 1


# --- times


UTC_MOMENTS = st.integers(0, 253_402_300_799_999_999).map(
    lambda microseconds: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
)


@given(UTC_MOMENTS)
def test_moment_comes_back_as_it_was(moment: datetime) -> None:
    kind = Moment()
    stored = kind.process_bind_param(moment, sqlite.dialect())
    assert kind.process_result_value(stored, sqlite.dialect()) == moment


@given(UTC_MOMENTS, UTC_MOMENTS)
def test_moments_sort_as_their_numbers_do(one: datetime, other: datetime) -> None:
    numbers = [Moment().process_bind_param(moment, sqlite.dialect()) for moment in (one, other)]
    assert (numbers[0] < numbers[1]) == (one < other)


def test_moment_of_another_time_zone_is_stored_in_utc() -> None:
    noon = datetime(2030, 1, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    stored = Moment().process_bind_param(noon, sqlite.dialect())
    assert Moment().process_result_value(stored, sqlite.dialect()) == datetime(2030, 1, 1, 10, tzinfo=UTC)


# --- a full disk


@pytest.fixture
def cramped(small_disk: Path, migrated_sqlite: Path, tmp_path: Path) -> Iterator[House]:
    """A house whose database, and nothing else, lies on a small disk."""
    shutil.copy(migrated_sqlite, small_disk / "packhouse.db")
    database_url = f"sqlite:///{small_disk / 'packhouse.db'}"
    with open_house(tmp_path, database_url, str(tmp_path / "store"), {}) as opened:
        yield opened


def test_full_disk_is_told_and_leaves_nothing_half_written(cramped: House, small_disk: Path) -> None:
    cramped.channel("data")
    first = cramped.publish("data", "first")
    filler = small_disk / "filler"
    _fill(filler)
    builds = [cramped.build("late", version=str(version)) for version in range(60)]

    refusal = None
    for build in builds:
        before = rows(cramped, without=["blob"])
        try:
            cramped.publish("data", build)
        except StorageFull as error:
            refusal = error
            break

    assert refusal is not None
    assert "no room left" in refusal.message
    assert rows(cramped, without=["blob"]) == before
    assert first.artifact.filename in cramped.sharded("data")
    assert spooled(cramped) == []

    filler.unlink()
    cramped.publish("data", builds[-1])
    assert_in_order(cramped)


def _fill(filler: Path) -> None:
    """All but a little, so that the disk is full in the middle of something rather than before."""
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 4096)
        except OSError:
            file.truncate(file.tell() - 64 * 1024)


def test_transaction_larger_than_the_disk_is_undone(cramped: House) -> None:
    def write_much() -> None:
        with cramped.packhouse.database.transaction() as connection:
            values = [{"name": str(part), "value": b"\0" * 65_536} for part in range(64)]
            connection.execute(insert(secret), values)

    with pytest.raises(StorageFull):
        write_much()
    with cramped.packhouse.database.reading() as connection:
        names = set(connection.execute(select(secret.c.name)).scalars())
    assert not {str(part) for part in range(64)} & names
