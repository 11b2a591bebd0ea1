"""Runs of mirrors: ask for one, take it, end it, stop it."""

from datetime import datetime
from uuid import uuid4

from sqlalchemy import Connection

from packhouse.actions.mirrors.schedule import next_run
from packhouse.actions.mirrors.work import LOST_AFTER, hold
from packhouse.actions.packhouse import Packhouse
from packhouse.domain.access import Actor, Permission, require
from packhouse.domain.events import EventType
from packhouse.domain.mirror_runs import COUNTING, STEPS, MirrorRun, Trigger
from packhouse.domain.mirrors import Mirror, MirrorState
from packhouse.errors import Conflict
from packhouse.storage import channels, events, mirror_runs, mirror_upstreams, mirrors
from packhouse.storage.database import retried

RUNS_KEPT = 100
"""Of each mirror; older ones are history that nobody reads."""
_LAST_STEP = {
    "step": COUNTING,
    "step_count": len(STEPS),
    "percentage": 100,
    "description": STEPS[COUNTING - 1],
}


def ask_for_run(connection: Connection, mirror_id: int, trigger: Trigger, now: datetime) -> None:
    """Have the mirror run, unless it does. A worker takes it up within moments."""
    run = mirror_runs.last(connection, [mirror_id]).get(mirror_id)
    if run is not None and run.state.is_under_way:
        return
    mirror_runs.add(connection, mirror_id, str(uuid4()), trigger, now)
    mirrors.change(connection, mirror_id, {"state": MirrorState.PENDING})


@retried
def ask_for_due_runs(packhouse: Packhouse) -> int:
    """Ask for a run of each mirror whose hour has come; answer how many mirrors that were."""
    now = packhouse.clock()
    with packhouse.database.reading() as connection:
        if not mirrors.due(connection, now):
            return 0
    with packhouse.database.transaction() as connection:
        found = mirrors.due(connection, now)
        for mirror in found:
            if not mirrors.lock(connection, mirror.id):
                continue
            ask_for_run(connection, mirror.id, Trigger.SCHEDULE, now)
            specification = mirror.specification
            following = next_run(specification.cron, specification.timezone, now)
            mirrors.change(connection, mirror.id, {"next_run_at": following})
        return len(found)


def runs_to_work_on(packhouse: Packhouse) -> list[MirrorRun]:
    """Runs that wait for a worker, and those whose worker gives no sign of life."""
    lost_before = packhouse.clock() - LOST_AFTER
    with packhouse.database.reading() as connection:
        return [
            run
            for run in mirror_runs.under_way(connection)
            if run.holder is None or run.seen_at is None or run.seen_at < lost_before
        ]


@retried
def take_run(packhouse: Packhouse, run_uuid: str) -> bool:
    """Begin to work on a run in this process, or go on; False when it is over, or another process has it."""
    with packhouse.database.transaction(quiet=True) as connection:
        if not hold(packhouse, connection, run_uuid):
            return False
        run = mirror_runs.find(connection, run_uuid)
        assert run is not None, "it was taken a moment ago, in this transaction"
        values = {"state": MirrorState.RUNNING, "last_run_at": run.started_at}
        mirrors.change(connection, run.mirror_id, values)
        return True


def let_go_of_run(packhouse: Packhouse, run_uuid: str) -> None:
    """This process ends before the run does; the next one goes on."""
    with packhouse.database.transaction(quiet=True) as connection:
        mirror_runs.let_go(connection, run_uuid, packhouse.settings.worker_name)


@retried
def end_run(packhouse: Packhouse, run_uuid: str, state: MirrorState, error: str | None = None) -> None:
    """Write how a run ended, unless it was stopped before."""
    with packhouse.database.transaction() as connection:
        now = packhouse.clock()
        if not mirror_runs.end(connection, run_uuid, state, now, error):
            return
        run = mirror_runs.find(connection, run_uuid)
        assert run is not None, "it ended a moment ago, in this transaction"
        filtered = dict(mirror_upstreams.filtered(connection, run.mirror_id))
        at_end = _LAST_STEP if state is MirrorState.COMPLETED else {}
        told = {"filtered": filtered, "planned": 0, "planned_bytes": 0, **at_end}
        mirror_runs.change(connection, run.id, told)
        mirrors.change(connection, run.mirror_id, {"state": state})
        mirror_runs.forget_old(connection, run.mirror_id, RUNS_KEPT)


@retried
def stop_mirror(packhouse: Packhouse, actor: Actor, channel_path: str, key: str) -> Mirror:
    """Stop the mirror's run; what it has brought stays. Raises Conflict for a mirror that does not run."""
    with packhouse.database.transaction() as connection:
        mirror = _editable(connection, actor, channel_path, key)
        if not mirror.state.is_under_way:
            raise Conflict(f"Mirror {mirror.name} cannot be stopped in its current state: {mirror.state}")
        now = packhouse.clock()
        if not end_open_run(connection, mirror, now):  # it was made, and has never run
            mirrors.change(connection, mirror.id, {"state": MirrorState.STOPPED})
        channel = channels.get(connection, channel_path)
        events.record(connection, now, EventType.MIRROR_STOPPED, actor, channel, {"mirror": mirror.name})
        return mirrors.get(connection, channel.id, channel_path, mirror.uuid)


def end_open_run(connection: Connection, mirror: Mirror, now: datetime) -> bool:
    """End the run that is under way, if there is one, as stopped; its worker notices within a second."""
    run = mirror_runs.last(connection, [mirror.id]).get(mirror.id)
    if run is None or not mirror_runs.end(connection, run.uuid, MirrorState.STOPPED, now):
        return False
    mirrors.change(connection, mirror.id, {"state": MirrorState.STOPPED})
    return True


@retried
def restart_mirror(packhouse: Packhouse, actor: Actor, channel_path: str, key: str) -> Mirror:
    """Have the mirror run now, as it is; one that runs goes on."""
    with packhouse.database.transaction() as connection:
        mirror = _editable(connection, actor, channel_path, key)
        ask_for_run(connection, mirror.id, Trigger.RESTART, packhouse.clock())
        return mirrors.get(connection, mirror.channel_id, channel_path, mirror.uuid)


def _editable(connection: Connection, actor: Actor, channel_path: str, key: str) -> Mirror:
    channel = channels.get(connection, channel_path)
    require(actor, Permission.CHANNEL_MIRROR_EDIT, channel)
    mirror = mirrors.get(connection, channel.id, channel_path, key)
    mirrors.lock(connection, mirror.id)
    return mirrors.get(connection, channel.id, channel_path, mirror.uuid)
