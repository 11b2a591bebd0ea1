import json
from typing import Any

import pytest

from packhouse.formats.conda.channeldata import ChannelDataRow, write_channeldata

FLAGS = ["activate.d", "binary_prefix", "deactivate.d", "post_link", "pre_link", "pre_unlink", "text_prefix"]


def row(name: str = "zlib", version: str = "1.0", **fields: Any) -> ChannelDataRow:
    empty: dict[str, Any] = {
        "build_number": 0,
        "subdir": "linux-64",
        "timestamp": 1_700_000_000_000,
        "license": "MIT",
        "flags": {},
        "run_exports": {},
        "about": {},
    }
    return ChannelDataRow(name, version, **(empty | fields))


def package(*rows: ChannelDataRow) -> dict[str, Any]:
    (only,) = json.loads(write_channeldata(rows))["packages"].values()
    return dict(only)


def test_empty_channel_still_has_noarch() -> None:
    assert write_channeldata([]) == b'{"channeldata_version":1,"packages":{},"subdirs":["noarch"]}'


def test_package_has_every_required_key() -> None:
    assert package(
        row(about={"home": "https://zlib.net", "summary": "Compresses", "extra": {"sha": "x"}})
    ) == {
        **dict.fromkeys(FLAGS, False),
        "home": "https://zlib.net",
        "license": "MIT",
        "run_exports": {},
        "subdirs": ["linux-64"],
        "summary": "Compresses",
        "timestamp": 1_700_000_000,
        "version": "1.0",
    }


def test_subdirs_are_those_of_all_packages() -> None:
    rows = [row("a", subdir="win-64"), row("b", subdir="linux-64"), row("b", subdir="win-64")]

    document = json.loads(write_channeldata(rows))

    assert document["subdirs"] == ["linux-64", "noarch", "win-64"]
    assert document["packages"]["b"]["subdirs"] == ["linux-64", "win-64"]


def test_newest_is_by_version_and_not_by_text_or_time() -> None:
    made = package(
        row(version="1.10", timestamp=1_600_000_000_000, about={"summary": "new"}),
        row(version="1.9", timestamp=1_700_000_000_000, about={"summary": "old"}),
    )

    assert (made["version"], made["summary"], made["timestamp"]) == ("1.10", "new", 1_700_000_000)


def test_newest_of_one_version_is_by_build_number() -> None:
    made = package(row(build_number=2, about={"home": "new"}), row(build_number=1, about={"home": "old"}))

    assert made["home"] == "new"


def test_version_that_cannot_be_read_counts_as_oldest() -> None:
    assert package(row(version="?"), row(version="0.1"))["version"] == "0.1"


def test_flag_is_true_if_any_build_of_the_newest_version_has_it() -> None:
    made = package(
        row(version="1.0", flags={"post_link": True}),
        row(version="2.0", flags={"binary_prefix": True, "text_prefix": False}),
        row(version="2.0", subdir="win-64", flags={"text_prefix": True}),
    )

    assert {flag for flag in FLAGS if made[flag]} == {"binary_prefix", "text_prefix"}


def test_run_exports_are_those_of_the_newest_build_that_has_any() -> None:
    made = package(
        row(version="1.0", build_number=0, run_exports={"weak": ["old"]}),
        row(version="1.0", build_number=1, run_exports={"weak": ["new"]}),
        row(version="1.0", build_number=2),
        row(version="2.0"),
    )

    assert made["run_exports"] == {"1.0": {"weak": ["new"]}}


@pytest.mark.parametrize(
    ("timestamp", "seconds"),
    [(1_700_000_000_999, 1_700_000_000), (1_400_000_000, 1_400_000_000), (None, 0)],
    ids=["milliseconds", "seconds", "none"],
)
def test_timestamp_is_written_in_seconds(timestamp: int | None, seconds: int) -> None:
    assert package(row(timestamp=timestamp))["timestamp"] == seconds


def test_texts_of_a_wrong_type_are_left_out() -> None:
    about = {"home": ["a", "b"], "dev_url": None, "doc_url": "", "summary": 5, "source_url": [1]}

    assert package(row(about=about, license=None)).keys().isdisjoint(about.keys() | {"license"})


def test_source_url_may_be_a_list() -> None:
    assert package(row(about={"source_url": ["https://a", "https://b"]}))["source_url"] == [
        "https://a",
        "https://b",
    ]


def test_license_of_about_stands_in_for_a_missing_one() -> None:
    assert package(row(license=None, about={"license": "Zlib"}))["license"] == "Zlib"


def test_rows_of_a_name_in_two_places_are_refused() -> None:
    with pytest.raises(ValueError, match="'a'"):
        write_channeldata([row("a"), row("b"), row("a")])


def test_rows_of_a_name_in_any_order_give_the_same_bytes() -> None:
    rows = [row(version=f"1.{minor}", subdir=subdir) for minor in range(3) for subdir in ("noarch", "win-64")]

    assert write_channeldata(reversed(rows)) == write_channeldata(rows)
