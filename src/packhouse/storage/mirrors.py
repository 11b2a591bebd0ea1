"""Queries about mirrors: what people said of them, their state, and which files they brought."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, case, delete, func, insert, select, update

from packhouse.domain.mirrors import (
    Filters,
    Mirror,
    MirrorMode,
    MirrorState,
    MirrorType,
    OnVanished,
    Specification,
)
from packhouse.errors import NotFound
from packhouse.storage.tables import artifact, channel, entry, mirror


def _select() -> Select[Any]:
    return select(mirror, channel.c.path.label("channel_path")).join(
        channel, channel.c.id == mirror.c.channel_id
    )


def _from_row(row: Row[Any]) -> Mirror:
    return Mirror(
        id=row.id,
        uuid=row.uuid,
        channel_id=row.channel_id,
        channel_path=row.channel_path,
        specification=_specification(row),
        state=MirrorState(row.state),
        active=row.active,
        passive=row.passive,
        last_run_at=row.last_run_at,
        next_run_at=row.next_run_at,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _specification(row: Row[Any]) -> Specification:
    return Specification(
        name=row.name,
        source=row.source,
        type=MirrorType(row.type),
        mode=MirrorMode(row.mode),
        cron=row.cron,
        timezone=row.timezone,
        proxy=row.proxy,
        filters=Filters.parse(row.filters),
        on_vanished=OnVanished(row.on_vanished),
        use_channel_policy=row.use_channel_policy,
        policy_id=row.policy_id,
    )


def columns_of(specification: Specification) -> dict[str, Any]:
    """The columns that follow from what people say of a mirror."""
    return {
        "name": specification.name,
        "source": specification.source,
        "type": specification.type,
        "mode": specification.mode,
        "cron": specification.cron,
        "timezone": specification.timezone,
        "proxy": specification.proxy,
        "filters": specification.filters.to_json(),
        "on_vanished": specification.on_vanished,
        "use_channel_policy": specification.use_channel_policy,
        "policy_id": specification.policy_id,
    }


def find(connection: Connection, channel_id: int, key: str) -> Mirror | None:
    """By its uuid or its name."""
    here = (mirror.c.channel_id == channel_id) & ((mirror.c.uuid == key) | (mirror.c.name == key))
    rows = [_from_row(row) for row in connection.execute(_select().where(here))]
    return next((one for one in rows if one.uuid == key), rows[0] if rows else None)


def get(connection: Connection, channel_id: int, channel_path: str, key: str) -> Mirror:
    """Raise NotFound where the channel has no such mirror."""
    found = find(connection, channel_id, key)
    if found is None:
        raise NotFound(f"Mirror '{key[:100]}' was not found in channel '{channel_path}'.")
    return found


def by_id(connection: Connection, mirror_id: int) -> Mirror | None:
    row = connection.execute(_select().where(mirror.c.id == mirror_id)).one_or_none()
    return None if row is None else _from_row(row)


def listing(
    connection: Connection, condition: Any, offset: int = 0, limit: int | None = None
) -> tuple[int, list[Mirror]]:
    """Total and one page of the mirrors of the channels that `condition` selects, by channel and name."""
    base = mirror.join(channel, channel.c.id == mirror.c.channel_id)
    total = connection.execute(select(func.count()).select_from(base).where(condition)).scalar_one()
    order = (channel.c.path, mirror.c.name)
    rows = connection.execute(_select().where(condition).order_by(*order).offset(offset).limit(limit))
    return total, [_from_row(row) for row in rows]


def everywhere(connection: Connection) -> list[Mirror]:
    """All mirrors of all channels, by id."""
    return [_from_row(row) for row in connection.execute(_select().order_by(mirror.c.id))]


def due(connection: Connection, now: datetime) -> list[Mirror]:
    """Mirrors whose hour has come, whatever they are doing."""
    return [_from_row(row) for row in connection.execute(_select().where(mirror.c.next_run_at <= now))]


def add(connection: Connection, values: Mapping[str, Any]) -> int:
    return int(connection.execute(insert(mirror).values(**values).returning(mirror.c.id)).scalar_one())


def change(connection: Connection, mirror_id: int, values: Mapping[str, Any]) -> None:
    connection.execute(update(mirror).where(mirror.c.id == mirror_id).values(**values))


def remove(connection: Connection, mirror_id: int) -> None:
    """Remove the mirror with its runs and what it knows of its upstream; entries stay, nobody's."""
    connection.execute(delete(mirror).where(mirror.c.id == mirror_id))


def lock(connection: Connection, mirror_id: int) -> bool:
    """Make other writers of this mirror wait for this transaction; False if it is gone."""
    statement = select(mirror.c.id).where(mirror.c.id == mirror_id).with_for_update()
    return connection.execute(statement).first() is not None


def counts(connection: Connection, channel_ids: Sequence[int]) -> dict[int, int]:
    """How many mirrors each of some channels has."""
    statement = select(mirror.c.channel_id, func.count()).where(mirror.c.channel_id.in_(channel_ids))
    rows = connection.execute(statement.group_by(mirror.c.channel_id))
    return {row[0]: row[1] for row in rows}


def count_files(connection: Connection, mirror_id: int, channel_id: int) -> tuple[int, int]:
    """How many served files of a mirror are here, and how many come when they are asked for; one by one."""
    statement = select(func.count(), func.count(_with_bytes())).where(
        entry.c.channel_id == channel_id, entry.c.mirror_id == mirror_id, entry.c.is_served.is_(True)
    )
    total, here = connection.execute(statement).one()
    return here, total - here


def count_arrivals(connection: Connection, channel_id: int, digests: Sequence[str]) -> None:
    """The bytes of some files are about to be the channel's: each of its mirrors that lists one has it then."""
    without = (entry.c.channel_id == channel_id) & entry.c.has_bytes.is_(False)
    for mirror_id, number, _ in connection.execute(_numbers(without & artifact.c.sha256.in_(digests))).all():
        add_counts(connection, mirror_id, active=number, passive=-number)


def count_losses(connection: Connection, digests: Sequence[str]) -> None:
    """The bytes of some files are gone: each mirror that lists one is to fetch it again."""
    for mirror_id, _, here in connection.execute(_numbers(artifact.c.sha256.in_(digests))).all():
        add_counts(connection, mirror_id, active=-here, passive=here)


def count_removals(connection: Connection, entry_ids: Sequence[int]) -> None:
    """Some entries are about to go, and somebody else than their mirrors removes them."""
    for start in range(0, len(entry_ids), 500):
        statement = _numbers(entry.c.id.in_(entry_ids[start : start + 500]))
        for mirror_id, number, here in connection.execute(statement).all():
            add_counts(connection, mirror_id, active=-here, passive=here - number)


def _numbers(condition: Any) -> Select[Any]:
    """How many of the served entries that `condition` selects each mirror brought, and how many of them are here."""
    return (
        select(entry.c.mirror_id, func.count(), func.count(_with_bytes()))
        .select_from(entry.join(artifact, artifact.c.id == entry.c.artifact_id))
        .where(condition, entry.c.mirror_id.is_not(None), entry.c.is_served.is_(True))
        .group_by(entry.c.mirror_id)
        .order_by(entry.c.mirror_id)
    )


def _with_bytes() -> Any:
    """Null for an entry without bytes."""
    return case((entry.c.has_bytes.is_(True), 1))


def add_counts(connection: Connection, mirror_id: int, active: int = 0, passive: int = 0) -> None:
    more = {"active": mirror.c.active + active, "passive": mirror.c.passive + passive}
    connection.execute(update(mirror).where(mirror.c.id == mirror_id).values(**more))
