"""The search over all channels, which shows what the caller may see and nothing else."""

from typing import Any

import pytest

from packhouse.domain.channels import Privacy
from tests.house import House
from tests.web.conftest import People
from tests.web.forms import assert_refused
from tests.web.test_channels import token_with

PRIVACIES = ("public", "authenticated", "private")


@pytest.fixture
def shelves(house: House, people: People) -> People:
    """A package in a channel and in a subchannel of each privacy, named after where it is."""
    for privacy in PRIVACIES:
        people.channel(privacy, Privacy(privacy))
        house.publish(privacy, privacy)
        people.channel(f"{privacy}/sub", Privacy(privacy))
        house.publish(f"{privacy}/sub", f"{privacy}-sub")
    return people


def found(people: People, token: str | None, query: str = "") -> list[str]:
    answer = people.house.request("GET", f"/api/artifacts{query}", token)
    assert answer.status == 200, answer.body
    document = answer.json()
    assert query or document["total_count"] == len(document["items"])
    return sorted(item["name"] for item in document["items"])


@pytest.mark.parametrize(
    ("who", "privacies"),
    [
        ("anonymous", ["public"]),
        ("viewer", ["authenticated", "public"]),
        ("stranger", ["authenticated", "public"]),
        ("reader", ["authenticated", "private", "public"]),
        ("writer", ["authenticated", "private", "public"]),
        ("owner", ["authenticated", "private", "public"]),
        ("admin", ["authenticated", "private", "public"]),
    ],
)
def test_search_shows_what_the_caller_may_see(shelves: People, who: str, privacies: list[str]) -> None:
    expected = sorted(name for privacy in privacies for name in (privacy, f"{privacy}-sub"))
    assert found(shelves, shelves[who]) == expected


def test_search_below_the_other_root(shelves: People) -> None:
    answer = shelves.house.request("GET", "/api/repo/artifacts")
    assert answer.json()["total_count"] == 2


def test_search_by_name_does_not_find_what_is_hidden(shelves: People) -> None:
    assert found(shelves, shelves["stranger"], "?q=private") == []
    assert found(shelves, shelves["reader"], "?q=private") == ["private", "private-sub"]


def test_resource_token_searches_its_channel_alone(shelves: People) -> None:
    resource = {"resource_type": "channel", "resource_id": "private", "permission": "read"}
    token = token_with(shelves.house, shelves["owner"], resources=[resource])
    assert found(shelves, token) == ["private", "private-sub"]


def test_resource_token_of_a_subchannel_does_not_find_its_parent(shelves: People) -> None:
    resource = {"resource_type": "subchannel", "resource_id": "private/sub", "permission": "read"}
    token = token_with(shelves.house, shelves["owner"], resources=[resource])
    assert found(shelves, token) == ["private-sub"]


@pytest.mark.parametrize(
    ("scopes", "suffixes"),
    [
        (["channel:view-artifacts"], [""]),
        (["subchannel:view-artifacts"], ["-sub"]),
        (["channel:view-artifacts", "subchannel:view-artifacts"], ["", "-sub"]),
        (["artifact:create"], []),
    ],
)
def test_scoped_token_finds_what_it_may_list(shelves: People, scopes: list[str], suffixes: list[str]) -> None:
    token = token_with(shelves.house, shelves["owner"], scopes=scopes)
    assert found(shelves, token) == sorted(privacy + end for privacy in PRIVACIES for end in suffixes)


def test_same_package_is_found_in_each_channel(shelves: People) -> None:
    shelves.house.copy("public", "authenticated", "public")
    answer = shelves.house.request("GET", "/api/artifacts?q=public&sort=name", shelves["owner"]).json()
    places = [(item["name"], item["channel"], item["subchannel"]) for item in answer["items"]]
    assert places == [
        ("public", "authenticated", ""),
        ("public", "public", ""),
        ("public-sub", "public", "sub"),
    ]


def test_privacy_is_that_of_the_channel_now(shelves: People, admin: str) -> None:
    shelves.house.request("PUT", "/api/channels/private", admin, json={"privacy": "public"})
    assert found(shelves, None) == ["private", "public", "public-sub"]


def names(house: House, query: str) -> Any:
    return [item["name"] for item in house.request("GET", f"/api/artifacts{query}").json()["items"]]


def test_search_is_sorted_by_downloads_unless_asked_otherwise(house: House) -> None:
    house.channel("tools")
    for name, downloads in (("a", 2), ("b", 0), ("c", 1)):
        entry = house.publish("tools", name)
        for _ in range(downloads):
            house.downloads.count(entry.id)
    house.downloads.flush()

    assert names(house, "") == ["b", "c", "a"]
    assert names(house, "?sort=-download_count") == ["a", "c", "b"]
    assert names(house, "?sort=name&offset=1&limit=1") == ["b"]
    assert names(house, "?sort=-name") == ["c", "b", "a"]


@pytest.mark.parametrize("query", ["?sort=size", "?offset=-1", "?limit=-1", "?q=" + "x" * 201])
def test_wrong_search_is_refused(house: House, query: str) -> None:
    assert_refused(house.request("GET", f"/api/artifacts{query}"), 400, "invalid")


@pytest.mark.parametrize("token", ["unknown", "eyJhbGciOiJub25lIn0.e30."])
def test_credential_that_opens_nothing_is_not_taken_for_nobody(house: House, token: str) -> None:
    assert_refused(house.request("GET", "/api/artifacts", token), 401, "auth_required")


@pytest.mark.parametrize("query", ["?q=%F0%9F%98%80", "?q=%ff", "?platform=x,noarch", "?q=%25", "?q=\\"])
def test_text_that_is_in_no_name_finds_nothing_on_any_database(any_house: House, query: str) -> None:
    any_house.channel("tools")
    any_house.publish("tools", "demo")
    assert any_house.request("GET", f"/api/artifacts{query}").json() == {"total_count": 0, "items": []}


@pytest.mark.parametrize("query", ["?q=%00", "?platform=a%00", "?family=%00", "?artifact_family=%00"])
def test_nul_is_refused(house: House, query: str) -> None:
    assert_refused(house.request("GET", f"/api/artifacts{query}"), 400, "invalid", "of the query")
