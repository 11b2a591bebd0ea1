"""A mirror: what a channel takes from an upstream, how often, and what its filters let pass."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Self
from urllib.parse import SplitResult, urlsplit, urlunsplit

from packhouse.domain.channels import is_subdir_like
from packhouse.domain.licenses import LICENSE_WORDS
from packhouse.errors import Invalid

NAME_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._+-]{0,99}")
MAX_SOURCE_LENGTH = 1_000
MAX_WORD_LENGTH = 100
MAX_POLICY_LENGTH = 36
MAX_SPECS = 10_000
LONGEST_WINDOW_DAYS = 366
"""The original allows a window of one year between `date_from` and `date_to`."""
HIGHEST_CVE_SCORE = 10.0
HIDDEN = "***"
"""What stands for a password that is never shown again."""


class MirrorType(StrEnum):
    CONDA = "conda"
    PYTHON = "python_simple"
    CRAN = "CRAN"


class MirrorMode(StrEnum):
    """Active: every file in scope is fetched now. Passive: a file is fetched when it is first asked for."""

    ACTIVE = "active"
    PASSIVE = "passive"


class MirrorState(StrEnum):
    """Of a mirror and of each of its runs."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    STOPPED = "stopped"
    FAILED = "failed"

    @property
    def is_under_way(self) -> bool:
        return self in (MirrorState.PENDING, MirrorState.RUNNING)


class OnVanished(StrEnum):
    """What becomes of a file that the upstream no longer lists."""

    KEEP = "keep"
    FLAG = "flag"
    DROP = "drop"


class Filtered(StrEnum):
    """Why a file in a chosen subdir was not taken: the words of the sync state."""

    CVE = "cve"
    DATE = "date"
    SIGNED = "signed"
    LICENSE = "license"
    ONLY_SPECS = "only_specs"
    EXCLUDE_SPECS = "exclude_specs"
    DUPLICATED_LEGACY_CONDA = "duplicated_legacy_conda"


@dataclass(frozen=True, slots=True)
class Filters:
    """What of an upstream a mirror takes; an empty filter lets everything pass.

    `cve_score_threshold` and `exclude_non_curated_cve` are kept, and act once there is vulnerability
    data. Days of the window are whole days of UTC, both included. Raises Invalid for words that are
    not known, a window turned round, and specs that contradict each other.
    """

    subdirs: tuple[str, ...] = ()
    projects: tuple[str, ...] = ()
    include_licenses: tuple[str, ...] = ()
    exclude_licenses: tuple[str, ...] = ()
    only_specs: tuple[str, ...] = ()
    exclude_specs: tuple[str, ...] = ()
    include_specs: tuple[str, ...] = ()
    cve_score_threshold: float | None = None
    exclude_non_curated_cve: bool = False
    only_signed: bool = False
    date_from: date | None = None
    date_to: date | None = None
    include_dependencies: bool = False

    def __post_init__(self) -> None:
        self._check_subdirs()
        self._check_licenses()
        self._check_specs()
        self._check_window()
        threshold = self.cve_score_threshold
        if threshold is not None and not 0 <= threshold <= HIGHEST_CVE_SCORE:
            raise Invalid(f"The CVE score {threshold} is not between 0.0 and 10.0.")

    def _check_subdirs(self) -> None:
        for subdir in self.subdirs:
            if subdir != "noarch" and not is_subdir_like(subdir):
                raise Invalid(
                    f"'{subdir}' is no subdir: write noarch or a platform such as linux-64, osx-arm64, win-64."
                )

    def _check_licenses(self) -> None:
        for word in (*self.include_licenses, *self.exclude_licenses):
            if word not in LICENSE_WORDS:
                raise Invalid(f"'{word}' is no licence word. Known are: {', '.join(LICENSE_WORDS)}.")
        if both := set(self.include_licenses) & set(self.exclude_licenses):
            raise Invalid(f"Licence '{min(both)}' is both included and excluded; choose one.")

    def _check_specs(self) -> None:
        if self.only_specs and (self.exclude_specs or self.include_specs):
            raise Invalid("Can't combine only_specs with exclude_specs and include_specs")
        for specs in (self.only_specs, self.exclude_specs, self.include_specs):
            if len(specs) > MAX_SPECS:
                raise Invalid(f"More than {MAX_SPECS} specs in one filter.")

    def _check_window(self) -> None:
        if self.date_from is None or self.date_to is None:
            return
        if self.date_from > self.date_to:
            raise Invalid(f"date_from {self.date_from} lies after date_to {self.date_to}; swap them.")
        if (self.date_to - self.date_from).days > LONGEST_WINDOW_DAYS:
            raise Invalid(f"From {self.date_from} to {self.date_to} is more than one year, the longest span.")

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> Self:
        """From the JSON of the API; raises Invalid for a filter of another name or type."""
        known = {one.name: one.default for one in fields(cls)}
        for key in document:
            if key not in known:
                raise Invalid(f"'{key}' is no filter of a mirror. Known are: {', '.join(known)}.")
        given = {key: value for key, value in document.items() if value is not None}
        return cls(**{key: _parsed(key, value, known[key]) for key, value in given.items()})

    def to_json(self) -> dict[str, Any]:
        """Only what filters something, as it came: old clients show every key they find."""
        found = {one.name: getattr(self, one.name) for one in fields(self)}
        return {
            key: list(value) if isinstance(value, tuple) else _plain(value)
            for key, value in found.items()
            if value not in ((), None) and value is not False  # a CVE score of 0.0 is a filter
        }

    @property
    def inert(self) -> list[str]:
        """Filters that are kept, but do nothing until there is vulnerability data."""
        set_ones = {
            "cve_score_threshold": self.cve_score_threshold is not None,
            "exclude_non_curated_cve": self.exclude_non_curated_cve,
        }
        return [name for name, is_set in set_ones.items() if is_set]


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


def _parsed(key: str, value: Any, default: Any) -> Any:
    if isinstance(default, tuple):
        return _words(key, value)
    if isinstance(default, bool):
        if not isinstance(value, bool):
            raise Invalid(f"Filter '{key}' is true or false, not {value!r}.")
        return value
    if key.startswith("date"):
        return _day(key, value)
    return _number(key, value)


def _number(key: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Invalid(f"Filter '{key}' is a number, not {value!r}.")
    try:
        return float(value)
    except OverflowError as error:
        raise Invalid(f"Filter '{key}' is a number of another size.") from error


def _words(key: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise Invalid(f"Filter '{key}' is a list of words, not {str(value)[:60]!r}.")
    words = tuple(dict.fromkeys(word.strip() for word in value if word.strip()))
    if key.endswith("licenses"):
        return tuple(word.lower().replace("-", "_") for word in words)
    return words


def _day(key: str, value: Any) -> date:
    try:
        return date.fromisoformat(str(value))
    except ValueError as error:
        raise Invalid(f"Filter '{key}' is a day such as 2026-01-31, not {str(value)[:40]!r}.") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Specification:
    """What people say of a mirror. `source` and `proxy` are URLs; `cron` is read in `timezone`, an IANA name."""

    name: str
    source: str
    type: MirrorType = MirrorType.CONDA
    mode: MirrorMode = MirrorMode.PASSIVE
    cron: str = "0 0 * * *"
    timezone: str = "UTC"
    proxy: str | None = None
    filters: Filters = field(default_factory=Filters)
    on_vanished: OnVanished = OnVanished.KEEP
    use_channel_policy: bool = True
    policy_id: str | None = None

    def __post_init__(self) -> None:
        if not NAME_PATTERN.fullmatch(self.name):
            raise Invalid(
                f"'{self.name[:40]}' is no name for a mirror: a letter or digit, then letters, digits, "
                "spaces and . _ + -, at most 100 characters."
            )
        check_source(self.source)
        if self.proxy is not None:
            check_proxy(self.proxy)
        _check_word("cron", self.cron)
        _check_word("timezone", self.timezone)
        _check_word("policy_id", self.policy_id or "", MAX_POLICY_LENGTH)

    @property
    def shown_proxy(self) -> str | None:
        """The proxy without its password."""
        return None if self.proxy is None else without_password(self.proxy)


def check_source(source: str) -> None:
    """Raise Invalid unless it is an http, https or file URL without a password in it."""
    parts = _split(source, "source", "https://HOST/CHANNEL")
    if parts.username or parts.password:
        raise Invalid(
            "The source holds a password, which would be shown to all; leave it out of the address."
        )
    if parts.scheme == "file":
        if parts.netloc or not parts.path.startswith("/"):
            raise Invalid(f"The source '{source}' is not understood: write file:///folder.")
        return
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Invalid(
            f"The source '{source[:200]}' is not understood: write an address such as https://HOST/CHANNEL."
        )
    if parts.query or parts.fragment:
        raise Invalid(f"The source '{source[:200]}' has a query or fragment; a channel's address has none.")


def check_proxy(proxy: str) -> None:
    """Raise Invalid, without showing a password, unless it is http://[USER:PASSWORD@]HOST[:PORT]."""
    parts = _split(proxy, "proxy", "http://HOST:PORT")
    # A '#' that a password holds unquoted makes its beginning look like the host.
    has_more = parts.path.strip("/") or parts.query or parts.fragment
    if parts.scheme not in ("http", "https") or not parts.hostname or has_more:
        raise Invalid(
            "The proxy is not understood: write http://HOST:PORT or http://USER:PASSWORD@HOST:PORT, "
            "with %23 for '#', %2F for '/' and %3F for '?' in the password."
        )


def _check_word(what: str, text: str, longest: int = MAX_WORD_LENGTH) -> None:
    if len(text) > longest or not text.isprintable():
        raise Invalid(f"The {what} is longer than {longest} characters, or holds what cannot be printed.")


def _split(url: str, what: str, example: str) -> SplitResult:
    if len(url) > MAX_SOURCE_LENGTH or not url.isprintable() or " " in url:
        raise Invalid(f"The {what} is longer than {MAX_SOURCE_LENGTH} characters, or holds blanks.")
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises for one that is no number
    except ValueError as error:
        # What the error tells may be a part of a password.
        raise Invalid(f"The {what} is no URL: write an address such as {example}.") from error
    return parts


def without_password(url: str) -> str:
    """The same URL with `***` in place of a password."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{parts.username or ''}:{HIDDEN}@{host}"))


@dataclass(frozen=True, slots=True)
class Mirror:
    """A mirror of one channel. `next_run_at` is null for one that only runs when it is told to."""

    id: int
    uuid: str
    channel_id: int
    channel_path: str
    specification: Specification
    state: MirrorState
    active: int
    passive: int
    last_run_at: datetime | None
    next_run_at: datetime | None
    created_at: datetime
    updated_at: datetime

    @property
    def name(self) -> str:
        return self.specification.name
