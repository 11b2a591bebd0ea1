"""Many rows at once, by the shortest way that each database has: `executemany` on SQLite, `COPY` on PostgreSQL.

For a thousand rows, SQLAlchemy's own way takes as long again as the database does.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

from sqlalchemy import Connection, LargeBinary, Table, text
from sqlalchemy.exc import DBAPIError

Row = tuple[Any, ...]

ROWS_A_STATEMENT = 100


def insert_rows(
    connection: Connection,
    table: Table,
    columns: Sequence[str],
    rows: Iterable[Row],
    constants: Mapping[str, Any],
) -> None:
    """Insert rows of `columns`; `constants` are columns that have one value in all of them.

    Python-side defaults are not applied. Values are those that SQLAlchemy would take.
    """
    names = (*columns, *constants)
    fixed = tuple(_converted(connection, table, name, value) for name, value in constants.items())
    complete = _rows(connection, table, columns, rows, fixed)
    quoted = connection.dialect.identifier_preparer.quote
    into = f"{quoted(table.name)} ({', '.join(quoted(name) for name in names)})"
    if connection.dialect.name == "sqlite":
        _insert(connection, into, len(names), list(complete))
    else:
        _copy(connection, into, complete)


def _insert(connection: Connection, into: str, width: int, rows: Sequence[Row]) -> None:
    # SQLite's module lets other threads in with each statement, and then waits for them.
    together = len(rows) // ROWS_A_STATEMENT * ROWS_A_STATEMENT
    starts = range(0, together, ROWS_A_STATEMENT)
    many = [tuple(chain.from_iterable(rows[start : start + ROWS_A_STATEMENT])) for start in starts]
    place = f"({', '.join('?' * width)})"
    for number, values in ((ROWS_A_STATEMENT, many), (1, rows[together:])):
        if values:
            # Names of our own tables and columns, quoted; the values are parameters.
            statement = f"INSERT INTO {into} VALUES {', '.join([place] * number)}"  # noqa: S608
            connection.exec_driver_sql(statement, list(values))


def _copy(connection: Connection, into: str, rows: Iterable[Row]) -> None:
    driver: Any = connection.connection.driver_connection
    try:
        with driver.cursor() as cursor, cursor.copy(f"COPY {into} FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
    except connection.dialect.loaded_dbapi.Error as error:
        # Whoever retries or explains what the database reports knows SQLAlchemy's exceptions alone.
        raise DBAPIError.instance(
            f"COPY {into}", None, error, connection.dialect.loaded_dbapi.Error, hide_parameters=True
        ) from error


def next_ids(connection: Connection, table: Table, number: int) -> list[int]:
    """Ids for rows that are to be inserted; this transaction writes, so nobody else gets the same."""
    if connection.dialect.name == "sqlite":
        asked = text("SELECT seq FROM sqlite_sequence WHERE name = :name")
        last = connection.execute(asked, {"name": table.name}).scalar_one_or_none() or 0
        return list(range(last + 1, last + 1 + number))
    asked = text("SELECT nextval(pg_get_serial_sequence(:name, 'id')) FROM generate_series(1, :number)")
    quoted = connection.dialect.identifier_preparer.quote(table.name)
    return list(connection.execute(asked, {"name": quoted, "number": number}).scalars())


def _rows(
    connection: Connection, table: Table, columns: Sequence[str], rows: Iterable[Row], fixed: Row
) -> Iterable[Row]:
    converters = [_converter(connection, table, name) for name in columns]
    if not any(converters):
        return (row + fixed for row in rows)
    changed = [(place, one) for place, one in enumerate(converters) if one is not None]

    def convert(row: Row) -> Row:
        values = list(row)
        for place, converter in changed:
            values[place] = converter(values[place])
        return (*values, *fixed)

    return map(convert, rows)


def _converted(connection: Connection, table: Table, name: str, value: Any) -> Any:
    converter = _converter(connection, table, name)
    return value if converter is None else converter(value)


def _converter(connection: Connection, table: Table, name: str) -> Callable[[Any], Any] | None:
    kind = table.c[name].type
    if isinstance(kind, LargeBinary):
        return None  # both drivers take bytes as they are
    return kind.dialect_impl(connection.dialect).bind_processor(connection.dialect)
