"""Queries about the bytes of files that mirrors list: which channel has them, who can bring them, what they tell."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, case, select, update

from packhouse.domain.channels import Privacy
from packhouse.storage.tables import artifact, blob, channel, entry

_CHUNK = 500


def shareable(connection: Connection, channel_id: int, digests: Sequence[str]) -> dict[str, int]:
    """Bytes in the store that this channel may serve though its mirror did not fetch them: digest -> size.

    Those that it has already, and those of public channels. A digest stands in lock files and logs, so an
    upstream that lists one has shown no right to the bytes of a private channel.
    """
    open_to_it = (channel.c.privacy == Privacy.PUBLIC) | (channel.c.id == channel_id)
    statement = (
        select(artifact.c.sha256, blob.c.size)
        .join(entry, entry.c.artifact_id == artifact.c.id)
        .join(channel, channel.c.id == entry.c.channel_id)
        .join(blob, blob.c.sha256 == artifact.c.sha256)
        .where(entry.c.has_bytes.is_(True), entry.c.is_served.is_(True), open_to_it)
        .where(blob.c.unreferenced_since.is_(None))
        .distinct()
    )
    found: dict[str, int] = {}
    for start in range(0, len(digests), _CHUNK):
        chosen = artifact.c.sha256.in_(digests[start : start + _CHUNK])
        found.update((row.sha256, row.size) for row in connection.execute(statement.where(chosen)))
    return found


def bring(connection: Connection, channel_id: int, digests: Sequence[str]) -> None:
    """The channel has the bytes of these files now."""
    for start in range(0, len(digests), _CHUNK):
        same = select(artifact.c.id).where(artifact.c.sha256.in_(digests[start : start + _CHUNK]))
        without = (entry.c.channel_id == channel_id) & entry.c.has_bytes.is_(False)
        connection.execute(update(entry).where(without, entry.c.artifact_id.in_(same)).values(has_bytes=True))


def lose(connection: Connection, sha256: str) -> None:
    """The bytes of these files are gone, from every channel."""
    same = select(artifact.c.id).where(artifact.c.sha256 == sha256)
    connection.execute(update(entry).where(entry.c.artifact_id.in_(same)).values(has_bytes=False))


def describe(
    connection: Connection, artifact_ids: Sequence[int], values: Sequence[Mapping[str, Any]]
) -> None:
    """Keep what the files themselves tell: columns `about`, `flags`, `details`, `run_exports` of artifacts."""
    rows = [{"key": key, **one} for key, one in zip(artifact_ids, values, strict=True)]
    for names in {tuple(sorted(one)) for one in values}:
        chosen = [row for row in rows if tuple(sorted(row.keys() - {"key"})) == names]
        statement = update(artifact).where(artifact.c.id == bindparam("key"))
        connection.execute(statement.values(**{name: bindparam(name) for name in names}), chosen)


def mirrors_of(connection: Connection, sha256: str) -> list[int]:
    """The mirrors that list these bytes, in any channel."""
    statement = (
        select(entry.c.mirror_id)
        .join(artifact, artifact.c.id == entry.c.artifact_id)
        .where(artifact.c.sha256 == sha256, entry.c.mirror_id.is_not(None))
    )
    return list(connection.execute(statement.distinct().order_by(entry.c.mirror_id)).scalars())


def places(connection: Connection, artifact_ids: Sequence[int]) -> list[Row[Any]]:
    """Channel, subdir and name of each served entry of some artifacts, whichever channel it is in."""
    columns = select(entry.c.channel_id, entry.c.subdir, entry.c.name, entry.c.artifact_id)
    found: list[Row[Any]] = []
    for start in range(0, len(artifact_ids), _CHUNK):
        chosen = entry.c.artifact_id.in_(artifact_ids[start : start + _CHUNK])
        found += connection.execute(columns.where(chosen, entry.c.is_served.is_(True)))
    return found


def without_run_exports(connection: Connection, artifact_ids: Sequence[int]) -> set[int]:
    """Those of some artifacts whose run exports nobody has told yet."""
    found: set[int] = set()
    for start in range(0, len(artifact_ids), _CHUNK):
        chosen = artifact.c.id.in_(artifact_ids[start : start + _CHUNK]) & (artifact.c.run_exports == b"")
        found.update(connection.execute(select(artifact.c.id).where(chosen)).scalars())
    return found


def inherit(connection: Connection, pairs: Sequence[tuple[int, int]]) -> None:
    """Let artifacts have what others of the same bytes were found to tell of themselves: (new id, old id)."""
    if not pairs:
        return
    old = artifact.alias("old")

    def told(column: str) -> Any:
        return select(old.c[column]).where(old.c.id == bindparam("old_id")).scalar_subquery()

    own = artifact.c.run_exports
    run_exports = case((own == b"", told("run_exports")), else_=own)
    statement = update(artifact).where(artifact.c.id == bindparam("new_id"))
    statement = statement.values(
        about=told("about"), flags=told("flags"), details=told("details"), run_exports=run_exports
    )
    connection.execute(statement, [{"new_id": new, "old_id": before} for new, before in pairs])
