"""Queries about runs of mirrors: their state, who works on them, what they did and what they refused."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, literal, or_, select, update

from packhouse.domain.mirror_runs import CHOOSING, READING, MirrorRun, Progress, Refusal, Tally, Trigger
from packhouse.domain.mirrors import MirrorState
from packhouse.storage.tables import mirror, mirror_refusal, mirror_run

MOST_REFUSALS = 10_000
"""Kept for one run, besides its failures; beyond it they are only counted."""
UNDER_WAY = (MirrorState.PENDING, MirrorState.RUNNING)


def _from_row(row: Row[Any]) -> MirrorRun:
    return MirrorRun(
        id=row.id,
        uuid=row.uuid,
        mirror_id=row.mirror_id,
        event_id=row.event_id,
        trigger=Trigger(row.trigger),
        state=MirrorState(row.state),
        asked_at=row.asked_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        holder=row.holder,
        seen_at=row.seen_at,
        progress=Progress(row.step, row.description, row.percentage),
        tally=Tally(**{one.name: row._mapping[one.name] for one in fields(Tally)}),
        planned=row.planned,
        planned_bytes=row.planned_bytes,
        filtered=row.filtered,
        filtered_examples=row.filtered_examples,
        last_ckey=row.last_ckey,
        last_error=row.last_error,
    )


def add(connection: Connection, mirror_id: int, uuid: str, trigger: Trigger, now: datetime) -> None:
    values = {
        "uuid": uuid,
        "mirror_id": mirror_id,
        "trigger": trigger,
        "state": MirrorState.PENDING,
        "asked_at": now,
        "filtered": {},
        "filtered_examples": {},
    }
    connection.execute(insert(mirror_run).values(**values))


def find(connection: Connection, uuid: str) -> MirrorRun | None:
    row = connection.execute(select(mirror_run).where(mirror_run.c.uuid == uuid)).one_or_none()
    return None if row is None else _from_row(row)


def last(connection: Connection, mirror_ids: Sequence[int]) -> dict[int, MirrorRun]:
    """The newest run of each of some mirrors."""
    newest = select(func.max(mirror_run.c.id)).where(mirror_run.c.mirror_id.in_(mirror_ids))
    rows = connection.execute(
        select(mirror_run).where(mirror_run.c.id.in_(newest.group_by(mirror_run.c.mirror_id)))
    )
    return {row.mirror_id: _from_row(row) for row in rows}


def of_mirror(
    connection: Connection, mirror_id: int, offset: int, limit: int | None
) -> tuple[int, list[MirrorRun]]:
    """How many there are, and one page of them, newest first."""
    here = mirror_run.c.mirror_id == mirror_id
    total = connection.execute(select(func.count()).select_from(mirror_run).where(here)).scalar_one()
    statement = select(mirror_run).where(here).order_by(mirror_run.c.id.desc())
    return total, [_from_row(row) for row in connection.execute(statement.offset(offset).limit(limit))]


def under_way(connection: Connection) -> list[MirrorRun]:
    """All runs that are to be worked on, or are, the longest waiting first."""
    statement = select(mirror_run).where(mirror_run.c.state.in_(UNDER_WAY)).order_by(mirror_run.c.id)
    return [_from_row(row) for row in connection.execute(statement)]


def channels_read_into(connection: Connection, since: datetime) -> set[int]:
    """Channels whose mirrors, begun after `since`, are reading indexes: their contents change all the time."""
    reading = mirror_run.c.step.in_((0, READING, CHOOSING)) & (mirror_run.c.started_at > since)
    statement = (
        select(mirror.c.channel_id)
        .join(mirror_run, mirror_run.c.mirror_id == mirror.c.id)
        .where(mirror_run.c.state == MirrorState.RUNNING, reading)
    )
    return set(connection.execute(statement).scalars())


def is_under_way(connection: Connection, uuid: str) -> bool:
    statement = select(mirror_run.c.state).where(mirror_run.c.uuid == uuid)
    return connection.execute(statement).scalar_one_or_none() in UNDER_WAY


def take(connection: Connection, uuid: str, holder: str, now: datetime, lost_before: datetime) -> bool:
    """Begin to work on a run, or go on; False when it ended, or when another process works on it."""
    free = or_(
        mirror_run.c.holder.is_(None), mirror_run.c.holder == holder, mirror_run.c.seen_at < lost_before
    )
    mine = (mirror_run.c.uuid == uuid) & mirror_run.c.state.in_(UNDER_WAY) & free
    values = {
        "holder": holder,
        "seen_at": now,
        "state": MirrorState.RUNNING,
        "started_at": func.coalesce(mirror_run.c.started_at, literal(now, mirror_run.c.started_at.type)),
    }
    return connection.execute(update(mirror_run).where(mine).values(**values)).rowcount == 1


def let_go(connection: Connection, uuid: str, holder: str) -> None:
    """Leave a run that is not over to whoever takes it next."""
    mine = (mirror_run.c.uuid == uuid) & (mirror_run.c.holder == holder)
    connection.execute(update(mirror_run).where(mine).values(holder=None))


def change(connection: Connection, run_id: int, values: Mapping[str, Any]) -> None:
    connection.execute(update(mirror_run).where(mirror_run.c.id == run_id).values(**values))


def count(connection: Connection, run_id: int, tally: Tally, last_ckey: str | None = None) -> None:
    """Add to what a run has done."""
    more = {name: mirror_run.c[name] + number for name, number in asdict(tally).items() if number}
    if last_ckey is not None:
        more["last_ckey"] = last_ckey
    if more:
        connection.execute(update(mirror_run).where(mirror_run.c.id == run_id).values(**more))


def end(
    connection: Connection, uuid: str, state: MirrorState, now: datetime, error: str | None = None
) -> bool:
    """Write how a run ended; False when it had ended before (it was stopped)."""
    open_one = (mirror_run.c.uuid == uuid) & mirror_run.c.state.in_(UNDER_WAY)
    values: dict[str, Any] = {"state": state, "ended_at": now, "holder": None}
    if error is not None:
        values["last_error"] = error
    return connection.execute(update(mirror_run).where(open_one).values(**values)).rowcount == 1


def refuse(connection: Connection, run_id: int, refusals: Sequence[Refusal]) -> int:
    """Keep why files did not come: every failure, and of what will never come up to MOST_REFUSALS.

    What is told again, because a step was done again after a crash, is not kept twice. Answer how many are new.
    """
    if not refusals:
        return 0
    new = _untold(connection, run_id, refusals)
    known = connection.execute(
        select(func.count()).select_from(mirror_refusal).where(mirror_refusal.c.run_id == run_id)
    ).scalar_one()
    room = max(0, MOST_REFUSALS - known)
    kept = [one for number, one in enumerate(new) if one.is_failure or number < room]
    rows = [{"run_id": run_id, **asdict(one)} for one in kept]
    if rows:
        connection.execute(insert(mirror_refusal), rows)
    return len(new)


def _untold(connection: Connection, run_id: int, refusals: Sequence[Refusal]) -> list[Refusal]:
    columns = (mirror_refusal.c.ckey, mirror_refusal.c.reason)
    statement = select(*columns).where(mirror_refusal.c.run_id == run_id)
    told: set[tuple[str, str]] = set()
    for start in range(0, len(refusals), 500):
        some = [one.ckey for one in refusals[start : start + 500]]
        told.update(
            (row.ckey, row.reason) for row in connection.execute(statement.where(columns[0].in_(some)))
        )
    return [one for one in refusals if (one.ckey, one.reason) not in told]


def refusals(
    connection: Connection, run_id: int, is_failure: bool | None, offset: int, limit: int | None
) -> tuple[int, list[Refusal]]:
    """How many files of a run did not come, and one page of them; `is_failure` None means all."""
    here = mirror_refusal.c.run_id == run_id
    if is_failure is not None:
        here &= mirror_refusal.c.is_failure.is_(is_failure)
    total = connection.execute(select(func.count()).select_from(mirror_refusal).where(here)).scalar_one()
    statement = select(mirror_refusal).where(here).order_by(mirror_refusal.c.id).offset(offset).limit(limit)
    return total, [Refusal(row.ckey, row.reason, row.is_failure) for row in connection.execute(statement)]


def forget_old(connection: Connection, mirror_id: int, kept: int) -> None:
    """Remove all but the newest runs of a mirror."""
    newest = (
        select(mirror_run.c.id)
        .where(mirror_run.c.mirror_id == mirror_id)
        .order_by(mirror_run.c.id.desc())
        .offset(kept)
        .limit(1)
    ).scalar_subquery()
    connection.execute(
        mirror_run.delete().where(mirror_run.c.mirror_id == mirror_id, mirror_run.c.id <= newest)
    )
