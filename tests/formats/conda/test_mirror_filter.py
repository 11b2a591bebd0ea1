"""What the filters of a mirror say of one record."""

from datetime import UTC, date, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packhouse.domain.mirrors import Filtered, Filters
from packhouse.errors import Invalid
from packhouse.formats.conda.mirror_filter import MirrorFilter

NOON = datetime(2024, 5, 17, 12, tzinfo=UTC)


def record(name: str = "numpy", version: str = "1.2", **fields: Any) -> dict[str, Any]:
    return {
        "name": name,
        "version": version,
        "build": "0",
        "build_number": 0,
        "license": "BSD-3-Clause",
        "timestamp": int(NOON.timestamp() * 1000),
    } | fields


def verdict(filters: dict[str, Any], of: dict[str, Any], *, is_signed: bool = False) -> Filtered | None:
    return MirrorFilter(Filters.parse(filters)).verdict(of, is_signed=is_signed)


def test_no_filter_lets_everything_pass() -> None:
    assert verdict({}, {"name": "a"}) is None


@pytest.mark.parametrize(("version", "reason"), [("1.2", None), ("1.3", Filtered.ONLY_SPECS)])
def test_only_what_is_specified_passes(version: str, reason: Filtered | None) -> None:
    assert verdict({"only_specs": ["numpy==1.2"]}, record(version=version)) is reason


@pytest.mark.parametrize(("version", "reason"), [("1.2", Filtered.EXCLUDE_SPECS), ("1.3", None)])
def test_included_specs_bring_back_what_is_excluded(version: str, reason: Filtered | None) -> None:
    filters = {"exclude_specs": ["num*"], "include_specs": ["numpy>=1.3"]}

    assert verdict(filters, record(version=version)) is reason


def test_included_specs_bring_back_nothing_that_another_filter_removes() -> None:
    filters = {"exclude_specs": ["numpy"], "include_specs": ["numpy"], "exclude_licenses": ["bsd"]}

    assert verdict(filters, record()) is Filtered.LICENSE


def test_included_specs_alone_remove_nothing() -> None:
    assert verdict({"include_specs": ["scipy"]}, record()) is None


@pytest.mark.parametrize("license", [None, ["MIT"], 3])
def test_licence_that_is_no_text_is_none(license: Any) -> None:
    assert verdict({"exclude_licenses": ["none"]}, record(license=license)) is Filtered.LICENSE


@pytest.mark.parametrize(("is_signed", "reason"), [(True, None), (False, Filtered.SIGNED)])
def test_only_signed_packages_pass(is_signed: bool, reason: Filtered | None) -> None:
    assert verdict({"only_signed": True}, record(), is_signed=is_signed) is reason


def milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


MIDNIGHT = datetime(2024, 5, 17, tzinfo=UTC)


@pytest.mark.parametrize(
    ("timestamp", "is_inside"),
    [
        (milliseconds(MIDNIGHT), True),
        (milliseconds(MIDNIGHT) - 1, False),
        (milliseconds(MIDNIGHT + timedelta(days=2)) - 1, True),
        (milliseconds(MIDNIGHT + timedelta(days=2)), False),
        (int(NOON.timestamp()), True),
        (NOON.timestamp() * 1000, True),
        (None, False),
        ("2024-05-17", False),
        (True, False),
    ],
)
def test_window_holds_whole_days_in_milliseconds_or_seconds(timestamp: Any, is_inside: bool) -> None:
    filters = {"date_from": "2024-05-17", "date_to": "2024-05-18"}

    assert verdict(filters, record(timestamp=timestamp)) is (None if is_inside else Filtered.DATE)


@pytest.mark.parametrize("filters", [{"date_from": "1970-01-01"}, {"date_to": "9999-12-31"}])
def test_record_without_a_time_is_outside_of_every_window(filters: dict[str, str]) -> None:
    assert verdict(filters, record()) is None
    assert verdict(filters, record(timestamp=None)) is Filtered.DATE


def test_first_reason_is_told() -> None:
    filters = {
        "exclude_specs": ["numpy"],
        "exclude_licenses": ["bsd"],
        "only_signed": True,
        "date_from": "2025-01-01",
    }
    reasons = []
    for key in list(filters):
        reasons.append(verdict(filters, record()))
        del filters[key]

    assert reasons == [Filtered.EXCLUDE_SPECS, Filtered.LICENSE, Filtered.SIGNED, Filtered.DATE]


@pytest.mark.parametrize("filters", [{"only_specs": ["scipy"]}, {"date_from": "2025-01-01"}])
def test_dependency_may_lie_outside_of_the_scope(filters: dict[str, Any]) -> None:
    mirror_filter = MirrorFilter(Filters.parse(filters))

    assert mirror_filter.has_scope
    assert mirror_filter.verdict(record(), is_signed=False) is not None
    assert mirror_filter.dependency_verdict(record(), is_signed=False) is None


@pytest.mark.parametrize(
    "filters", [{"exclude_specs": ["numpy"]}, {"exclude_licenses": ["bsd"]}, {"only_signed": True}]
)
def test_what_is_forbidden_is_so_for_dependencies(filters: dict[str, Any]) -> None:
    mirror_filter = MirrorFilter(Filters.parse(filters))

    assert not mirror_filter.has_scope
    assert mirror_filter.dependency_verdict(record(), is_signed=False) is not None


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ({}, None),
        ({"only_specs": ["numpy>=1", "scipy"]}, {"numpy", "scipy"}),
        ({"only_specs": ["numpy", "r-*"]}, None),
        ({"exclude_specs": ["numpy"]}, None),
    ],
)
def test_names_to_look_at_are_those_specified(filters: dict[str, Any], names: set[str] | None) -> None:
    assert MirrorFilter(Filters.parse(filters)).names_wanted == names


@pytest.mark.parametrize("key", ["only_specs", "exclude_specs", "include_specs"])
def test_spec_that_is_none_is_refused(key: str) -> None:
    with pytest.raises(Invalid, match="'numpy>=' is no MatchSpec"):
        MirrorFilter(Filters.parse({key: ["numpy>="]}))


def fingerprint(**filters: Any) -> str:
    return MirrorFilter(Filters.parse(filters)).fingerprint


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"only_specs": ["a", "b==1"]}, {"only_specs": ["b ==1", "a"]}),
        ({"exclude_licenses": ["gpl2", "gpl3"]}, {"exclude_licenses": ["gpl3", "gpl2"]}),
        ({}, {"include_specs": ["a"]}),
        ({}, {"cve_score_threshold": 7.0, "exclude_non_curated_cve": True}),
        ({}, {"subdirs": ["noarch"], "projects": ["a"]}),
        ({}, {"include_dependencies": True}),
    ],
)
def test_filters_that_mean_the_same_have_one_fingerprint(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert fingerprint(**one) == fingerprint(**other)


def test_filters_that_differ_have_fingerprints_of_their_own() -> None:
    meanings: list[dict[str, Any]] = [
        {},
        {"only_specs": ["a"]},
        {"only_specs": ["a"], "include_dependencies": True},
        {"only_specs": ["a>=1"]},
        {"exclude_specs": ["a"]},
        {"exclude_specs": ["a"], "include_specs": ["a>=1"]},
        {"include_licenses": ["mit"]},
        {"exclude_licenses": ["mit"]},
        {"only_signed": True},
        {"date_from": "2024-01-01"},
        {"date_to": "2024-01-01"},
    ]

    assert len({fingerprint(**each) for each in meanings}) == len(meanings)


LICENSES = {"MIT": "mit", "BSD": "bsd", "Apache-2.0": "apache"}
PATTERNS = st.lists(st.sampled_from(["a", "b", "a*", "*"]), max_size=2)
DAYS = st.none() | st.dates(date(2024, 1, 1), date(2024, 1, 9))


@given(
    name=st.sampled_from(["a", "ab", "b"]),
    license=st.sampled_from(sorted(LICENSES)),
    hours=st.none() | st.integers(0, 240),
    is_signed=st.booleans(),
    specs=st.tuples(st.booleans(), PATTERNS, PATTERNS),
    licenses=st.lists(st.sampled_from(sorted(LICENSES.values())), max_size=2, unique=True),
    only_signed=st.booleans(),
    days=st.tuples(DAYS, DAYS),
)
def test_verdict_is_what_one_sees_at_a_glance(
    name: str,
    license: str,
    hours: int | None,
    is_signed: bool,
    specs: tuple[bool, list[str], list[str]],
    licenses: list[str],
    only_signed: bool,
    days: tuple[date | None, date | None],
) -> None:
    def named(patterns: list[str]) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in patterns)

    begins, ends = days
    if begins and ends and begins > ends:
        begins = None
    built = None if hours is None else datetime(2024, 1, 1, tzinfo=UTC) + timedelta(hours=hours)
    is_only, first, second = specs
    filters = Filters(
        only_specs=tuple(first) if is_only else (),
        exclude_specs=() if is_only else tuple(first),
        include_specs=() if is_only else tuple(second),
        include_licenses=tuple(licenses),
        only_signed=only_signed,
        date_from=begins,
        date_to=ends,
    )
    reasons = {
        Filtered.ONLY_SPECS: is_only and first and not named(first),
        Filtered.EXCLUDE_SPECS: not is_only and named(first) and not named(second),
        Filtered.LICENSE: licenses and LICENSES[license] not in licenses,
        Filtered.SIGNED: only_signed and not is_signed,
        Filtered.DATE: (begins or ends)
        and (built is None or built.date() < (begins or date.min) or built.date() > (ends or date.max)),
    }
    seen = record(name, license=license, timestamp=built and milliseconds(built))

    found = MirrorFilter(filters).verdict(seen, is_signed=is_signed)

    assert found == next((reason for reason, removes in reasons.items() if removes), None)
