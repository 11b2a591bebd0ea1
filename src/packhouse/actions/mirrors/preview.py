"""What a mirror would bring, told from the upstream's indexes alone; nothing is kept."""

import threading
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from packhouse.actions.mirrors.selection import (
    ByFilters,
    Chosen,
    Selection,
    WithDependencies,
    choose_with_dependencies,
    wants_dependencies,
)
from packhouse.actions.mirrors.source import Source
from packhouse.actions.mirrors.specify import check_specification, require_edit
from packhouse.actions.mirrors.upstream import Subdir, Unchanged, Upstream
from packhouse.actions.packhouse import Packhouse
from packhouse.domain.access import Actor
from packhouse.domain.mirrors import Filtered, Specification
from packhouse.errors import PackhouseError, Stopped, TooManyRequests, UpstreamError
from packhouse.formats.conda.closure import FileKey
from packhouse.formats.conda.solvability import Unsolvable, unsolvable
from packhouse.formats.conda.upstream.files import UpstreamFile
from packhouse.formats.conda.upstream.shards import UpstreamShard
from packhouse.formats.conda.upstream.subdirs import NOARCH, subdirs_to_ask

LONGEST_SECONDS = 120.0
AT_ONCE = 2
_PLACES = threading.BoundedSemaphore(AT_ONCE)

MOST_RECORDS_TO_SOLVE = 200_000
"""A solver is asked about selections up to this size; larger ones hold what an environment needs, or never will."""


@dataclass(slots=True)
class Preview:
    """Files and bytes that would come, by name and subdir, what is kept away, and what would not solve."""

    names: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    subdirs: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    filtered: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    unsolvable: list[Unsolvable] = field(default_factory=list)
    missing: list[dict[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        return {
            "files": sum(one["files"] for one in self.subdirs.values()),
            "bytes": sum(one["bytes"] for one in self.subdirs.values()),
            "total_names": len(self.names),
            "names": [{"name": name, **self.names[name]} for name in sorted(self.names)],
            "subdirs": {name: dict(self.subdirs[name]) for name in sorted(self.subdirs)},
            "filtered": dict(self.filtered),
            "refused": self.refused,
            "unsolvable": [
                {"spec": one.spec, "platform": one.platform, "reason": one.reason} for one in self.unsolvable
            ],
            "missing": self.missing,
            "notes": self.notes,
        }


def preview_mirror(
    packhouse: Packhouse, actor: Actor, channel_path: str, specification: Specification
) -> Preview:
    """Read the upstream's indexes and say what the mirror would bring. Raises UpstreamError."""
    require_edit(packhouse, actor, channel_path)
    check_specification(packhouse, specification)
    with _place(packhouse) as stop, ExitStack() as open_files:
        source = _PreviewSource(packhouse, specification, stop)
        subdirs = _open(Upstream(source, open_files), specification)
        selection, chosen = _selection(specification, subdirs)
        looking = _Looking(selection, specification)
        for name, subdir in subdirs.items():
            looking.look(name, subdir)
        source.note_failures(looking.preview)
        if chosen is not None:
            looking.preview.missing = [
                {"spec": one.spec, "platform": one.platform, "wanted_by": one.wanted_by.filename}
                for one in chosen.missing
            ]
        looking.solve()
        return looking.preview


@contextmanager
def _place(packhouse: Packhouse) -> Iterator[threading.Event]:
    """One of few places, for a while: somebody waits for the answer, and holds a thread of the server.

    Raises TooManyRequests where all are taken, and UpstreamError when the while is over.
    """
    if not _PLACES.acquire(blocking=False):
        raise TooManyRequests("Other previews are being made. Try again in a moment.", wait_seconds=10)
    stop, ended = threading.Event(), threading.Event()
    watch = threading.Thread(target=_watch, args=(packhouse, stop, ended), daemon=True)
    watch.start()
    try:
        yield stop
    except Stopped as error:
        raise UpstreamError(
            f"The upstream could not be read within {LONGEST_SECONDS:.0f} s. Name fewer subdirs or specs."
        ) from error
    finally:
        ended.set()
        watch.join()
        _PLACES.release()


def _watch(packhouse: Packhouse, stop: threading.Event, ended: threading.Event) -> None:
    until = monotonic() + LONGEST_SECONDS
    while not ended.wait(0.2):
        if monotonic() > until or packhouse.closing.is_set():
            stop.set()
            return


class _PreviewSource(Source):
    """What reading an upstream needs, without a run to write it down in."""

    def __init__(self, packhouse: Packhouse, specification: Specification, stop: threading.Event) -> None:
        super().__init__(packhouse, specification, stop)
        self._failed: list[str] = []

    def fail(self, ckey: str, error: PackhouseError) -> None:
        self._failed.append(f"{ckey}: {error.message}")

    def note_failures(self, preview: Preview) -> None:
        preview.notes += self._failed


def _open(upstream: Upstream, specification: Specification) -> dict[str, Subdir]:
    found = {name: upstream.open(name, None) for name in subdirs_to_ask(specification.filters.subdirs)}
    subdirs = {name: one for name, one in found.items() if one is not None and not isinstance(one, Unchanged)}
    if not subdirs:
        raise UpstreamError(f"There is no conda channel at {specification.source}: no index is there.")
    return subdirs


def _selection(specification: Specification, subdirs: dict[str, Subdir]) -> tuple[Selection, Chosen | None]:
    if not wants_dependencies(specification):
        return ByFilters(specification), None
    chosen = choose_with_dependencies(specification, subdirs)
    return WithDependencies(specification, chosen.closure), chosen


class _Looking:
    def __init__(self, selection: Selection, specification: Specification) -> None:
        self._selection, self._specification = selection, specification
        self.preview = Preview()
        self._records: list[tuple[FileKey, Mapping[str, Any]]] = []
        self._number = 0

    def look(self, name: str, subdir: Subdir) -> None:
        listed = subdir.digests()
        wanted = self._selection.names(name, listed.keys())
        if unseen := len(listed) - len(wanted):
            self.preview.filtered[Filtered.ONLY_SPECS] += unseen
        self.preview.refused += len(subdir.refused)
        subdir.read(wanted, self._count)

    def _count(self, shard: UpstreamShard) -> None:
        self.preview.refused += len(shard.refused)
        removed = set(shard.removed)
        for file in shard.files:
            if file.filename in removed:
                continue
            if (reason := self._selection.verdict(file)) is not None:
                self.preview.filtered[reason] += 1
            elif not file.sha256:
                self.preview.refused += 1
            else:
                more = Counter(files=1, bytes=file.size)
                self.preview.names[file.name].update(more)
                self.preview.subdirs[file.subdir].update(more)
                self._keep(file)

    def _keep(self, file: UpstreamFile) -> None:
        self._number += 1
        if self._specification.filters.only_specs and self._number <= MOST_RECORDS_TO_SOLVE:
            self._records.append((FileKey(file.subdir, file.filename), file.record))

    def solve(self) -> None:
        """Ask the solver for each spec that was asked for, on each platform."""
        specs = self._specification.filters.only_specs
        if not specs:
            return
        if self._number > MOST_RECORDS_TO_SOLVE:
            self.preview.notes.append(
                f"More than {MOST_RECORDS_TO_SOLVE} files: whether environments solve was not looked at."
            )
            return
        platforms = sorted(self.preview.subdirs.keys() - {NOARCH}) or [NOARCH]
        self.preview.unsolvable = unsolvable(specs, platforms, self._records)
