from packhouse.formats.conda.filename import is_subdir
from packhouse.formats.conda.upstream.subdirs import PLATFORMS, subdirs_to_ask


def test_all_are_asked_when_none_is_chosen() -> None:
    assert subdirs_to_ask() == ("noarch", *PLATFORMS)


def test_noarch_is_asked_in_any_case_and_once() -> None:
    assert subdirs_to_ask(["win-64", "noarch"]) == ("noarch", "win-64")
    assert subdirs_to_ask(["win-64", "win-64"]) == ("noarch", "win-64")


def test_platforms_are_subdirs_and_include_those_of_the_command_line() -> None:
    common = {"linux-32", "linux-64", "linux-aarch64", "linux-armv6l", "linux-armv7l", "linux-ppc64"}
    common |= {"linux-ppc64le", "linux-s390x", "osx-64", "osx-arm64", "win-32", "win-64", "zos-z"}

    assert common <= set(PLATFORMS)
    assert all(map(is_subdir, PLATFORMS))
