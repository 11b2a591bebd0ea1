"""Files of passive mirrors: fetched when they are first asked for, once for all who ask, and kept."""

import os
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import structlog

from packhouse.actions.mirrors.arrivals import Fetched, arrive, keep_bytes
from packhouse.actions.packhouse import Packhouse
from packhouse.domain.artifacts import Artifact
from packhouse.errors import PackhouseError, Stopped, UpstreamError
from packhouse.formats.conda.upstream.urls import file_url
from packhouse.storage import mirror_entries, mirror_upstreams, mirrors
from packhouse.storage.blobs.partial import PartialFile
from packhouse.storage.database import retried

if TYPE_CHECKING:
    from packhouse.remotes import Outcome

KEEPING_THREADS = 4
TRIES = 3
"""Some seconds: somebody waits for the file, and knows better than we how long."""

log = structlog.get_logger(__name__)


class Fetching:
    """A file on its way. Readers follow the bytes that are there; the last ones are told of once all are right."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.error: PackhouseError | None = None
        self.is_done = False
        self._file: BinaryIO | None = None
        self._lock = threading.Lock()
        self._there = 0
        self._tries = 0
        self._listeners: list[Callable[[], object]] = []

    @property
    def tries(self) -> int:
        """Grows when the upstream made us begin anew: what was read before may have been wrong."""
        return self._tries

    @property
    def readable(self) -> int:
        """How many bytes may be passed on: all but the last one until the digest was found right."""
        return self.size if self.is_done else min(self._there, max(0, self.size - 1))

    def read(self, start: int, size: int) -> bytes:
        """At most `size` bytes from `start`, of those that are readable; also when the file has its final name."""
        assert self._file is not None, "it is read once bytes are there"
        return os.pread(self._file.fileno(), min(size, self.readable - start), start)

    def listen(self, listener: Callable[[], object]) -> None:
        """Have `listener` called, from any thread, when more is there, or all, or nothing more will be."""
        with self._lock:
            self._listeners.append(listener)
        listener()

    def begin(self, path: Path, there: int) -> None:
        """`there` bytes were left by an earlier try; a whole file among them was not found right yet."""
        self._file, self._there = path.open("rb"), there if there < self.size else 0
        weakref.finalize(self, self._file.close)  # the last reader may be anyone

    def progress(self, there: int) -> None:
        if there < self._there:
            self._tries += 1
        self._there = there
        self._tell()

    def finish(self, error: PackhouseError | None) -> None:
        self.error = error
        self.is_done = error is None
        self._tell()

    def _tell(self) -> None:
        with self._lock:
            listeners = list(self._listeners)
        for listener in listeners:
            listener()


class OnDemand:
    """One a process. However many ask for a file at once, it is fetched once."""

    def __init__(self, packhouse: Packhouse) -> None:
        self._packhouse = packhouse
        self._lock = threading.Lock()
        self._under_way: dict[str, Fetching] = {}
        self._threads = ThreadPoolExecutor(KEEPING_THREADS, thread_name_prefix="on-demand")

    def fetch(self, artifact: Artifact) -> Fetching | None:
        """Begin to fetch a file, or join those who wait for it; None if it has come meanwhile.

        Raises UpstreamError where nobody can bring it.
        """
        sha256 = artifact.digests.sha256
        with self._lock:
            fetching = self._under_way.get(sha256)
            if fetching is not None:
                return fetching
            fetching = self._under_way[sha256] = Fetching(artifact.digests.size)
        try:
            if self._is_here(sha256):
                self._forget(sha256)
                return None
            self._begin(artifact, fetching)
        except BaseException:
            self._forget(sha256)
            raise
        return fetching

    def _is_here(self, sha256: str) -> bool:
        """It may have come since the asker's answer was made, through another process too."""
        with self._packhouse.database.reading() as connection:
            return bool(mirror_entries.here(connection, [sha256]))

    def _begin(self, artifact: Artifact, fetching: Fetching) -> None:
        from packhouse.remotes import Request  # with aiohttp, which takes its time

        url, proxy = self._source_of(artifact)
        digests = artifact.digests
        partial = PartialFile(self._packhouse.spool_dir, digests.sha256)
        fetching.begin(partial.path, partial.position)
        request = Request(
            url=url,
            proxy=proxy,
            sha256=digests.sha256,
            size=digests.size,
            target=partial,
            tries=TRIES,
        )
        future = self._packhouse.remotes.start(request, fetching.progress)
        future.add_done_callback(
            lambda ended: self._threads.submit(self._ended, ended, artifact, partial, fetching)
        )

    def _source_of(self, artifact: Artifact) -> tuple[str, str | None]:
        """Address and proxy: of the mirror that listed it first, or else of another that lists the same bytes."""
        with self._packhouse.database.reading() as connection:
            others = mirror_entries.mirrors_of(connection, artifact.digests.sha256)
            for mirror_id in dict.fromkeys((artifact.mirror_id or 0, *others)):
                mirror = mirrors.by_id(connection, mirror_id)
                folder = mirror_upstreams.base_url(connection, mirror_id, artifact.subdir)
                if mirror is not None and folder:
                    return file_url(folder, artifact.filename), mirror.specification.proxy
        raise UpstreamError(
            f"'{artifact.ckey}' was never fetched, and the mirror that listed it is gone. "
            "Copy it again from a channel that has it, or remove it."
        )

    def _ended(
        self, ended: "Future[Outcome]", artifact: Artifact, partial: PartialFile, fetching: Fetching
    ) -> None:
        """Keep what has come; whatever happens, those who wait are told."""
        error: PackhouseError | None = UpstreamError(f"'{artifact.ckey}' could not be fetched.")
        try:
            error = self._keep(ended, artifact, partial)
        except PackhouseError as refused:
            error = refused
        except Exception:
            log.exception("keeping a fetched file failed", ckey=artifact.ckey)
        finally:
            self._forget(artifact.digests.sha256)
            fetching.finish(error)

    def _keep(
        self, ended: "Future[Outcome]", artifact: Artifact, partial: PartialFile
    ) -> PackhouseError | None:
        if ended.cancelled():
            return Stopped("The server is ending; ask again when it is back.")
        outcome = ended.result()
        if outcome.digests is None:
            partial.close()
            return _not_here(artifact, outcome.error)
        fetched = Fetched(artifact.id, artifact.filename, outcome.digests, partial)
        try:
            _keep_one(self._packhouse, fetched)
        finally:
            partial.discard()
        return None

    def _forget(self, sha256: str) -> None:
        with self._lock:
            self._under_way.pop(sha256, None)


def _not_here(artifact: Artifact, error: PackhouseError | None) -> PackhouseError | None:
    """Who asks knows of no upstream: it is a file of this channel, and listed in its index."""
    if not isinstance(error, UpstreamError):
        return error
    return UpstreamError(f"'{artifact.ckey}' was never fetched, and cannot be had now: {error.message}")


def _keep_one(packhouse: Packhouse, fetched: Fetched) -> None:
    arrivals = keep_bytes(packhouse, [fetched])

    @retried
    def record() -> None:
        with packhouse.database.transaction() as connection:
            arrive(connection, arrivals, packhouse.clock())

    record()
