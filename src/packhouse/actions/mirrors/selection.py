"""Which files of an upstream a mirror wants: those that its filters let pass, and what they depend on."""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from packhouse.actions.mirrors.upstream import Subdir
from packhouse.domain.mirrors import Filtered, Specification
from packhouse.formats.conda.closure import Candidate, Closure, FileKey, Missing, dependency_closure
from packhouse.formats.conda.mirror_filter import MirrorFilter
from packhouse.formats.conda.upstream.files import UpstreamFile
from packhouse.formats.conda.upstream.shards import UpstreamShard


class Selection(Protocol):
    """Decides about the files of one run."""

    def names(self, subdir: str, listed: Collection[str]) -> list[str]:
        """Those of the listed names that have to be looked at."""
        ...

    def verdict(self, file: UpstreamFile) -> Filtered | None:
        """Why the file is not wanted; None if it is."""
        ...

    def digest(self, subdir: str, name: str, told: str) -> bytes:
        """Changes when something else may have to be done about a name: `told` is the upstream's own digest."""
        ...


class ByFilters:
    """What the filters let pass, and nothing else."""

    def __init__(self, specification: Specification) -> None:
        self._filter = MirrorFilter(specification.filters)
        self._meaning = meaning(specification)

    def names(self, subdir: str, listed: Collection[str]) -> list[str]:
        wanted = self._filter.names_wanted
        return sorted(listed if wanted is None else wanted.intersection(listed))

    def verdict(self, file: UpstreamFile) -> Filtered | None:
        return self._filter.verdict(file.record, is_signed=file.is_signed)

    def digest(self, subdir: str, name: str, told: str) -> bytes:
        return bytes.fromhex(told) + self._meaning


class WithDependencies:
    """What the filters let pass, and what that depends on (`Closure`)."""

    def __init__(self, specification: Specification, closure: Closure) -> None:
        self._filter = MirrorFilter(specification.filters)
        self._meaning = meaning(specification)
        self._taken = closure.taken
        self._files = frozenset().union(*closure.taken.values())

    def names(self, subdir: str, listed: Collection[str]) -> list[str]:
        asked_for = self._filter.names_wanted or ()  # one that is not taken still tells what kept it out
        return sorted({*self._taken, *asked_for}.intersection(listed))

    def verdict(self, file: UpstreamFile) -> Filtered | None:
        if FileKey(file.subdir, file.filename) in self._files:
            return None
        return self._filter.verdict(file.record, is_signed=file.is_signed) or Filtered.ONLY_SPECS

    def digest(self, subdir: str, name: str, told: str) -> bytes:
        taken = sorted(key.filename for key in self._taken.get(name, ()) if key.subdir == subdir)
        chosen = hashlib.blake2b("\n".join(taken).encode(), digest_size=8).digest()
        return bytes.fromhex(told) + self._meaning + chosen


def meaning(specification: Specification) -> bytes:
    """Changes when the same records may have to be treated in another way."""
    source = specification.source.rstrip("/")
    fingerprint = MirrorFilter(specification.filters).fingerprint
    parts = (source, fingerprint, specification.mode, specification.on_vanished)
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=8).digest()


def wants_dependencies(specification: Specification) -> bool:
    """Whether a closure has to be computed: without a scope, everything that is allowed is taken anyway."""
    filters = specification.filters
    return filters.include_dependencies and MirrorFilter(filters).has_scope


@dataclass(frozen=True, slots=True)
class Chosen:
    """The closure over some subdirs. `start` holds the files that were asked for themselves."""

    closure: Closure
    start: Sequence[Candidate]

    @property
    def missing(self) -> Sequence[Missing]:
        return self.closure.missing


def choose_with_dependencies(specification: Specification, subdirs: Mapping[str, Subdir]) -> Chosen:
    """Compute the closure over all subdirs at once, on metadata alone."""
    chosen = MirrorFilter(specification.filters)
    plain = ByFilters(specification)
    start: list[Candidate] = []

    def keep_wanted(shard: UpstreamShard) -> None:
        start.extend(_candidate(file) for file in _to_be_had(shard) if plain.verdict(file) is None)

    digests = {name: subdir.digests() for name, subdir in subdirs.items()}
    for name, subdir in subdirs.items():
        subdir.read(plain.names(name, digests[name]), keep_wanted)

    def records_of(names: Collection[str]) -> Mapping[str, Sequence[Candidate]]:
        return _records_of(names, subdirs, digests)

    return Chosen(dependency_closure(start, records_of, chosen, subdirs.keys()), start)


def _records_of(
    names: Iterable[str], subdirs: Mapping[str, Subdir], digests: Mapping[str, Mapping[str, str]]
) -> dict[str, list[Candidate]]:
    found: dict[str, list[Candidate]] = {name: [] for name in names}

    def keep(shard: UpstreamShard) -> None:
        found[shard.name].extend(_candidate(file) for file in _to_be_had(shard))

    for name, subdir in subdirs.items():
        subdir.read(sorted(found.keys() & digests[name].keys()), keep)
    return found


def _to_be_had(shard: UpstreamShard) -> Iterator[UpstreamFile]:
    """What will be taken if it is wanted: nothing else satisfies a dependency."""
    removed = set(shard.removed)
    return (file for file in shard.files if file.sha256 and file.filename not in removed)


def _candidate(file: UpstreamFile) -> Candidate:
    return Candidate(FileKey(file.subdir, file.filename), file.record, file.is_signed)
