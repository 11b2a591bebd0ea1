"""Notices what is stale and asks for it to be indexed again: after each commit, and every now and then.

Nothing is lost between a commit and its job, because the job is not what remembers: the database says
what is stale, and whoever looks next enqueues it. Twins are dropped by their id.
"""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from uuid import uuid4

import structlog
from dbos import DBOSClient

from packhouse.actions.packhouse import Packhouse
from packhouse.jobs.runner import INDEX_QUEUE, REINDEX
from packhouse.storage import mirror_runs, revisions
from packhouse.storage.revisions import Stale

LOOK_SECONDS = 60.0
"""How often to look without being told: finds what a crash, or another process, left stale."""
RETRY_SECONDS = 0.1
LOST_SECONDS = 300.0
"""A job that has not ended by then ran in a process that is gone; ask for another."""
BUSY_SECONDS = 3.0
"""What a subdir's reindex takes beyond this, it pauses too, so that a stream of uploads keeps half of the time.

The root's documents, which fewer wait for, pause for all of their time.
"""
LONGEST_QUIET_SECONDS = 5.0
"""The root's documents wait until the channel was left alone for as long as they took last, this at most."""
ROOT_PATIENCE_SECONDS = 30.0
"""How long they make way when uploads do not pause."""

MIRROR_PATIENCE = timedelta(minutes=5)
"""How long a channel's documents wait for a mirror that is reading its upstream's indexes: made meanwhile, they
would be old at once, and the run would take twice as long. Shards do not wait."""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Asked:
    """The last job asked for one subdir."""

    content: int
    at: float
    took: float = 0.0
    ended: float = 0.0


class Dispatcher:
    def __init__(self, packhouse: Packhouse, lost_seconds: float = LOST_SECONDS) -> None:
        self._packhouse = packhouse
        self._lost_seconds = lost_seconds
        # At the start all is asked for anew: the job of a process that was killed may still look as if it ran.
        self._attempt: str | None = uuid4().hex
        self._wake = threading.Event()
        self._stopping = False
        self._asked: dict[tuple[int, str], _Asked] = {}
        self._held_back: dict[int, float] = {}
        self._took: dict[tuple[int, str], float] = {}
        self._thread = threading.Thread(target=self._run, name="dispatcher", daemon=True)
        packhouse.database.on_commit(self._wake.set)

    def start(self) -> None:
        """Begin with what was stale before the start."""
        self._client = DBOSClient(system_database_url=self._packhouse.settings.jobs_database_url)
        self._wake.set()
        self._thread.start()

    def stop(self) -> None:
        self._stopping = True
        self._wake.set()
        self._thread.join(timeout=5)
        self._client.destroy()

    def _run(self) -> None:
        while not self._stopping:
            self._wake.wait(LOOK_SECONDS)
            self._wake.clear()
            try:
                while not self._stopping and self._ask_for_all():
                    self._wake.wait(RETRY_SECONDS)
                    self._wake.clear()
            except Exception:
                log.exception("dispatching failed; trying again")
                time.sleep(1)
                self._wake.set()

    def _ask_for_all(self) -> bool:
        """Ask for a reindex of everything stale; False when nothing is."""
        with self._packhouse.database.reading() as connection:
            since = self._packhouse.clock() - MIRROR_PATIENCE
            held = mirror_runs.channels_read_into(connection, since)
            stale = [one for one in revisions.stale(connection) if one.channel_id not in held]
        now = time.monotonic()
        current = {(one.channel_id, one.subdir): one for one in self._in_turn(stale, now)}
        for key in self._asked.keys() - {(one.channel_id, one.subdir) for one in stale}:
            asked = self._asked.pop(key)
            self._took[key] = (asked.ended or now) - asked.at
        for key, one in current.items():
            if self._is_due(self._asked.get(key), one, now):
                self._ask(one)
                self._asked[key] = _Asked(one.content, now)
        self._attempt = None
        return bool(stale)

    def _in_turn(self, stale: list[Stale], now: float) -> Iterator[Stale]:
        """All but the roots of channels where something is going on: they wait for a pause, but not for ever."""
        busy = {one.channel_id for one in stale if one.subdir != revisions.ROOT or self._is_restless(one)}
        self._held_back = {key: since for key, since in self._held_back.items() if key in busy}
        for one in stale:
            if one.subdir == revisions.ROOT and one.channel_id in busy:
                since = self._held_back.setdefault(one.channel_id, now)
                if now - since < ROOT_PATIENCE_SECONDS:
                    continue
            yield one

    def _is_restless(self, root: Stale) -> bool:
        """Changed so lately that the next upload may come while its documents, slow ones, are made."""
        quiet = (self._packhouse.clock() - root.changed_at).total_seconds()
        return quiet < min(self._took.get((root.channel_id, root.subdir), 0.0), LONGEST_QUIET_SECONDS)

    def _is_due(self, asked: _Asked | None, stale: Stale, now: float) -> bool:
        if asked is None or now - asked.at > self._lost_seconds:
            return True
        if stale.indexed < asked.content:
            return False  # the job asked for is still on its way
        if not asked.ended:
            asked.ended, asked.took = now, now - asked.at
        allowance = 0.0 if stale.subdir == revisions.ROOT else BUSY_SECONDS
        return now - asked.ended >= max(0.0, asked.took - allowance)

    def _ask(self, stale: Stale) -> None:
        attempt = self._attempt or int(time.time() // self._lost_seconds)
        name = f"{REINDEX}:{stale.channel_id}:{stale.subdir or '.'}:{stale.content}:{attempt}"
        self._client.enqueue(
            {"workflow_name": REINDEX, "queue_name": INDEX_QUEUE, "workflow_id": name},
            stale.channel_id,
            stale.subdir,
        )
