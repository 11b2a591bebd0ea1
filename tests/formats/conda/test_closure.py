"""The closure of dependencies: what is taken with the starting records, and what is missing."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packhouse.domain.mirrors import Filtered, Filters
from packhouse.formats.conda.closure import Candidate, Closure, FileKey, Missing, dependency_closure
from packhouse.formats.conda.mirror_filter import MirrorFilter

LINUX = ("linux-64", "noarch")


def candidate(stem: str, *depends: str, subdir: str = "linux-64", **fields: Any) -> Candidate:
    name, version = stem.rsplit("-", 1)
    record = {"name": name, "version": version, "build": "0", "build_number": 0, "depends": list(depends)}
    return Candidate(FileKey(subdir, f"{stem}-0.conda"), record | {"subdir": subdir} | fields)


class Upstream:
    """Answers by name, and remembers what it was asked."""

    def __init__(self, candidates: Iterable[Candidate]) -> None:
        self._candidates = list(candidates)
        self.waves: list[list[str]] = []

    def __call__(self, names: Collection[str]) -> Mapping[str, Sequence[Candidate]]:
        self.waves.append(sorted(names))
        found: dict[str, list[Candidate]] = {}
        for each in self._candidates:
            if each.record["name"] in names:
                found.setdefault(each.record["name"], []).append(each)
        return found


def closure_of(
    start: Candidate, *others: Candidate, subdirs: Collection[str] = LINUX, **filters: Any
) -> Closure:
    upstream = Upstream([start, *others])
    return dependency_closure([start], upstream, MirrorFilter(Filters.parse(filters)), subdirs)


def taken(closure: Closure) -> set[str]:
    return {f"{key.subdir}/{key.filename}" for keys in closure.taken.values() for key in keys}


def test_record_that_needs_nothing_is_alone() -> None:
    assert closure_of(candidate("app-1"), candidate("lib-1")) == Closure(
        {"app": frozenset({FileKey("linux-64", "app-1-0.conda")})}, []
    )


def test_every_record_that_satisfies_a_dependency_is_taken_and_no_other() -> None:
    versions = [candidate(f"lib-{version}") for version in ("1.0", "1.5", "2.0")]

    closure = closure_of(candidate("app-1", "lib >=1,<2"), *versions)

    assert taken(closure) == {
        "linux-64/app-1-0.conda",
        "linux-64/lib-1.0-0.conda",
        "linux-64/lib-1.5-0.conda",
    }


def test_dependencies_are_followed_through_and_circles_end() -> None:
    closure = closure_of(candidate("app-1", "lib"), candidate("lib-1", "core"), candidate("core-1", "app"))

    assert set(closure.taken) == {"app", "lib", "core"}


def test_chain_of_any_length_is_followed() -> None:
    chain = [candidate(f"n{each}-1", f"n{each + 1}") for each in range(3_000)]

    assert len(closure_of(*chain).taken) == 3_000


def test_platform_sees_its_own_records_and_those_of_noarch() -> None:
    closure = closure_of(
        candidate("app-1", "lib"),
        *(candidate("lib-1", subdir=subdir) for subdir in ("linux-64", "noarch", "win-64")),
        subdirs=("linux-64", "noarch", "win-64"),
    )

    assert taken(closure) == {"linux-64/app-1-0.conda", "linux-64/lib-1-0.conda", "noarch/lib-1-0.conda"}


def test_noarch_record_needs_its_dependencies_on_every_platform() -> None:
    libraries = [candidate("lib-1", subdir=subdir) for subdir in ("linux-64", "win-64")]

    closure = closure_of(
        candidate("app-1", "lib", subdir="noarch"),
        *libraries,
        subdirs=("linux-64", "noarch", "win-64", "osx-64"),
    )

    assert taken(closure) == {"noarch/app-1-0.conda", "linux-64/lib-1-0.conda", "win-64/lib-1-0.conda"}
    assert closure.missing == [Missing("lib", "osx-64", FileKey("noarch", "app-1-0.conda"), None)]


def test_noarch_record_taken_for_one_platform_brings_in_nothing_of_another() -> None:
    pure = candidate("pure-1", "lib", subdir="noarch")
    libraries = [candidate("lib-1", subdir=subdir) for subdir in ("linux-64", "win-64")]

    closure = closure_of(
        candidate("app-1", "pure"), pure, *libraries, subdirs=("linux-64", "noarch", "win-64")
    )

    assert "win-64/lib-1-0.conda" not in taken(closure)


def test_noarch_record_of_one_system_is_none_for_another() -> None:
    closure = closure_of(
        candidate("app-1", "shell", subdir="noarch"),
        candidate("shell-1", "__unix", "posix", subdir="noarch"),
        candidate("shell-2", "__win", "registry", subdir="noarch"),
        candidate("posix-1"),
    )

    assert set(closure.taken) == {"app", "shell", "posix"}
    assert closure.missing == []


def test_mirror_of_noarch_alone_is_one_of_every_system() -> None:
    shell = candidate("shell-1", "__win >=10", "registry", subdir="noarch")

    closure = closure_of(shell, candidate("registry-1", subdir="noarch"), subdirs=("noarch",))

    assert set(closure.taken) == {"shell", "registry"}


def test_virtual_packages_are_not_sought() -> None:
    upstream = Upstream([])

    closure = dependency_closure(
        [candidate("app-1", "__glibc >=2.17,<3.0.a0")], upstream, MirrorFilter(Filters()), LINUX
    )

    assert (upstream.waves, closure.missing) == ([], [])


def test_constraints_bring_in_nothing() -> None:
    assert set(closure_of(candidate("app-1", constrains=["lib"]), candidate("lib-1")).taken) == {"app"}


def test_condition_is_taken_as_if_it_held() -> None:
    closure = closure_of(candidate("app-1", 'lib[when="python <3"]'), candidate("lib-1"))

    assert set(closure.taken) == {"app", "lib"}


def test_extra_brings_in_its_group() -> None:
    lib = candidate("lib-1", extra_depends={"fast": ["rust"], "slow": ["python"]})
    others = [candidate("rust-1"), candidate("python-1")]

    assert set(closure_of(candidate("app-1", "lib[extras=[fast]]"), lib, *others).taken) == {
        "app",
        "lib",
        "rust",
    }


def test_extra_of_a_record_that_was_taken_without_it_brings_in_its_group() -> None:
    lib = candidate("lib-1", extra_depends={"fast": ["rust"]})

    closure = closure_of(candidate("app-1", "lib", "lib[extras=[fast]]"), lib, candidate("rust-1"))

    assert "rust" in closure.taken
    assert closure.missing == []


@pytest.mark.parametrize("spec", ["lib", "lib >=2", "lib >=", "", "a " + "(" * 100_000])
def test_dependency_that_nothing_satisfies_is_told_with_who_wants_it(spec: str) -> None:
    closure = closure_of(candidate("app-1", spec), candidate("lib-1", subdir="osx-64"))

    assert closure.missing == [Missing(spec, "linux-64", FileKey("linux-64", "app-1-0.conda"), None)]


def test_dependency_that_the_filter_keeps_out_is_told_with_the_reason() -> None:
    closure = closure_of(
        candidate("app-1", "lib"), candidate("lib-1", license="GPL-3"), exclude_licenses=["gpl3"]
    )

    assert set(closure.taken) == {"app"}
    assert closure.missing == [
        Missing("lib", "linux-64", FileKey("linux-64", "app-1-0.conda"), Filtered.LICENSE)
    ]


def test_dependency_outside_of_the_scope_is_taken() -> None:
    lib = candidate("lib-1", timestamp=1)

    assert (
        "lib" in closure_of(candidate("app-1", "lib"), lib, only_specs=["app"], date_from="2024-01-01").taken
    )


def test_dependency_that_a_starting_record_satisfies_is_not_missing() -> None:
    closure = closure_of(candidate("app-1", "app >=1"))

    assert closure.missing == []


def test_record_whose_version_nobody_can_read_satisfies_nothing() -> None:
    closure = closure_of(candidate("app-1", "lib"), candidate("lib-!!"))

    assert set(closure.taken) == {"app"}


def test_each_name_is_asked_for_once_and_many_at_a_time() -> None:
    upstream = Upstream(
        [candidate("a-1", "b", "c"), candidate("b-1", "d", "c >=1"), candidate("c-1", "d >=1", "a")]
    )

    dependency_closure([candidate("app-1", "a", "b <1")], upstream, MirrorFilter(Filters()), LINUX)

    assert upstream.waves == [["a", "b"], ["c"], ["d"]]


NAMES = "abcd"
SPECS = [f"{name}{version}" for name in NAMES for version in ("", " >=2", " <2")]


@st.composite
def upstreams(draw: st.DrawFn) -> list[Candidate]:
    keys = st.tuples(
        st.sampled_from(NAMES), st.integers(1, 3), st.sampled_from(("linux-64", "win-64", "noarch"))
    )
    specs = st.lists(st.sampled_from(SPECS), max_size=3)
    licenses = st.sampled_from(("MIT", "MIT", "MIT", "GPL-3"))
    return [
        candidate(f"{name}-{version}", *draw(specs), subdir=subdir, license=draw(licenses))
        for name, version, subdir in draw(st.lists(keys, unique=True, max_size=12))
    ]


def _satisfies(record: Mapping[str, Any], spec: str) -> bool:
    name, _, bound = spec.partition(" ")
    is_late = int(record["version"]) >= 2
    return record["name"] == name and (not bound or is_late is (bound == ">=2"))


def _fixpoint(start: list[Candidate], everything: list[Candidate], platforms: set[str]) -> set[FileKey]:
    """Slow and obvious: for each platform, add what is needed until nothing more is."""
    found = {each.key for each in start}
    for platform in platforms:
        seen = [each for each in everything if each.key.subdir in (platform, "noarch")]
        here = [each for each in seen if each in start]
        while more := [
            each
            for each in seen
            if each not in here
            and each.record["license"] == "MIT"
            and any(_satisfies(each.record, spec) for one in here for spec in one.record["depends"])
        ]:
            here += more
        found |= {each.key for each in here}
    return found


@given(everything=upstreams())
def test_closure_is_the_smallest_set_that_needs_nothing_more(everything: list[Candidate]) -> None:
    start = [each for each in everything if each.record["name"] == "a" and each.record["license"] == "MIT"]
    mirror_filter = MirrorFilter(Filters(exclude_licenses=("gpl3",)))

    closure = dependency_closure(start, Upstream(everything), mirror_filter, ("linux-64", "win-64", "noarch"))

    expected = _fixpoint(start, everything, {"linux-64", "win-64"})
    assert {key for keys in closure.taken.values() for key in keys} == expected


@given(everything=upstreams())
def test_missing_is_exactly_what_nothing_taken_satisfies(everything: list[Candidate]) -> None:
    closure = dependency_closure(
        everything, Upstream(everything), MirrorFilter(Filters()), ("linux-64", "noarch")
    )

    here = [each.record for each in everything if each.key.subdir in LINUX]
    wanted = {spec for record in here for spec in record["depends"]}
    assert {each.spec for each in closure.missing} == {
        spec for spec in wanted if not any(_satisfies(record, spec) for record in here)
    }
