"""The first part of a run: read what changed in the upstream's indexes, and take in what the mirror wants of it."""

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import replace

from packhouse.actions.mirrors.batch import Batch
from packhouse.actions.mirrors.run_transactions import require_wanted
from packhouse.actions.mirrors.selection import (
    ByFilters,
    Chosen,
    Selection,
    WithDependencies,
    choose_with_dependencies,
    meaning,
    wants_dependencies,
)
from packhouse.actions.mirrors.source import SourceOfRun
from packhouse.actions.mirrors.take_in import take_in
from packhouse.actions.mirrors.upstream import Subdir, Unchanged, Upstream
from packhouse.actions.mirrors.work import Work
from packhouse.domain.mirror_runs import CHOOSING, READING, Refusal, Tally
from packhouse.errors import UpstreamError
from packhouse.formats.conda.upstream.shards import UpstreamShard
from packhouse.formats.conda.upstream.subdirs import INDEXES, subdirs_to_ask
from packhouse.storage import mirror_entries, mirror_runs, mirror_upstreams
from packhouse.storage.mirror_upstreams import KnownSubdir

FILES_AT_ONCE = 4_000
"""Files of one transaction, about: other writers of the channel wait for it, some tenths of a second."""


def read_indexes(work: Work) -> None:
    """Bring the channel's entries up to the upstream's indexes. What was done before a crash is not done again.

    Raises UpstreamError where nothing can be had from the upstream, Frozen, Stopped.
    """
    with ExitStack() as open_files:
        changed = _open_changed(work, Upstream(SourceOfRun(work), open_files))
        if not changed:
            return
        selection, chosen = _selection(work, changed)
        for number, (name, subdir) in enumerate(sorted(changed.items())):
            work.show(CHOOSING, 100 * number // len(changed), name)
            _SubdirSync(work, name, subdir, selection).run()
        if chosen is not None:
            _tell_missing(work, chosen)


def _open_changed(work: Work, upstream: Upstream) -> dict[str, Subdir]:
    """The subdirs that have to be looked at. Where dependencies are wanted, one change concerns all."""
    known = _known(work)
    wanted = subdirs_to_ask(work.mirror.specification.filters.subdirs)
    opened: dict[str, Subdir] = {}
    unchanged: list[str] = []
    absent: list[str] = []
    for number, name in enumerate(wanted):
        work.show(READING, 100 * number // len(wanted), name)
        found = upstream.open(name, known.get(name))
        if found is None:
            absent.append(name)
        elif isinstance(found, Unchanged):
            unchanged.append(name)
        else:
            opened[name] = found
    if not opened and not unchanged:
        source = work.mirror.specification.source
        raise UpstreamError(f"There is no conda channel at {source}: none of {', '.join(INDEXES)} is there.")
    for name in (*absent, *sorted(_take_out_others(work, wanted))):
        _take_out_subdir(work, name)
    if opened and unchanged and wants_dependencies(work.mirror.specification):
        opened.update((name, _again(upstream, name)) for name in unchanged)
    return opened


def _again(upstream: Upstream, name: str) -> Subdir:
    found = upstream.open(name, None)
    if found is None or isinstance(found, Unchanged):
        raise UpstreamError(f"The index of {name} is gone, which was there a moment ago.")
    return found


def _known(work: Work) -> dict[str, KnownSubdir]:
    """The indexes that were read to their end, and with the same filters: only these may be unchanged."""
    packhouse, mirror = work.packhouse, work.mirror
    now_meant = meaning(mirror.specification).hex()
    with packhouse.database.reading() as connection:
        known = mirror_upstreams.subdirs(connection, mirror.id)
    return {name: one for name, one in known.items() if one.is_complete and one.meaning == now_meant}


def _selection(work: Work, changed: Mapping[str, Subdir]) -> tuple[Selection, Chosen | None]:
    specification = work.mirror.specification
    if not wants_dependencies(specification):
        return ByFilters(specification), None
    work.show(CHOOSING, 0, "following dependencies")
    failed = work.failures()
    chosen = choose_with_dependencies(specification, changed)
    if work.failures() > failed:  # what could not be read would look as if nobody needed it
        raise UpstreamError("Some names could not be read, so what depends on what is not known.")
    return WithDependencies(specification, chosen.closure), chosen


def _take_out_others(work: Work, wanted: Iterable[str]) -> set[str]:
    """Subdirs of an earlier specification that still have files of the mirror."""
    with work.packhouse.database.reading() as connection:
        present = mirror_entries.subdirs_of(connection, work.mirror.channel_id, work.mirror.id)
    return set(present).difference(wanted)


def _take_out_subdir(work: Work, subdir: str) -> None:
    """The upstream has no such subdir, or the mirror does not want it: its files go as what is not listed."""
    packhouse, mirror = work.packhouse, work.mirror
    with packhouse.database.reading() as connection:
        names = mirror_entries.names_of(connection, mirror.channel_id, mirror.id, subdir)
    wanted = subdir in subdirs_to_ask(mirror.specification.filters.subdirs)
    for start in range(0, len(names), 100):
        some = names[start : start + 100]
        take_in(work, Batch.of_gone(subdir, some, is_out_of_scope=not wanted))
    with packhouse.database.transaction(quiet=True) as connection:
        require_wanted(connection, work)
        # Files that are kept though nobody lists them are still asked for where they were.
        base_url = mirror_upstreams.base_url(connection, mirror.id, subdir) or ""
        mirror_upstreams.remove_subdir(connection, mirror.id, subdir)
        if wanted:
            now_meant, now = meaning(mirror.specification).hex(), packhouse.clock()
            absent = KnownSubdir(subdir, "", None, None, base_url, now_meant, 0, True, now)
            mirror_upstreams.put_subdir(connection, mirror.id, absent)


def _tell_missing(work: Work, chosen: Chosen) -> None:
    """Dependencies that nothing taken satisfies: an environment that needs them will not solve."""
    refusals = [
        Refusal(
            f"{one.platform}/{one.spec}"[:400],
            f"nothing satisfies this dependency of {one.wanted_by.filename}"
            + (f"; what would is kept out by: {one.refused}" if one.refused else ""),
            is_failure=False,
        )
        for one in chosen.missing
    ]
    with work.packhouse.database.transaction(quiet=True) as connection:
        mirror_runs.refuse(connection, work.run.id, refusals)


class _SubdirSync:
    """Looks at each name of one subdir that changed, some at a time."""

    def __init__(self, work: Work, name: str, subdir: Subdir, selection: Selection) -> None:
        self._work, self._name, self._subdir, self._selection = work, name, subdir, selection
        self._mirror = work.mirror
        self._listed = subdir.digests()
        self._batch = Batch(name)
        self._seen = 0
        self._failed = work.failures()

    def run(self) -> None:
        looked_at = self._selection.names(self._name, self._listed.keys())
        known = self._begin(unseen=len(self._listed) - len(looked_at))
        changed = [name for name in looked_at if known.get(name) != self._digest(name)]
        self._count = len(changed)
        self._subdir.read(changed, self._take)
        self._flush()
        self._let_go(known, set(looked_at))
        self._refuse_entries()
        self._finish()

    def _digest(self, name: str) -> bytes:
        return self._selection.digest(self._name, name, self._listed[name])

    def _begin(self, unseen: int) -> dict[str, bytes]:
        """Say where files come from before the first is listed, and what was known before."""
        address = replace(
            self._subdir.known, meaning=meaning(self._mirror.specification).hex(), unseen=unseen
        )
        self._known = address
        with self._work.packhouse.database.transaction(quiet=True) as connection:
            require_wanted(connection, self._work)
            mirror_upstreams.put_subdir(connection, self._mirror.id, address)
            return mirror_upstreams.digests(connection, self._mirror.id, self._name)

    def _take(self, shard: UpstreamShard) -> None:
        self._batch.add(shard, self._digest(shard.name), self._selection)
        self._seen += 1
        if len(self._batch) >= FILES_AT_ONCE:
            self._flush()

    def _flush(self) -> None:
        self._work.go_on()
        batch, self._batch = self._batch, Batch(self._name)
        if batch.digests:
            take_in(self._work, batch)
            self._work.show(CHOOSING, 100 * self._seen // max(1, self._count), self._name)
            self._work.examples(batch.examples)

    def _let_go(self, known: Mapping[str, bytes], looked_at: set[str]) -> None:
        """Names that the upstream lists no longer, and those that the selection no longer asks for."""
        packhouse = self._work.packhouse
        with packhouse.database.reading() as connection:
            present = mirror_entries.names_of(
                connection, self._mirror.channel_id, self._mirror.id, self._name
            )
        gone = sorted({*known, *present} - looked_at)
        for names, is_out_of_scope in (
            ([name for name in gone if name not in self._listed], False),
            ([name for name in gone if name in self._listed], True),
        ):
            for start in range(0, len(names), 100):
                self._work.go_on()
                some = names[start : start + 100]
                take_in(self._work, Batch.of_gone(self._name, some, is_out_of_scope=is_out_of_scope))

    def _refuse_entries(self) -> None:
        refused = [
            Refusal(f"{self._name}/{one.filename}", one.reason, is_failure=False)
            for one in self._subdir.refused
        ]
        if refused:
            with self._work.packhouse.database.transaction(quiet=True) as connection:
                new = mirror_runs.refuse(connection, self._work.run.id, refused)
                mirror_runs.count(connection, self._work.run.id, Tally(refused=new))

    def _finish(self) -> None:
        """Only an index of which every name was read and settled may be answered "unchanged" next time."""
        with self._work.packhouse.database.transaction(quiet=True) as connection:
            require_wanted(connection, self._work)
            unsettled = mirror_upstreams.has_unsettled(connection, self._mirror.id, self._name)
            is_complete = self._work.failures() == self._failed and not unsettled
            mirror_upstreams.put_subdir(
                connection, self._mirror.id, replace(self._known, is_complete=is_complete)
            )
