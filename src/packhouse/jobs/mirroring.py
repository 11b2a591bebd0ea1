"""Mirrors as durable workflows: a run is a workflow, whose steps are batches.

How far a run came is in our database, not in what its steps answered: a step that is done again after a
crash finds what it did before. DBOS sees to it that there is somebody who goes on.
"""

import structlog
from dbos import DBOS, StepOptions
from sqlalchemy.exc import DBAPIError

from packhouse.actions.mirrors.fetch_files import fetch_some
from packhouse.actions.mirrors.leftovers import remove_finished_partials
from packhouse.actions.mirrors.read_indexes import read_indexes
from packhouse.actions.mirrors.runs import end_run, let_go_of_run, take_run
from packhouse.actions.mirrors.work import HasTwin, working
from packhouse.actions.packhouse import Packhouse
from packhouse.domain.mirrors import MirrorState
from packhouse.errors import PackhouseError, Stopped

MIRROR, MIRROR_QUEUE = "mirror", "mirrors"
MIRRORS_AT_ONCE = 4
POLLING_SECONDS = 0.5
PATIENCE: StepOptions = {
    "retries_allowed": True,
    "interval_seconds": 1.0,
    "backoff_rate": 2.0,
    "max_attempts": 6,
    "should_retry": lambda error: isinstance(error, DBAPIError),
}
"""A database that is away for half a minute delays a run. Upstreams have a patience of their own (`remotes`)."""

STOPPED, HAS_TWIN = "stopped", "another job works on this run"

log = structlog.get_logger(__name__)


def register_mirroring(packhouse: Packhouse) -> None:
    """Tell DBOS what the job means in this process."""

    @DBOS.workflow(name=MIRROR)
    def mirroring(run_uuid: str) -> str:
        if not DBOS.run_step({"name": "take", **PATIENCE}, lambda: take_run(packhouse, run_uuid)):
            return "taken by another, or over"
        try:
            error = DBOS.run_step({"name": "read-indexes", **PATIENCE}, lambda: _read(packhouse, run_uuid))
            is_left = error is None
            while is_left:
                is_left, error = DBOS.run_step(
                    {"name": "fetch-files", **PATIENCE}, lambda: _fetch(packhouse, run_uuid)
                )
        except Exception as unforeseen:
            log.exception("mirror_run_failed", run=run_uuid)
            error = f"The server failed ({type(unforeseen).__name__}); its log says more."
            if packhouse.closing.is_set():  # then it may only be that others have ended before
                error = STOPPED
        return DBOS.run_step({"name": "end", **PATIENCE}, lambda: _end(packhouse, run_uuid, error))


def _read(packhouse: Packhouse, run_uuid: str) -> str | None:
    """What went wrong, in words; an exception would be raised again by every replay."""
    try:
        with working(packhouse, run_uuid) as work:
            read_indexes(work)
    except Stopped:
        return STOPPED
    except HasTwin:
        return HAS_TWIN
    except PackhouseError as error:
        return error.message
    except BaseException as panic:
        return _sentence_of(panic)
    return None


def _sentence_of(panic: BaseException) -> str:
    """A panic of rattler is no Exception, so nobody else would notice that the run is over; others go on."""
    if type(panic).__name__ != "PanicException":
        raise panic
    log.error("mirror_run_panicked", exc_info=panic)
    return "A record of the upstream, or a spec of the filters, is more than can be read; the log says more."


def _fetch(packhouse: Packhouse, run_uuid: str) -> tuple[bool, str | None]:
    """Whether files are left to fetch, and what went wrong."""
    try:
        with working(packhouse, run_uuid) as work:
            return fetch_some(work), None
    except Stopped:
        return False, STOPPED
    except HasTwin:
        return False, HAS_TWIN
    except PackhouseError as error:
        return False, error.message
    except BaseException as panic:
        return False, _sentence_of(panic)


def _end(packhouse: Packhouse, run_uuid: str, error: str | None) -> str:
    if error == HAS_TWIN:
        return HAS_TWIN
    if error == STOPPED:  # whoever stopped it wrote so, unless it is this process that ends
        let_go_of_run(packhouse, run_uuid)
        return STOPPED
    state = MirrorState.COMPLETED if error is None else MirrorState.FAILED
    remove_finished_partials(packhouse)
    end_run(packhouse, run_uuid, state, error)
    log.info("mirror_run_ended", run=run_uuid, state=state.value, error=error)
    return state.value
