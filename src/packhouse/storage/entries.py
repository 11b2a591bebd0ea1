"""Queries about entries: which artifacts are in which channel."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, delete, exists, func, insert, select

from packhouse.domain.artifacts import Artifact, Entry, FileFacts, Selection
from packhouse.domain.sections import FIRST_V3, Section
from packhouse.storage import artifacts
from packhouse.storage.tables import artifact, entry, package

_ENTRY_COLUMNS = (
    entry.c.id.label("entry_id"),
    entry.c.channel_id,
    entry.c.indexed_timestamp,
    entry.c.added_at,
    entry.c.download_count,
    entry.c.is_served,
    entry.c.section,
    entry.c.mirror_id.label("brought_by"),
    entry.c.has_bytes,
    *artifacts.COLUMNS,
)

SERVED = entry.c.is_served.is_(True)
"""What clients see; an entry that is not served awaits its bytes."""
UNSERVED = entry.c.is_served.is_(False)


@dataclass(frozen=True, slots=True)
class Addition:
    """One artifact to add to a channel; `by` is the user's id."""

    artifact_id: int
    family: str
    name: str
    subdir: str
    filename: str
    ckey: str
    section: int
    by: int | None
    has_bytes: bool = True


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


def addition(
    artifact_id: int,
    facts: FileFacts | Artifact,
    by: int | None,
    section: int | None = None,
    has_bytes: bool = True,
) -> Addition:
    """Without a `section`, that of its kind which every client reads."""
    if section is None:
        section = Section.CONDA if facts.filename.endswith(Section.CONDA.extension) else Section.TAR_BZ2
    place = (facts.subdir, facts.filename, facts.ckey, section)
    return Addition(artifact_id, facts.family, facts.name, *place, by, has_bytes)


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
        is_served=row.is_served,
        section=row.section,
        mirror_id=row.brought_by,
        has_bytes=row.has_bytes,
    )


def find(connection: Connection, channel_id: int, ckey: str) -> Entry | None:
    """The entry of that address, served or awaited."""
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
            "section": new.section,
            "filename": new.filename,
            "ckey": new.ckey,
            "indexed_timestamp": milliseconds,
            "added_at": now,
            "added_by": new.by,
            "download_count": 0,
            "has_bytes": new.has_bytes,
        }
        for new in additions
    ]
    connection.execute(insert(entry), rows)


def remove(connection: Connection, entries: Sequence[Entry]) -> None:
    ids = [one.id for one in entries]
    for start in range(0, len(ids), 500):
        connection.execute(delete(entry).where(entry.c.id.in_(ids[start : start + 500])))


def make_way(connection: Connection, channel_id: int, ckeys: Sequence[str]) -> set[int]:
    """Take out what only awaits its bytes at these addresses: somebody else brings a file there.

    Answer the ids of the artifacts that may have lost their last entry.
    """
    awaited = (entry.c.channel_id == channel_id) & UNSERVED
    found: set[int] = set()
    for start in range(0, len(ckeys), 500):
        statement = delete(entry).where(awaited, entry.c.ckey.in_(ckeys[start : start + 500]))
        found.update(connection.execute(statement.returning(entry.c.artifact_id)).scalars())
    return found


def remove_all(connection: Connection, channel_id: int) -> set[int]:
    """Empty a channel; answer the ids of the artifacts that were in it."""
    statement = delete(entry).where(entry.c.channel_id == channel_id).returning(entry.c.artifact_id)
    return set(connection.execute(statement).scalars())


def selected(connection: Connection, channel_id: int, selection: Selection) -> list[Entry]:
    statement = _select().where(
        entry.c.channel_id == channel_id,
        entry.c.family == selection.family,
        entry.c.name == selection.name,
        SERVED,
    )
    if selection.ckey is not None:
        statement = statement.where(entry.c.ckey == selection.ckey)
    return [_from_row(row) for row in connection.execute(statement.order_by(entry.c.ckey))]


def of_package(
    connection: Connection, channel_id: int, family: str, name: str, offset: int, limit: int | None
) -> tuple[int, list[Entry]]:
    """Total and one page of a package's files, by ckey."""
    condition = and_(entry.c.channel_id == channel_id, entry.c.family == family, entry.c.name == name, SERVED)
    total = connection.execute(select(func.count()).select_from(entry).where(condition)).scalar_one()
    rows = connection.execute(_select().where(condition).order_by(entry.c.ckey).offset(offset).limit(limit))
    return total, [_from_row(row) for row in rows]


def listing(
    connection: Connection, channel_id: int, wanted: FileFilter, offset: int, limit: int | None
) -> tuple[int, list[Entry]]:
    """Total and one page of a channel's files, by family, name and ckey."""
    condition = and_(entry.c.channel_id == channel_id, SERVED, *_conditions(channel_id, wanted))
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


def by_package(connection: Connection, channel_id: int) -> Iterator[tuple[str, str, VersionRow]]:
    """Family, name and version row of all of a channel's files, in this order; streamed."""
    columns = (artifact.c.id, artifact.c.version, artifact.c.build_number)
    statement = (
        select(entry.c.family, entry.c.name, *columns, entry.c.subdir, entry.c.download_count)
        .join(artifact, artifact.c.id == entry.c.artifact_id)
        .where(entry.c.channel_id == channel_id, SERVED)
        .order_by(entry.c.family, entry.c.name)
    )
    for row in connection.execute(statement, execution_options={"yield_per": 5_000}):
        yield row.family, row.name, VersionRow(*row[2:])


def of_names(connection: Connection, channel_id: int, subdir: str, names: Sequence[str]) -> list[Row[Any]]:
    """Index rows of some conda names of one subdir (what one change touched), in no order."""
    # Asked for an order, SQLite takes the index that has it, and walks the whole subdir.
    statement = _index_rows(channel_id, subdir).order_by(None)
    found: list[Row[Any]] = []
    for start in range(0, len(names), 500):
        found += connection.execute(statement.where(entry.c.name.in_(names[start : start + 500]))).all()
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
    statement = _told_rows(channel_id, "conda").order_by(entry.c.family, entry.c.name)
    yield from connection.execute(statement, execution_options={"yield_per": 2_000})


def of_packages(connection: Connection, channel_id: int, family: str, names: Sequence[str]) -> list[Row[Any]]:
    """As `by_name`, of some names of any family, in no order."""
    statement = _told_rows(channel_id, family)
    found: list[Row[Any]] = []
    for start in range(0, len(names), 500):
        found += connection.execute(statement.where(entry.c.name.in_(names[start : start + 500])))
    return found


def versions_of(
    connection: Connection, channel_id: int, family: str, names: Sequence[str]
) -> dict[str, list[VersionRow]]:
    """The version rows of some names: name -> rows, a name without files left out."""
    columns = (artifact.c.id, artifact.c.version, artifact.c.build_number)
    statement = (
        select(entry.c.name, *columns, entry.c.subdir, entry.c.download_count)
        .join(artifact, artifact.c.id == entry.c.artifact_id)
        .where(entry.c.channel_id == channel_id, entry.c.family == family, SERVED)
    )
    found: defaultdict[str, list[VersionRow]] = defaultdict(list)
    for start in range(0, len(names), 500):
        chosen = statement.where(entry.c.name.in_(names[start : start + 500]))
        for name, *row in connection.execute(chosen).all():  # row by row, it would take three times as long
            found[name].append(VersionRow(*row))
    return found


def _told_rows(channel_id: int, family: str) -> Select[Any]:
    return (
        select(*_ENTRY_COLUMNS)
        .join(artifact, artifact.c.id == entry.c.artifact_id)
        .where(entry.c.channel_id == channel_id, entry.c.family == family, SERVED)
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
            entry.c.section,
        )
        .join(artifact, artifact.c.id == entry.c.artifact_id)
        .where(entry.c.channel_id == channel_id, entry.c.subdir == subdir, entry.c.family == "conda", SERVED)
        .order_by(entry.c.section, entry.c.filename)
    )


def v3_span(connection: Connection, channel_id: int, subdir: str) -> tuple[int, int, int] | None:
    """How many files of a subdir only newer clients read, and when the first and the last was indexed (ms).

    None if there are none; then it costs a look into the index `ix_entry_index_order`.
    """
    moment = entry.c.indexed_timestamp
    statement = select(func.count(), func.min(moment), func.max(moment)).where(
        entry.c.channel_id == channel_id,
        entry.c.subdir == subdir,
        entry.c.section >= FIRST_V3,
        entry.c.family == "conda",
        SERVED,
    )
    row = connection.execute(statement).one()
    return (row[0], row[1], row[2]) if row[0] else None


def counts(connection: Connection, channel_id: int) -> dict[str, int]:
    """How many files each subdir of a channel has, counted one by one."""
    statement = select(entry.c.subdir, func.count()).where(entry.c.channel_id == channel_id, SERVED)
    return {row[0]: row[1] for row in connection.execute(statement.group_by(entry.c.subdir))}
