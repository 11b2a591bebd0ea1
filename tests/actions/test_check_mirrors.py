"""`packhouse check` and mirrors: what is not here yet is no fault, and what is wrong is told and mended."""

import json
from collections.abc import Iterator

import pytest
from sqlalchemy import delete, update

from packhouse.actions.check import check
from packhouse.actions.mirrors.specify import Contents, delete_mirror
from packhouse.domain.mirrors import MirrorMode
from packhouse.storage import blob_rows, tables
from tests.actions.mirrored import (
    Upstream,
    add_mirror,
    artifact_of,
    ask_for_file,
    counts,
    mirroring,
    run_mirror,
)
from tests.actions.test_check import execute, replace_document
from tests.house import House

PLAIN, OLD, NEWER = "noarch/plain-1.0-0.conda", "noarch/old-1.0-0.tar.bz2", "noarch/newer-1.0-0.conda"
ALL = (PLAIN, OLD, NEWER)


@pytest.fixture
def upstream(any_house: House) -> Iterator[Upstream]:
    """A file in each place of an index; run exports of one of them are known, as MD5 is of none."""
    with mirroring(any_house) as upstream:
        upstream.add(any_house.build("plain"), run_exports={"weak": ["plain >=1"]})
        upstream.add(any_house.build("old", extension=".tar.bz2"))
        upstream.add(any_house.build("newer"), is_v3=True)
        yield upstream


def mirrored(house: House, upstream: Upstream, mode: MirrorMode, is_fetching: bool = True) -> House:
    house.channel("data")
    add_mirror(house, upstream, "data", mode)
    run_mirror(house, "data", is_fetching=is_fetching)
    house.reindex_all()
    return house


@pytest.fixture
def passive(any_house: House, upstream: Upstream) -> House:
    return mirrored(any_house, upstream, MirrorMode.PASSIVE)


@pytest.fixture
def awaiting(any_house: House, upstream: Upstream) -> House:
    """An active mirror that has fetched nothing yet."""
    return mirrored(any_house, upstream, MirrorMode.ACTIVE, is_fetching=False)


def told(house: House, repair: bool = False) -> list[str]:
    house.reindex_all()
    return [str(one) for one in check(house.packhouse, repair, deep=True).differences]


def assert_mended(house: House, *sentences: str) -> None:
    assert sorted(told(house)) == sorted(sentences)
    assert sorted(told(house, repair=True)) == sorted(f"{sentence} Mended." for sentence in sentences)
    assert told(house) == []


def break_row(house: House, ckey: str) -> str:
    """Lose the bytes of a file; answer its digest."""
    sha256 = artifact_of(house, "data", ckey).digests.sha256
    house.packhouse.blobs.remove(sha256)
    return sha256


# --- nothing wrong


def test_files_that_come_when_they_are_asked_for_are_no_fault(passive: House) -> None:
    assert told(passive, repair=True) == told(passive) == []
    assert counts(passive, "data") == (0, 3)


def test_files_that_were_asked_for_are_no_fault(passive: House) -> None:
    for ckey in ALL:
        ask_for_file(passive, "data", ckey)
    assert told(passive, repair=True) == told(passive) == []
    assert counts(passive, "data") == (3, 0)


def test_files_that_are_awaited_are_no_fault_and_in_no_document(awaiting: House) -> None:
    assert told(awaiting, repair=True) == told(awaiting) == []
    assert awaiting.sharded("data") == {}


def test_files_of_an_active_mirror_are_in_order_once_they_are_here(awaiting: House) -> None:
    run_mirror(awaiting, "data")
    assert told(awaiting) == []
    assert counts(awaiting, "data") == (3, 0)


def test_two_records_of_the_same_bytes_are_no_fault(passive: House, upstream: Upstream) -> None:
    upstream.add(passive.build("plain"), depends=["patched"])
    passive.channel("later")
    add_mirror(passive, upstream, "later", MirrorMode.PASSIVE)
    run_mirror(passive, "later")
    first, second = (artifact_of(passive, channel, PLAIN) for channel in ("data", "later"))
    assert (first.digests.sha256, first.ckey) == (second.digests.sha256, second.ckey)
    assert first.id != second.id
    ask_for_file(passive, "data", PLAIN)
    assert told(passive, repair=True) == told(passive) == []
    assert (counts(passive, "data"), counts(passive, "later")) == ((1, 2), (0, 3))  # it asks its own upstream


def test_summaries_that_wait_for_the_reindex_are_no_fault(any_house: House, upstream: Upstream) -> None:
    any_house.channel("data")
    add_mirror(any_house, upstream, "data", MirrorMode.PASSIVE)
    run_mirror(any_house, "data")
    execute(any_house, update(tables.package).values(channeldata=None))
    report = check(any_house.packhouse, repair=False, deep=True)
    assert ([str(one) for one in report.differences], [one.where for one in report.due]) == (
        [],
        ["data", "data/noarch"],
    )
    assert told(any_house) == []


def test_summary_that_is_missing_where_nothing_waits_is_told_and_mended(passive: House) -> None:
    execute(passive, update(tables.package).where(tables.package.c.name == "old").values(channeldata=None))
    assert_mended(passive, "data: the package 'old' is listed with a wrong channeldata.")


# --- documents


@pytest.mark.parametrize("name", ["repodata.json", "run_exports.json"])
def test_file_of_a_document_that_is_not_in_the_channel_is_told_and_mended(passive: House, name: str) -> None:
    document = json.loads(passive.document("data", "noarch", name))
    document.setdefault("v3", {}).setdefault("conda", {})["ghost-1.0-0"] = {}
    replace_document(passive, name, json.dumps(document).encode())
    assert_mended(
        passive,
        f"data/noarch/{name}: 'ghost-1.0-0.conda' is in it, but not in the channel.",
        f"data/noarch/{name}.zst: it does not hold the same as {name}.",
    )


def test_record_of_v3_that_disagrees_is_told_and_mended(passive: House) -> None:
    document = json.loads(passive.document("data", "noarch", "repodata.json"))
    document["v3"]["conda"]["newer-1.0-0"]["size"] += 1
    replace_document(passive, "repodata.json", json.dumps(document).encode())
    assert_mended(
        passive,
        "data/noarch/repodata.json: 'newer-1.0-0.conda' has other facts in it than in the database.",
        "data/noarch/repodata.json.zst: it does not hold the same as repodata.json.",
    )


# --- bytes


def test_lost_bytes_are_fetched_again_after_the_repair(passive: House) -> None:
    ask_for_file(passive, "data", NEWER)
    sha256 = break_row(passive, NEWER)
    what = f"the bytes of its blob {sha256} are missing. Its mirror can fetch it again."
    assert_mended(passive, f"data/{NEWER}: {what}")
    assert counts(passive, "data") == (0, 3)
    ask_for_file(passive, "data", NEWER)
    assert told(passive) == []
    assert counts(passive, "data") == (1, 2)


def test_lost_bytes_that_were_published_too_are_not_mended(passive: House) -> None:
    passive.channel("other")
    passive.publish("other", "newer")
    sha256 = break_row(passive, NEWER)
    what = f"the bytes of its blob {sha256} are missing. Publish the same file again, or remove it."
    sentences = [f"{channel}/{NEWER}: {what}" for channel in ("data", "other")]
    assert told(passive, repair=True) == told(passive) == sentences


def test_lost_bytes_whose_mirror_is_gone_are_not_mended(passive: House) -> None:
    ask_for_file(passive, "data", NEWER)
    delete_mirror(passive.packhouse, passive.admin, "data", "twin", Contents.KEEP)
    sha256 = break_row(passive, NEWER)
    what = f"the bytes of its blob {sha256} are missing. Publish the same file again, or remove it."
    assert told(passive, repair=True) == [f"data/{NEWER}: {what}"]


def test_document_without_a_row_for_its_blob_is_a_fault_beside_passive_files(passive: House) -> None:
    with passive.packhouse.database.reading() as connection:
        digests = set(connection.execute(tables.document.select()).scalars("sha256"))
    execute(passive, delete(tables.blob).where(tables.blob.c.sha256.in_(digests)))
    with passive.packhouse.database.reading() as connection:
        assert {row.sha256 for row in blob_rows.unlisted(connection, 100)} == digests


# --- counts, and what is left of mirrors


def test_wrong_counts_are_told_and_mended(passive: House) -> None:
    execute(passive, update(tables.mirror).values(active=7, passive=0))
    said = "7 files here and 0 to be fetched on demand"
    assert_mended(passive, f"data: its mirror 'twin' is said to have {said}, and has 0 and 3.")
    assert counts(passive, "data") == (0, 3)


def test_files_awaited_of_a_mirror_that_is_gone_are_told_and_removed(awaiting: House) -> None:
    execute(awaiting, delete(tables.mirror))
    what = "it awaits its bytes from a mirror that is gone."
    assert_mended(awaiting, *(f"data/{ckey}: {what}" for ckey in ALL))
    with awaiting.packhouse.database.reading() as connection:
        assert connection.execute(tables.artifact.select()).all() == []


def test_served_files_awaited_of_a_mirror_that_is_gone_stay(passive: House) -> None:
    execute(passive, update(tables.entry).where(tables.entry.c.ckey == PLAIN).values(is_awaited=True))
    execute(passive, delete(tables.mirror))
    assert_mended(passive, f"data/{PLAIN}: it awaits its bytes from a mirror that is gone.")
    assert {f"noarch/{filename}" for filename in passive.sharded("data")} == set(ALL)
