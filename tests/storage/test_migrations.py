"""Migrations: they lead to the schema that the code is written for, however often and by however many run."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text

from packhouse.storage.database import Database
from packhouse.storage.tables import metadata


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database(database_url)
    yield opened
    opened.close()


def test_migrations_lead_to_the_schema_of_the_tables(database: Database) -> None:
    database.migrate()
    with database.engine.connect() as connection:
        options = {"compare_type": True, "compare_server_default": True}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), metadata) == []


def test_columns_are_what_creating_the_tables_would_give(database: Database, tmp_path: Path) -> None:
    """Types, collations and nullability to the letter, as the database itself tells them."""
    database.migrate()
    migrated = _columns(database)
    with database.transaction() as connection:
        metadata.drop_all(connection)
        metadata.create_all(connection)
    assert _columns(database) == migrated


def _columns(database: Database) -> dict[str, Any]:
    inspector = inspect(database.engine)
    return {
        table: {
            "columns": [
                (one["name"], str(one["type"]), getattr(one["type"], "collation", None), one["nullable"])
                for one in inspector.get_columns(table)
            ],
            "primary key": inspector.get_pk_constraint(table),
            "foreign keys": sorted(map(str, inspector.get_foreign_keys(table))),
            "unique": sorted(map(str, inspector.get_unique_constraints(table))),
            "indexes": sorted(_index(one) for one in inspector.get_indexes(table)),
        }
        for table in metadata.tables
    }


def _index(facts: Any) -> str:
    """With the conditions of partial indexes as text."""
    conditions = {name: str(value) for name, value in facts.get("dialect_options", {}).items()}
    return str({**facts, "dialect_options": conditions})


def test_database_is_current_once_it_is_migrated(database: Database) -> None:
    assert not database.is_current()
    database.migrate()
    assert database.is_current()


def test_migrating_again_changes_nothing(database: Database) -> None:
    database.migrate()
    with database.transaction() as connection:
        connection.execute(text("INSERT INTO secret (name, value) VALUES ('kept', 'x')"))
    before = _columns(database)

    database.migrate()

    assert _columns(database) == before
    with database.reading() as connection:
        assert connection.execute(text("SELECT name FROM secret")).scalar_one() == "kept"


def test_processes_that_migrate_at_once_do_not_collide(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "packhouse", "migrate", "--data-dir", str(tmp_path)]
    environment = {**os.environ, "PACKHOUSE_DATABASE_URL": database_url.replace("+psycopg", "")}
    processes = [
        subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) for _ in range(3)
    ]
    for process in processes:
        _, said = process.communicate(timeout=60)
        assert process.returncode == 0, said
    assert database.is_current()
