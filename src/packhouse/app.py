"""Puts the pieces together, once: settings, then the parts, then the web application, the worker, or both."""

import gc
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import structlog
from sqlalchemy.exc import ArgumentError, OperationalError

from packhouse.actions.downloads import Downloads
from packhouse.actions.packhouse import Packhouse
from packhouse.actions.users import ensure_first_admin
from packhouse.errors import Invalid
from packhouse.settings import Settings
from packhouse.storage.blobs import open_blobs
from packhouse.storage.database import Database
from packhouse.web.server import Addresses

log = structlog.get_logger(__name__)

SWITCH_SECONDS = 0.0005
"""How soon a thread that computes (a reindex) makes way for one that answers; Python's own 5 ms add up
over the dozens of short waits of an upload."""

OBJECTS_BEFORE_COLLECTION = 20_000
"""With Python's own 700, a mirror that takes in an index spends a sixth of its time on looking for cycles."""

JOBS_RETRY_SECONDS = 5.0

Announce = Callable[[Addresses, str | None], None]


def build(settings: Settings) -> Packhouse:
    """The parts, on a database of the newest schema, with nothing started."""
    data_dir = settings.data_dir.absolute()
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Invalid(f"The data directory '{data_dir}' cannot be made: {error.strerror}.") from error
    database = _migrated(settings.effective_database_url)
    blobs = open_blobs(settings.effective_blob_url, settings.blob_options)
    return Packhouse(settings, database, blobs)


def _migrated(url: str) -> Database:
    try:
        database = Database(url)
        database.migrate()
    except (ArgumentError, OperationalError) as error:
        reason = str(error.orig) if isinstance(error, OperationalError) else str(error)
        where = url.rpartition("@")[2]  # the part before it holds the password
        raise Invalid(f"The database '{where}' cannot be used: {reason.strip()}") from error
    return database


def run_serve(settings: Settings, announce: Announce) -> None:
    """Serve until a signal; jobs run in this process too unless the settings leave them to a worker."""
    from packhouse.web.application import Application
    from packhouse.web.server import serve

    sys.setswitchinterval(SWITCH_SECONDS)
    gc.set_threshold(OBJECTS_BEFORE_COLLECTION, 20, 20)
    with ExitStack() as running:
        packhouse = running.enter_context(_built(settings))
        downloads = running.enter_context(_counted_downloads(packhouse))
        running.enter_context(_jobs_beside(packhouse))
        application = Application(packhouse, downloads)
        # Only once the ports are ours: a password that is made up is shown once and must not get lost.
        serve(application, settings, lambda addresses: announce(addresses, ensure_first_admin(packhouse)))


def run_worker(settings: Settings) -> None:
    """Run jobs until a signal."""
    gc.set_threshold(OBJECTS_BEFORE_COLLECTION, 20, 20)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with _built(settings) as packhouse, _jobs(packhouse, run=True):
        stop.wait()


@contextmanager
def _built(settings: Settings) -> Iterator[Packhouse]:
    packhouse = build(settings)
    try:
        yield packhouse
    finally:
        packhouse.close()


@contextmanager
def _jobs(packhouse: Packhouse, run: bool) -> Iterator[None]:
    """Dispatch jobs, and run them too; what they need takes half a second to import."""
    from packhouse.jobs.dispatcher import Dispatcher
    from packhouse.jobs.runner import JobRunner, migrate_jobs
    from packhouse.jobs.scheduler import MirrorScheduler

    runner, dispatcher = JobRunner(packhouse), Dispatcher(packhouse)
    scheduler = MirrorScheduler(packhouse)
    if run:
        runner.start()
    else:
        migrate_jobs(packhouse.settings)
    dispatcher.start()
    scheduler.start()
    try:
        yield
    finally:
        scheduler.stop()
        dispatcher.stop()
        if run:
            runner.stop()


@contextmanager
def _jobs_beside(packhouse: Packhouse) -> Iterator[None]:
    """As `_jobs`, but started beside the server: nobody who asks for a package waits for it."""
    stop = threading.Event()

    def run_jobs() -> None:
        while not stop.is_set():
            try:
                with _jobs(packhouse, run=packhouse.settings.worker):
                    stop.wait()
            except Exception:
                log.exception("jobs did not start; trying again")
                stop.wait(JOBS_RETRY_SECONDS)

    thread = threading.Thread(target=run_jobs, name="jobs", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@contextmanager
def _counted_downloads(packhouse: Packhouse) -> Iterator[Downloads]:
    downloads, stop = Downloads(packhouse), threading.Event()

    def flush_regularly() -> None:
        while not stop.wait(packhouse.settings.download_seconds):
            try:
                downloads.flush()
            except Exception:
                log.exception("download counts were not written; trying again")

    thread = threading.Thread(target=flush_regularly, name="downloads", daemon=True)
    thread.start()
    try:
        yield downloads
    finally:
        stop.set()
        thread.join()
        downloads.flush()
