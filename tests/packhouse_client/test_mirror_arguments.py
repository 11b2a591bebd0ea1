"""Words of the command line that are made plain before they are read as options."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packhouse_client.commands.mirror.arguments import LISTS, QUOTES, SWITCHES, plain

WORDS = st.lists(st.text().filter(lambda word: not QUOTES.search(word) and word not in SWITCHES | LISTS))


@given(WORDS)
def test_words_that_are_plain_stay_as_they_are(words: list[str]) -> None:
    assert plain(words) == words


@pytest.mark.parametrize("value", ["True", "false", "y", "0", ""])
def test_value_of_a_switch_is_left_alone(value: str) -> None:
    assert plain(["--only_signed", value, "--json"]) == ["--only_signed", value, "--json"]


@pytest.mark.parametrize("switch", sorted(SWITCHES))
def test_switch_without_a_value_is_true(switch: str) -> None:
    assert plain([switch]) == [switch, "true"]
    assert plain([switch, "--mode", "active"]) == [switch, "true", "--mode", "active"]


def test_switch_with_an_equals_sign_is_left_alone() -> None:
    assert plain(["--only_signed=no"]) == ["--only_signed=no"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--list", "data"], ["--list", "data"]),
        (["--list"], ["--list", ""]),
        (["-l", "-c", "data"], ["-l", "", "-c", "data"]),
    ],
)
def test_list_may_go_without_its_channel(words: list[str], expected: list[str]) -> None:
    assert plain(words) == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["“-public_domain,mit”"], ["-public_domain,mit"]),
        (["“noarch,", "osx-64,", "linux-64”", "--json"], ["noarch, osx-64, linux-64", "--json"]),
        (["--type=“conda”"], ["--type=conda"]),
        (["„noarch,", "osx-64“"], ["noarch, osx-64"]),
        (["“never", "closed"], ["never", "closed"]),
    ],
)
def test_typographic_quotes_are_quotes(words: list[str], expected: list[str]) -> None:
    assert plain(words) == expected
