"""Channels over HTTP: what may be created, who sees and changes what, and how the answers look."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest

from packhouse.actions.mirrors.specify import create_mirror
from packhouse.domain.channels import RESERVED_NAMES, RESERVED_SUBCHANNEL_NAMES, Privacy
from packhouse.domain.mirrors import Specification
from tests.house import House
from tests.web.conftest import People, session
from tests.web.forms import assert_refused, upload

ROOTS = pytest.mark.parametrize("root", ["/api", "/api/repo"])

CHANNEL_KEYS = {
    *("id", "name", "parent", "description", "privacy", "indexing_behavior", "artifact_count"),
    *("download_count", "subchannel_count", "group_count", "mirror_count", "filters", "owners"),
    *("access", "created", "updated"),
}


def create(house: House, token: str | None, name: str, **body: Any) -> Any:
    return house.request("POST", "/api/channels", token, json={"name": name, **body})


def names(answer: Any) -> list[str]:
    items = answer.json()["items"]
    return [f"{item['parent']}/{item['name']}" if item["parent"] else item["name"] for item in items]


# --- create -----------------------------------------------------------------------------------


@ROOTS
def test_new_channel_is_answered_with_every_key_that_clients_read(
    house: House, admin: str, root: str
) -> None:
    answer = house.request("POST", f"{root}/channels", admin, json={"name": "tools", "privacy": "private"})

    channel = answer.json()
    assert answer.status == 201
    assert set(channel) == CHANNEL_KEYS
    assert UUID(channel.pop("id"))
    assert channel.pop("created") == channel.pop("updated")
    assert channel == {
        "name": "tools",
        "parent": None,
        "description": "",
        "privacy": "private",
        "indexing_behavior": "default",
        "artifact_count": 0,
        "download_count": 0,
        "subchannel_count": 0,
        "group_count": 0,
        "mirror_count": 0,
        "filters": {},
        "owners": ["admin"],
        "access": "owner",
    }


@ROOTS
def test_mirrors_of_a_channel_are_counted_and_those_of_others_are_not(
    house: House, admin: str, root: str
) -> None:
    for path in ("tools", "tools/stage", "other"):
        house.channel(path)
    for channel, name in (("tools", "first"), ("tools", "second"), ("tools/stage", "first")):
        specification = Specification(name=name, source="https://example.org/forge")
        create_mirror(house.packhouse, house.admin, channel, specification)

    listed = house.request("GET", f"{root}/channels", admin).json()["items"]
    shown = house.request("GET", f"{root}/channels/tools/subchannels/stage", admin).json()
    assert {one["name"]: one["mirror_count"] for one in listed} == {"tools": 2, "other": 0}
    assert shown["mirror_count"] == 1


def test_channel_is_public_unless_something_else_is_asked_for(house: House, admin: str) -> None:
    assert create(house, admin, "tools").json()["privacy"] == "public"


def test_description_is_kept(house: House, admin: str) -> None:
    assert create(house, admin, "tools", description="Ours: ü\n2nd line").json()["description"] == (
        "Ours: ü\n2nd line"
    )


@ROOTS
def test_subchannel_is_created_below_its_channel(house: House, admin: str, root: str) -> None:
    house.channel("tools")
    answer = house.request("POST", f"{root}/channels/tools/subchannels", admin, json={"name": "stage"})

    assert answer.status == 201
    assert set(answer.json()) == CHANNEL_KEYS
    assert (answer.json()["name"], answer.json()["parent"]) == ("stage", "tools")
    assert house.request("GET", f"{root}/channels/tools/subchannels/stage").status == 200


def test_subchannel_is_created_by_its_path_too(house: House, admin: str) -> None:
    house.channel("tools")
    answer = create(house, admin, "tools/stage")
    assert (answer.status, answer.json()["name"], answer.json()["parent"]) == (201, "stage", "tools")


def test_third_level_is_refused(house: House, admin: str) -> None:
    house.channel("tools")
    house.channel("tools/stage")
    assert_refused(create(house, admin, "tools/stage/x"), 400, "invalid", "more than one '/'")
    answer = house.request("POST", "/api/channels/tools/subchannels", admin, json={"name": "a/b"})
    assert_refused(answer, 400, "invalid", "two levels")


def test_subchannel_of_a_missing_channel_is_not_found(house: House, admin: str) -> None:
    assert_refused(create(house, admin, "nowhere/stage"), 404, "not_found", "'nowhere'")


def test_same_name_again_is_a_conflict(house: House, admin: str) -> None:
    house.channel("tools")
    assert_refused(create(house, admin, "tools"), 409, "conflict", "Channel 'tools' already exists.")


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "Tools",
        "1tools",
        "_tools",
        "-tools",
        "to ols",
        "to.ols",
        "tööls",
        "tools/",
        "/tools",
        "a//b",
        "../etc",
        "tools\n",
        "to\x00ols",
        "a%2fb",
        "<b>",
        "tools?",
        "😀",
        "a" * 61,
    ],
)
def test_wrong_name_is_refused_and_creates_nothing(house: House, admin: str, name: str) -> None:
    assert_refused(create(house, admin, name), 400, "invalid")
    assert house.request("GET", "/api/channels", admin).json()["total_count"] == 0


def test_too_long_name_is_refused_in_a_short_sentence(house: House, admin: str) -> None:
    answer = create(house, admin, "a" * 100_000)
    assert_refused(answer, 400, "invalid", "longer than 60 characters")
    assert len(answer.body) < 500


@pytest.mark.parametrize("name", sorted(RESERVED_NAMES))
def test_reserved_name_is_refused(house: House, admin: str, name: str) -> None:
    assert_refused(create(house, admin, name), 400, "invalid", f"'{name}' is a reserved name")


@pytest.mark.parametrize("name", [*sorted(RESERVED_SUBCHANNEL_NAMES), "linux-64", "osx-arm64", "win-64"])
def test_reserved_subchannel_name_is_refused(house: House, admin: str, name: str) -> None:
    house.channel("tools")
    answer = house.request("POST", "/api/channels/tools/subchannels", admin, json={"name": name})
    assert_refused(answer, 400, "invalid", f"'{name}' is a reserved name")


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({}, "Field 'name' of the body"),
        ({"name": None}, "Field 'name' of the body"),
        ({"name": 5}, "Field 'name' of the body"),
        ({"name": "tools", "privacy": "secret"}, "Field 'privacy' of the body"),
        ({"name": "tools", "description": "x" * 10_001}, "longer than 10000"),
        ({"name": "tools", "description": "a\0b"}, "control characters"),
        ([], "body"),
        ("tools", "body"),
    ],
)
def test_wrong_body_is_refused_by_the_name_of_its_field(
    house: House, admin: str, body: Any, says: str
) -> None:
    assert_refused(house.request("POST", "/api/channels", admin, json=body), 400, "invalid", says)


@pytest.mark.parametrize(
    ("who", "status", "code"), [("anonymous", 401, "auth_required"), ("viewer", 403, "forbidden")]
)
def test_who_may_not_create_channels(house: House, people: People, who: str, status: int, code: str) -> None:
    assert_refused(create(house, people[who], "tools"), status, code)


@pytest.mark.parametrize(
    ("who", "privacy", "status", "code"),
    [
        ("anonymous", "public", 401, "auth_required"),
        ("stranger", "public", 403, "forbidden"),
        ("writer", "public", 403, "forbidden"),
        ("stranger", "private", 404, "not_found"),
        ("writer", "private", 403, "forbidden"),
    ],
)
def test_who_may_not_create_subchannels(
    house: House, people: People, who: str, privacy: str, status: int, code: str
) -> None:
    people.channel("tools", Privacy(privacy))
    assert_refused(create(house, people[who], "tools/stage"), status, code)


def test_two_at_once_create_one_channel(any_house: House) -> None:
    admin = session(any_house, "admin")
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda _: create(any_house, admin, "tools"), range(4)))

    assert sorted(answer.status for answer in answers) == [201, 409, 409, 409]
    refused = next(answer for answer in answers if answer.status == 409)
    assert_refused(refused, 409, "conflict", "Channel 'tools' already exists.")


# --- list and show ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "seen"),
    [
        ("anonymous", ["open"]),
        ("stranger", ["known", "open"]),
        ("viewer", ["known", "open"]),
        ("reader", ["hidden", "known", "open"]),
        ("writer", ["hidden", "known", "open"]),
        ("owner", ["hidden", "known", "open"]),
        ("admin", ["hidden", "known", "open"]),
    ],
)
def test_listing_and_showing_agree_on_what_one_may_know(
    house: House, people: People, who: str, seen: list[str]
) -> None:
    for name, privacy in (("open", "public"), ("known", "authenticated"), ("hidden", "private")):
        people.channel(name, Privacy(privacy))

    listed = house.request("GET", "/api/channels", people[who])
    shown = {name: house.request("GET", f"/api/channels/{name}", people[who]).status for name in seen}
    hidden = {"open", "known", "hidden"} - {*seen}

    assert names(listed) == seen
    assert listed.json()["total_count"] == len(seen)
    assert set(shown.values()) == {200}
    status, code = (401, "auth_required") if who == "anonymous" else (404, "not_found")
    for name in hidden:
        assert_refused(house.request("GET", f"/api/channels/{name}", people[who]), status, code)


def test_hidden_and_missing_channel_are_answered_alike(house: House, people: People) -> None:
    people.channel("hidden", Privacy.PRIVATE)
    hidden = house.request("GET", "/api/channels/hidden", people["stranger"])
    missing = house.request("GET", "/api/channels/missing", people["stranger"])
    assert hidden.body.replace(b"hidden", b"missing") == missing.body


@pytest.mark.parametrize(
    ("who", "access"), [("owner", "owner"), ("writer", "collaborator"), ("reader", "viewer")]
)
def test_access_is_the_callers_own(house: House, people: People, who: str, access: str) -> None:
    people.channel("tools")
    assert house.request("GET", "/api/channels/tools", people[who]).json()["access"] == access


def test_listing_leaves_subchannels_out_unless_asked(house: House) -> None:
    for path in ("tools", "tools/stage", "alpha"):
        house.channel(path)

    assert names(house.request("GET", "/api/channels")) == ["alpha", "tools"]
    everything = house.request("GET", "/api/channels?include_subchannels=True")
    assert names(everything) == ["alpha", "tools", "tools/stage"]
    assert everything.json()["total_count"] == 3


def test_listing_of_channels_is_paged(house: House) -> None:
    for number in range(5):
        house.channel(f"c{number}")

    page = house.request("GET", "/api/channels?offset=1&limit=2")
    assert (names(page), page.json()["total_count"]) == (["c1", "c2"], 5)
    assert names(house.request("GET", "/api/channels?offset=9")) == []
    assert house.request("GET", "/api/channels?limit=0").json() == {"total_count": 5, "items": []}


@pytest.mark.parametrize("query", ["offset=-1", "limit=-1", "offset=x", "limit=1.5", f"offset={2**63}"])
def test_impossible_page_is_refused(house: House, query: str) -> None:
    assert_refused(house.request("GET", f"/api/channels?{query}"), 400, "invalid", "of the query")


def test_subchannels_are_listed_with_their_parent(house: House, people: People) -> None:
    people.channel("tools")
    people.channel("tools/hidden", Privacy.PRIVATE)
    people.channel("tools/stage")

    assert names(house.request("GET", "/api/channels/tools/subchannels")) == ["tools/stage"]
    answer = house.request("GET", "/api/channels/tools/subchannels", people["owner"])
    assert names(answer) == ["tools/hidden", "tools/stage"]
    assert answer.json()["total_count"] == 2


def test_subchannel_has_a_privacy_of_its_own(house: House, people: People) -> None:
    people.channel("tools", Privacy.PRIVATE)
    people.channel("tools/open")
    assert house.request("GET", "/api/channels/tools/subchannels/open").status == 200
    assert house.request("GET", "/api/channels/tools").status == 401


@ROOTS
def test_own_and_shared_channels_are_listed_apart(house: House, people: People, root: str) -> None:
    people.channel("tools", Privacy.PRIVATE)
    people.channel("tools/stage", Privacy.PRIVATE)
    house.channel("other")

    url = f"{root}/account/channels?include_subchannels=True&offset=0&limit=10"
    assert names(house.request("GET", url, people["owner"])) == ["tools", "tools/stage"]
    assert names(house.request("GET", url, people["writer"])) == ["tools", "tools/stage"]
    assert names(house.request("GET", url, people["stranger"])) == []
    assert_refused(house.request("GET", url), 401, "auth_required")


def test_counts_are_true_after_every_kind_of_change(house: House, people: People, admin: str) -> None:
    def counts(path: str) -> tuple[int, int, int]:
        channel = house.request("GET", f"/api/channels/{path}", admin).json()
        return channel["artifact_count"], channel["subchannel_count"], channel["group_count"]

    people.channel("tools")
    house.channel("other")
    assert counts("tools") == (0, 0, 2)
    house.publish("tools", "demo")
    house.publish("tools", "demo", version="2.0", subdir="linux-64")
    house.channel("tools/stage")
    assert counts("tools") == (2, 1, 2)
    house.copy("tools", "other", "demo")
    assert counts("other") == (2, 0, 0)
    house.move("tools", "tools/stage", "noarch/demo-1.0-0.conda")
    house.remove("other", "linux-64/demo-2.0-0.conda")
    assert [counts("tools")[0], counts("other")[0]] == [1, 1]
    house.request("DELETE", "/api/channels/tools/subchannels/stage", admin)
    assert counts("tools") == (1, 0, 2)


# --- change -----------------------------------------------------------------------------------


@ROOTS
def test_change_is_answered_with_the_channel_and_whether_it_changed(
    house: House, admin: str, root: str
) -> None:
    house.channel("tools")
    body = {"privacy": "authenticated", "indexing_behavior": "frozen", "description": "Ours"}

    first = house.request("PUT", f"{root}/channels/tools", admin, json=body)
    again = house.request("PUT", f"{root}/channels/tools", admin, json=body)

    assert first.status == again.status == 200
    assert set(first.json()) == {*CHANNEL_KEYS, "changed"}
    assert {key: first.json()[key] for key in body} == body
    assert (first.json()["changed"], again.json()["changed"]) == (True, False)
    assert first.json()["updated"] > first.json()["created"]
    assert house.request("GET", "/api/channels/tools", admin).json()["privacy"] == "authenticated"


def test_one_field_is_changed_and_the_others_stay(house: House, admin: str) -> None:
    house.channel("tools", privacy=Privacy.PRIVATE)
    changed = house.request("PUT", "/api/channels/tools", admin, json={"description": "Ours"}).json()
    assert (changed["description"], changed["privacy"]) == ("Ours", "private")


def test_subchannel_is_changed(house: House, admin: str) -> None:
    house.channel("tools")
    house.channel("tools/stage")
    answer = house.request("PUT", "/api/channels/tools/subchannels/stage", admin, json={"privacy": "private"})
    assert (answer.json()["name"], answer.json()["privacy"]) == ("stage", "private")
    assert house.request("GET", "/api/channels/tools", admin).json()["privacy"] == "public"


def test_field_that_is_not_known_changes_nothing(house: House, admin: str) -> None:
    house.channel("tools")
    answer = house.request("PUT", "/api/channels/tools", admin, json={"filters": {}, "name": "x"})
    assert (answer.status, answer.json()["changed"], answer.json()["name"]) == (200, False, "tools")


@pytest.mark.parametrize(
    "body", [{"privacy": "secret"}, {"indexing_behavior": "off"}, {"description": 5}, []]
)
def test_wrong_change_is_refused(house: House, admin: str, body: Any) -> None:
    house.channel("tools")
    assert_refused(house.request("PUT", "/api/channels/tools", admin, json=body), 400, "invalid")


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
@pytest.mark.parametrize(
    ("who", "privacy", "status", "code"),
    [
        ("anonymous", "public", 401, "auth_required"),
        ("anonymous", "private", 401, "auth_required"),
        ("stranger", "public", 403, "forbidden"),
        ("stranger", "private", 404, "not_found"),
        ("reader", "private", 403, "forbidden"),
        ("writer", "private", 403, "forbidden"),
        ("viewer", "authenticated", 403, "forbidden"),
    ],
)
def test_who_may_not_change_or_delete(
    house: House, people: People, who: str, privacy: str, status: int, code: str, method: str
) -> None:
    people.channel("tools", Privacy(privacy))
    answer = house.request(method, "/api/channels/tools", people[who], json={"privacy": "public"})
    assert_refused(answer, status, code)
    assert house.request("GET", "/api/channels/tools", people["owner"]).json()["privacy"] == privacy


# --- delete -----------------------------------------------------------------------------------


@ROOTS
def test_deleted_channel_is_gone_with_all_that_was_in_it(house: House, admin: str, root: str) -> None:
    house.channel("tools")
    house.channel("tools/stage")
    house.publish("tools/stage", "demo")

    answer = house.request("DELETE", f"{root}/channels/tools", admin)

    assert (answer.status, answer.json()) == (202, {})
    for path in ("tools", "tools/subchannels/stage", "tools/subchannels"):
        assert_refused(house.request("GET", f"/api/channels/{path}", admin), 404, "not_found")
    assert house.request("GET", "/api/repo/tools/stage/noarch/demo-1.0-0.conda", admin).status == 404
    assert house.request("GET", "/api/artifacts", admin).json()["total_count"] == 0


def test_name_of_a_deleted_channel_is_free_and_its_successor_empty(house: House, admin: str) -> None:
    house.channel("tools")
    house.publish("tools", "demo")
    house.request("DELETE", "/api/channels/tools", admin)

    assert create(house, admin, "tools").json()["artifact_count"] == 0
    history = house.request("GET", "/api/channels/tools/history", admin).json()
    assert [event["event_type"] for event in history["items"]] == ["channel.created"]


# --- history ----------------------------------------------------------------------------------


def test_history_tells_what_was_done_the_newest_first(house: House, people: People, admin: str) -> None:
    people.channel("tools")
    house.publish("tools", "demo")
    house.request("PUT", "/api/channels/tools", admin, json={"privacy": "private"})
    house.remove("tools", "demo")

    answer = house.request("GET", "/api/channels/tools/history?offset=0&limit=3", people["owner"])

    events = answer.json()["items"]
    assert answer.json()["total_count"] == 6
    assert [event["event_type"] for event in events] == [
        "artifacts.deleted",
        "channel.updated",
        "artifact.published",
    ]
    published = events[2]
    assert set(published) == {"event_id", "event_type", "created", "data", "meta"}
    assert published["data"]["ckey"] == "noarch/demo-1.0-0.conda"
    assert published["data"]["artifact_family"] == "conda"
    assert published["meta"] == {"user": "admin"}


def test_history_of_a_subchannel_is_its_own(house: House, admin: str) -> None:
    house.channel("tools")
    house.channel("tools/stage")
    history = house.request("GET", "/api/channels/tools/subchannels/stage/history", admin).json()
    assert [event["event_type"] for event in history["items"]] == ["channel.created"]


@pytest.mark.parametrize(
    ("who", "status", "code"),
    [
        ("anonymous", 401, "auth_required"),
        ("stranger", 403, "forbidden"),
        ("writer", 403, "forbidden"),
    ],
)
def test_history_is_for_those_who_manage(
    house: House, people: People, who: str, status: int, code: str
) -> None:
    people.channel("tools")
    assert_refused(house.request("GET", "/api/channels/tools/history", people[who]), status, code)


# --- what `anaconda channel` asks --------------------------------------------------------------


def test_namespace_channel_is_created_once_and_then_answered_as_existing(
    house: House, people: People
) -> None:
    body = {"channel_name": "stage", "namespace": "tools"}
    first = house.request("POST", "/api/repo/namespace-channels", people["owner"], json=body)
    again = house.request("POST", "/api/repo/namespace-channels", people["owner"], json=body)

    assert (first.status, first.json()) == (201, {"channel_path": "tools/stage"})
    assert (again.status, again.json()) == (200, {"channel_path": "tools/stage"})
    shown = house.request("GET", "/api/channels/tools/subchannels/stage", people["owner"]).json()
    assert (shown["privacy"], shown["owners"]) == ("private", ["owner"])


def test_namespace_is_the_callers_name_when_none_is_given(house: House, people: People) -> None:
    body = {"channel_name": "stage", "privacy": "public"}
    answer = house.request("POST", "/api/repo/namespace-channels", people["stranger"], json=body)
    assert answer.json() == {"channel_path": "stranger/stage"}
    assert house.request("GET", "/api/channels/stranger/subchannels/stage").json()["privacy"] == "public"


@pytest.mark.parametrize(
    ("who", "privacy", "status", "code"),
    [
        ("anonymous", "public", 401, "auth_required"),
        ("stranger", "public", 403, "forbidden"),
        ("stranger", "private", 404, "not_found"),
    ],
)
def test_namespace_of_somebody_else_is_refused(
    house: House, people: People, who: str, privacy: str, status: int, code: str
) -> None:
    people.channel("tools", Privacy(privacy))
    body = {"channel_name": "stage", "namespace": "tools"}
    answer = house.request("POST", "/api/repo/namespace-channels", people[who], json=body)
    assert_refused(answer, status, code)


def test_wrong_name_in_a_new_namespace_creates_no_namespace(house: House, people: People) -> None:
    body = {"channel_name": "Stage!", "namespace": "tools"}
    answer = house.request("POST", "/api/repo/namespace-channels", people["owner"], json=body)
    assert_refused(answer, 400, "invalid", "'Stage!'")
    assert house.request("GET", "/api/channels/tools", people["owner"]).status == 404


def share(house: House, token: str | None, **body: str) -> Any:
    return house.request("POST", "/api/repo/namespaces/tools/channels/stage/sharing", token, json=body)


def test_shared_channel_is_seen_and_written_by_the_guest_until_it_is_unshared(
    house: House, people: People
) -> None:
    house.channel("tools", people.owner)
    house.channel("tools/stage", people.owner, Privacy.PRIVATE)
    guest, owner = people["stranger"], people["owner"]
    demo = house.build("demo")

    assert upload(house, "tools/stage", demo, guest).status == 404
    assert share(house, owner, action="share", user="stranger", grant="read").status == 200
    assert upload(house, "tools/stage", demo, guest).status == 403
    assert share(house, owner, action="share", user="stranger", grant="write").status == 200
    assert upload(house, "tools/stage", demo, guest).status == 201
    assert house.request("GET", "/api/repo/tools/stage/noarch/demo-1.0-0.conda", guest).status == 200
    assert share(house, owner, action="unshare", user="stranger").status == 200
    assert house.request("GET", "/api/channels/tools/subchannels/stage", guest).status == 404
    assert house.request("GET", "/api/repo/tools/stage/noarch/demo-1.0-0.conda", guest).status == 404


@pytest.mark.parametrize(
    ("who", "body", "status", "code"),
    [
        ("owner", {"action": "share", "user": "nobody"}, 404, "not_found"),
        ("owner", {"action": "unshare", "user": "stranger"}, 404, "not_found"),
        ("owner", {"action": "share", "user": "owner"}, 409, "conflict"),
        ("owner", {"action": "steal", "user": "stranger"}, 400, "invalid"),
        ("owner", {"action": "share", "user": "stranger", "grant": "all"}, 400, "invalid"),
        ("owner", {"action": "share", "user": "a\0b"}, 404, "not_found"),
        ("owner", {"action": "share"}, 400, "invalid"),
        ("writer", {"action": "share", "user": "stranger"}, 403, "forbidden"),
        ("stranger", {"action": "share", "user": "stranger"}, 404, "not_found"),
        ("anonymous", {"action": "share", "user": "stranger"}, 401, "auth_required"),
    ],
)
def test_wrong_sharing_is_refused(
    house: House, people: People, who: str, body: dict[str, str], status: int, code: str
) -> None:
    house.channel("tools", people.owner)
    people.channel("tools/stage", Privacy.PRIVATE)
    assert_refused(share(house, people[who], **body), status, code)


# --- tokens -----------------------------------------------------------------------------------


def token_with(house: House, session: str | None, **body: Any) -> str:
    answer = house.request("POST", "/api/account/tokens", session, json={"name": "ci", **body})
    assert answer.status == 200, answer.body
    token: str = answer.json()["token"]
    return token


def test_token_does_what_its_scopes_name_and_no_more(house: House, people: People) -> None:
    people.channel("tools")
    token = token_with(house, people["owner"], scopes=["channel:view", "channel:edit"])

    assert house.request("GET", "/api/channels/tools", token).status == 200
    assert house.request("PUT", "/api/channels/tools", token, json={"description": "x"}).status == 200
    assert_refused(house.request("DELETE", "/api/channels/tools", token), 403, "forbidden", "channel:delete")
    assert_refused(house.request("GET", "/api/channels/tools/history", token), 403, "forbidden")


def test_resource_token_knows_only_its_channel(house: House, people: People) -> None:
    people.channel("tools", Privacy.PRIVATE)
    people.channel("other")
    resource = {"resource_type": "channel", "resource_id": "tools", "permission": "read"}
    token = token_with(house, people["owner"], resources=[resource])

    assert names(house.request("GET", "/api/channels", token)) == ["tools"]
    assert house.request("GET", "/api/channels/other", token).status == 404
    assert house.request("DELETE", "/api/channels/tools", token).status == 403
