"""Runs jobs with DBOS: durable workflows, the queue they wait in, and what comes round by the clock.

A job says what is stale, not how to mend it, and each calls one action. `DBOS` exists once a process,
so a process has one runner.
"""

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Any

import structlog
from dbos import DBOS, DBOSConfig, StepOptions

from packhouse import __version__
from packhouse.actions.packhouse import Packhouse
from packhouse.actions.reindex import reindex
from packhouse.actions.sweep import sweep
from packhouse.jobs.mirroring import MIRROR_QUEUE, MIRRORS_AT_ONCE, register_mirroring
from packhouse.jobs.mirroring import POLLING_SECONDS as MIRROR_POLLING_SECONDS
from packhouse.settings import Settings

INDEX_QUEUE = "indexes"
REINDEX, SWEEP = "reindex", "sweep"
POLLING_SECONDS = 0.1
"""How long a reindex waits for a worker at most; DBOS's own second would be most of the wait."""
INDEXES_AT_ONCE = 2
PATIENCE: StepOptions = {
    "retries_allowed": True,
    "interval_seconds": 1.0,
    "backoff_rate": 2.0,
    "max_attempts": 6,
}
"""A store or database that is away for half a minute delays a reindex; after that it waits to be asked again."""
KEPT_JOBS = 500
"""Finished jobs are a log; the sweep cuts it to this many, so that `jobs.db` does not grow for ever."""

log = structlog.get_logger(__name__)


class JobRunner:
    def __init__(self, packhouse: Packhouse) -> None:
        self._packhouse = packhouse

    def start(self) -> None:
        """Take up what a crash of this worker left half done, then wait for more."""
        DBOS(config=config(self._packhouse))
        sweeping = _register(self._packhouse)
        DBOS.launch()
        DBOS.register_queue(
            INDEX_QUEUE, worker_concurrency=INDEXES_AT_ONCE, polling_interval_sec=POLLING_SECONDS
        )
        DBOS.register_queue(
            MIRROR_QUEUE, worker_concurrency=MIRRORS_AT_ONCE, polling_interval_sec=MIRROR_POLLING_SECONDS
        )
        minutes = self._packhouse.settings.sweep_minutes
        DBOS.apply_schedules([{"schedule_name": SWEEP, "workflow_fn": sweeping, "schedule": _every(minutes)}])

    def stop(self) -> None:
        """Let running jobs finish for a moment; what does not is taken up at the next start."""
        self._packhouse.closing.set()
        DBOS.destroy(workflow_completion_timeout_sec=5)


def _register(packhouse: Packhouse) -> Callable[[datetime, Any], None]:
    """Tell DBOS what each job's name means in this process; answers the one that the clock calls."""

    @DBOS.workflow(name=REINDEX)
    def reindexing(channel_id: int, subdir: str) -> bool:
        return DBOS.run_step({"name": REINDEX, **PATIENCE}, lambda: reindex(packhouse, channel_id, subdir))

    register_mirroring(packhouse)

    @DBOS.workflow(name=SWEEP)
    def sweeping(_scheduled_at: datetime, _context: Any) -> None:
        DBOS.run_step({"name": SWEEP}, lambda: _sweep(packhouse))
        DBOS.run_step({"name": "forget-jobs"}, _forget_old_jobs)

    return sweeping


def _sweep(packhouse: Packhouse) -> None:
    swept = sweep(packhouse)
    log.info("swept", **asdict(swept))


def migrate_jobs(settings: Settings) -> None:
    """Make or renew the jobs' tables, for a process that asks for jobs before any worker has run."""
    DBOS.migrate(settings.jobs_database_url)


def config(packhouse: Packhouse) -> DBOSConfig:
    settings = packhouse.settings
    return {
        "name": "packhouse",
        "system_database_url": settings.jobs_database_url,
        "application_version": __version__,
        "executor_id": settings.worker_name,
        "log_level": "WARNING",
        "enable_otlp": False,
        "notification_listener_polling_interval_sec": 1.0,
    }


def _every(minutes: int) -> str:
    """A cron line for an interval: whole hours from 60 minutes up, a day at most; cron's fields end there."""
    return f"*/{minutes} * * * *" if minutes < 60 else f"0 */{min(24, minutes // 60)} * * *"


def _forget_old_jobs() -> None:
    finished = DBOS.list_workflows(status=["SUCCESS", "ERROR", "CANCELLED"], sort_desc=True, offset=KEPT_JOBS)
    if finished:
        DBOS.delete_workflows([job.workflow_id for job in finished])
