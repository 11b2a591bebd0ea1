"""Which records belong into `current_repodata.json`: the newest of each name, and what those need.

conda's classic solver tries this subset first, and the whole index when it finds no solution here. So
each dependency is looked at by itself; that two of them want different versions is the solver's affair.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from sys import intern

import orjson
from rattler import BuildString, MatchSpec, PackageRecord

from packhouse.errors import Invalid
from packhouse.formats.conda.match_specs import matches, parse_dependency
from packhouse.formats.conda.repodata import IndexRow, is_v3
from packhouse.formats.conda.versions import version_order


def select_current(rows: Iterable[IndexRow]) -> set[str]:
    """The file names to keep of one subdir; a second pass over the rows writes them.

    Kept are all builds of the newest version of each name; where those carry features, those of the
    newest version without, too (a solver avoids features); and, over and over, for each dependency of
    a kept record that no kept record satisfies, the builds of the newest version that does. Records of v3
    are left out: the classic solver cannot read them.
    """
    selection = _Selection(row for row in rows if not is_v3(row))
    selection.keep_newest()
    selection.keep_what_is_needed()
    return {candidate.filename for kept in selection.kept.values() for candidate in kept}


@dataclass(slots=True, eq=False)
class _Candidate:
    filename: str
    name: str
    version: str
    build: str
    build_number: int
    subdir: str
    depends: tuple[str, ...]
    has_features: bool
    _record: PackageRecord | None = None

    @classmethod
    def read(cls, row: IndexRow) -> "_Candidate":
        record = orjson.loads(row.record)
        return cls(
            row.filename,
            intern(record["name"]),
            intern(record["version"]),
            record["build"],
            record["build_number"],
            intern(record["subdir"]),
            tuple(map(intern, record["depends"])),  # the same few thousand texts in all of a large channel
            bool(record.get("features") or record.get("track_features")),
        )

    def satisfies(self, spec: MatchSpec) -> bool:
        if not version_order(self.version)[0]:
            return False
        if self._record is None:  # few candidates are ever asked
            build = BuildString.new_unchecked(self.build)
            self._record = PackageRecord(self.name, self.version, build, self.build_number, self.subdir)
        return matches(spec, self._record)


class _Selection:
    def __init__(self, rows: Iterable[IndexRow]) -> None:
        self._candidates: dict[str, list[_Candidate]] = defaultdict(list)
        for candidate in map(_Candidate.read, rows):
            self._candidates[candidate.name].append(candidate)
        self.kept: dict[str, set[_Candidate]] = defaultdict(set)
        self._unread: list[_Candidate] = []

    def keep_newest(self) -> None:
        for candidates in self._candidates.values():
            newest = _newest_version(candidates)
            self._keep(newest)
            if any(candidate.has_features for candidate in newest):
                self._keep(_newest_version([each for each in candidates if not each.has_features]))

    def keep_what_is_needed(self) -> None:
        seen: set[str] = set()
        while self._unread:
            new = set(self._unread.pop().depends) - seen
            seen |= new
            for text in sorted(new):  # sets of strings have another order in each process
                self._keep_for(text)

    def _keep_for(self, text: str) -> None:
        try:
            spec = parse_dependency(text)
        except Invalid:
            return  # what no client can read, none can ask for
        name = spec.name.normalized
        if any(candidate.satisfies(spec) for candidate in self.kept.get(name, ())):
            return
        self._keep(_newest_version([each for each in self._candidates.get(name, ()) if each.satisfies(spec)]))

    def _keep(self, candidates: Iterable[_Candidate]) -> None:
        for candidate in candidates:
            if candidate not in self.kept[candidate.name]:
                self.kept[candidate.name].add(candidate)
                self._unread.append(candidate)


def _newest_version(candidates: list[_Candidate]) -> list[_Candidate]:
    newest = max((version_order(candidate.version) for candidate in candidates), default=None)
    return [candidate for candidate in candidates if version_order(candidate.version) == newest]
