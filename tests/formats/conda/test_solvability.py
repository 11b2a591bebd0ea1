"""Whether environments would solve from a choice of records, as rattler's solver says."""

from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from packhouse.errors import Invalid
from packhouse.formats.conda.closure import FileKey
from packhouse.formats.conda.solvability import LONGEST_REASON_LINES, unsolvable, virtual_packages

Row = tuple[FileKey, Mapping[str, Any]]


def row(stem: str, *depends: str, subdir: str = "linux-64", extension: str = ".conda", **fields: Any) -> Row:
    name, version = stem.rsplit("-", 1)
    record = {
        "name": name,
        "version": version,
        "build": "0",
        "build_number": 0,
        "depends": list(depends),
        "subdir": subdir,
        "sha256": "0" * 64,
    }
    return FileKey(subdir, f"{stem}-0{extension}"), record | fields


def why(spec: str, *rows: Row, platform: str = "linux-64") -> str | None:
    """The reason why it does not solve; None if it does."""
    found = unsolvable([spec], [platform], rows)
    return found[0].reason if found else None


@pytest.mark.parametrize("extension", [".conda", ".tar.bz2"])
def test_spec_whose_dependencies_are_there_solves(extension: str) -> None:
    assert why("app>=1", row("app-1", "lib >=1"), row("lib-1", subdir="noarch", extension=extension)) is None


def test_spec_of_which_nothing_was_taken_does_not_solve() -> None:
    assert why("app", row("lib-1")) == "No candidates were found for app *."


def test_nothing_solves_from_nothing() -> None:
    assert why("app") == "No candidates were found for app *."


def test_reason_names_the_dependency_that_is_not_there() -> None:
    reason = why("app", row("app-1", "lib >=2"), row("lib-1"))

    assert reason is not None
    assert "lib >=2, for which no candidates were found" in reason


def test_dependencies_that_exclude_each_other_do_not_solve() -> None:
    rows = [row("app-1", "a", "b"), row("a-1", "c <2"), row("b-1", "c >=2"), row("c-1"), row("c-2")]

    assert why("app", *rows) is not None


def test_constraint_that_is_broken_does_not_solve() -> None:
    assert why("app", row("app-1", "lib", constrains=["lib <1"]), row("lib-1")) is not None


def test_each_platform_is_asked_by_itself() -> None:
    rows = [row("app-1", "lib", subdir="noarch"), row("lib-1"), row("other-1", subdir="win-64")]

    found = unsolvable(["app", "other"], ["linux-64", "win-64"], rows)

    assert [(each.spec, each.platform) for each in found] == [("other", "linux-64"), ("app", "win-64")]


@pytest.mark.parametrize(
    ("platform", "needed"),
    [
        ("linux-64", "__glibc >=2.35"),
        ("linux-aarch64", "__unix"),
        ("linux-64", "__linux >=6"),
        ("osx-arm64", "__osx >=14"),
        ("win-64", "__win >=10"),
        ("linux-64", "__archspec 1 x86_64_v3"),
        ("osx-arm64", "__archspec 1 m1"),
        ("noarch", "__unix"),
    ],
)
def test_machine_is_a_new_one_of_its_kind(platform: str, needed: str) -> None:
    assert why("app", row("app-1", needed, subdir="noarch"), platform=platform) is None


@pytest.mark.parametrize(
    ("platform", "needed"), [("linux-64", "__win"), ("win-64", "__unix"), ("linux-64", "__cuda")]
)
def test_machine_has_nothing_of_another_kind(platform: str, needed: str) -> None:
    assert why("app", row("app-1", needed, subdir="noarch"), platform=platform) is not None


def test_platform_of_an_unknown_kind_has_no_virtual_packages_but_its_machine() -> None:
    assert [str(each.name.normalized) for each in virtual_packages("zos-z")] == ["__archspec"]


@pytest.mark.parametrize(("pattern", "solves"), [("ap*", True), ("^ap.$ >=2", False)])
def test_pattern_needs_one_record_that_matches(pattern: str, solves: bool) -> None:
    assert (why(pattern, row("app-1", "lib")) is None) is solves


@pytest.mark.parametrize(
    "unreadable", [row("app-!!"), row("app-2", "lib >="), row("app-3", "lib " + "(" * 100_000)]
)
def test_record_that_nobody_can_read_does_not_stand_in_the_way(unreadable: Row) -> None:
    assert why("app", unreadable, row("app-1")) is None
    assert why("app>=2", unreadable, row("app-1")) is not None


def test_condition_that_does_not_hold_asks_for_nothing() -> None:
    assert why("app", row("app-1", 'lib[when="python <3"]')) is None


def test_long_reason_is_shortened() -> None:
    rows = [row(f"app-{version}", f"lib{version}") for version in range(1, 40)]

    reason = why("app", *rows)

    assert reason is not None
    assert len(reason.splitlines()) == LONGEST_REASON_LINES + 1
    assert reason.endswith("lines more")


def test_records_are_read_once() -> None:
    def once() -> Iterable[Row]:
        yield row("app-1")
        yield row("lib-1", subdir="noarch")

    assert unsolvable(["app", "lib", "l*"], ["linux-64"], once()) == []


def test_spec_that_is_none_is_refused() -> None:
    with pytest.raises(Invalid, match="'app>=' is no MatchSpec"):
        unsolvable(["app>="], ["linux-64"], [])
