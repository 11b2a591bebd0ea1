"""Queries about what a run of a mirror did: its changes of files first, then what it refused, in one listing."""

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection

from packhouse.domain.events import FileAction
from packhouse.domain.mirror_runs import MirrorRun
from packhouse.storage import file_changes, mirror_runs


class RunAction(StrEnum):
    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    REFUSED = "refused"
    FAILED = "failed"

    @property
    def is_refusal(self) -> bool:
        return self in (RunAction.REFUSED, RunAction.FAILED)


@dataclass(frozen=True, slots=True)
class RunChange:
    """What a run did to one file; why, where it did not take it."""

    action: RunAction
    ckey: str
    reason: str | None = None


def of_run(
    connection: Connection, run: MirrorRun, wanted: RunAction | None, offset: int, limit: int
) -> tuple[int, list[RunChange]]:
    """How many there are of the wanted kind, or of all, and one page of them."""
    done = _changes(connection, run, wanted, offset, limit)
    refused = _refusals(connection, run, wanted, max(0, offset - done[0]), limit - len(done[1]))
    return done[0] + refused[0], done[1] + refused[1]


def _changes(
    connection: Connection, run: MirrorRun, wanted: RunAction | None, offset: int, limit: int
) -> tuple[int, list[RunChange]]:
    if run.event_id is None or (wanted is not None and wanted.is_refusal):
        return 0, []
    action = None if wanted is None else FileAction(wanted.value)
    total, rows = file_changes.of_event(connection, run.event_id, action, offset, limit)
    return total, [RunChange(RunAction(row.action), row.ckey) for row in rows]


def _refusals(
    connection: Connection, run: MirrorRun, wanted: RunAction | None, offset: int, limit: int
) -> tuple[int, list[RunChange]]:
    if wanted is not None and not wanted.is_refusal:
        return 0, []
    is_failure = None if wanted is None else wanted is RunAction.FAILED
    total, found = mirror_runs.refusals(connection, run.id, is_failure, offset, limit)
    kinds = {True: RunAction.FAILED, False: RunAction.REFUSED}
    return total, [RunChange(kinds[one.is_failure], one.ckey, one.reason) for one in found]
