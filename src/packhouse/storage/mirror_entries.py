"""Queries about the files that mirrors bring: added in bulk, awaited, changed, flagged and taken out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, select, update

from packhouse.domain.families import CONDA
from packhouse.storage import bulk
from packhouse.storage.tables import artifact, channel, entry, mirror, mirror_refusal

_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Present:
    """A file of the channel, as far as a mirror compares it with what the upstream lists."""

    entry_id: int
    artifact_id: int
    name: str
    ckey: str
    version: str
    mirror_id: int | None
    is_served: bool
    is_awaited: bool
    sha256: str
    variant: str
    section: int
    has_bytes: bool
    is_flagged: bool


@dataclass(frozen=True, slots=True)
class Awaited:
    """A file that is still to be fetched; `size` in bytes."""

    entry_id: int
    artifact_id: int
    name: str
    version: str
    subdir: str
    filename: str
    ckey: str
    sha256: str
    size: int
    is_served: bool


_PRESENT = (
    entry.c.id,
    entry.c.artifact_id,
    entry.c.name,
    entry.c.ckey,
    artifact.c.version,
    entry.c.mirror_id,
    entry.c.is_served,
    entry.c.is_awaited,
    artifact.c.sha256,
    artifact.c.variant,
    entry.c.section,
    entry.c.has_bytes,
    entry.c.vanished_at.is_not(None),
)


def present(connection: Connection, channel_id: int, subdir: str, names: Sequence[str]) -> dict[str, Present]:
    """The conda files of some names in a subdir, whoever brought them: ckey -> file."""
    statement = (
        select(*_PRESENT)
        .join(artifact, artifact.c.id == entry.c.artifact_id)
        .where(entry.c.channel_id == channel_id, entry.c.family == "conda", entry.c.subdir == subdir)
    )
    found: dict[str, Present] = {}
    for start in range(0, len(names), _CHUNK):
        rows = connection.execute(statement.where(entry.c.name.in_(names[start : start + _CHUNK])))
        found.update((row.ckey, Present(*tuple(row))) for row in rows)
    return found


def known_artifacts(connection: Connection, digests: Sequence[str]) -> dict[tuple[str, str, str], int]:
    """Artifacts of some digests: (SHA-256, ckey, variant) -> id."""
    columns = select(artifact.c.id, artifact.c.sha256, artifact.c.ckey, artifact.c.variant)
    found = {}
    for start in range(0, len(digests), _CHUNK):
        for row in connection.execute(columns.where(artifact.c.sha256.in_(digests[start : start + _CHUNK]))):
            found[row.sha256, row.ckey, row.variant] = row.id
    return found


ARTIFACT_COLUMNS = (
    "name",
    "version",
    "build",
    "build_number",
    "subdir",
    "filename",
    "ckey",
    "md5",
    "sha256",
    "size",
    "record",
    "record_splice",
    "run_exports",
    "variant",
)
ENTRY_COLUMNS = (
    "artifact_id",
    "name",
    "subdir",
    "section",
    "filename",
    "ckey",
    "is_served",
    "is_awaited",
    "has_bytes",
)


def add_artifacts(
    connection: Connection, mirror_id: int, rows: Sequence[tuple[Any, ...]], now: datetime
) -> list[int]:
    """Add conda artifacts (ARTIFACT_COLUMNS) that are not there yet; answer their ids in the same order."""
    ids = bulk.next_ids(connection, artifact, len(rows))
    constants = {
        "family": CONDA,
        "about": {},
        "flags": {},
        "details": {},
        "created_at": now,
        "mirror_id": mirror_id,
    }
    numbered = ((number, *row) for number, row in zip(ids, rows, strict=True))
    bulk.insert_rows(connection, artifact, ("id", *ARTIFACT_COLUMNS), numbered, constants)
    return ids


def add_entries(
    connection: Connection, channel_id: int, mirror_id: int, rows: Iterable[tuple[Any, ...]], now: datetime
) -> None:
    """Add entries (ENTRY_COLUMNS) of a mirror, whose ckeys are free."""
    constants = {
        "channel_id": channel_id,
        "family": CONDA,
        "indexed_timestamp": int(now.timestamp() * 1000),
        "added_at": now,
        "added_by": None,
        "download_count": 0,
        "mirror_id": mirror_id,
    }
    bulk.insert_rows(connection, entry, ENTRY_COLUMNS, rows, constants)


@dataclass(frozen=True, slots=True)
class Replacement:
    """What an entry becomes: another artifact, or the same in another state."""

    entry_id: int
    artifact_id: int
    section: int
    is_served: bool
    is_awaited: bool
    has_bytes: bool


def replace(connection: Connection, replacements: Sequence[Replacement]) -> None:
    """Set them, and take away their flags: the upstream lists them."""
    if not replacements:
        return
    statement = update(entry).where(entry.c.id == bindparam("key"))
    statement = statement.values(
        artifact_id=bindparam("new"),
        section=bindparam("part"),
        is_served=bindparam("served"),
        is_awaited=bindparam("awaited"),
        has_bytes=bindparam("here"),
        vanished_at=None,
    )
    rows = [
        {
            "key": one.entry_id,
            "new": one.artifact_id,
            "part": one.section,
            "served": one.is_served,
            "awaited": one.is_awaited,
            "here": one.has_bytes,
        }
        for one in replacements
    ]
    connection.execute(statement, rows)


def flag(connection: Connection, entry_ids: Sequence[int], since: datetime | None) -> None:
    """Note since when the upstream lists them no longer; None: it does again."""
    for start in range(0, len(entry_ids), _CHUNK):
        chosen = entry.c.id.in_(entry_ids[start : start + _CHUNK])
        connection.execute(update(entry).where(chosen).values(vanished_at=since))


def remove(connection: Connection, entry_ids: Sequence[int]) -> None:
    for start in range(0, len(entry_ids), _CHUNK):
        connection.execute(entry.delete().where(entry.c.id.in_(entry_ids[start : start + _CHUNK])))


def names_of(connection: Connection, channel_id: int, mirror_id: int, subdir: str) -> list[str]:
    """The names of which a mirror has files in a subdir."""
    statement = select(entry.c.name).where(
        entry.c.channel_id == channel_id, entry.c.subdir == subdir, entry.c.mirror_id == mirror_id
    )
    return list(connection.execute(statement.distinct().order_by(entry.c.name)).scalars())


def subdirs_of(connection: Connection, channel_id: int, mirror_id: int) -> list[str]:
    statement = select(entry.c.subdir).where(entry.c.channel_id == channel_id, entry.c.mirror_id == mirror_id)
    return list(connection.execute(statement.distinct().order_by(entry.c.subdir)).scalars())


def page_of_mirror(connection: Connection, mirror_id: int, after: int, limit: int) -> list[Row[Any]]:
    """The next entries that a mirror brought, by id, and whether their bytes are here."""
    columns = (entry.c.id, entry.c.artifact_id, entry.c.name, artifact.c.version, entry.c.ckey)
    statement = (
        select(*columns, entry.c.subdir, entry.c.is_served, entry.c.has_bytes)
        .join(artifact, artifact.c.id == entry.c.artifact_id)
        .where(entry.c.mirror_id == mirror_id, entry.c.id > after)
        .order_by(entry.c.id)
        .limit(limit)
    )
    return list(connection.execute(statement))


def release(connection: Connection, entry_ids: Sequence[int]) -> None:
    """They belong to their channel alone from now on."""
    for start in range(0, len(entry_ids), _CHUNK):
        chosen = entry.c.id.in_(entry_ids[start : start + _CHUNK])
        values = {"mirror_id": None, "is_awaited": False, "vanished_at": None}
        connection.execute(update(entry).where(chosen).values(**values))


def _awaited(mirror_id: int, run_id: int) -> Any:
    """What a mirror awaits, but for what failed in this run already."""
    failed = select(mirror_refusal.c.id).where(
        mirror_refusal.c.run_id == run_id,
        mirror_refusal.c.ckey == entry.c.ckey,
        mirror_refusal.c.is_failure.is_(True),
    )
    return (entry.c.mirror_id == mirror_id) & entry.c.is_awaited.is_(True) & ~failed.exists()


def awaited(connection: Connection, mirror_id: int, run_id: int, limit: int) -> list[Awaited]:
    """The next files to fetch, in the order in which they were listed."""
    statement = (
        select(
            entry.c.id,
            entry.c.artifact_id,
            entry.c.name,
            artifact.c.version,
            entry.c.subdir,
            entry.c.filename,
            entry.c.ckey,
            artifact.c.sha256,
            artifact.c.size,
            entry.c.is_served,
        )
        .join(artifact, artifact.c.id == entry.c.artifact_id)
        .where(_awaited(mirror_id, run_id))
        .order_by(entry.c.id)
        .limit(limit)
    )
    return [Awaited(*tuple(row)) for row in connection.execute(statement)]


def count_awaited(connection: Connection, mirror_id: int, run_id: int) -> tuple[int, int]:
    """How many files are still to be fetched, and how many bytes that is."""
    statement = (
        select(func.count(), func.coalesce(func.sum(artifact.c.size), 0))
        .select_from(entry.join(artifact, artifact.c.id == entry.c.artifact_id))
        .where(_awaited(mirror_id, run_id))
    )
    number, size = connection.execute(statement).one()
    return number, int(size)


def abandoned(connection: Connection, limit: int) -> list[Row[Any]]:
    """Files that are awaited of a mirror that is gone: id, artifact_id, ckey, is_served, and their channel."""
    is_known = select(mirror.c.id).where(mirror.c.id == entry.c.mirror_id)
    columns = (entry.c.id, entry.c.artifact_id, entry.c.ckey, entry.c.is_served, entry.c.channel_id)
    statement = (
        select(*columns, channel.c.path)
        .join(channel, channel.c.id == entry.c.channel_id)
        .where(entry.c.is_awaited.is_(True), ~is_known.exists())
        .order_by(entry.c.channel_id, entry.c.id)
        .limit(limit)
    )
    return list(connection.execute(statement))


def serve(connection: Connection, entry_ids: Sequence[int], now: datetime) -> set[int]:
    """The bytes are here: what was awaited is served, and indexed from this moment on (CEP 47).

    Answer those that were not served before.
    """
    unserved = {"is_served": True, "added_at": now, "indexed_timestamp": int(now.timestamp() * 1000)}
    served: set[int] = set()
    for start in range(0, len(entry_ids), _CHUNK):
        chosen = entry.c.id.in_(entry_ids[start : start + _CHUNK])
        statement = update(entry).where(chosen, entry.c.is_served.is_(False)).values(**unserved)
        served.update(connection.execute(statement.returning(entry.c.id)).scalars())
        connection.execute(update(entry).where(chosen).values(is_awaited=False))
    return served
