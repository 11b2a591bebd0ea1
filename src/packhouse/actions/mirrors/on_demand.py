"""Files of passive mirrors: fetched when they are first asked for, once for all who ask, and kept."""

import threading
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import structlog
from sqlalchemy import Connection

from packhouse.actions.mirrors.arrivals import Fetched, arrive, confirm, keep_bytes, partial_key
from packhouse.actions.mirrors.fetching import Fetching, LateFile
from packhouse.actions.packhouse import Packhouse
from packhouse.domain.artifacts import Artifact, Entry
from packhouse.errors import Busy, NotFound, PackhouseError, Stopped, UpstreamError
from packhouse.formats.conda.upstream.urls import file_url
from packhouse.storage import channels, mirror_bytes, mirror_upstreams, mirrors
from packhouse.storage.database import retried

if TYPE_CHECKING:
    from packhouse.remotes import Outcome

KEEPING_THREADS = 4
TRIES = 3
"""Some seconds: somebody waits for the file, and knows better than we how long."""
MOST_UNDER_WAY = 64
"""Anybody may ask, and each fetch holds open files and room on the disk."""
BUSY_SECONDS = 5

Key: TypeAlias = tuple[int, str]
"""Channel and SHA-256: what one channel's upstream has sent is not for the readers of another."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Source:
    url: str
    proxy: str | None


@dataclass(slots=True, eq=False)
class _Errand:
    """A fetch under way. `sources` are those that were not asked yet."""

    key: Key
    artifact: Artifact
    fetching: Fetching
    sources: list[_Source] = field(default_factory=list)
    future: "Future[Outcome] | None" = None


class OnDemand:
    """One a process. However many ask for a file at once, it is fetched once."""

    def __init__(self, packhouse: Packhouse) -> None:
        self._packhouse = packhouse
        self._lock = threading.Lock()
        self._under_way: dict[Key, _Errand] = {}
        self._threads = ThreadPoolExecutor(KEEPING_THREADS, thread_name_prefix="on-demand")

    def fetch(self, entry: Entry) -> Fetching | None:
        """Begin to fetch a file, or join those who wait for it; None if it has come meanwhile.

        Raises UpstreamError where nobody can bring it, and Busy where too much is under way.
        """
        artifact = entry.artifact
        key = (entry.channel_id, artifact.digests.sha256)
        with self._lock:
            if (known := self._under_way.get(key)) is not None:
                known.fetching.expect()
                return known.fetching
            self._make_room()
            errand = self._under_way[key] = _Errand(key, artifact, Fetching(artifact.digests.size))
        try:
            if self._has_come(entry):
                self._forget(errand)
                return None
            self._begin(errand, entry)
        except BaseException:
            self._forget(errand)
            raise
        return errand.fetching

    def _make_room(self) -> None:
        """What nobody waits for makes way. Raises Busy."""
        if len(self._under_way) < MOST_UNDER_WAY:
            return
        for errand in [one for one in self._under_way.values() if one.fetching.is_forsaken]:
            self._give_up(errand)
        if len(self._under_way) >= MOST_UNDER_WAY:
            raise Busy(
                f"{MOST_UNDER_WAY} files are on their way from upstreams, the most at a time. "
                f"Ask again in {BUSY_SECONDS} seconds.",
                BUSY_SECONDS,
            )

    def _give_up(self, errand: _Errand) -> None:
        """Who asks from now on begins anew, with the bytes that are there."""
        self._under_way.pop(errand.key, None)
        if errand.future is not None:
            errand.future.cancel()

    def _has_come(self, entry: Entry) -> bool:
        """Since the asker's answer was made, through another process perhaps, or for a public channel."""
        digests = entry.artifact.digests
        with self._packhouse.database.reading() as connection:
            here = mirror_bytes.shareable(connection, entry.channel_id, [digests.sha256])
        if here.get(digests.sha256) != digests.size:
            return False
        _share(self._packhouse, entry)
        return True

    def _begin(self, errand: _Errand, entry: Entry) -> None:
        with self._packhouse.database.reading() as connection:
            errand.sources = _sources_of(connection, entry)
        target = LateFile(self._packhouse.spool_dir, partial_key(*errand.key), errand.fetching)
        try:
            self._ask_next(errand, target)
        except BaseException:
            target.close()
            raise

    def _ask_next(self, errand: _Errand, target: LateFile) -> None:
        from packhouse.remotes import Request  # with aiohttp, which takes its time

        source, digests = errand.sources.pop(0), errand.artifact.digests
        request = Request(
            url=source.url,
            proxy=source.proxy,
            sha256=digests.sha256,
            size=digests.size,
            target=target,
            tries=TRIES,
        )
        future = self._packhouse.remotes.start(request, lambda there: self._progressed(errand, there))
        errand.future = future
        future.add_done_callback(lambda ended: self._threads.submit(self._ended, ended, errand, target))

    def _progressed(self, errand: _Errand, there: int) -> None:
        errand.fetching.progress(there)
        if errand.fetching.is_forsaken:
            with self._lock:
                if errand.fetching.is_forsaken:  # and nobody has joined since
                    self._give_up(errand)

    def _ended(self, ended: "Future[Outcome]", errand: _Errand, target: LateFile) -> None:
        """Keep what has come, or ask the next source; whatever happens, those who wait are told."""
        error: PackhouseError | None = UpstreamError(f"'{errand.artifact.ckey}' could not be fetched.")
        is_asked_again = False
        try:
            is_asked_again = self._asked_again(ended, errand, target)
            if not is_asked_again:
                error = self._keep(ended, errand, target)
        except PackhouseError as refused:
            error = refused
        except Exception:
            log.exception("keeping a fetched file failed", ckey=errand.artifact.ckey)
        finally:
            if not is_asked_again:
                self._forget(errand)
                errand.fetching.finish(error)

    def _asked_again(self, ended: "Future[Outcome]", errand: _Errand, target: LateFile) -> bool:
        """Whether the first source failed, and there was another one to ask."""
        if ended.cancelled() or not errand.sources or not isinstance(ended.result().error, UpstreamError):
            return False
        try:
            self._ask_next(errand, target)
        except BaseException:
            target.close()
            raise
        return True

    def _keep(self, ended: "Future[Outcome]", errand: _Errand, target: LateFile) -> PackhouseError | None:
        artifact = errand.artifact
        if ended.cancelled():
            return Stopped("The server is ending; ask again when it is back.")
        outcome = ended.result()
        if outcome.digests is None:
            target.close()
            return _not_here(artifact, outcome.error)
        partial = target.opened()
        try:
            fetched = Fetched(artifact.id, artifact.filename, outcome.digests, partial)
            _keep_one(self._packhouse, errand.key[0], fetched)
        finally:
            partial.discard()
        return None

    def _forget(self, errand: _Errand) -> None:
        with self._lock:
            if self._under_way.get(errand.key) is errand:
                del self._under_way[errand.key]


def _sources_of(connection: Connection, entry: Entry) -> list[_Source]:
    """The mirror that brought the file, and it alone; for a copy, those that list it elsewhere.

    Raises UpstreamError if there are none.
    """
    artifact = entry.artifact
    own = None if entry.mirror_id is None else mirrors.by_id(connection, entry.mirror_id)
    if own is not None:
        found = _sources(connection, artifact, [own.id])
        name = own.specification.name
        gone = f"mirror '{name}' has not read its upstream's index since it was changed. Run it."
    else:
        others = mirror_bytes.mirrors_of(connection, artifact.digests.sha256)
        found = _sources(connection, artifact, dict.fromkeys((artifact.mirror_id or 0, *others)))
        gone = "the mirror that listed it is gone. Copy it again from a channel that has it, or remove it."
    if not found:
        raise UpstreamError(f"'{artifact.ckey}' was never fetched, and {gone}")
    return found


def _sources(connection: Connection, artifact: Artifact, mirror_ids: Iterable[int]) -> list[_Source]:
    found = []
    for mirror_id in mirror_ids:
        mirror = mirrors.by_id(connection, mirror_id)
        folder = mirror_upstreams.base_url(connection, mirror_id, artifact.subdir)
        if mirror is not None and folder:
            found.append(_Source(file_url(folder, artifact.filename), mirror.specification.proxy))
    return found


def _not_here(artifact: Artifact, error: PackhouseError | None) -> PackhouseError | None:
    """Who asks knows of no upstream: it is a file of this channel, and listed in its index."""
    if not isinstance(error, UpstreamError):
        return error
    return UpstreamError(f"'{artifact.ckey}' was never fetched, and cannot be had now: {error.message}")


@retried
def _share(packhouse: Packhouse, entry: Entry) -> None:
    """Let the channel have bytes that it need not fetch."""
    with packhouse.database.transaction() as connection:
        now, digests = packhouse.clock(), [entry.artifact.digests.sha256]
        with suppress(NotFound):  # the channel was deleted meanwhile
            channels.lock(connection, [entry.channel_id], now)
            confirm(connection, entry.channel_id, digests, now)


def _keep_one(packhouse: Packhouse, channel_id: int, fetched: Fetched) -> None:
    arrivals = keep_bytes(packhouse, [fetched])

    @retried
    def record() -> None:
        with packhouse.database.transaction() as connection:
            arrive(connection, channel_id, arrivals, packhouse.clock())

    record()
