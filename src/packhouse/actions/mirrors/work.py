"""A run at work in this process: what it needs at hand, a sign of life, and the signal to stop."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import structlog
from sqlalchemy import Connection

from packhouse.actions.packhouse import Packhouse
from packhouse.domain.mirror_runs import STEPS, MirrorRun, Refusal, Tally
from packhouse.domain.mirrors import Mirror
from packhouse.errors import PackhouseError, Stopped
from packhouse.storage import mirror_runs, mirrors

SIGN_OF_LIFE_SECONDS = 1.0
LOST_AFTER = timedelta(seconds=30)
"""A run whose process gave no sign of life for so long may be taken over by another."""

EXAMPLES = 100
"""Files named in the sync state per reason to filter; all are counted."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Work:
    packhouse: Packhouse
    mirror: Mirror
    run: MirrorRun
    stop: threading.Event = field(default_factory=threading.Event)

    def go_on(self) -> None:
        """Raise Stopped once the run was stopped."""
        if self.stop.is_set():
            raise Stopped(f"The run of mirror '{self.mirror.name}' was stopped.")

    def show(self, step: int, percentage: int = 0, detail: str = "") -> None:
        """Tell how far the run is: one of STEPS, and how much of it is done."""
        name = STEPS[step - 1]
        description = f"{name}: {detail}"[:300] if detail else name
        values = {
            "step": step,
            "step_count": len(STEPS),
            "percentage": percentage,
            "description": description,
        }
        with self.packhouse.database.transaction(quiet=True) as connection:
            mirror_runs.change(connection, self.run.id, values)

    def fail(self, ckey: str, error: PackhouseError) -> None:
        """Note what was to come and did not; the next run tries again."""
        with self.packhouse.database.transaction(quiet=True) as connection:
            mirror_runs.refuse(connection, self.run.id, [Refusal(ckey, error.message, is_failure=True)])
            mirror_runs.count(connection, self.run.id, Tally(failed=1))
            mirror_runs.change(connection, self.run.id, {"last_error": f"{ckey}: {error.message}"})

    def failures(self) -> int:
        """How many files or names of this run were to come and did not."""
        with self.packhouse.database.reading() as connection:
            run = mirror_runs.find(connection, self.run.uuid)
        return 0 if run is None else run.tally.failed

    def examples(self, found: Mapping[str, Sequence[str]]) -> None:
        """Keep some of the files that were filtered, per reason."""
        if not found:
            return
        with self.packhouse.database.transaction(quiet=True) as connection:
            run = mirror_runs.find(connection, self.run.uuid)
            kept = {} if run is None else dict(run.filtered_examples)
            for reason, ckeys in found.items():
                kept[reason] = [*kept.get(reason, ()), *ckeys][:EXAMPLES]
            mirror_runs.change(connection, self.run.id, {"filtered_examples": kept})

    def transferred(self, size: int) -> None:
        """Count bytes that came from the upstream."""
        with self.packhouse.database.transaction(quiet=True) as connection:
            mirror_runs.count(connection, self.run.id, Tally(transferred=size))


@contextmanager
def working(packhouse: Packhouse, run_uuid: str) -> Iterator[Work]:
    """Work on a run that this process has taken.

    Raises Stopped where it is over, or another process's by now, and HasTwin.
    """
    with _alone(run_uuid):
        yield from _watched(_work(packhouse, run_uuid))


class HasTwin(Exception):
    """Another job of this process works on the same run."""


_BUSY: set[str] = set()
_BUSY_LOCK = threading.Lock()


@contextmanager
def _alone(run_uuid: str) -> Iterator[None]:
    """A job that was taken up after a crash, and one that was asked for anew, may meet in one process."""
    with _BUSY_LOCK:
        if run_uuid in _BUSY:
            raise HasTwin("This run is worked on already.")
        _BUSY.add(run_uuid)
    try:
        yield
    finally:
        with _BUSY_LOCK:
            _BUSY.discard(run_uuid)


def _watched(work: Work) -> Iterator[Work]:
    ended = threading.Event()
    watch = threading.Thread(target=_watch, args=(work, ended), name="mirror-watch", daemon=True)
    watch.start()
    try:
        yield work
    finally:
        ended.set()
        watch.join()


def _work(packhouse: Packhouse, run_uuid: str) -> Work:
    with packhouse.database.transaction(quiet=True) as connection:
        is_ours = hold(packhouse, connection, run_uuid)
        run = mirror_runs.find(connection, run_uuid)
        mirror = None if run is None else mirrors.by_id(connection, run.mirror_id)
    if not is_ours or run is None or mirror is None:
        raise Stopped("The run is over, or another process works on it, or its mirror is gone.")
    return Work(packhouse, mirror, run)


def _watch(work: Work, ended: threading.Event) -> None:
    """Give a sign of life each second, and see whether the run is still wanted."""
    while not ended.wait(SIGN_OF_LIFE_SECONDS):
        try:
            if work.packhouse.closing.is_set() or not _is_wanted(work):
                work.stop.set()
                return
        except Exception:
            log.exception("the sign of life of a mirror's run was not written; trying again")


def _is_wanted(work: Work) -> bool:
    with work.packhouse.database.transaction(quiet=True) as connection:
        return hold(work.packhouse, connection, work.run.uuid)


def hold(packhouse: Packhouse, connection: Connection, run_uuid: str) -> bool:
    """Take a run, or say that it is still worked on here; False when it is over, or another process has it."""
    now = packhouse.clock()
    holder = packhouse.settings.worker_name
    return mirror_runs.take(connection, run_uuid, holder, now, now - LOST_AFTER)
