"""Listings read page by page, and files of servers that list them by package only."""

from collections.abc import Sequence
from typing import Any, cast

import pytest

from packhouse_client.client import PackhouseClient
from packhouse_client.errors import Forbidden, NotFound
from packhouse_client.listings import PAGE_SIZE, file_facts, list_files, read_listing
from packhouse_client.specifications import parse_specification


class Pages:
    """A listing of numbers, which remembers how it was asked."""

    def __init__(self, count: int) -> None:
        self.numbers = range(count)
        self.asked: list[tuple[int, int]] = []

    def __call__(self, *, offset: int, limit: int) -> dict[str, Any]:
        self.asked.append((offset, limit))
        items = self.numbers[offset : offset + limit]
        return {"total_count": len(self.numbers), "items": [{"number": number} for number in items]}


def numbers(pages: Pages, offset: int = 0, limit: int | None = None) -> list[int]:
    return [item["number"] for item in read_listing(pages, offset, limit).items]


@pytest.mark.parametrize("count", [0, 1, PAGE_SIZE - 1, PAGE_SIZE, PAGE_SIZE + 1, 2 * PAGE_SIZE + 7])
def test_listing_is_read_whole(count: int) -> None:
    assert numbers(Pages(count)) == list(range(count))


@pytest.mark.parametrize(
    ("offset", "limit"), [(0, 5), (3, 5), (18, 5), (20, 5), (99, 5), (3, None), (99, None), (0, 20), (0, 21)]
)
def test_part_of_a_listing_is_what_slicing_gives(offset: int, limit: int | None) -> None:
    end = None if limit is None else offset + limit

    assert numbers(Pages(20), offset, limit) == list(range(20))[offset:end]


def test_part_larger_than_a_page_is_read_in_several() -> None:
    pages = Pages(5 * PAGE_SIZE)

    assert numbers(pages, 10, PAGE_SIZE + 5) == list(range(10, PAGE_SIZE + 15))
    assert pages.asked == [(10, PAGE_SIZE), (10 + PAGE_SIZE, 5)]


def test_small_part_of_a_large_listing_is_one_question() -> None:
    pages = Pages(5 * PAGE_SIZE)

    numbers(pages, 0, 50)

    assert pages.asked == [(0, 50)]


def test_pages_are_asked_for_when_they_are_read() -> None:
    pages = Pages(5 * PAGE_SIZE)

    next(read_listing(pages).items)

    assert len(pages.asked) == 1


def test_total_counts_what_was_not_wanted_too() -> None:
    assert read_listing(Pages(20), 3, 5).total == 20


def test_listing_that_shrinks_meanwhile_ends() -> None:
    pages = Pages(2 * PAGE_SIZE)
    listing = read_listing(pages)
    pages.numbers = range(PAGE_SIZE)

    assert len(list(listing.items)) == PAGE_SIZE


def test_listing_without_a_total_is_what_its_first_page_holds() -> None:
    def page(*, offset: int, limit: int) -> dict[str, Any]:
        return {"items": [{"number": 1}]}

    assert list(read_listing(page).items) == [{"number": 1}]


FILES = [
    ("conda", "numpy", "linux-64", "1.25"),
    ("conda", "numpy", "linux-64", "1.26"),
    ("conda", "numpy", "osx-64", "1.26"),
    ("conda", "numpy-base", "osx-64", "1.26"),
    ("notebook", "numpy", "", "2"),
]


def a_file(family: str, name: str, subdir: str, version: str) -> dict[str, Any]:
    if family == "notebook":
        return {"ckey": f"jupyter/{name}.ipynb", "name": name, "metadata": {"version": version}}
    filename = f"{name}-{version}-0.conda"
    record = {"fn": filename, "subdir": subdir, "version": version}
    return {"ckey": f"{subdir}/{filename}", "name": name, "metadata": {"repodata_record.json": record}}


class OlderServer:
    """Lists files by package only, as Anaconda's does; `q` finds parts of names."""

    def __init__(self, refusal: Exception) -> None:
        self._refusal = refusal

    def list_channel_files(self, path: str, **query: object) -> dict[str, Any]:
        raise self._refusal

    def list_packages(
        self, path: str, offset: int, limit: int, q: str = "", artifact_family: str | None = None
    ) -> dict[str, Any]:
        found = dict.fromkeys((family, name) for family, name, _, _ in FILES if q in name)
        return _cut([self._package(*one) for one in found], offset, limit)

    def _package(self, family: str, name: str) -> dict[str, Any]:
        count = sum(file[:2] == (family, name) for file in FILES)
        return {"family": family, "name": name, "file_count": count}

    def list_files(self, path: str, package: str, family: str, offset: int, limit: int) -> dict[str, Any]:
        return _cut([a_file(*one) for one in FILES if one[:2] == (family, package)], offset, limit)


def _cut(items: Sequence[Any], offset: int, limit: int) -> dict[str, Any]:
    return {"total_count": len(items), "items": items[offset : offset + limit]}


def from_older(
    text: str, family: str | None = None, offset: int = 0, limit: int | None = None
) -> tuple[int, list[str]]:
    older = cast(PackhouseClient, OlderServer(NotFound("No such address.", 404)))
    listing = list_files(older, parse_specification(text), family, offset, limit)
    return listing.total, [file["ckey"] for file in listing.items]


@pytest.mark.parametrize(
    ("text", "family", "expected"),
    [
        ("data", None, FILES),
        ("data", "notebook", FILES[4:]),
        ("data::numpy", None, [*FILES[:3], FILES[4]]),
        ("data::numpy", "conda", FILES[:3]),
        ("data::numpy/1.26", None, FILES[1:3]),
        ("data::numpy/1.26/numpy-1.26-0.conda?subdir=osx-64", None, FILES[2:3]),
        ("data::numpy//numpy-1.25-0.conda", None, FILES[:1]),
        ("data::numpy?subdir=osx-64", None, FILES[2:3]),
        ("data::scipy", None, []),
    ],
)
def test_older_server_is_asked_package_by_package(
    text: str, family: str | None, expected: Sequence[tuple[str, str, str, str]]
) -> None:
    assert from_older(text, family) == (len(expected), [a_file(*one)["ckey"] for one in expected])


def test_part_of_what_an_older_server_lists_is_cut_out() -> None:
    total, found = from_older("data", offset=2, limit=2)

    assert (total, found) == (5, [a_file(*one)["ckey"] for one in FILES[2:4]])


def test_part_of_a_version_has_the_total_of_the_version() -> None:
    assert from_older("data::numpy/1.26", limit=1)[0] == 2


def test_refusal_is_no_reason_to_ask_in_another_way() -> None:
    client = cast(PackhouseClient, OlderServer(Forbidden("Not yours.", 403)))

    with pytest.raises(Forbidden):
        list_files(client, parse_specification("data"))


def test_facts_of_a_conda_file() -> None:
    assert file_facts(a_file("conda", "numpy", "osx-64", "1.26")) == {
        "ckey": "osx-64/numpy-1.26-0.conda",
        "cve_score": None,
        "cve_status": None,
        "fn": "numpy-1.26-0.conda",
        "name": "numpy",
        "platform": "osx-64",
        "version": "1.26",
    }


def test_file_without_platform_is_named_after_its_address() -> None:
    facts = file_facts(a_file("notebook", "numpy", "", "2"))

    assert (facts["fn"], facts["platform"], facts["version"]) == ("numpy.ipynb", None, "2")


def test_r_package_has_its_version_under_a_capital() -> None:
    facts = file_facts({"ckey": "src/x_1.tar.gz", "name": "x", "metadata": {"Version": "1"}})

    assert facts["version"] == "1"


def test_platforms_of_a_project_are_joined() -> None:
    facts = file_facts({"ckey": "p/x", "name": "x", "metadata": {"platforms": ["linux-64", "osx-64"]}})

    assert facts["platform"] == "linux-64, osx-64"
