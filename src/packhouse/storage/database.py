"""The database: connect to SQLite or PostgreSQL, read in a snapshot, write in one transaction, migrate."""

import errno
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import orjson
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DataError, IntegrityError, OperationalError

from packhouse.errors import Corrupt, Invalid, StorageFull
from packhouse.storage import schema

BUSY_TIMEOUT_MS = 30_000
POOL_SIZE = 20
ATTEMPTS = 3

P = ParamSpec("P")
T = TypeVar("T")


class Database:
    """One engine. Writers call `transaction()`, readers `reading()`; nobody else opens a connection."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.is_sqlite = url.startswith("sqlite")
        # Either hides parameters: failures are logged, and these may be keys and hashes of passwords.
        self.engine = _sqlite_engine(url) if self.is_sqlite else _postgresql_engine(url)
        self._listeners: list[Callable[[], None]] = []
        # SQLite has one writer. Threads that queue here wait their turn; in SQLite they would poll for it.
        self._turn = threading.Lock() if self.is_sqlite else nullcontext()

    def on_commit(self, listener: Callable[[], None]) -> None:
        """Call `listener` after every transaction of this process that was not `quiet`."""
        self._listeners.append(listener)

    @contextmanager
    def transaction(self, quiet: bool = False) -> Iterator[Connection]:
        """All or nothing. `quiet` marks a write that changes nothing a client may see (counters)."""
        with _failures_named(), self._turn, self.engine.connect() as connection:
            writer = connection.execution_options(packhouse_writes=True)
            with writer.begin():
                yield writer
        if not quiet:
            for listener in self._listeners:
                listener()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A snapshot: however long it is read, what is committed meanwhile is not seen."""
        with _failures_named(), self.engine.connect() as connection:
            reader = (
                connection
                if self.is_sqlite
                else connection.execution_options(isolation_level="REPEATABLE READ")
            )
            with reader.begin():
                yield reader

    def migrate(self) -> None:
        """Bring the schema to the newest revision; safe at every start and from several processes."""
        with self._for_migration() as connection:
            if not self.is_sqlite:
                connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7262)")
            schema.upgrade(connection)

    @contextmanager
    def _for_migration(self) -> Iterator[Connection]:
        """SQLite changes a table by making it again, which its foreign keys would take for a deletion.

        They are checked as a whole instead, as https://sqlite.org/lang_altertable.html wants it.
        """
        with _failures_named(), self._turn, self.engine.connect() as connection:
            writer = connection.execution_options(packhouse_writes=True)
            if self.is_sqlite:
                _set_foreign_keys(connection, "OFF")
            try:
                with writer.begin():
                    yield writer
                    if self.is_sqlite and writer.exec_driver_sql("PRAGMA foreign_key_check").first():
                        raise Corrupt(
                            "The migration would leave rows that refer to none; nothing was changed."
                        )
            finally:
                if self.is_sqlite:
                    _set_foreign_keys(connection, "ON")

    def is_current(self) -> bool:
        """Whether the schema is the one that this version of Packhouse was written for."""
        with self.reading() as connection:
            return schema.present_revision(connection) == schema.newest_revision()

    def close(self) -> None:
        self.engine.dispose()


def retried(action: Callable[P, T]) -> Callable[P, T]:
    """Run a whole action again when another transaction got in its way, as PostgreSQL may decide.

    The action must keep everything it changes in one transaction.
    """

    @wraps(action)
    def attempt(*args: P.args, **kwargs: P.kwargs) -> T:
        for _ in range(ATTEMPTS - 1):
            try:
                return action(*args, **kwargs)
            except (IntegrityError, OperationalError):
                continue
        return action(*args, **kwargs)

    return attempt


def _sqlite_engine(url: str) -> Engine:
    engine = create_engine(
        url,
        pool_size=POOL_SIZE,
        max_overflow=POOL_SIZE,
        hide_parameters=True,
        json_deserializer=orjson.loads,
    )

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # SQLAlchemy's "begin" below says when, not the driver
        for pragma in (
            "journal_mode=WAL",
            "synchronous=NORMAL",
            "foreign_keys=ON",
            f"busy_timeout={BUSY_TIMEOUT_MS}",
            "cache_size=-32768",
            "temp_store=MEMORY",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A transaction that reads first and writes later would fail with "database is locked".
        writes = connection.get_execution_options().get("packhouse_writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _set_foreign_keys(connection: Connection, switch: str) -> None:
    """Outside of a transaction, the only place where SQLite heeds it."""
    driver = connection.connection.driver_connection
    assert driver is not None
    driver.execute(f"PRAGMA foreign_keys={switch}")


def _postgresql_engine(url: str) -> Engine:
    return create_engine(
        url,
        pool_size=POOL_SIZE,
        max_overflow=POOL_SIZE,
        pool_pre_ping=True,
        hide_parameters=True,
        json_deserializer=orjson.loads,
    )


@contextmanager
def _failures_named() -> Iterator[None]:
    try:
        yield
    except DataError as error:  # what no query's own checks foresaw; PostgreSQL is stricter than SQLite
        raise Invalid("A value holds a character that cannot be kept (NUL), or is out of range.") from error
    except OperationalError as error:
        text = str(error.orig).lower()
        if "disk is full" in text or "no space left" in text or "disk i/o error" in text:
            raise StorageFull("The database has no room left. Free some disk space and try again.") from error
        raise
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise StorageFull("The disk has no room left. Free some disk space and try again.") from error
        raise
