"""Files that are in no index, in everything else that a house does with files."""

import dataclasses
from datetime import timedelta

import pytest

from packhouse.actions.check import check
from packhouse.actions.packhouse import utc_now
from packhouse.actions.remove import remove
from packhouse.actions.sweep import sweep
from packhouse.actions.transfer import copy, move
from packhouse.domain.artifacts import Selection
from packhouse.errors import Conflict
from packhouse.storage import channels, revisions
from tests.house import House
from tests.loose_files import FAMILIES, FILES, publish_all, publish_file

SELECTIONS = [Selection(family, name) for family, name in FAMILIES.values()]


@pytest.fixture
def lab(any_house: House) -> House:
    """Channel `lab` with one file of each family, and `target`, which is empty."""
    any_house.channel("lab")
    any_house.channel("target")
    publish_all(any_house, "lab")
    return any_house


def ckeys(house: House, channel: str) -> set[str]:
    listed = house.request("GET", f"/api/channels/{channel}/artifacts").json()["items"]
    files = [
        house.request(
            "GET", f"/api/channels/{channel}/artifacts/{item['family']}/{item['name']}/files"
        ).json()
        for item in listed
    ]
    return {item["ckey"] for file in files for item in file["items"]}


def count(house: House, channel: str) -> int:
    return house.request("GET", f"/api/channels/{channel}").json()["artifact_count"]


def assert_in_order(house: House) -> None:
    house.reindex_all()
    report = check(house.packhouse, repair=False, deep=True)
    assert (report.differences, report.due) == ([], [])


def test_copied_files_are_in_both_channels(lab: House) -> None:
    copy(lab.packhouse, lab.admin, "lab", "target", SELECTIONS)

    assert ckeys(lab, "lab") == ckeys(lab, "target") == set(FAMILIES)
    assert lab.request("GET", "/api/repo/target/gra/model/1.0/weights.bin").body == bytes(range(256))
    assert_in_order(lab)


def test_moved_files_leave_their_channel(lab: House) -> None:
    move(lab.packhouse, lab.admin, "lab", "target", SELECTIONS)

    assert (ckeys(lab, "lab"), ckeys(lab, "target")) == (set(), set(FAMILIES))
    assert (count(lab, "lab"), count(lab, "target")) == (0, 4)
    assert_in_order(lab)


def test_removed_files_are_gone_with_their_bytes(lab: House) -> None:
    remove(lab.packhouse, lab.admin, "lab", SELECTIONS)
    day_after = dataclasses.replace(lab.packhouse, clock=lambda: utc_now() + timedelta(days=1))

    assert sweep(day_after).blobs == len(FILES)
    assert (ckeys(lab, "lab"), count(lab, "lab")) == (set(), 0)
    assert_in_order(lab)


def test_one_file_of_several_is_removed_by_its_ckey(lab: House) -> None:
    publish_file(lab, "lab", "weights.bin", b"new", filetype="gra", name="model", version="2.0")

    remove(lab.packhouse, lab.admin, "lab", [Selection("gra", "model", "gra/model/1.0/weights.bin")])

    assert "gra/model/2.0/weights.bin" in ckeys(lab, "lab")
    assert "gra/model/1.0/weights.bin" not in ckeys(lab, "lab")
    assert_in_order(lab)


def test_other_bytes_in_the_target_stop_a_copy(lab: House) -> None:
    publish_file(lab, "target", "weights.bin", b"other", filetype="gra", name="model", version="1.0")

    with pytest.raises(Conflict, match=r"gra/model/1\.0/weights\.bin"):
        copy(lab.packhouse, lab.admin, "lab", "target", SELECTIONS)
    assert ckeys(lab, "target") == {"gra/model/1.0/weights.bin"}


def test_package_of_the_same_name_in_another_family_is_another(lab: House) -> None:
    lab.publish("lab", "model")

    remove(lab.packhouse, lab.admin, "lab", [Selection("gra", "model")])

    assert "noarch/model-1.0-0.conda" in ckeys(lab, "lab")
    assert list(lab.sharded("lab")) == ["model-1.0-0.conda"]
    assert_in_order(lab)


def test_nothing_becomes_stale_for_files_that_no_document_tells_of(any_house: House) -> None:
    any_house.channel("lab")
    any_house.publish("lab", "demo")
    any_house.reindex_all()
    publish_all(any_house, "lab")

    with any_house.packhouse.database.reading() as connection:
        assert revisions.stale(connection) == []
        present = revisions.of_channel(connection, channels.get(connection, "lab").id)
    assert {subdir: one.artifact_count for subdir, one in present.items()} == {"": 4, "noarch": 1}


def test_house_with_files_of_every_family_is_found_in_order(lab: House) -> None:
    lab.publish("lab", "demo", subdir="linux-64")

    assert_in_order(lab)


def test_check_mends_a_wrong_count_of_them(lab: House) -> None:
    with lab.packhouse.database.transaction() as connection:
        channel = channels.get(connection, "lab")
        revisions.count(connection, channel.id, revisions.ROOT, 3, lab.packhouse.clock())

    report = check(lab.packhouse, repair=True, deep=False)

    assert [one.what for one in report.differences] == ["the number of its files is said to be 7, and is 4."]
    assert count(lab, "lab") == 4
    assert_in_order(lab)
