"""MatchSpecs, as filters and dependencies name packages, and whether a record of an index satisfies them."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any

from rattler import BuildString, MatchSpec, PackageRecord
from rattler.exceptions import (
    CanonicalMatchSpecError,
    InvalidMatchSpecError,
    InvalidPackageNameError,
    InvalidVersionError,
)

from packhouse.errors import Invalid
from packhouse.formats.conda.panics import Panicked, panics_as_errors

LONGEST_SPEC = 500
"""Characters. rattler's parser recurses: 10,000 brackets, which an upstream may send, end the process."""
NAMES_REMEMBERED = 10_000
SPECS_REMEMBERED = 50_000

_FORMS = 'Write a name, "name=1.2", "name==1.2.3", "name>=1.2,<2", "name=1.2=build*" or "name*".'
_QUOTED = re.compile(r""""[^"]*"|'[^']*'""")
_UNREADABLE = (
    *(InvalidVersionError, InvalidPackageNameError, Panicked),
    *(KeyError, TypeError, ValueError, OverflowError),
)
_UNANSWERABLE = frozenset({"channel", "namespace", "url", "fn", "extras", "when"})
"""What a spec may ask, but no record of one upstream's index can answer."""


def parse_dependency(text: str) -> MatchSpec:
    """A spec as a record writes it, of one exact name, with what only repodata v3 knows (CEP 48).

    Raises Invalid for what no client can read.
    """
    return _parse(text, exact_names_only=True)


def _parse(text: str, *, exact_names_only: bool) -> MatchSpec:
    if len(text) > LONGEST_SPEC:
        raise Invalid(f"'{text[:40]}…' is longer than {LONGEST_SPEC} characters, the most for a MatchSpec.")
    try:
        with panics_as_errors:
            return MatchSpec(text, exact_names_only=exact_names_only)
    except (InvalidMatchSpecError, Panicked) as error:
        reason = str(error).partition("\n")[0]
        raise Invalid(f"'{text}' is no MatchSpec: {reason}. {_FORMS}") from error


def package_record(record: Mapping[str, Any]) -> PackageRecord | None:
    """What MatchSpecs look at; None for a record that no client can read (its version, above all)."""
    try:
        with panics_as_errors:
            made = PackageRecord(
                record["name"],
                record["version"],
                BuildString.new_unchecked(record["build"]),
                record["build_number"],
                record.get("subdir") or "",
                md5=_digest(record.get("md5")),
                sha256=_digest(record.get("sha256")),
                license=record.get("license"),
                license_family=record.get("license_family"),
                flags=record.get("flags"),
            )
            made.track_features = _words(record.get("track_features"))
    except _UNREADABLE:
        return None
    return made


def matches(spec: MatchSpec, record: PackageRecord) -> bool:
    """As rattler's own; nothing matches a spec that it cannot work with."""
    try:
        with panics_as_errors:
            return spec.matches(record)
    except Panicked:
        return False


def is_readable(record: Mapping[str, Any]) -> bool:
    """Whether a solver can read the record and all that it depends on."""
    specs = (*(record.get("depends") or ()), *(record.get("constrains") or ()))
    return package_record(record) is not None and all(map(_is_dependency, specs))


@lru_cache(maxsize=SPECS_REMEMBERED)
def _is_dependency(text: str) -> bool:
    try:
        parse_dependency(text)
    except Invalid:
        return False
    return True


def _digest(hexadecimal: str | None) -> bytes | None:
    return bytes.fromhex(hexadecimal) if hexadecimal else None


def _words(value: str | list[str] | None) -> list[str]:
    """Some old builds wrote `track_features` as a list."""
    return re.split(r"[\s,]+", value) if isinstance(value, str) else list(value or ())


class _Spec:
    """One spec of a filter; `name` is None for one whose name is a pattern."""

    def __init__(self, text: str) -> None:
        self._spec = _parse(text, exact_names_only=False)
        self.canonical = _canonical(text, self._spec)
        asked = set(re.findall(r"(\w+)=", _QUOTED.sub("", self.canonical)))
        if unanswerable := sorted(asked & _UNANSWERABLE):
            raise Invalid(
                f"'{text}' asks for {unanswerable[0]}, which a filter cannot look at; leave it out. {_FORMS}"
            )
        exact = self._spec.name.as_package_name()
        self.name = exact.normalized if exact else None
        self.is_name_only = not asked
        self._pattern = MatchSpec(self._spec.name.normalized, exact_names_only=False)

    def names(self, name: str) -> bool:
        """Whether the part of the spec that is the name matches."""
        nameless = package_record({"name": name, "version": "0", "build": "", "build_number": 0})
        return nameless is not None and matches(self._pattern, nameless)

    def matches(self, record: PackageRecord, subdir: str) -> bool:
        # rattler's `matches` leaves the subdir to whoever chose the records.
        wanted = self._spec.subdir
        return (wanted is None or fnmatchcase(subdir, wanted)) and matches(self._spec, record)


def _canonical(text: str, spec: MatchSpec) -> str:
    try:
        with panics_as_errors:
            return spec.to_canonical_string()
    except (CanonicalMatchSpecError, Panicked) as error:
        raise Invalid(f"'{text}' is no MatchSpec that can be kept: {error}. {_FORMS}") from error


class SpecSet:
    """Several MatchSpecs, of which a record has to match one. Raises Invalid, naming the spec that is none."""

    def __init__(self, specs: Iterable[str]) -> None:
        self._exact: dict[str, list[_Spec]] = defaultdict(list)
        self._patterns: list[_Spec] = []
        for spec in map(_Spec, specs):
            (self._patterns if spec.name is None else self._exact[spec.name]).append(spec)
        self._specs_for = lru_cache(maxsize=NAMES_REMEMBERED)(self._find_specs)

    def __bool__(self) -> bool:
        return bool(self._exact or self._patterns)

    @property
    def names(self) -> frozenset[str] | None:
        """The names that can match; None when patterns are among them."""
        return None if self._patterns else frozenset(self._exact)

    @property
    def canonical(self) -> list[str]:
        """The specs, sorted, in the one spelling that equal ones share."""
        specs = [*self._patterns, *(spec for each in self._exact.values() for spec in each)]
        return sorted({spec.canonical for spec in specs})

    def may_match(self, name: str) -> bool:
        """Whether a record of this name could match; no other has to be looked at."""
        return bool(self._specs_for(name))

    def matches(self, record: Mapping[str, Any]) -> bool:
        """Raises KeyError for a record without a name. One with an unreadable version matches bare names only."""
        specs = self._specs_for(record["name"])
        if not specs or any(spec.is_name_only for spec in specs):
            return bool(specs)
        made = package_record(record)
        subdir = record.get("subdir") or ""
        return made is not None and any(spec.matches(made, subdir) for spec in specs)

    def _find_specs(self, name: str) -> tuple[_Spec, ...]:
        found = [*self._exact.get(name.lower(), ())]
        return (*found, *(spec for spec in self._patterns if spec.names(name)))
