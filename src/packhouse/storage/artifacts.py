"""Queries about artifacts: the files themselves, whichever channels they are in."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, exists, select

from packhouse.domain.artifacts import Artifact, Digests, FileFacts, IndexRecord
from packhouse.storage.tables import artifact, channel, entry
from packhouse.storage.upsert import upsert

_LEFT_OUT = ("details", "created_at", "variant")
COLUMNS = tuple(column for column in artifact.c if column.name not in _LEFT_OUT)
"""What an index or a listing needs; `details` can be long and only a page about one file shows them."""


def from_row(row: Row[Any]) -> Artifact:
    return Artifact(
        id=row.id,
        family=row.family,
        name=row.name,
        version=row.version,
        build=row.build,
        build_number=row.build_number,
        subdir=row.subdir,
        filename=row.filename,
        ckey=row.ckey,
        digests=Digests(row.md5, row.sha256, row.size),
        record=row.record,
        splice=row.record_splice,
        run_exports=row.run_exports,
        about=row.about,
        flags=row.flags,
        mirror_id=row.mirror_id,
    )


PUBLISHED = ""
"""The variant whose record was made from the file itself, not told by an upstream."""


def find(connection: Connection, sha256: str, ckey: str) -> int | None:
    """The artifact as it was published."""
    statement = select(artifact.c.id).where(
        artifact.c.sha256 == sha256, artifact.c.ckey == ckey, artifact.c.variant == PUBLISHED
    )
    return connection.execute(statement).scalar_one_or_none()


def add(
    connection: Connection, facts: FileFacts, digests: Digests, record: IndexRecord, now: datetime
) -> int:
    """Keep an artifact that may be there already; answer its id."""
    values = row_of(facts, digests, record, now)
    key = {name: values.pop(name) for name in ("sha256", "ckey", "variant")}
    # The same bytes may arrive for another channel at the same time; changing nothing still answers the id.
    same = {"size": artifact.c.size}
    result = upsert(connection, artifact, key, values, changes=same, returning=[artifact.c.id])
    return int(result.scalar_one())


def row_of(facts: FileFacts, digests: Digests, record: IndexRecord, now: datetime) -> dict[str, Any]:
    """The columns of an artifact that is not kept yet."""
    return {
        "family": facts.family,
        "name": facts.name,
        "version": facts.version,
        "build": facts.build,
        "build_number": facts.build_number,
        "subdir": facts.subdir,
        "filename": facts.filename,
        "ckey": facts.ckey,
        "md5": digests.md5,
        "sha256": digests.sha256,
        "size": digests.size,
        "record": record.body,
        "record_splice": record.splice,
        "run_exports": record.run_exports,
        "about": dict(facts.about),
        "flags": dict(record.flags),
        "details": dict(facts.details),
        "created_at": now,
        "variant": PUBLISHED,
    }


def remove_unused(connection: Connection, ids: set[int]) -> set[str]:
    """Remove those that are in no channel any more; answer the digests that may have lost their last user."""
    digests: set[str] = set()
    for chunk in _chunks(sorted(ids)):
        among = artifact.c.id.in_(chunk)
        # Where two channels drop the same file at once, the second waits here, and sees that it was the last.
        connection.execute(select(artifact.c.id).where(among).order_by(artifact.c.id).with_for_update())
        in_use = select(entry.c.artifact_id).where(entry.c.artifact_id.in_(chunk))
        unused = among & artifact.c.id.not_in(in_use)
        digests.update(
            connection.execute(delete(artifact).where(unused).returning(artifact.c.sha256)).scalars()
        )
    return digests


def unused(connection: Connection, limit: int) -> list[Row[Any]]:
    """Id, ckey and SHA-256 of artifacts that are in no channel."""
    in_use = exists().where(entry.c.artifact_id == artifact.c.id)
    statement = select(artifact.c.id, artifact.c.ckey, artifact.c.sha256).where(~in_use)
    return list(connection.execute(statement.order_by(artifact.c.id).limit(limit)))


def places(connection: Connection, sha256: str) -> list[str]:
    """`channel/ckey` of every file that consists of these bytes."""
    statement = (
        select(channel.c.path, entry.c.ckey)
        .join(entry, entry.c.channel_id == channel.c.id)
        .join(artifact, artifact.c.id == entry.c.artifact_id)
        .where(artifact.c.sha256 == sha256)
        .order_by(channel.c.path, entry.c.ckey)
    )
    return [f"{row.path}/{row.ckey}" for row in connection.execute(statement)]


def _chunks(ids: list[int], size: int = 500) -> list[list[int]]:
    return [ids[start : start + size] for start in range(0, len(ids), size)]
