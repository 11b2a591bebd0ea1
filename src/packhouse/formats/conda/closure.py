"""Which records the taken ones need, so that environments solve: the closure of dependencies, on metadata alone.

Each record that satisfies some dependency of a taken record is taken too; which of them an environment gets
is the solver's affair. A platform's records see those of their own subdir and of noarch.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from sys import intern
from typing import Any, NamedTuple

from rattler import MatchSpec, PackageRecord

from packhouse.domain.mirrors import Filtered
from packhouse.errors import Invalid
from packhouse.formats.conda.match_specs import matches, package_record, parse_dependency
from packhouse.formats.conda.mirror_filter import MirrorFilter
from packhouse.formats.conda.upstream.subdirs import NOARCH

SYSTEMS = {
    "__linux": ("linux-",),
    "__osx": ("osx-",),
    "__win": ("win-",),
    "__unix": ("linux-", "osx-", "emscripten-"),
}
"""Where the virtual package that names an operating system is there (CEP 30): a noarch record that needs
`__win` is none for linux-64. All other virtual packages are the machine's, and taken to be there."""

_MATCHED = (
    "name",
    "version",
    "build",
    "build_number",
    "subdir",
    "license",
    "license_family",
    "track_features",
    "flags",
)
"""What a dependency may ask of a record; digests would take much memory, and nothing depends by them."""


class FileKey(NamedTuple):
    subdir: str
    filename: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A record of the upstream's index, and under which name it stands there."""

    key: FileKey
    record: Mapping[str, Any]
    is_signed: bool = False


RecordsOfNames = Callable[[Collection[str]], Mapping[str, Sequence[Candidate]]]
"""All records of these names in the chosen subdirs; a name that the upstream has not may be left out. Each
name is asked for once, and many names at a time, so that a sharded upstream can be asked in parallel."""


@dataclass(frozen=True, slots=True)
class Missing:
    """A dependency that nothing taken satisfies. `refused` is why, where a filter keeps out what would."""

    spec: str
    platform: str
    wanted_by: FileKey
    refused: Filtered | None


@dataclass(frozen=True, slots=True)
class Closure:
    """`taken` holds the starting records too, by name."""

    taken: Mapping[str, frozenset[FileKey]]
    missing: Sequence[Missing]


def dependency_closure(
    start: Iterable[Candidate],
    records_of: RecordsOfNames,
    mirror_filter: MirrorFilter,
    subdirs: Collection[str],
) -> Closure:
    """The starting records, which the filter has let pass, and what they need in the chosen subdirs.

    A dependency with a condition (CEP 43) is taken as if the condition held; extras (CEP 44) bring in
    their group; `constrains` brings in nothing.
    """
    walk = _Walk(records_of, mirror_filter, subdirs)
    for candidate in start:
        walk.start_with(candidate)
    while walk.demands:
        walk.answer()
    return walk.closure()


class _Record:
    """What the walk keeps of a candidate: little, because it may keep every record of an upstream."""

    __slots__ = ("_made", "_matched", "depends", "extras", "key", "name", "platforms", "refused")

    def __init__(
        self,
        candidate: Candidate,
        platforms: frozenset[str],
        depends: tuple[str, ...],
        refused: Filtered | None,
    ) -> None:
        record = candidate.record
        self.key, self.platforms, self.depends, self.refused = candidate.key, platforms, depends, refused
        self.name: str = record["name"]
        self.extras: Mapping[str, Sequence[str]] = record.get("extra_depends") or {}
        self._matched = {each: _interned(record[each]) for each in _MATCHED if record.get(each)}
        self._made: PackageRecord | None = None

    def satisfies(self, spec: MatchSpec) -> bool:
        if self._made is None:
            self._made = package_record({"build_number": 0, **self._matched})
        return self._made is not None and matches(spec, self._made)

    def shrink(self) -> None:
        """Forget rattler's form of the record, which is large and soon made again."""
        self._made = None


@dataclass(slots=True)
class _Shelf:
    """The records of one name that one platform sees."""

    free: list[_Record] = field(default_factory=list)
    taken: list[_Record] = field(default_factory=list)
    refused: list[_Record] = field(default_factory=list)

    def take(self, spec: MatchSpec) -> list[_Record]:
        """Those that satisfy the spec and were not taken before."""
        found = [record for record in self.free if record.satisfies(spec)]
        if found:
            chosen = set(found)
            self.free = [record for record in self.free if record not in chosen]
            self.taken += found
        return found


class _Demand(NamedTuple):
    """What some platform wants to have satisfied, and the first record that wants it."""

    platform: str
    text: str
    wanted_by: FileKey


class _Walk:
    """Breadth first: each wave asks for the names that the one before has found, all at once."""

    def __init__(
        self, records_of: RecordsOfNames, mirror_filter: MirrorFilter, subdirs: Collection[str]
    ) -> None:
        self._records_of = records_of
        self._filter = mirror_filter
        self._platforms = frozenset(subdirs) - {NOARCH} or frozenset({NOARCH})
        self._shelves: dict[str, dict[str, _Shelf]] = {}
        self._taken: dict[str, set[FileKey]] = defaultdict(set)
        self._demanded: dict[str, set[str]] = {platform: set() for platform in self._platforms}
        self._missing: list[Missing] = []
        self.demands: list[_Demand] = []
        """Those of the coming wave."""

    def start_with(self, candidate: Candidate) -> None:
        record = self._read(candidate)
        self._taken[record.name].add(record.key)
        for platform in record.platforms:
            self._demand(platform, record.depends, record.key)

    def answer(self) -> None:
        """One wave."""
        wave, self.demands = self.demands, []
        by_name: dict[str, list[tuple[_Demand, MatchSpec]]] = defaultdict(list)
        for demand in wave:
            if (spec := _parsed(demand.text)) is None:
                self._miss(demand, None)
            else:
                by_name[spec.name.normalized].append((demand, spec))
        self._fetch(by_name)
        for name, questions in by_name.items():
            self._answer_about(self._shelves[name], questions)

    def closure(self) -> Closure:
        taken = {name: frozenset(keys) for name, keys in self._taken.items()}
        return Closure(taken, sorted(self._missing, key=lambda one: (one.spec, one.platform)))

    def _fetch(self, names: Iterable[str]) -> None:
        unknown = sorted(name for name in names if name not in self._shelves)
        found = self._records_of(unknown) if unknown else {}
        for name in unknown:
            self._shelves[name] = {platform: _Shelf() for platform in self._platforms}
            for record in map(self._read, found.get(name, ())):
                self._put_on_shelves(name, record)

    def _put_on_shelves(self, name: str, record: _Record) -> None:
        is_taken = record.key in self._taken.get(name, ())
        for platform in record.platforms:
            shelf = self._shelves[name][platform]
            (shelf.taken if is_taken else shelf.refused if record.refused else shelf.free).append(record)

    def _read(self, candidate: Candidate) -> _Record:
        depends = tuple(map(intern, candidate.record.get("depends") or ()))
        refused = self._filter.dependency_verdict(candidate.record, is_signed=candidate.is_signed)
        return _Record(candidate, self._platforms_of(candidate.key.subdir, depends), depends, refused)

    def _platforms_of(self, subdir: str, depends: tuple[str, ...]) -> frozenset[str]:
        if subdir != NOARCH:
            return frozenset({subdir}) & self._platforms
        systems = [SYSTEMS[name] for name in map(_first_word, depends) if name in SYSTEMS]
        if not systems or NOARCH in self._platforms:
            return self._platforms  # the same object for nearly all
        return frozenset(
            each for each in self._platforms if all(each.startswith(starts) for starts in systems)
        )

    def _demand(self, platform: str, texts: Iterable[str], wanted_by: FileKey) -> None:
        demanded = self._demanded[platform]
        for text in texts:
            if text not in demanded and not text.startswith("__"):
                demanded.add(text)
                self.demands.append(_Demand(platform, text, wanted_by))

    def _answer_about(
        self, shelves: Mapping[str, _Shelf], questions: Iterable[tuple[_Demand, MatchSpec]]
    ) -> None:
        for demand, spec in questions:
            self._satisfy(demand, spec, shelves[demand.platform])
        for shelf in shelves.values():
            for record in (*shelf.free, *shelf.taken, *shelf.refused):
                record.shrink()

    def _satisfy(self, demand: _Demand, spec: MatchSpec, shelf: _Shelf) -> None:
        found = shelf.take(spec)
        for record in found:
            self._taken[record.name].add(record.key)
            self._demand(demand.platform, record.depends, record.key)
        if spec.extras:
            self._demand_extras(demand.platform, spec, shelf)
        if not found and not any(record.satisfies(spec) for record in shelf.taken):
            reasons = (record.refused for record in shelf.refused if record.satisfies(spec))
            self._miss(demand, next(reasons, None))

    def _demand_extras(self, platform: str, spec: MatchSpec, shelf: _Shelf) -> None:
        """Of records taken before, too: another may have asked for them without the extra."""
        for record in shelf.taken:
            if record.satisfies(spec):
                for extra in spec.extras or ():
                    self._demand(platform, record.extras.get(extra, ()), record.key)

    def _miss(self, demand: _Demand, refused: Filtered | None) -> None:
        self._missing.append(Missing(demand.text, demand.platform, demand.wanted_by, refused))


def _parsed(text: str) -> MatchSpec | None:
    try:
        return parse_dependency(text)
    except Invalid:
        return None  # what no client can read, nothing satisfies


def _first_word(spec: str) -> str:
    return spec.split(maxsplit=1)[0] if spec else ""


def _interned(value: Any) -> Any:
    """The same few thousand versions, builds and licences stand in all of a large index."""
    return intern(value) if type(value) is str else value
