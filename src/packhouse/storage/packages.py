"""Queries about packages: the sums over a name's files that listings and searches show."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, delete, func, select

from packhouse.domain.artifacts import Package
from packhouse.storage import artifacts
from packhouse.storage.entries import VersionRow
from packhouse.storage.tables import artifact, channel, package
from packhouse.storage.upsert import upsert_many

SORT_KEYS = {
    "name": package.c.name,
    "family": package.c.family,
    "download_count": package.c.download_count,
    "file_count": package.c.file_count,
    "updated_at": package.c.updated_at,
    "version": artifact.c.version,
}
"""What listings can be sorted by; a leading `-` turns the order round."""

_COLUMNS = (
    *(column for column in package.c if column.name not in ("family", "name", "channeldata")),
    channel.c.path.label("channel_path"),
    channel.c.privacy,
    *artifacts.COLUMNS,
)


@dataclass(frozen=True, slots=True)
class Filter:
    """What to list: `text` is sought in names, `family` and `platform` are exact."""

    text: str | None = None
    family: str | None = None
    platform: str | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """A package with where it is."""

    package: Package
    channel_path: str
    privacy: str


def listing(
    connection: Connection, condition: Any, wanted: Filter, sort: str, offset: int, limit: int | None
) -> tuple[int, list[Listed]]:
    """Total and one page of the packages in the channels that `condition` selects."""
    where = and_(condition, *_conditions(wanted))
    base = package.join(channel, channel.c.id == package.c.channel_id)
    total = connection.execute(select(func.count()).select_from(base).where(where)).scalar_one()
    statement = _select().where(where).order_by(*_order(sort)).offset(offset).limit(limit)
    return total, [_from_row(row) for row in connection.execute(statement)]


def _select() -> Select[Any]:
    joined = package.join(channel, channel.c.id == package.c.channel_id).join(
        artifact, artifact.c.id == package.c.latest_artifact_id
    )
    return select(*_COLUMNS).select_from(joined)


def _conditions(wanted: Filter) -> Iterable[Any]:
    if wanted.text:
        yield func.lower(package.c.name).contains(wanted.text.lower(), autoescape=True)
    if wanted.family:
        yield package.c.family == wanted.family
    if wanted.platform:
        yield package.c.platforms.contains(f",{wanted.platform},", autoescape=True)


def _order(sort: str) -> Sequence[Any]:
    column = SORT_KEYS[sort.removeprefix("-")]
    first = column.desc() if sort.startswith("-") else column.asc()
    return first, package.c.name, package.c.family, channel.c.path


def _from_row(row: Row[Any]) -> Listed:
    found = Package(
        channel_id=row.channel_id,
        family=row.family,
        name=row.name,
        latest=artifacts.from_row(row),
        file_count=row.file_count,
        versions=row.versions,
        subdirs=row.subdirs,
        download_count=row.download_count,
        updated_at=row.updated_at,
    )
    return Listed(found, row.channel_path, row.privacy)


def exists(connection: Connection, channel_id: int, family: str, name: str) -> bool:
    return connection.execute(select(package.c.name).where(_is(channel_id, family, name))).first() is not None


@dataclass(frozen=True, slots=True)
class Sums:
    """What is written of one package: its entries, the newest version first, and its channeldata summary."""

    name: str
    newest_first: Sequence[VersionRow]
    channeldata: bytes | None


def put(connection: Connection, channel_id: int, family: str, summed: Sequence[Sums], now: datetime) -> None:
    """Write the sums of some packages."""
    here = {"channel_id": channel_id, "family": family, "updated_at": now}
    rows = [
        {**here, "name": one.name, **sums(one.newest_first), "channeldata": one.channeldata} for one in summed
    ]
    upsert_many(connection, package, ("channel_id", "family", "name"), rows)


def sums(newest_first: Sequence[VersionRow]) -> dict[str, Any]:
    """The columns that follow from a package's entries."""
    subdirs = sorted({row.subdir for row in newest_first if row.subdir})
    return {
        "latest_artifact_id": newest_first[0].artifact_id,
        "file_count": len(newest_first),
        "versions": list(dict.fromkeys(row.version for row in newest_first if row.version)),
        "subdirs": subdirs,
        "platforms": f",{','.join(subdirs)},",
        "download_count": sum(row.download_count for row in newest_first),
    }


def in_order(connection: Connection, channel_id: int) -> Iterator[Row[Any]]:
    """The sums of all of a channel's packages as they are kept, by family and name; streamed."""
    statement = select(package).where(package.c.channel_id == channel_id)
    statement = statement.order_by(package.c.family, package.c.name)
    yield from connection.execute(statement, execution_options={"yield_per": 2_000})


def summaries(connection: Connection, channel_id: int) -> Iterator[tuple[str, bytes]]:
    """Name and channeldata summary of a channel's conda packages, by name; streamed. Those without are left out."""
    statement = (
        select(package.c.name, package.c.channeldata)
        .where(
            package.c.channel_id == channel_id,
            package.c.family == "conda",
            package.c.channeldata.is_not(None),
        )
        .order_by(package.c.name)
    )
    for row in connection.execute(statement, execution_options={"yield_per": 2_000}):
        yield row.name, row.channeldata


def unsummed(connection: Connection, channel_id: int, limit: int) -> list[str]:
    """Conda packages whose channeldata summary is still to be made."""
    statement = select(package.c.name).where(
        package.c.channel_id == channel_id, package.c.family == "conda", package.c.channeldata.is_(None)
    )
    return list(connection.execute(statement.order_by(package.c.name).limit(limit)).scalars())


def remove(connection: Connection, channel_id: int, family: str, names: Sequence[str]) -> None:
    here = (package.c.channel_id == channel_id) & (package.c.family == family)
    for start in range(0, len(names), 500):
        connection.execute(delete(package).where(here, package.c.name.in_(names[start : start + 500])))


def remove_all(connection: Connection, channel_id: int) -> None:
    connection.execute(delete(package).where(package.c.channel_id == channel_id))


def _is(channel_id: int, family: str, name: str) -> Any:
    return and_(package.c.channel_id == channel_id, package.c.family == family, package.c.name == name)
