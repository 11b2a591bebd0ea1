"""Names, versions and file names of general files: steps of a URL, and of somebody's folders."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packhouse.errors import InvalidPackage
from packhouse.formats.files.names import check_filename, check_name, check_version, stem

Check = Callable[[str], str]

BAD = ["", ".", "..", ".hidden", "-rf", "a/b", "a\\b", "a b", "a\0", "a\n", "ä", "a%2fb", "a?b", "a#b", "a:b"]


@pytest.mark.parametrize("text", BAD)
@pytest.mark.parametrize("check", [check_name, check_version, check_filename])
def test_what_cannot_be_a_step_of_an_address_is_refused(check: Check, text: str) -> None:
    with pytest.raises(InvalidPackage, match="cannot be a"):
        check(text)


@pytest.mark.parametrize("text", ["a", "A1", "_x", "my-model", "my_model.v2", "0"])
@pytest.mark.parametrize("check", [check_name, check_version, check_filename])
def test_plain_names_are_taken(check: Check, text: str) -> None:
    assert check(text) == text


@pytest.mark.parametrize("version", ["1.0", "2024.1+local", "1!2.0", "v1"])
def test_versions_of_all_ecosystems_are_taken(version: str) -> None:
    assert check_version(version) == version


@pytest.mark.parametrize(("check", "longest"), [(check_name, 64), (check_version, 64), (check_filename, 211)])
def test_longest_is_taken_and_one_more_refused(check: Check, longest: int) -> None:
    assert check("a" * longest)
    with pytest.raises(InvalidPackage, match=f"longer than {longest}"):
        check("a" * (longest + 1))


@given(st.text(max_size=80))
def test_what_passes_is_one_visible_step_of_a_path(text: str) -> None:
    try:
        check_name(text)
    except InvalidPackage:
        return
    assert text.isascii()
    assert text.isprintable()
    assert text not in ("", ".", "..")
    assert not set(text) & set("/\\ %?#&:")


def test_stem_is_the_name_without_its_ending_in_any_case() -> None:
    assert stem("Sums.IPYNB", ".ipynb") == "Sums"


@pytest.mark.parametrize("filename", ["sums.txt", "ipynb", "_ipynb"])
def test_other_endings_are_named_as_such(filename: str) -> None:
    with pytest.raises(InvalidPackage, match=r"none of these endings: \.ipynb"):
        stem(filename, ".ipynb")
