"""MatchSpecs of filters and dependencies, asked of records as they stand in an index."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packhouse.errors import Invalid
from packhouse.formats.conda.match_specs import LONGEST_SPEC, SpecSet, is_readable, parse_dependency


def record(name: str = "python", version: str = "3.10", build: str = "h1_0", **fields: Any) -> dict[str, Any]:
    return {
        "name": name,
        "version": version,
        "build": build,
        "build_number": 0,
        "depends": [],
        "subdir": "linux-64",
    } | fields


@pytest.mark.parametrize(
    ("spec", "matches"),
    [
        ("python", True),
        ("Python", True),
        ("python==3.10", True),
        ("python==3.10.0", True),
        ("python==3.1", False),
        ("python=3", True),
        ("python>=3.8,<3.10", False),
        ("python 3.8.*|3.10.*", True),
        ("python 3.10 h1_*", True),
        ("python 3.10 h2_*", False),
        ('python[build_number=">0"]', False),
        ("python[subdir=linux-*]", True),
        ("python[subdir=noarch]", False),
        ("python[license=PSF-2.0]", True),
        ("python[license=MIT]", False),
        ("python[track_features=debug]", True),
        ("python[md5=0123456789abcdef0123456789abcdef]", True),
        ("py*", True),
        ("^p.*n$ >=3", True),
        ("*[subdir=noarch]", False),
        ("pythonic", False),
    ],
)
def test_spec_matches_what_it_says(spec: str, matches: bool) -> None:
    python = record(license="PSF-2.0", track_features="slow debug", md5="0123456789abcdef0123456789abcdef")

    assert SpecSet([spec]).matches(python) is matches


def test_one_of_several_specs_is_enough() -> None:
    specs = SpecSet(["numpy", "python==2.7", "python==3.10"])

    assert specs.matches(record())


def test_no_specs_match_nothing() -> None:
    assert not SpecSet([])
    assert not SpecSet([]).matches(record())


@pytest.mark.parametrize("field", [{"version": "not a version"}, {"build_number": "many"}, {"sha256": "zz"}])
def test_record_that_no_client_can_read_matches_no_more_than_its_name(field: dict[str, Any]) -> None:
    unreadable = record(**field)

    assert not SpecSet(["python>=0"]).matches(unreadable)
    assert SpecSet(["python"]).matches(unreadable)


def test_names_are_known_where_all_are_exact() -> None:
    assert SpecSet(["NumPy>=1", "python"]).names == {"numpy", "python"}


@pytest.mark.parametrize("pattern", ["num*", "^num.*$"])
def test_names_are_open_where_one_is_a_pattern(pattern: str) -> None:
    assert SpecSet(["python", pattern]).names is None


def test_only_names_that_a_spec_could_match_have_to_be_looked_at() -> None:
    specs = SpecSet(["python>=4", "r-*"])

    assert [name for name in ("python", "r-base", "ruby", "") if specs.may_match(name)] == [
        "python",
        "r-base",
    ]


def test_equal_specs_have_one_spelling() -> None:
    assert SpecSet(["python==3.10", "numpy"]).canonical == SpecSet(["numpy", "python ==3.10"]).canonical


@pytest.mark.parametrize("spec", ["", "==3", "numpy>=", "numpy=[", "nümpy", "^[$", "numpy[colour=red]"])
def test_text_that_is_no_spec_is_refused_by_name_with_what_would_be_one(spec: str) -> None:
    with pytest.raises(Invalid) as caught:
        SpecSet(["python", spec])

    assert f"'{spec}' is no MatchSpec" in caught.value.message
    assert '"name>=1.2,<2"' in caught.value.message


@pytest.mark.parametrize(
    ("spec", "key"),
    [
        ("conda-forge::numpy", "channel"),
        ("numpy[url=https://upstream.example/numpy-1-0.conda]", "url"),
        ("numpy[fn=numpy-1-0.conda]", "fn"),
        ("numpy[extras=[all]]", "extras"),
        ('numpy[when="python>=3"]', "when"),
    ],
)
def test_spec_that_asks_what_no_record_answers_is_refused(spec: str, key: str) -> None:
    with pytest.raises(Invalid, match=f"asks for {key}, which a filter cannot look at"):
        SpecSet([spec])


def test_nesting_that_would_end_the_process_is_refused() -> None:
    with pytest.raises(Invalid, match=f"longer than {LONGEST_SPEC}"):
        parse_dependency("a " + "(" * 100_000)


PANICS = "python[build_number='>99999999999999999999']"


def test_spec_that_rattler_panics_at_is_refused() -> None:
    with pytest.raises(Invalid, match="is no MatchSpec: rattler cannot read it"):
        SpecSet([PANICS])


def test_record_with_a_dependency_that_rattler_panics_at_is_unreadable() -> None:
    assert not is_readable(record(depends=[PANICS]))


def test_longest_spec_can_be_nested_all_the_way() -> None:
    depth = (LONGEST_SPEC - 5) // 2

    assert parse_dependency("a " + "(" * depth + ">=1" + ")" * depth).version is not None


def test_dependency_has_an_exact_name() -> None:
    with pytest.raises(Invalid, match="is no MatchSpec"):
        parse_dependency("num*")


@pytest.mark.parametrize("key", ["depends", "constrains"])
def test_record_is_unreadable_when_one_of_its_specs_is(key: str) -> None:
    assert is_readable(record(**{key: ["python >=3"]}))
    assert not is_readable(record(**{key: ["python >=3", "numpy >="]}))


def test_record_without_its_constraints_is_readable() -> None:
    assert is_readable(record())


TEXTS = st.text() | st.text("abc*^$[]()=<>!~|,.:01 \"'")


@given(spec=TEXTS, name=TEXTS, version=TEXTS)
def test_any_text_is_refused_or_asked(spec: str, name: str, version: str) -> None:
    try:
        specs = SpecSet([spec])
    except Invalid:
        return
    assert specs.may_match(name) or not specs.matches(record(name, version))
