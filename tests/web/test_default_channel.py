"""The channel that a user's commands mean when they name none: chosen by the user, and writable to them."""

from typing import Any

import pytest

from packhouse.actions.channels import delete_channel
from packhouse.domain.channels import Privacy
from tests.asgi import Response
from tests.house import House
from tests.web.conftest import People
from tests.web.forms import assert_refused
from tests.web.test_channels import token_with


def choose(house: House, token: str | None, name: Any) -> Response:
    return house.request("PUT", "/api/account", token, json={"default_channel_name": name})


def shown(house: House, token: str | None) -> str | None:
    name: str | None = house.request("GET", "/api/account", token).json()["default_channel_name"]
    return name


def test_nobody_has_one_until_they_choose(house: House, people: People) -> None:
    people.channel("tools")

    assert shown(house, people["owner"]) is None


@pytest.mark.parametrize("who", ["owner", "writer", "admin"])
def test_chosen_channel_is_shown_from_then_on(house: House, people: People, who: str) -> None:
    people.channel("tools")
    people.channel("tools/stage")

    answer = choose(house, people[who], "tools/stage")

    assert (answer.status, answer.json()["default_channel_name"]) == (200, "tools/stage")
    assert shown(house, people[who]) == "tools/stage"
    assert shown(house, people["reader"]) is None


def test_null_takes_it_back(house: House, people: People) -> None:
    people.channel("tools")
    choose(house, people["owner"], "tools")

    assert choose(house, people["owner"], None).json()["default_channel_name"] is None
    assert shown(house, people["owner"]) is None


@pytest.mark.parametrize("who", ["reader", "stranger", "viewer"])
def test_channel_that_one_may_not_write_to_is_refused(house: House, people: People, who: str) -> None:
    people.channel("tools")

    assert_refused(choose(house, people[who], "tools"), 403, "forbidden", "may not write to channel 'tools'")


def test_channel_that_one_may_not_know_of_is_not_found(house: House, people: People) -> None:
    people.channel("secret", Privacy.PRIVATE)

    refused = choose(house, people["stranger"], "secret")

    assert_refused(refused, 404, "not_found", "Channel 'secret' was not found.")
    assert refused.body.replace(b"secret", b"absent") == choose(house, people["stranger"], "absent").body


def test_channel_that_is_not_there_is_not_found(house: House, people: People) -> None:
    assert_refused(choose(house, people["owner"], "dta"), 404, "not_found", "Channel 'dta' was not found.")


def test_deleted_channel_is_nobodys_default(house: House, people: People) -> None:
    people.channel("tools")
    choose(house, people["owner"], "tools")
    delete_channel(house.packhouse, people.owner, "tools")

    assert shown(house, people["owner"]) is None


@pytest.mark.parametrize("body", [{}, {"default_channel_name": 1}, {"default_channel_name": "a\0"}, []])
def test_body_of_another_shape_is_refused(house: House, people: People, body: Any) -> None:
    assert_refused(house.request("PUT", "/api/account", people["owner"], json=body), 400, "invalid")


def test_token_needs_the_scope_for_it(house: House, people: People) -> None:
    people.channel("tools")
    right = token_with(house, people["owner"], scopes=["channel.default-channel:edit"])
    wrong = token_with(house, people["owner"], scopes=["channel:edit", "artifact:create"])

    assert choose(house, right, "tools").status == 200
    assert_refused(choose(house, wrong, None), 403, "forbidden", "channel.default-channel:edit")
    assert shown(house, people["owner"]) == "tools"


def test_token_for_certain_channels_cannot_choose(house: House, people: People) -> None:
    people.channel("tools")
    resources = [{"resource_type": "channel", "resource_id": "tools", "permission": "manage"}]

    token = token_with(house, people["owner"], resources=resources)

    assert_refused(choose(house, token, "tools"), 403, "forbidden", "This token cannot choose")
