"""Packages and files of a channel over HTTP: listings, and deleting, copying and moving in bulk."""

import hashlib
from typing import Any

import pytest
from sqlalchemy import update

from packhouse.domain.channels import Indexing, Privacy
from packhouse.storage.tables import user
from tests.asgi import Response
from tests.house import House
from tests.web.conftest import People
from tests.web.forms import assert_refused, upload

ROOTS = pytest.mark.parametrize("root", ["/api", "/api/repo"])

ABOUT = {
    "summary": "A demo",
    "description": "Shows things",
    "home": "https://example.org",
    "dev_url": "https://example.org/dev",
    "doc_url": "https://example.org/doc",
}
PACKAGE_KEYS = {
    *("name", "family", "channel", "subchannel", "privacy", "metadata", "download_count", "file_count"),
    *("cve_count", "available_versions", "updated_at"),
}
FILE_KEYS = {
    *("ckey", "name", "family", "type", "channel", "subchannel", "metadata", "signatures", "created_at"),
    *("updated_at", "state", "vanished_at", "size", "download_count", "url", "cve_status", "cve_score"),
}


@pytest.fixture
def shelf(house: House) -> House:
    """Channel `tools` with three files of `demo`, and one each of `alpha` and `zeta`."""
    house.channel("tools")
    house.publish("tools", "demo", version="1.10", about=ABOUT, index_overrides={"license": "MIT"})
    house.publish("tools", "demo", version="1.9", extension=".tar.bz2")
    house.publish("tools", "demo", version="1.9", subdir="linux-64")
    house.publish("tools", "alpha")
    house.publish("tools", "zeta", subdir="osx-64")
    return house


def listed(house: House, query: str = "", path: str = "tools", token: str | None = None) -> Any:
    return house.request("GET", f"/api/channels/{path}/artifacts{query}", token).json()


def names(document: Any) -> list[str]:
    return [item["name"] for item in document["items"]]


# --- packages ---------------------------------------------------------------------------------


@ROOTS
def test_package_is_listed_with_every_key_that_clients_read(shelf: House, root: str) -> None:
    answer = shelf.request("GET", f"{root}/channels/tools/artifacts?q=demo")

    [package] = answer.json()["items"]
    assert set(package) == PACKAGE_KEYS
    assert isinstance(package.pop("updated_at"), str)
    assert package == {
        "name": "demo",
        "family": "conda",
        "channel": "tools",
        "subchannel": "",
        "privacy": "public",
        "metadata": {
            "name": "demo",
            "version": "1.10",
            "build_number": 0,
            "license": "MIT",
            "license_family": None,
            **ABOUT,
            "subdirs": ["linux-64", "noarch"],
            "install_cmd": "conda install -c tools demo",
        },
        "download_count": 0,
        "file_count": 3,
        "cve_count": 0,
        "available_versions": ["1.10", "1.9"],
    }


def test_package_of_a_subchannel_names_both(house: House) -> None:
    house.channel("tools")
    house.channel("tools/stage")
    house.publish("tools/stage", "demo")
    [package] = listed(house, path="tools/subchannels/stage")["items"]
    assert (package["channel"], package["subchannel"]) == ("tools", "stage")
    assert package["metadata"]["install_cmd"] == "conda install -c tools/stage demo"
    assert listed(house) == {"total_count": 0, "items": []}


def test_listing_without_paging_is_whole(house: House) -> None:
    """The old client's `--list-files` sends no paging and expects all."""
    house.channel("tools")
    for number in range(120):
        house.publish("tools", f"p{number}")
    document = listed(house)
    assert (document["total_count"], len(document["items"])) == (120, 120)


@pytest.mark.parametrize(
    ("query", "expected", "total"),
    [
        ("", ["alpha", "demo", "zeta"], 3),
        ("?offset=1", ["demo", "zeta"], 3),
        ("?limit=2", ["alpha", "demo"], 3),
        ("?offset=1&limit=1", ["demo"], 3),
        ("?limit=0", [], 3),
        ("?offset=3", [], 3),
        ("?sort=-name", ["zeta", "demo", "alpha"], 3),
        ("?sort=-file_count", ["demo", "alpha", "zeta"], 3),
        ("?sort=updated_at", ["demo", "alpha", "zeta"], 3),
        ("?sort=-version&limit=1", ["demo"], 3),
        ("?q=E", ["demo", "zeta"], 2),
        ("?q=de", ["demo"], 1),
        ("?q=%25", [], 0),
        ("?q=_", [], 0),
        ("?platform=noarch", ["alpha", "demo"], 2),
        ("?platform=osx-64", ["zeta"], 1),
        ("?platform=osx", [], 0),
        ("?artifact_family=conda", ["alpha", "demo", "zeta"], 3),
        ("?family=conda&q=zeta", ["zeta"], 1),
        ("?artifact_family=python", [], 0),
        ("?q=e&platform=osx-64&sort=name&offset=0&limit=5", ["zeta"], 1),
    ],
)
def test_packages_are_filtered_sorted_and_paged(
    shelf: House, query: str, expected: list[str], total: int
) -> None:
    document = listed(shelf, query)
    assert (names(document), document["total_count"]) == (expected, total)


@pytest.mark.parametrize(
    "query", ["?sort=size", "?sort=--name", "?sort=", "?sort=name,family", "?q=" + "x" * 201, "?limit=x"]
)
def test_wrong_query_is_refused(shelf: House, query: str) -> None:
    answer = shelf.request("GET", f"/api/channels/tools/artifacts{query}")
    assert_refused(answer, 400, "invalid")


# --- files ------------------------------------------------------------------------------------


@ROOTS
def test_file_is_listed_with_every_key_that_clients_read(house: House, root: str) -> None:
    house.channel("tools")
    house.channel("tools/stage")
    path = house.build("demo", about=ABOUT, depends=["alpha >=1"])
    entry = house.publish("tools/stage", path)
    data = path.read_bytes()

    answer = house.request("GET", f"{root}/channels/tools/subchannels/stage/artifacts/conda/demo/files")

    [file] = answer.json()["items"]
    assert answer.json()["total_count"] == 1
    assert set(file) == FILE_KEYS
    record = {
        "name": "demo",
        "version": "1.0",
        "build": "0",
        "build_number": 0,
        "subdir": "noarch",
        "noarch": "generic",
        "depends": ["alpha >=1"],
        "timestamp": 1_700_000_000_000,
        "indexed_timestamp": entry.indexed_timestamp,
        "md5": hashlib.md5(data).hexdigest(),
        "sha256": hashlib.sha256(data).hexdigest(),
        "size": len(data),
        "fn": "demo-1.0-0.conda",
    }
    assert file.pop("created_at") == file.pop("updated_at") == entry.added_at.isoformat()
    assert file == {
        "ckey": "noarch/demo-1.0-0.conda",
        "name": "demo",
        "family": "conda",
        "type": "conda_package_2",
        "channel": "tools",
        "subchannel": "stage",
        "metadata": {"about.json": ABOUT, "index.json": record, "repodata_record.json": record},
        "signatures": None,
        "state": "active",
        "vanished_at": None,
        "size": len(data),
        "download_count": 0,
        "url": "http://packhouse.test/api/repo/tools/stage/noarch/demo-1.0-0.conda",
        "cve_status": None,
        "cve_score": None,
    }


def test_url_of_a_file_leads_to_its_bytes(shelf: House) -> None:
    files = shelf.request("GET", "/api/channels/tools/artifacts/conda/demo/files").json()["items"]
    for file in files:
        path = file["url"].removeprefix("http://packhouse.test")
        body = shelf.request("GET", path).body
        assert hashlib.sha256(body).hexdigest() == file["metadata"]["index.json"]["sha256"]


def test_type_of_a_file_is_that_of_its_archive(shelf: House) -> None:
    files = shelf.request("GET", "/api/channels/tools/artifacts/conda/demo/files").json()["items"]
    assert {file["ckey"]: file["type"] for file in files} == {
        "linux-64/demo-1.9-0.conda": "conda_package_2",
        "noarch/demo-1.10-0.conda": "conda_package_2",
        "noarch/demo-1.9-0.tar.bz2": "conda_package_1",
    }


def test_files_are_paged_and_counted(shelf: House) -> None:
    def files(query: str) -> tuple[int, list[str]]:
        answer = shelf.request("GET", f"/api/channels/tools/artifacts/conda/demo/files{query}").json()
        return answer["total_count"], [item["ckey"].split("/")[0] for item in answer["items"]]

    assert files("") == (3, ["linux-64", "noarch", "noarch"])
    assert files("?limit=0") == (3, [])
    assert files("?offset=0&limit=1") == (3, ["linux-64"])
    assert files("?offset=1&limit=5") == (3, ["noarch", "noarch"])


@pytest.mark.parametrize("path", ["conda/nothing", "python/demo", "conda/DEMO"])
def test_package_that_is_not_there_has_no_files(shelf: House, path: str) -> None:
    answer = shelf.request("GET", f"/api/channels/tools/artifacts/{path}/files")
    assert answer.json() == {"total_count": 0, "items": []}


def test_links_begin_with_the_public_address_when_one_is_set(house: House) -> None:
    house.channel("tools")
    house.publish("tools", "demo")
    answer = house.request(
        "GET", "/api/channels/tools/artifacts/conda/demo/files", headers={"host": "other:8080"}
    )
    assert answer.json()["items"][0]["url"].startswith("http://other:8080/api/repo/tools/")


@pytest.mark.parametrize("path", ["artifacts", "artifacts/conda/demo/files"])
@pytest.mark.parametrize(
    ("who", "privacy", "status", "code"),
    [
        ("anonymous", "authenticated", 401, "auth_required"),
        ("anonymous", "private", 401, "auth_required"),
        ("stranger", "private", 404, "not_found"),
        ("viewer", "private", 404, "not_found"),
    ],
)
def test_who_may_not_list(
    house: House, people: People, path: str, who: str, privacy: str, status: int, code: str
) -> None:
    people.channel("tools", Privacy(privacy))
    assert_refused(house.request("GET", f"/api/channels/tools/{path}", people[who]), status, code)


# --- bulk -------------------------------------------------------------------------------------


def bulk(
    house: House, token: str | None, action: str, *items: Any, path: str = "tools", **target: str | None
) -> Response:
    named = [{"name": item, "family": "conda"} if isinstance(item, str) else item for item in items]
    body = {"action": action, "items": named, **target}
    return house.request("PUT", f"/api/channels/{path}/artifacts/bulk", token, json=body)


def one_file(ckey: str, name: str = "demo") -> dict[str, str]:
    return {"name": name, "family": "conda", "ckey": ckey}


def ckeys(house: House, path: str = "tools", token: str | None = None) -> list[str]:
    found = []
    for package in listed(house, path=path, token=token)["items"]:
        url = f"/api/channels/{path}/artifacts/conda/{package['name']}/files"
        found += [item["ckey"] for item in house.request("GET", url, token).json()["items"]]
    return sorted(found)


@ROOTS
def test_one_file_is_deleted_and_the_answer_is_json(shelf: House, admin: str, root: str) -> None:
    body = {"action": "delete", "items": [one_file("noarch/demo-1.10-0.conda")]}
    answer = shelf.request("PUT", f"{root}/channels/tools/artifacts/bulk", admin, json=body)

    assert (answer.status, answer.json()) == (202, {"action": "delete", "count": 1})
    assert "noarch/demo-1.10-0.conda" not in ckeys(shelf)
    assert len(ckeys(shelf)) == 4


def test_whole_package_is_deleted_when_no_file_is_named(shelf: House, admin: str) -> None:
    assert bulk(shelf, admin, "delete", "demo", "zeta").json()["count"] == 4
    assert ckeys(shelf) == ["noarch/alpha-1.0-0.conda"]


def test_file_named_twice_is_deleted_once(shelf: House, admin: str) -> None:
    answer = bulk(shelf, admin, "delete", "alpha", one_file("noarch/alpha-1.0-0.conda", "alpha"))
    assert answer.json()["count"] == 1


@pytest.mark.parametrize("target", [{"target_channel": "other"}, {"target_channel": "tools/stage"}])
def test_files_are_copied(shelf: House, admin: str, target: dict[str, str]) -> None:
    shelf.channel("other")
    shelf.channel("tools/stage")
    answer = bulk(shelf, admin, "copy", "demo", **target)

    path = target["target_channel"].replace("/", "/subchannels/")
    assert (answer.status, answer.json()) == (202, {"action": "copy", "count": 3})
    assert len(ckeys(shelf, path)) == 3
    assert len(ckeys(shelf)) == 5


def test_target_subchannel_is_named_apart(shelf: House, admin: str) -> None:
    shelf.channel("other")
    shelf.channel("other/stage")
    answer = bulk(shelf, admin, "move", "alpha", target_channel="other", target_subchannel="stage")

    assert answer.status == 202
    assert ckeys(shelf, "other/subchannels/stage") == ["noarch/alpha-1.0-0.conda"]
    assert "noarch/alpha-1.0-0.conda" not in ckeys(shelf)


@pytest.mark.parametrize("empty", ["", None])
def test_empty_target_subchannel_means_none(shelf: House, admin: str, empty: str | None) -> None:
    shelf.channel("other")
    answer = bulk(shelf, admin, "copy", "alpha", target_channel="other", target_subchannel=empty)
    assert answer.status == 202
    assert ckeys(shelf, "other") == ["noarch/alpha-1.0-0.conda"]


def test_files_of_a_subchannel_are_moved_to_its_parent(house: House, admin: str) -> None:
    house.channel("tools")
    house.channel("tools/stage")
    house.publish("tools/stage", "demo")
    answer = bulk(house, admin, "move", "demo", path="tools/subchannels/stage", target_channel="tools")
    assert answer.status == 202
    assert (ckeys(house), ckeys(house, "tools/subchannels/stage")) == (["noarch/demo-1.0-0.conda"], [])


def test_what_is_there_already_is_copied_without_complaint(shelf: House, admin: str) -> None:
    shelf.channel("other")
    assert bulk(shelf, admin, "copy", "alpha", target_channel="other").status == 202
    assert bulk(shelf, admin, "copy", "alpha", target_channel="other").status == 202
    assert ckeys(shelf, "other") == ["noarch/alpha-1.0-0.conda"]


def test_conflict_changes_nothing_and_names_both_digests(shelf: House, admin: str) -> None:
    shelf.channel("other")
    theirs = shelf.publish("other", "zeta", subdir="osx-64", depends=["x"]).artifact.digests.sha256
    ours = shelf.request("GET", "/api/channels/tools/artifacts/conda/zeta/files").json()["items"][0]
    before = ckeys(shelf)

    answer = bulk(shelf, admin, "move", "alpha", "zeta", target_channel="other")

    assert_refused(answer, 409, "conflict", "osx-64/zeta-1.0-0.conda")
    assert theirs in answer.json()["message"]
    assert ours["metadata"]["index.json"]["sha256"] in answer.json()["message"]
    assert (ckeys(shelf), ckeys(shelf, "other")) == (before, ["osx-64/zeta-1.0-0.conda"])


@pytest.mark.parametrize("action", ["delete", "copy", "move"])
def test_one_missing_item_leaves_all_as_it_was(shelf: House, admin: str, action: str) -> None:
    shelf.channel("other")
    before = ckeys(shelf)
    answer = bulk(shelf, admin, action, "alpha", "nothing", target_channel="other")
    assert_refused(answer, 404, "not_found", "'nothing'")
    assert (ckeys(shelf), ckeys(shelf, "other")) == (before, [])


@pytest.mark.parametrize(
    "item",
    [
        one_file("noarch/demo-9.9-0.conda"),
        one_file("noarch/demo-1.10-0.conda", "alpha"),
        one_file("../demo"),
        one_file("noarch/demo\0"),
        {"name": "demo", "family": "python"},
        {"name": "de\0mo"},
    ],
)
def test_item_that_is_not_there_is_not_found(shelf: House, admin: str, item: Any) -> None:
    assert_refused(bulk(shelf, admin, "delete", item), 404, "not_found")
    assert len(ckeys(shelf)) == 5


def test_frozen_channel_takes_no_changes_and_gives_copies(shelf: House, admin: str) -> None:
    """Existing clients take exactly a 400 for "the channel is frozen"."""
    shelf.channel("other")
    frozen = {"indexing_behavior": Indexing.FROZEN.value}
    shelf.request("PUT", "/api/channels/tools", admin, json=frozen)

    for action in ("delete", "move"):
        answer = bulk(shelf, admin, action, "alpha", target_channel="other")
        assert_refused(answer, 400, "frozen", "Channel tools is frozen.")
    assert bulk(shelf, admin, "copy", "alpha", target_channel="other").status == 202
    answer = bulk(shelf, admin, "copy", "alpha", path="other", target_channel="tools")
    assert_refused(answer, 400, "frozen", "Channel tools is frozen.")
    assert len(ckeys(shelf)) == 5


def test_missing_target_is_not_found(shelf: House, admin: str) -> None:
    answer = bulk(shelf, admin, "copy", "alpha", target_channel="nowhere")
    assert_refused(answer, 404, "not_found", "'nowhere'")


def test_target_that_is_the_source_is_refused(shelf: House, admin: str) -> None:
    assert_refused(bulk(shelf, admin, "move", "alpha", target_channel="tools"), 400, "invalid", "both")


def test_without_a_target_it_is_the_callers_default_channel(shelf: House, admin: str) -> None:
    assert_refused(bulk(shelf, admin, "copy", "alpha"), 400, "invalid", "default channel")
    other = shelf.channel("other")
    with shelf.packhouse.database.transaction() as connection:
        connection.execute(update(user).values(default_channel_id=other.id))
    assert bulk(shelf, admin, "copy", "alpha").status == 202
    assert ckeys(shelf, "other") == ["noarch/alpha-1.0-0.conda"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"action": "delete"},
        {"action": "delete", "items": []},
        {"action": "delete", "items": {}},
        {"action": "delete", "items": [{}]},
        {"action": "delete", "items": [{"name": 5}]},
        {"action": "burn", "items": [{"name": "demo"}]},
        {"action": "delete", "items": [{"name": "demo"}] * 10_001},
    ],
)
def test_wrong_bulk_body_is_refused(shelf: House, admin: str, body: Any) -> None:
    answer = shelf.request("PUT", "/api/channels/tools/artifacts/bulk", admin, json=body)
    assert_refused(answer, 400, "invalid")
    assert len(ckeys(shelf)) == 5


@pytest.mark.parametrize(
    ("who", "action", "status", "code"),
    [
        ("anonymous", "delete", 401, "auth_required"),
        ("stranger", "delete", 403, "forbidden"),
        ("reader", "delete", 403, "forbidden"),
        ("writer", "delete", 403, "forbidden"),
        ("writer", "move", 403, "forbidden"),
        ("owner", "delete", 202, ""),
        ("owner", "move", 202, ""),
        ("writer", "copy", 202, ""),
        ("reader", "copy", 403, "forbidden"),
        ("stranger", "copy", 403, "forbidden"),
    ],
)
def test_who_may_do_what_in_bulk(
    house: House, people: People, who: str, action: str, status: int, code: str
) -> None:
    people.channel("tools")
    people.channel("other")
    house.publish("tools", "demo")
    answer = bulk(house, people[who], action, "demo", target_channel="other")
    if status == 202:
        assert answer.status == 202
    else:
        assert_refused(answer, status, code)
        assert ckeys(house) == ["noarch/demo-1.0-0.conda"]


def test_nothing_is_copied_out_of_a_channel_that_one_may_not_see(house: House, people: People) -> None:
    people.channel("tools", Privacy.PRIVATE)
    house.channel("mine", people.owner)
    house.publish("tools", "demo")
    answer = bulk(house, people["stranger"], "copy", "demo", target_channel="mine")
    assert_refused(answer, 404, "not_found", "'tools'")


def test_nothing_is_copied_into_a_channel_that_one_may_not_see(house: House, people: People) -> None:
    people.channel("hidden", Privacy.PRIVATE)
    people.channel("tools")
    house.publish("tools", "demo")
    answer = bulk(house, people["stranger"], "copy", "demo", target_channel="hidden")
    assert_refused(answer, 404, "not_found", "'hidden'")


def test_deleted_file_can_be_published_again_with_other_bytes(house: House, admin: str) -> None:
    house.channel("tools")
    house.publish("tools", "demo")
    bulk(house, admin, "delete", "demo")
    assert upload(house, "tools", house.build("demo", depends=["x"]), admin).status == 201
