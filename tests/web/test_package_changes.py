"""Which files came into a channel or left it, a file an item."""

from typing import Any

import pytest

from tests.house import House
from tests.loose_files import publish_file
from tests.web.conftest import People
from tests.web.forms import assert_refused

DEMO, TOOL = "noarch/demo-1.0-0.conda", "noarch/tool-1.0-0.conda"


def changes(house: House, channel: str, token: str | None = None, query: str = "") -> Any:
    answer = house.request("GET", f"/api/channels/{channel}/package-changes{query}", token)
    assert answer.status == 200, answer.body
    return answer.json()


def told(document: Any) -> list[tuple[str, str]]:
    return [(item["action"], item["ckey"]) for item in document["items"]]


@pytest.fixture
def both(any_house: House) -> House:
    """Channels `source`, with `demo` and `tool`, and `target`."""
    any_house.channel("source")
    any_house.channel("target")
    any_house.publish("source", "demo")
    any_house.publish("source", "tool")
    return any_house


def test_published_file_is_told_with_all_that_it_is(house: House, admin: str) -> None:
    house.channel("lab")
    publish_file(house, "lab", "weights.bin", b"x", filetype="gra", name="model", version="1.0")

    [change] = changes(house, "lab", admin)["items"]

    history = house.request("GET", "/api/channels/lab/history", admin).json()
    event = history["items"][0]
    assert change == {
        "created": event["created"],
        "action": "added",
        "family": "gra",
        "name": "model",
        "version": "1.0",
        "ckey": "gra/model/1.0/weights.bin",
        "user": "admin",
        "event_id": event["event_id"],
    }


def test_changes_are_told_the_newest_first(both: House) -> None:
    both.remove("source", "demo")

    document = changes(both, "source", both.session("admin"))

    assert told(document) == [("removed", DEMO), ("added", TOOL), ("added", DEMO)]
    assert document["total_count"] == 3


def test_copy_changes_the_target_alone(both: House) -> None:
    admin = both.session("admin")
    both.copy("source", "target", "demo", "tool")

    assert sorted(told(changes(both, "target", admin))) == [("copied", DEMO), ("copied", TOOL)]
    assert [action for action, _ in told(changes(both, "source", admin))] == ["added", "added"]


def test_copy_of_what_is_there_already_is_no_change(both: House) -> None:
    both.copy("source", "target", "demo")
    both.copy("source", "target", "demo", "tool")

    assert told(changes(both, "target", both.session("admin"))) == [("copied", TOOL), ("copied", DEMO)]


def test_move_changes_both_channels(both: House) -> None:
    admin = both.session("admin")
    both.move("source", "target", "demo")

    assert told(changes(both, "target", admin)) == [("moved-in", DEMO)]
    assert told(changes(both, "source", admin))[0] == ("moved-out", DEMO)


def test_upload_of_the_same_bytes_again_is_no_change(house: House, admin: str) -> None:
    house.channel("lab")
    for _ in range(2):
        publish_file(house, "lab", "weights.bin", b"x", filetype="gra", name="model")

    assert changes(house, "lab", admin)["total_count"] == 1


def test_every_file_of_a_bulk_change_is_told(house: House, admin: str) -> None:
    house.channel("lab")
    versions = [f"{number}.0" for number in range(30)]
    for version in versions:
        publish_file(house, "lab", "f", b"x", filetype="gra", name="model", version=version)
    body = {"action": "delete", "items": [{"name": "model", "family": "gra"}]}
    house.request("PUT", "/api/channels/lab/artifacts/bulk", admin, json=body)

    document = changes(house, "lab", admin, "?limit=30")

    assert document["total_count"] == 60
    assert {item["action"] for item in document["items"]} == {"removed"}
    assert {item["version"] for item in document["items"]} == set(versions)
    assert len({item["event_id"] for item in document["items"]}) == 1


def test_pages_together_are_the_whole(both: House) -> None:
    both.remove("source", "demo", "tool")
    admin = both.session("admin")
    whole = changes(both, "source", admin)

    pages = [changes(both, "source", admin, f"?offset={offset}&limit=1") for offset in range(5)]

    assert [item for page in pages for item in page["items"]] == whole["items"]
    assert {page["total_count"] for page in pages} == {4}


def test_subchannel_has_its_own(house: House, admin: str) -> None:
    house.channel("lab")
    house.channel("lab/stage")
    publish_file(house, "lab/stage", "f", b"x", filetype="gra", name="model")

    stage = house.request("GET", "/api/channels/lab/subchannels/stage/package-changes", admin).json()

    assert told(stage) == [("added", "gra/model/f")]
    assert changes(house, "lab", admin)["items"] == []


def test_new_channel_of_the_same_name_begins_anew(house: House, admin: str) -> None:
    house.channel("lab")
    publish_file(house, "lab", "f", b"x", filetype="gra", name="model")
    house.request("DELETE", "/api/channels/lab", admin)
    house.channel("lab")

    assert changes(house, "lab", admin) == {"total_count": 0, "items": []}


@pytest.mark.parametrize(
    ("who", "status", "code"),
    [("anonymous", 401, "auth_required"), ("reader", 403, "forbidden"), ("writer", 403, "forbidden")],
)
def test_changes_are_for_those_who_may_see_the_history(
    house: House, people: People, who: str, status: int, code: str
) -> None:
    people.channel("lab")

    answer = house.request("GET", "/api/channels/lab/package-changes", people[who])

    assert_refused(answer, status, code)
    assert house.request("GET", "/api/channels/lab/package-changes", people["owner"]).status == 200
