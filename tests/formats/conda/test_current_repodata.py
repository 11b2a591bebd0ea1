from collections.abc import Callable, Iterable
from random import Random

import pytest

from packhouse.formats.conda.current_repodata import select_current
from packhouse.formats.conda.repodata import IndexRow
from packhouse.formats.conda.versions import version_order

MakeRow = Callable[..., IndexRow]


def stems(filenames: Iterable[str]) -> list[str]:
    return sorted(filename.removesuffix(".conda") for filename in filenames)


def test_newest_version_is_kept_with_all_its_builds(make_row: MakeRow) -> None:
    rows = [make_row("a", "1.9", "0"), make_row("a", "1.10", "py311_0"), make_row("a", "1.10", "py312_0")]

    assert stems(select_current(rows)) == ["a-1.10-py311_0", "a-1.10-py312_0"]


def test_both_archive_kinds_of_the_newest_are_kept(make_row: MakeRow) -> None:
    rows = [make_row("a", extension=".tar.bz2"), make_row("a")]

    assert select_current(rows) == {"a-1.0-0.tar.bz2", "a-1.0-0.conda"}


def test_older_version_is_kept_for_a_dependency_that_the_newest_does_not_satisfy(make_row: MakeRow) -> None:
    rows = [
        make_row("app", depends=["lib >=1,<2"]),
        *(make_row("lib", version) for version in ("1.1", "1.2", "2.0")),
    ]

    assert stems(select_current(rows)) == ["app-1.0-0", "lib-1.2-0", "lib-2.0-0"]


def test_nothing_is_added_for_a_dependency_that_the_newest_satisfies(make_row: MakeRow) -> None:
    rows = [make_row("app", depends=["lib >=1"]), *(make_row("lib", version) for version in ("1.1", "2.0"))]

    assert stems(select_current(rows)) == ["app-1.0-0", "lib-2.0-0"]


def test_only_builds_that_match_are_added(make_row: MakeRow) -> None:
    rows = [
        make_row("app", depends=["lib 1.* py_*"]),
        make_row("lib", "1.1", "h_0"),
        make_row("lib", "1.1", "py_0"),
        make_row("lib", "2.0"),
    ]

    assert stems(select_current(rows)) == ["app-1.0-0", "lib-1.1-py_0", "lib-2.0-0"]


def test_dependencies_of_what_was_added_are_followed(make_row: MakeRow) -> None:
    rows = [
        make_row("app", depends=["lib <2"]),
        make_row("lib", "1.0", depends=["base <2"]),
        make_row("lib", "2.0", depends=["base"]),
        make_row("base", "1.0", depends=["app"]),
        make_row("base", "2.0"),
    ]

    assert stems(select_current(rows)) == ["app-1.0-0", "base-1.0-0", "base-2.0-0", "lib-1.0-0", "lib-2.0-0"]


def test_dependencies_of_dropped_versions_keep_nothing(make_row: MakeRow) -> None:
    rows = [
        make_row("app", "1.0", depends=["lib <2"]),
        make_row("app", "2.0"),
        make_row("lib", "1.0"),
        make_row("lib", "2.0"),
    ]

    assert stems(select_current(rows)) == ["app-2.0-0", "lib-2.0-0"]


def test_newest_version_without_features_is_kept_too(make_row: MakeRow) -> None:
    rows = [make_row("a", "1.0"), make_row("a", "2.0"), make_row("a", "3.0", track_features="debug")]

    assert stems(select_current(rows)) == ["a-2.0-0", "a-3.0-0"]


@pytest.mark.parametrize("depends", ["elsewhere >=1", "__glibc >=2.17", "lib >=9", "== == ==", "", "*"])
def test_dependency_that_the_subdir_cannot_satisfy_is_passed_over(make_row: MakeRow, depends: str) -> None:
    rows = [make_row("app", depends=[depends]), make_row("lib", "1.0"), make_row("lib", "2.0")]

    assert stems(select_current(rows)) == ["app-1.0-0", "lib-2.0-0"]


def test_version_that_cannot_be_read_counts_as_oldest(make_row: MakeRow) -> None:
    rows = [
        make_row("a", "zz!!"),
        make_row("a", "0.1"),
        make_row("only", "!"),
        make_row("b", depends=["a <0.1"]),
    ]

    assert stems(select_current(rows)) == ["a-0.1-0", "b-1.0-0", "only-!-0"]


def test_rows_in_any_order_give_the_same_selection(make_row: MakeRow) -> None:
    rows = [
        make_row(f"p{name}", f"1.{minor}", depends=[f"p{name // 2} <1.{minor}", f"p{name // 3} >=1.{minor}"])
        for name in range(10)
        for minor in range(10)
    ]

    assert select_current(Random(7).sample(rows, len(rows))) == select_current(rows)


def test_versions_are_ordered_as_conda_does() -> None:
    in_order = [
        "not a version!",
        "0.4",
        "0.4.1.rc",
        "0.4.1",
        "0.5a1",
        "0.5",
        "1.0dev",
        "1.0",
        "1.0post1",
        "1!0.4",
    ]

    assert sorted(sorted(in_order), key=version_order) == in_order
