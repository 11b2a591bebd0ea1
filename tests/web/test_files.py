"""Files of a channel over HTTP, whatever package they belong to."""

from typing import Any

import pytest

from packhouse.domain.channels import Privacy
from tests.house import House
from tests.web.conftest import People
from tests.web.forms import assert_refused

ALPHA = "noarch/alpha-1.0-0.conda"
DEMO = [
    "linux-64/demo-1.9-0.conda",
    "noarch/demo-1.10-0.conda",
    "noarch/demo-1.9-0.tar.bz2",
]
ZETA = "osx-64/zeta-1.0-0.conda"


def stocked(house: House) -> House:
    """Channel `tools` with three files of `demo`, and one each of `alpha` and `zeta`."""
    house.channel("tools")
    house.publish("tools", "zeta", subdir="osx-64")
    house.publish("tools", "demo", version="1.10")
    house.publish("tools", "demo", version="1.9", extension=".tar.bz2")
    house.publish("tools", "demo", version="1.9", subdir="linux-64")
    house.publish("tools", "alpha")
    return house


@pytest.fixture
def shelf(house: House) -> House:
    return stocked(house)


def listed(house: House, query: str = "", path: str = "tools", token: str | None = None) -> Any:
    return house.request("GET", f"/api/channels/{path}/files{query}", token).json()


def ckeys(document: Any) -> list[str]:
    return [item["ckey"] for item in document["items"]]


def test_all_files_are_listed_by_package_and_address(any_house: House) -> None:
    document = listed(stocked(any_house))

    assert document["total_count"] == 5
    assert ckeys(document) == [ALPHA, *DEMO, ZETA]


def test_file_is_the_object_that_its_package_lists(shelf: House) -> None:
    [of_package] = shelf.request("GET", "/api/channels/tools/artifacts/conda/alpha/files").json()["items"]

    assert listed(shelf, "?name=alpha")["items"] == [of_package]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?name=demo", DEMO),
        ("?name=dem", []),
        ("?name=demo&artifact_family=conda", DEMO),
        ("?artifact_family=conda", [ALPHA, *DEMO, ZETA]),
        ("?artifact_family=cran", []),
        ("?name=demo&version=1.9", [DEMO[0], DEMO[2]]),
        ("?name=demo&version=1", []),
        ("?version=1.0", [ALPHA, ZETA]),
        ("?filename=demo-1.9-0.conda", [DEMO[0]]),
        ("?platform=noarch", [ALPHA, *DEMO[1:]]),
        ("?platform=noarch&version=1.9", [DEMO[2]]),
        ("?name=%27%25", []),
    ],
)
def test_filters_narrow_the_listing(shelf: House, query: str, expected: list[str]) -> None:
    document = listed(shelf, query)

    assert (document["total_count"], ckeys(document)) == (len(expected), expected)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?limit=2", [ALPHA, DEMO[0]]),
        ("?offset=3&limit=10", [DEMO[2], ZETA]),
        ("?offset=4", [ZETA]),
        ("?offset=9", []),
        ("?limit=0", []),
    ],
)
def test_page_is_cut_and_the_total_is_not(any_house: House, query: str, expected: list[str]) -> None:
    document = listed(stocked(any_house), query)

    assert (document["total_count"], ckeys(document)) == (5, expected)


def test_more_than_a_thousand_at_once_are_refused(shelf: House) -> None:
    assert_refused(shelf.request("GET", "/api/channels/tools/files?limit=1001"), 400, "invalid", "1000")


def test_subchannel_lists_its_own_files(shelf: House) -> None:
    shelf.channel("tools/stage")
    shelf.publish("tools/stage", "demo")

    [file] = listed(shelf, path="tools/subchannels/stage")["items"]
    assert (file["channel"], file["subchannel"]) == ("tools", "stage")


def test_missing_channel_is_not_found(house: House) -> None:
    assert_refused(house.request("GET", "/api/channels/nowhere/files"), 404, "not_found")


def test_private_channel_is_not_listed_for_a_stranger(people: People) -> None:
    people.channel("secret", Privacy.PRIVATE)

    answer = people.house.request("GET", "/api/channels/secret/files", people["stranger"])

    assert_refused(answer, 404, "not_found")


def test_private_channel_is_listed_for_a_reader(people: People) -> None:
    people.channel("secret", Privacy.PRIVATE)
    people.house.publish("secret", "demo", actor=people.owner)

    assert ckeys(listed(people.house, path="secret", token=people["reader"])) == ["noarch/demo-1.0-0.conda"]


def test_nul_in_a_filter_is_refused(house: House) -> None:
    house.channel("tools")

    assert_refused(house.request("GET", "/api/channels/tools/files?name=a%00b"), 400, "invalid")
