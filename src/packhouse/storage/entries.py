"""Queries about entries: which artifacts are in which channel."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, delete, exists, func, insert, select

from packhouse.domain.artifacts import Artifact, Entry, FileFacts, Selection
from packhouse.storage import artifacts
from packhouse.storage.tables import artifact, entry, package

TAR_BZ2_SECTION, CONDA_SECTION = 0, 1
"""Order of the two sections of repodata.json, which is that of their sorted keys."""

_ENTRY_COLUMNS = (
    entry.c.id.label("entry_id"),
    entry.c.channel_id,
    entry.c.indexed_timestamp,
    entry.c.added_at,
    entry.c.download_count,
    *artifacts.COLUMNS,
)


@dataclass(frozen=True, slots=True)
class Addition:
    """One artifact to add to a channel; `by` is the user's id."""

    artifact_id: int
    family: str
    name: str
    subdir: str
    filename: str
    ckey: str
    by: int | None


@dataclass(frozen=True, slots=True)
class VersionRow:
    """One file of a package, as far as its sums need it."""

    artifact_id: int
    version: str
    build_number: int
    subdir: str
    download_count: int


@dataclass(frozen=True, slots=True)
class FileFilter:
    """Which files of a channel to list; each that is given must be met exactly."""

    family: str | None = None
    name: str | None = None
    version: str | None = None
    filename: str | None = None
    platform: str | None = None


def addition(artifact_id: int, facts: FileFacts | Artifact, by: int | None) -> Addition:
    return Addition(artifact_id, facts.family, facts.name, facts.subdir, facts.filename, facts.ckey, by)


def _select() -> Select[Any]:
    return select(*_ENTRY_COLUMNS).join(artifact, artifact.c.id == entry.c.artifact_id)


def _from_row(row: Row[Any]) -> Entry:
    return Entry(
        id=row.entry_id,
        channel_id=row.channel_id,
        artifact=artifacts.from_row(row),
        indexed_timestamp=row.indexed_timestamp,
        added_at=row.added_at,
        download_count=row.download_count,
    )


def find(connection: Connection, channel_id: int, ckey: str) -> Entry | None:
    row = connection.execute(
        _select().where(entry.c.channel_id == channel_id, entry.c.ckey == ckey)
    ).one_or_none()
    return None if row is None else _from_row(row)


def add(connection: Connection, channel_id: int, additions: Sequence[Addition], now: datetime) -> None:
    """Add artifacts whose ckeys are free. `indexed_timestamp` is this moment's and stays (CEP 47)."""
    milliseconds = int(now.timestamp() * 1000)
    rows = [
        {
            "channel_id": channel_id,
            "artifact_id": new.artifact_id,
            "family": new.family,
            "name": new.name,
            "subdir": new.subdir,
            "section": CONDA_SECTION if new.filename.endswith(".conda") else TAR_BZ2_SECTION,
            "filename": new.filename,
            "ckey": new.ckey,
            "indexed_timestamp": milliseconds,
            "added_at": now,
            "added_by": new.by,
            "download_count": 0,
        }
        for new in additions
    ]
    connection.execute(insert(entry), rows)


def remove(connection: Connection, entries: Sequence[Entry]) -> None:
    ids = [one.id for one in entries]
    for start in range(0, len(ids), 500):
        connection.execute(delete(entry).where(entry.c.id.in_(ids[start : start + 500])))


def remove_all(connection: Connection, channel_id: int) -> set[int]:
    """Empty a channel; answer the ids of the artifacts that were in it."""
    statement = delete(entry).where(entry.c.channel_id == channel_id).returning(entry.c.artifact_id)
    return set(connection.execute(statement).scalars())


def selected(connection: Connection, channel_id: int, selection: Selection) -> list[Entry]:
    statement = _select().where(
        entry.c.channel_id == channel_id,
        entry.c.family == selection.family,
        entry.c.name == selection.name,
    )
    if selection.ckey is not None:
        statement = statement.where(entry.c.ckey == selection.ckey)
    return [_from_row(row) for row in connection.execute(statement.order_by(entry.c.ckey))]


def of_package(
    connection: Connection, channel_id: int, family: str, name: str, offset: int, limit: int | None
) -> tuple[int, list[Entry]]:
    """Total and one page of a package's files, by ckey."""
    condition = (entry.c.channel_id == channel_id) & (entry.c.family == family) & (entry.c.name == name)
    total = connection.execute(select(func.count()).select_from(entry).where(condition)).scalar_one()
    rows = connection.execute(_select().where(condition).order_by(entry.c.ckey).offset(offset).limit(limit))
    return total, [_from_row(row) for row in rows]


def listing(
    connection: Connection, channel_id: int, wanted: FileFilter, offset: int, limit: int | None
) -> tuple[int, list[Entry]]:
    """Total and one page of a channel's files, by family, name and ckey."""
    condition = and_(entry.c.channel_id == channel_id, *_conditions(channel_id, wanted))
    total = connection.execute(select(func.count()).select_from(entry).where(condition)).scalar_one()
    order = (entry.c.family, entry.c.name, entry.c.ckey)
    # The page is chosen from entries alone: joined, the rows that `offset` passes over would be joined too.
    page = select(entry.c.id).where(condition).order_by(*order).offset(offset).limit(limit)
    rows = connection.execute(_select().where(entry.c.id.in_(page)).order_by(*order))
    return total, [_from_row(row) for row in rows]


def _conditions(channel_id: int, wanted: FileFilter) -> Iterable[Any]:
    exact = {
        entry.c.family: wanted.family,
        entry.c.name: wanted.name,
        entry.c.filename: wanted.filename,
        entry.c.subdir: wanted.platform,
    }
    yield from (column == value for column, value in exact.items() if value is not None)
    if wanted.name is not None and wanted.family is None:  # names are indexed below families
        named = (package.c.channel_id == channel_id) & (package.c.name == wanted.name)
        yield entry.c.family.in_(select(package.c.family).where(named))
    if wanted.version is not None:
        yield exists().where(artifact.c.id == entry.c.artifact_id, artifact.c.version == wanted.version)


def versions(connection: Connection, channel_id: int, family: str, name: str) -> list[VersionRow]:
    """What a package's sums are made of, one row a file."""
    statement = _version_rows(channel_id).where(entry.c.family == family, entry.c.name == name)
    return [VersionRow(*row[2:]) for row in connection.execute(statement)]


def by_package(connection: Connection, channel_id: int) -> Iterator[tuple[str, str, VersionRow]]:
    """Family, name and version row of all of a channel's files, in this order; streamed."""
    statement = _version_rows(channel_id).order_by(entry.c.family, entry.c.name)
    for row in connection.execute(statement, execution_options={"yield_per": 5_000}):
        yield row.family, row.name, VersionRow(*row[2:])


def _version_rows(channel_id: int) -> Select[Any]:
    columns = (artifact.c.id, artifact.c.version, artifact.c.build_number)
    return (
        select(entry.c.family, entry.c.name, *columns, entry.c.subdir, entry.c.download_count)
        .join(artifact, artifact.c.id == entry.c.artifact_id)
        .where(entry.c.channel_id == channel_id)
    )


def of_names(connection: Connection, channel_id: int, subdir: str, names: Sequence[str]) -> list[Row[Any]]:
    """Index rows of some conda names of one subdir (what one change touched), in no order."""
    # Asked for an order, SQLite takes the index that has it, and walks the whole subdir.
    statement = _index_rows(channel_id, subdir).order_by(None)
    found: list[Row[Any]] = []
    for start in range(0, len(names), 500):
        found += connection.execute(statement.where(entry.c.name.in_(names[start : start + 500])))
    return found


def in_index_order(connection: Connection, channel_id: int, subdir: str) -> Iterator[Row[Any]]:
    """All index rows of one subdir: `.tar.bz2` by file name, then `.conda` by file name; streamed."""
    yield from connection.execute(_index_rows(channel_id, subdir), execution_options={"yield_per": 5_000})


def in_name_order(connection: Connection, channel_id: int, subdir: str) -> Iterator[Row[Any]]:
    """All index rows of one subdir, by package name; streamed."""
    statement = _index_rows(channel_id, subdir).order_by(None).order_by(entry.c.name)
    yield from connection.execute(statement, execution_options={"yield_per": 5_000})


def by_name(connection: Connection, channel_id: int) -> Iterator[Row[Any]]:
    """All of a channel's conda entries with what channeldata.json says of them, by name; streamed."""
    statement = _channeldata_rows(channel_id).order_by(entry.c.family, entry.c.name)
    yield from connection.execute(statement, execution_options={"yield_per": 2_000})


def of_name(connection: Connection, channel_id: int, name: str) -> list[Row[Any]]:
    """As `by_name`, of one name."""
    return list(connection.execute(_channeldata_rows(channel_id).where(entry.c.name == name)))


def _channeldata_rows(channel_id: int) -> Select[Any]:
    return (
        select(*_ENTRY_COLUMNS)
        .join(artifact, artifact.c.id == entry.c.artifact_id)
        .where(entry.c.channel_id == channel_id, entry.c.family == "conda")
    )


def _index_rows(channel_id: int, subdir: str) -> Select[Any]:
    return (
        select(
            entry.c.name,
            entry.c.filename,
            entry.c.indexed_timestamp,
            artifact.c.record,
            artifact.c.record_splice,
            artifact.c.run_exports,
        )
        .join(artifact, artifact.c.id == entry.c.artifact_id)
        .where(entry.c.channel_id == channel_id, entry.c.subdir == subdir, entry.c.family == "conda")
        .order_by(entry.c.section, entry.c.filename)
    )


def counts(connection: Connection, channel_id: int) -> dict[str, int]:
    """How many files each subdir of a channel has, counted one by one."""
    statement = select(entry.c.subdir, func.count()).where(entry.c.channel_id == channel_id)
    return {row[0]: row[1] for row in connection.execute(statement.group_by(entry.c.subdir))}
