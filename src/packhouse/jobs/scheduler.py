"""Sees to it that mirrors run: when their hour has come, when somebody asks, and when their worker was lost.

The database says which runs are to be worked on; a job for each is asked for, and twins are dropped by
their id. So a lost job loses no run.
"""

import threading
import time

import structlog
from dbos import DBOSClient

from packhouse.actions.mirrors.runs import ask_for_due_runs, runs_to_work_on
from packhouse.actions.packhouse import Packhouse
from packhouse.domain.mirror_runs import MirrorRun
from packhouse.jobs.mirroring import MIRROR, MIRROR_QUEUE

LOOK_SECONDS = 1.0
PAUSE_SECONDS = 0.2
"""Between two looks, however many commits there are."""
PATIENCE_SECONDS = 300
"""A run that has waited so long for a worker is asked for again: the one that had its job may be gone."""

log = structlog.get_logger(__name__)


class MirrorScheduler:
    def __init__(self, packhouse: Packhouse) -> None:
        self._packhouse = packhouse
        self._wake = threading.Event()
        self._stopping = False
        self._asked: set[str] = set()
        self._thread = threading.Thread(target=self._run, name="mirror-scheduler", daemon=True)
        packhouse.database.on_commit(self._wake.set)

    def start(self) -> None:
        self._client = DBOSClient(system_database_url=self._packhouse.settings.jobs_database_url)
        self._thread.start()

    def stop(self) -> None:
        self._stopping = True
        self._wake.set()
        self._thread.join(timeout=5)
        self._client.destroy()

    def _run(self) -> None:
        while not self._stopping:
            try:
                self._look()
            except Exception:
                log.exception("looking for mirrors to run failed; trying again")
            self._wake.wait(LOOK_SECONDS)
            self._wake.clear()
            time.sleep(PAUSE_SECONDS)

    def _look(self) -> None:
        ask_for_due_runs(self._packhouse)
        names = {_job(run): run for run in runs_to_work_on(self._packhouse)}
        for name in names.keys() - self._asked:
            self._client.enqueue(
                {"workflow_name": MIRROR, "queue_name": MIRROR_QUEUE, "workflow_id": name}, names[name].uuid
            )
        self._asked = set(names)


def _job(run: MirrorRun) -> str:
    """The same in every process, and another one for whoever goes on: after the last sign of life, and the time."""
    seen = 0 if run.seen_at is None else int(run.seen_at.timestamp() * 1000)
    return f"{MIRROR}:{run.uuid}:{seen}:{int(time.time() // PATIENCE_SECONDS)}"
