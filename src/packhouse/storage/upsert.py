"""One statement for "insert, or change what is there": both databases know it, each under its own name."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


def upsert(
    connection: Connection,
    table: Table,
    key: Mapping[str, Any],
    values: Mapping[str, Any],
    changes: Mapping[str, Any] | None = None,
    where: Any = None,
    returning: Sequence[Any] = (),
) -> Any:
    """Insert `key` + `values`; where the key is taken, apply `changes` (else `values`) if `where` holds."""
    dialect: Any = sqlite if connection.dialect.name == "sqlite" else postgresql
    statement = dialect.insert(table).values(**key, **values)
    statement = statement.on_conflict_do_update(
        index_elements=list(key), set_=dict(values if changes is None else changes), where=where
    )
    return connection.execute(statement.returning(*returning) if returning else statement)


def upsert_many(
    connection: Connection,
    table: Table,
    key: Sequence[str],
    rows: Sequence[Mapping[str, Any]],
    where: Any = None,
) -> None:
    """Insert all rows; where the key of one is taken, it replaces what is there, if `where` holds.

    All have the same columns.
    """
    if not rows:
        return
    dialect: Any = sqlite if connection.dialect.name == "sqlite" else postgresql
    statement = dialect.insert(table)
    changes = {name: statement.excluded[name] for name in rows[0] if name not in key}
    statement = statement.on_conflict_do_update(index_elements=list(key), set_=changes, where=where)
    connection.execute(statement, rows)
