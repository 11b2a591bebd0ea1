"""Hints at the names that were probably meant."""

from typing import Any, cast

import pytest

from packhouse_client.client import PackhouseClient
from packhouse_client.errors import Forbidden, NotFound
from packhouse_client.suggestions import channel_suggested, did_you_mean


class Server:
    """Knows some channels, or refuses to tell."""

    def __init__(self, *paths: str, refuses: bool = False) -> None:
        self._paths = paths
        self._refuses = refuses

    def list_channels(self, **query: object) -> dict[str, Any]:
        if self._refuses:
            raise Forbidden("No.", 403)
        pairs = [path.rpartition("/") for path in self._paths]
        return {"items": [{"name": name, "parent": parent or None} for parent, _, name in pairs]}


def message(server: Server, path: str, text: str) -> str:
    with (
        pytest.raises(NotFound) as caught,
        channel_suggested(cast(PackhouseClient, server), path),
    ):
        raise NotFound(text, 404)
    assert caught.value.status == 404
    return caught.value.message


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("dta", " Did you mean 'data'?"),
        ("DATA", " Did you mean 'data'?"),
        ("wed", " Did you mean 'web'?"),
        ("snakes", ""),
        ("", ""),
    ],
)
def test_names_that_are_near_are_suggested(name: str, expected: str) -> None:
    assert did_you_mean(name, ["data", "web"]) == expected


def test_two_names_that_are_near_are_both_suggested() -> None:
    assert did_you_mean("dat", ["data", "dat1", "web"]).count("'") == 4


def test_missing_channel_gets_a_hint() -> None:
    said = message(Server("data", "web"), "dta", "Channel 'dta' was not found.")

    assert said == "Channel 'dta' was not found. Did you mean 'data'?"


def test_missing_subchannel_gets_the_path_of_one() -> None:
    said = message(Server("web", "data/stage"), "data/stge", "Channel 'data/stge' was not found.")

    assert said == "Channel 'data/stge' was not found. Did you mean 'data/stage'?"


def test_missing_parent_gets_a_hint() -> None:
    said = message(Server("data"), "dta/stage", "Channel 'dta' was not found.")

    assert said == "Channel 'dta' was not found. Did you mean 'data'?"


def test_missing_package_of_a_known_channel_gets_no_channel() -> None:
    text = "Channel 'data' has no package 'nmpy'."

    assert message(Server("data", "date"), "data", text) == text


def test_message_that_does_not_name_the_channel_stays() -> None:
    assert message(Server("data"), "dta", "Not found.") == "Not found."


def test_server_that_does_not_tell_leaves_the_message() -> None:
    text = "Channel 'dta' was not found."

    assert message(Server(refuses=True), "dta", text) == text


def test_other_errors_pass() -> None:
    with pytest.raises(Forbidden), channel_suggested(cast(PackhouseClient, Server("data")), "dta"):
        raise Forbidden("Channel 'dta' is not yours.", 403)
