"""Whether environments would solve from a choice of records: rattler's solver, asked before any download."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

import orjson
from rattler import (
    BuildString,
    Channel,
    GenericVirtualPackage,
    PackageName,
    SparseRepoData,
    Version,
    solve_with_sparse_repodata,
)
from rattler.exceptions import SolverError

from packhouse.formats.conda.closure import FileKey
from packhouse.formats.conda.match_specs import SpecSet, is_readable, parse_dependency
from packhouse.formats.conda.panics import Panicked, panics_as_errors
from packhouse.formats.conda.upstream.subdirs import NOARCH

TIME_LIMIT = timedelta(seconds=30)
"""Of one spec on one platform; what takes longer is reported as unsolvable."""
LONGEST_REASON_LINES = 8
PREAMBLE = "Cannot solve the request because of: "

_UNIX = ("__unix", "0")
VIRTUAL_PACKAGES = {
    "linux": (_UNIX, ("__linux", "6.12"), ("__glibc", "2.40")),
    "osx": (_UNIX, ("__osx", "14.7")),
    "win": (("__win", "10.0.26100"),),
    NOARCH: (_UNIX, ("__linux", "6.12"), ("__glibc", "2.40")),
}
"""A new machine of each kind, without CUDA: what cannot be installed there, hardly anyone can install."""
MICROARCHITECTURES = {"64": "x86_64_v3", "32": "x86", "arm64": "m1"}
"""The build of `__archspec` (CEP 30) where it is not the subdir's own word."""


@dataclass(frozen=True, slots=True)
class Unsolvable:
    """`reason` is the solver's, and may have several lines."""

    spec: str
    platform: str
    reason: str


def unsolvable(
    specs: Sequence[str],
    platforms: Sequence[str],
    records: Iterable[tuple[FileKey, Mapping[str, Any]]],
) -> list[Unsolvable]:
    """Each asked spec and platform for which no environment of that spec alone solves from these records.

    A spec whose name is a pattern needs one record that matches it. Records are read once, and written
    to a temporary folder. Raises Invalid for a spec that is none. Runs an event loop of its own, so it
    must not be called where one is running.
    """
    asked = {spec: SpecSet([spec]) for spec in specs}
    patterns = {spec: spec_set for spec, spec_set in asked.items() if spec_set.names is None}
    with TemporaryDirectory(prefix="packhouse-solve-") as folder, ExitStack() as opened:
        index = _Index(Path(folder), patterns)
        index.write(records)
        sources = {subdir: opened.enter_context(each) for subdir, each in index.sources().items()}
        questions = [(spec, platform) for platform in platforms for spec in asked]
        return asyncio.run(_ask(questions, index.matched, patterns, sources))


async def _ask(
    questions: Iterable[tuple[str, str]],
    matched: Mapping[str, set[str]],
    patterns: Mapping[str, SpecSet],
    sources: Mapping[str, SparseRepoData],
) -> list[Unsolvable]:
    found = []
    for spec, platform in questions:
        seen = list(dict.fromkeys((platform, NOARCH)))
        if spec in patterns:
            reason = None if matched[spec].intersection(seen) else f"No candidates were found for {spec}."
        else:
            reason = await _why_not(spec, platform, [sources[each] for each in seen if each in sources])
        if reason is not None:
            found.append(Unsolvable(spec, platform, reason))
    return found


async def _why_not(spec: str, platform: str, sources: Sequence[SparseRepoData]) -> str | None:
    try:
        with panics_as_errors:
            await solve_with_sparse_repodata(
                [parse_dependency(spec)],
                sources,
                virtual_packages=virtual_packages(platform),
                timeout=TIME_LIMIT,
            )
    except SolverError as error:
        return _shortened(str(error))
    except Panicked as error:
        return f"The solver fails: {error}."
    return None


def _shortened(message: str) -> str:
    lines = [line.rstrip() for line in message.strip().removeprefix(PREAMBLE).splitlines()]
    more = len(lines) - LONGEST_REASON_LINES
    shown = lines if more <= 0 else [*lines[:LONGEST_REASON_LINES], f"… and {more} lines more"]
    return "\n".join(shown)


@cache
def virtual_packages(platform: str) -> tuple[GenericVirtualPackage, ...]:
    """Those of a generous machine; a platform of another kind than Linux, macOS and Windows has none."""
    system, _, machine = platform.partition("-")
    archspec = MICROARCHITECTURES.get(machine, machine)
    named = [(name, version, "0") for name, version in VIRTUAL_PACKAGES.get(system, ())]
    named += [("__archspec", "1", archspec)] if archspec else []
    return tuple(
        GenericVirtualPackage(PackageName(name), Version(version), BuildString(build))
        for name, version, build in named
    )


class _Index:
    """A `repodata.json` for each subdir, and which of the pattern specs some record in it matches."""

    def __init__(self, folder: Path, patterns: Mapping[str, SpecSet]) -> None:
        self._folder = folder
        self._patterns = patterns
        self._files: dict[str, BinaryIO] = {}
        self.matched: dict[str, set[str]] = defaultdict(set)

    def write(self, records: Iterable[tuple[FileKey, Mapping[str, Any]]]) -> None:
        """Leaves out the records that rattler cannot read: for one of them it would refuse the whole name."""
        with ExitStack() as opened:
            for key, record in records:
                if is_readable(record):
                    self._write_record(key, record, opened)
                    self._note(key.subdir, record)
            for file in self._files.values():
                file.write(b"}}")

    def sources(self) -> dict[str, SparseRepoData]:
        channel = Channel(self._folder.as_uri())
        return {subdir: SparseRepoData(channel, subdir, self._path(subdir)) for subdir in self._files}

    def _path(self, subdir: str) -> Path:
        return self._folder / f"{subdir}.json"

    def _write_record(self, key: FileKey, record: Mapping[str, Any], opened: ExitStack) -> None:
        file = self._files.get(key.subdir)
        if file is None:
            file = self._files[key.subdir] = opened.enter_context(self._path(key.subdir).open("wb"))
            file.write(b'{"info":%b,"packages.conda":{' % orjson.dumps({"subdir": key.subdir}))
        else:
            file.write(b",")
        file.write(b"%b:%b" % (orjson.dumps(key.filename), orjson.dumps(record)))

    def _note(self, subdir: str, record: Mapping[str, Any]) -> None:
        for spec, spec_set in self._patterns.items():
            if subdir not in self.matched[spec] and spec_set.matches(record):
                self.matched[spec].add(subdir)
