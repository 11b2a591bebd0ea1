"""What the filters of a mirror say of one record of a conda index."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from functools import cached_property
from typing import Any

import orjson

from packhouse.domain.licenses import LicenseChoice
from packhouse.domain.mirrors import Filtered, Filters
from packhouse.formats.conda.match_specs import SpecSet

RULES = 1
"""Part of the fingerprint. Raise it when the same filters come to mean something else, such as by
another reading of licences, so that every mirror looks at its upstream's records again."""

DAY_SECONDS = 86_400
LAST_SECOND = 253_402_300_799
"""The end of the year 9999; a larger `timestamp` counts milliseconds, as all but the oldest do (CEP 36)."""


class MirrorFilter:
    """The filters of a conda mirror, made ready to judge many records.

    `subdirs` decides elsewhere which records come here, `projects` is of Python mirrors, and
    vulnerabilities have no data yet. Raises Invalid for a spec that is none.
    """

    def __init__(self, filters: Filters) -> None:
        self.filters = filters
        self._only = SpecSet(filters.only_specs)
        self._excluded = SpecSet(filters.exclude_specs)
        self._included = SpecSet(filters.include_specs)
        self._licenses = LicenseChoice.of_words(filters.include_licenses, filters.exclude_licenses)
        self._first_second = _start_of(filters.date_from)
        last_day = _start_of(filters.date_to)
        self._end_second = None if last_day is None else last_day + DAY_SECONDS

    @property
    def names_wanted(self) -> frozenset[str] | None:
        """The only names that can pass; None when all have to be looked at."""
        return self._only.names if self._only else None

    @property
    def has_scope(self) -> bool:
        """Whether some filters bind only what is asked for, so that its dependencies may lie outside."""
        return bool(self._only) or self._has_window

    def verdict(self, record: Mapping[str, Any], *, is_signed: bool) -> Filtered | None:
        """The first reason not to take the record; None when it passes."""
        if self._only and not self._only.matches(record):
            return Filtered.ONLY_SPECS
        if reason := self.dependency_verdict(record, is_signed=is_signed):
            return reason
        return Filtered.DATE if self._has_window and not self._is_in_window(record) else None

    def dependency_verdict(self, record: Mapping[str, Any], *, is_signed: bool) -> Filtered | None:
        """The same for a record that another one needs: what is forbidden stays so, the scope is left out."""
        if self._excluded and self._excluded.matches(record) and not self._included.matches(record):
            return Filtered.EXCLUDE_SPECS
        if not self._licenses.allows(_text(record, "license"), _text(record, "license_family")):
            return Filtered.LICENSE
        if self.filters.only_signed and not is_signed:
            return Filtered.SIGNED
        return None

    @property
    def _has_window(self) -> bool:
        return self._first_second is not None or self._end_second is not None

    def _is_in_window(self, record: Mapping[str, Any]) -> bool:
        built = record.get("timestamp")
        if isinstance(built, bool) or not isinstance(built, int | float):
            return False
        seconds = built / 1000 if built > LAST_SECOND else built
        is_early = self._first_second is not None and seconds < self._first_second
        return not is_early and (self._end_second is None or seconds < self._end_second)

    @cached_property
    def fingerprint(self) -> str:
        """Changes exactly when the meaning of the filters for a record does."""
        meaning = [
            RULES,
            self._only.canonical,
            self._excluded.canonical,
            self._included.canonical if self._excluded else [],
            sorted(self._licenses.included),
            sorted(self._licenses.excluded),
            self.filters.only_signed,
            self._first_second,
            self._end_second,
            self.filters.include_dependencies and self.has_scope,
        ]
        return hashlib.sha256(orjson.dumps(meaning)).hexdigest()


def _start_of(day: date | None) -> float | None:
    """In seconds since 1970."""
    return None if day is None else datetime.combine(day, time.min, UTC).timestamp()


def _text(record: Mapping[str, Any], key: str) -> str | None:
    value = record.get(key)
    return value if isinstance(value, str) else None
