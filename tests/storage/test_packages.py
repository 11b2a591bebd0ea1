"""Listings of packages: what they filter, how they sort, how they page."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection

from packhouse.storage import channels, packages
from packhouse.storage.packages import SORT_KEYS, Filter
from tests.house import House

BUILT = [
    ("numpy", "1.9", "linux-64"),
    ("numpy", "1.10", "osx-64"),
    ("numpy_ext", "2.0", "linux-64"),
    ("numpyxext", "3.0", "noarch"),
    ("tool", "0.1", "linux-aarch64"),
]


@pytest.fixture
def connection(any_house: House) -> Iterator[Connection]:
    any_house.channel("data")
    for name, version, subdir in BUILT:
        any_house.publish("data", name, version=version, subdir=subdir)
    with any_house.packhouse.database.reading() as opened:
        yield opened


def names(
    connection: Connection, sort: str = "name", offset: int = 0, limit: int | None = None, **wanted: str
) -> list[str]:
    condition = channels.is_channel(channels.get(connection, "data").id)
    total, found = packages.listing(connection, condition, Filter(**wanted), sort, offset, limit)
    assert total >= len(found)
    return [listed.package.name for listed in found]


ALL = ["numpy", "numpy_ext", "numpyxext", "tool"]
FILTERS: list[tuple[dict[str, str], list[str]]] = [
    ({}, ALL),
    ({"text": "numpy"}, ALL[:3]),
    ({"text": "NumPy"}, ALL[:3]),
    ({"text": "numpy_"}, ["numpy_ext"]),
    ({"text": "%"}, []),
    ({"text": "'"}, []),
    ({"text": "\\"}, []),
    ({"platform": "linux-64"}, ["numpy", "numpy_ext"]),
    ({"platform": "linux"}, []),
    ({"platform": "linux_64"}, []),
    ({"platform": "osx-64,"}, []),
    ({"family": "conda"}, ALL),
    ({"family": "python"}, []),
    ({"text": "ext", "platform": "noarch"}, ["numpyxext"]),
]


def test_filter_finds_what_it_names_and_takes_no_character_for_a_wildcard(connection: Connection) -> None:
    assert [names(connection, **wanted) for wanted, _ in FILTERS] == [expected for _, expected in FILTERS]


def test_every_sort_key_works_both_ways(connection: Connection) -> None:
    for key in SORT_KEYS:
        assert sorted(names(connection, key)) == sorted(names(connection, f"-{key}")) == ALL, key
    assert names(connection, "name") == ALL
    assert names(connection, "-name") == ALL[::-1]


def test_most_files_come_first_when_sorted_so(connection: Connection) -> None:
    assert names(connection, "-file_count")[0] == "numpy"


def test_pages_join_up_to_the_whole(connection: Connection) -> None:
    pages = [names(connection, "-download_count", offset, 3) for offset in (0, 3, 6)]
    assert [len(page) for page in pages] == [3, 1, 0]
    assert [name for page in pages for name in page] == names(connection, "-download_count")


def test_newest_version_speaks_for_the_package(connection: Connection) -> None:
    condition = channels.is_channel(channels.get(connection, "data").id)
    _, [listed] = packages.listing(
        connection, condition, Filter(text="numpy", platform="osx-64"), "name", 0, 1
    )
    assert (listed.package.latest.version, listed.package.versions) == ("1.10", ["1.10", "1.9"])
    assert (listed.package.subdirs, listed.package.file_count) == (["linux-64", "osx-64"], 2)
