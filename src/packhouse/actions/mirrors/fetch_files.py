"""The second part of an active mirror's run: fetch the files that are awaited, a batch at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from packhouse.actions.mirrors.arrivals import (
    Arrival,
    Fetched,
    confirm,
    describe,
    keep_bytes,
    lock_where_listed,
    partial_key,
)
from packhouse.actions.mirrors.groups import InGroups
from packhouse.actions.mirrors.run_transactions import lock_channel, run_event
from packhouse.actions.mirrors.work import Work
from packhouse.actions.settle import Change
from packhouse.domain.events import FileAction
from packhouse.domain.families import CONDA
from packhouse.domain.mirror_runs import FETCHING, Tally
from packhouse.errors import PackhouseError, StorageFull, UpstreamError
from packhouse.formats.conda.upstream.urls import file_url
from packhouse.remotes import Outcome, Request
from packhouse.storage import (
    file_changes,
    mirror_bytes,
    mirror_entries,
    mirror_runs,
    mirror_upstreams,
    mirrors,
)
from packhouse.storage.blobs.partial import PartialFile
from packhouse.storage.database import retried
from packhouse.storage.mirror_entries import Awaited

FILES_A_STEP = 2_000
BYTES_A_STEP = 4 * 1024**3
KEPT_TOGETHER = 100
"""Files that become visible in one transaction, at most."""
FAILURES_IN_A_ROW = 20
"""So many files that fail one after the other are an upstream that is gone, and end the run."""


def fetch_some(work: Work) -> bool:
    """Fetch a batch of the awaited files; False when none are left. Raises UpstreamError, StorageFull, Stopped."""
    packhouse = work.packhouse
    with packhouse.database.reading() as connection:
        awaited = mirror_entries.awaited(connection, work.mirror.id, work.run.id, FILES_A_STEP)
        number, size = mirror_entries.count_awaited(connection, work.mirror.id, work.run.id)
    _plan(work, number, size)
    if not awaited:
        return False
    _Fetching(work, number, size).run(_within(awaited))
    return True


def _within(awaited: Sequence[Awaited]) -> list[Awaited]:
    """The first files, as many as one step takes."""
    taken: list[Awaited] = []
    size = 0
    for file in awaited:
        if taken and size + file.size > BYTES_A_STEP:
            break
        taken.append(file)
        size += file.size
    return taken


def _plan(work: Work, number: int, size: int) -> None:
    with work.packhouse.database.transaction(quiet=True) as connection:
        run = mirror_runs.find(connection, work.run.uuid)
        fetched = 0 if run is None else run.tally.added + run.tally.changed
        share = 100 * fetched // max(1, fetched + number)
        mirror_runs.change(connection, work.run.id, {"planned": number, "planned_bytes": size})
    work.show(FETCHING, share, f"{number} files left" if number else "")


@dataclass(frozen=True, slots=True)
class _Arrived:
    file: Awaited
    fetched: Fetched
    transferred: int


class _Fetching:
    """Fetches the files of one step; those that are here are served while others still come."""

    def __init__(self, work: Work, number: int, size: int) -> None:
        """`number` files of `size` bytes are left, in this step and later ones."""
        self._work = work
        self._proxy = work.mirror.specification.proxy
        self._failures = 0
        self._transferred = 0
        self._left, self._left_bytes = number, size

    def run(self, files: Sequence[Awaited]) -> None:
        settings = self._work.packhouse.settings
        here = self._serve_what_is_here(files)
        self._arrivals = InGroups(self._keep, _let_go, KEPT_TOGETHER)
        try:
            self._work.packhouse.remotes.fetch_many(
                self._requests([file for file in files if file.sha256 not in here]),
                done=self._arrived,
                stop=self._work.stop,
                at_once=settings.upstream_connections,
            )
        finally:
            self._close()
        self._work.go_on()

    def _serve_what_is_here(self, files: Sequence[Awaited]) -> set[str]:
        """Bytes that came another way since they were listed: for another channel, or by an upload."""
        packhouse = self._work.packhouse
        with packhouse.database.reading() as connection:
            digests = [file.sha256 for file in files]
            here = mirror_bytes.shareable(connection, self._work.mirror.channel_id, digests)
        served = [file for file in files if here.get(file.sha256) == file.size]
        if served:
            _serve(self._work, served, [], 0)
        return {file.sha256 for file in served}

    def _requests(self, files: Sequence[Awaited]) -> Iterator[Request]:
        """Of twins, the same bytes under two names, only one is fetched; the other is here in the next step."""
        folders = self._folders()
        asked: set[str] = set()
        for file in files:
            if file.sha256 in asked:
                continue
            asked.add(file.sha256)
            yield Request(
                url=file_url(folders[file.subdir], file.filename),
                proxy=self._proxy,
                sha256=file.sha256,
                size=file.size,
                target=PartialFile(
                    self._work.packhouse.spool_dir, partial_key(self._work.mirror.channel_id, file.sha256)
                ),
                tag=file,
            )

    def _folders(self) -> dict[str, str]:
        with self._work.packhouse.database.reading() as connection:
            known = mirror_upstreams.subdirs(connection, self._work.mirror.id)
        return {name: one.base_url for name, one in known.items()}

    def _arrived(self, request: Request, outcome: Outcome) -> None:
        file, partial = request.tag, request.target
        assert isinstance(file, Awaited)
        assert isinstance(partial, PartialFile)
        if outcome.digests is None:
            self._transferred += outcome.transferred
            partial.close()
            self._failed(file, outcome.error or UpstreamError("It did not come."))
            return
        self._failures = 0
        fetched = Fetched(file.artifact_id, file.filename, outcome.digests, partial)
        try:
            self._arrivals.put(_Arrived(file, fetched, outcome.transferred))
        except BaseException:
            partial.close()
            raise

    def _failed(self, file: Awaited, error: PackhouseError) -> None:
        if isinstance(error, StorageFull):
            raise error
        self._failures += 1
        self._work.fail(file.ckey, error)
        if self._failures >= FAILURES_IN_A_ROW:
            raise UpstreamError(f"{self._failures} files failed one after the other: {error.message}")

    def _keep(self, group: list[_Arrived]) -> None:
        """In a thread of its own: the next files come while these are written down."""
        files = [one.file for one in group]
        try:
            arrivals = keep_bytes(self._work.packhouse, [one.fetched for one in group])
            _serve(self._work, files, arrivals, sum(one.transferred for one in group))
        except BaseException:
            _let_go(group)
            raise
        for one in group:
            one.fetched.partial.discard()
        self._left -= len(files)
        self._left_bytes -= sum(file.size for file in files)
        _plan(self._work, self._left, self._left_bytes)

    def _close(self) -> None:
        """Serve what has arrived, however the step ends."""
        try:
            self._arrivals.close()
        finally:
            if self._transferred:
                self._work.transferred(self._transferred)


def _let_go(group: list[_Arrived]) -> None:
    for one in group:
        one.fetched.partial.close()


@retried
def _serve(work: Work, files: Sequence[Awaited], arrivals: Sequence[Arrival], transferred: int) -> None:
    packhouse = work.packhouse
    with packhouse.database.transaction(quiet=True) as connection:
        now = packhouse.clock()
        lock_where_listed(connection, arrivals, now, [work.mirror.channel_id])
        channel = lock_channel(connection, work, now)
        confirm(connection, channel.id, [file.sha256 for file in files], now)
        served = mirror_entries.serve(connection, [file.entry_id for file in files], now)
        new = [file for file in files if file.entry_id in served]  # others came in their place meanwhile
        changes = [Change(CONDA, file.name, file.subdir, +1) for file in new]
        describe(connection, arrivals, now, {channel.id: changes}, summaries_later=True)
        mirrors.add_counts(connection, work.mirror.id, active=len(new))
        if new:
            event_id = run_event(connection, work, channel, now)
            file_changes.record_conda(connection, event_id, channel.id, FileAction.ADDED, new)
        tally = Tally(added=len(new), transferred=transferred)
        mirror_runs.count(connection, work.run.id, tally, files[-1].ckey)
