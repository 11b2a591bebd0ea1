"""`packhouse check`: each thing that can be wrong is broken on purpose, told, mended, and good again."""

import dataclasses
import hashlib
import io
import json
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
import zstandard
from sqlalchemy import Table, delete, insert, update

from packhouse.actions.channels import delete_channel
from packhouse.actions.check import check, compare_channel
from packhouse.actions.check.report import Difference, Report
from packhouse.actions.packhouse import utc_now
from packhouse.actions.settle import Change, settle
from packhouse.domain.artifacts import Digests
from packhouse.domain.sections import Section
from packhouse.formats.conda.shards import pack_shard, shard_digest
from packhouse.storage import blob_rows, channels, documents, entries, tables
from packhouse.storage.revisions import ROOT
from tests.house import House

EMPTY_SHARD = pack_shard([])


def stock(house: House) -> House:
    """Two channels with a few files of two subdirs, and all documents up to date."""
    house.channel("data")
    house.channel("other")
    house.publish("data", "demo", version="1.0", run_exports={"weak": ["demo >=1"]})
    house.publish("data", "demo", version="2.0", extension=".tar.bz2")
    house.publish("data", "tool", version="1.0", subdir="linux-64", depends=["demo"])
    house.copy("data", "other", "tool")
    house.reindex_all()
    return house


@pytest.fixture
def stocked(house: House) -> House:
    return stock(house)


@pytest.fixture
def any_stocked(any_house: House) -> House:
    return stock(any_house)


def compare(house: House, repair: bool = False, deep: bool = False, later: timedelta | None = None) -> Report:
    """Check; `later` is how long after now."""
    packhouse = house.packhouse
    if later is not None:
        packhouse = dataclasses.replace(packhouse, clock=lambda: utc_now() + later)
    return check(packhouse, repair, deep)


def told(report: Report) -> list[str]:
    return [str(one) for one in report.differences]


def assert_mended(house: House, *sentences: str, deep: bool = False) -> None:
    """The check tells exactly this; with repair it mends it; then there is nothing left to tell."""
    before = compare(house, deep=deep)
    assert sorted(told(before)) == sorted(sentences)
    assert not before.is_good
    repaired = compare(house, repair=True, deep=deep)
    assert sorted(told(repaired)) == sorted(f"{sentence} Mended." for sentence in sentences)
    assert repaired.is_good
    assert told(compare(house, deep=True)) == []
    assert_clients_see_the_entries(house)


def assert_clients_see_the_entries(house: House) -> None:
    assert house.sharded("data").keys() == {"demo-1.0-0.conda", "demo-2.0-0.tar.bz2"}
    assert house.sharded("data", "linux-64").keys() == {"tool-1.0-0.conda"}
    repodata = house.repodata("data")
    assert repodata["packages"].keys() | repodata["packages.conda"].keys() == house.sharded("data").keys()


def execute(house: House, statement: Any) -> Any:
    """Run a statement; blobs that nothing refers to afterwards are released, as they should be."""
    with house.packhouse.database.transaction(quiet=True) as connection:
        result = connection.execute(statement)
        blob_rows.release(connection, blob_rows.unused(connection, 100), utc_now())
        return result


def channel_id(house: House, path: str = "data") -> int:
    with house.packhouse.database.reading() as connection:
        return channels.get(connection, path).id


def change(
    house: House, table: Table, subdir: str | None = None, name: str | None = None, **values: Any
) -> None:
    """Set columns of rows of the channel `data`."""
    assert execute(house, update(table).where(*_where(house, table, subdir, name)).values(**values)).rowcount


def drop(house: House, table: Table, subdir: str | None = None, name: str | None = None) -> None:
    assert execute(house, delete(table).where(*_where(house, table, subdir, name))).rowcount


def _where(house: House, table: Table, subdir: str | None, name: str | None) -> Iterator[Any]:
    yield table.c.channel_id == channel_id(house)
    if table is tables.shard:
        yield table.c.replaced_at.is_(None)
    if subdir is not None:
        yield table.c.subdir == subdir
    if name is not None:
        yield table.c.name == name


def digest_of_document(house: House, name: str, subdir: str = "noarch") -> str:
    with house.packhouse.database.reading() as connection:
        found = documents.find(connection, channel_id(house), subdir, name)
    assert found is not None
    return found.sha256


def replace_document(house: House, name: str, body: bytes) -> None:
    """Put other bytes, properly kept, in the place of a document."""
    sha256 = keep(house, body)
    with house.packhouse.database.transaction(quiet=True) as connection:
        blob_rows.claim(connection, sha256, len(body), utc_now())
        blob_rows.confirm(connection, sha256)
    change(house, tables.document, "noarch", name, sha256=sha256, size=len(body))


def keep(house: House, body: bytes) -> str:
    sha256 = hashlib.sha256(body).hexdigest()
    house.packhouse.blobs.keep(Digests("", sha256, len(body)), io.BytesIO(body))
    return sha256


def spoil(house: House, sha256: str, body: bytes) -> None:
    """Other bytes where those of `sha256` should be."""
    blobs = house.packhouse.blobs
    blobs.remove(sha256)
    blobs._write(Digests("", sha256, len(body)), iter([body]))


def digest_of_file(house: House, ckey: str) -> str:
    with house.packhouse.database.reading() as connection:
        return connection.execute(tables.artifact.select().where(tables.artifact.c.ckey == ckey)).one().sha256


# --- nothing wrong


def test_packhouse_in_order_has_nothing_to_tell(any_stocked: House) -> None:
    report = compare(any_stocked, deep=True)
    assert (told(report), report.due, report.is_good) == ([], [], True)
    assert (report.channels, report.as_text().splitlines()[-1]) == (
        2,
        f"Compared 2 channels and {report.blobs} blobs: all agree.",
    )


def test_empty_packhouse_has_nothing_to_tell(any_house: House) -> None:
    assert told(compare(any_house, deep=True)) == []


def test_repair_of_what_is_in_order_changes_nothing(any_stocked: House) -> None:
    def everything() -> dict[str, list[Any]]:
        with any_stocked.packhouse.database.reading() as connection:
            return {
                table.name: sorted(connection.execute(table.select()).all(), key=repr)
                for table in tables.metadata.sorted_tables
            }

    before = everything()
    assert compare(any_stocked, repair=True, deep=True).is_good
    assert everything() == before


# --- counts, sums, shards


def test_wrong_count_is_told_and_mended(any_stocked: House) -> None:
    change(any_stocked, tables.revision, "linux-64", artifact_count=7)
    assert_mended(any_stocked, "data/linux-64: the number of its files is said to be 7, and is 1.")


def test_missing_revision_is_told_and_mended(any_stocked: House) -> None:
    drop(any_stocked, tables.revision, "linux-64")
    assert_mended(any_stocked, "data/linux-64: its revision is missing; files it holds: 1.")


def test_documents_ahead_of_the_content_are_told_and_mended(stocked: House) -> None:
    change(stocked, tables.revision, "linux-64", indexed=900)
    report = compare(stocked)
    assert "data/linux-64: documents of revision 900 are ahead of the content, 1." in told(report)
    assert compare(stocked, repair=True).is_good
    assert told(compare(stocked, deep=True)) == []


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("file_count", 9),
        ("versions", ["1.0"]),
        ("subdirs", ["win-64"]),
        ("platforms", ",win-64,"),
        ("download_count", 4),
    ],
)
def test_wrong_sum_is_told_and_mended(stocked: House, column: str, value: Any) -> None:
    change(stocked, tables.package, name="demo", **{column: value})
    assert_mended(stocked, f"data: the package 'demo' is listed with a wrong {column}.")


def test_wrong_latest_file_is_told_and_mended(stocked: House) -> None:
    with stocked.packhouse.database.reading() as connection:
        tool = connection.execute(tables.artifact.select().where(tables.artifact.c.name == "tool")).one().id
    change(stocked, tables.package, name="demo", latest_artifact_id=tool)
    assert_mended(stocked, "data: the package 'demo' is listed with a wrong latest_artifact_id.")


def test_package_that_is_not_listed_is_told_and_mended(any_stocked: House) -> None:
    drop(any_stocked, tables.package, name="demo")
    assert_mended(any_stocked, "data: the package 'demo' is not listed.")


def test_package_without_files_is_told_and_mended(stocked: House) -> None:
    with stocked.packhouse.database.transaction(quiet=True) as connection:
        row = connection.execute(tables.package.select().where(tables.package.c.name == "demo")).one()
        connection.execute(insert(tables.package).values(**{**row._mapping, "name": "ghost"}))
    assert_mended(stocked, "data: the package 'ghost' is listed, but has no files.")


def test_missing_shard_is_told_and_mended(any_stocked: House) -> None:
    drop(any_stocked, tables.shard, "noarch", "demo")
    assert_mended(any_stocked, "data/noarch: the shard of 'demo' is missing.")


def test_shard_of_other_bytes_is_told_and_mended(stocked: House) -> None:
    change(stocked, tables.shard, "noarch", "demo", body=b"nonsense")
    assert_mended(stocked, "data/noarch: the shard of 'demo' has other bytes than its digest says.")


def test_shard_of_other_facts_is_told_and_mended(any_stocked: House) -> None:
    change(any_stocked, tables.shard, "noarch", "demo", body=EMPTY_SHARD, sha256=shard_digest(EMPTY_SHARD))
    assert_mended(any_stocked, "data/noarch: the shard of 'demo' does not hold what the channel does.")


@pytest.mark.parametrize("subdir", ["noarch", "win-64"])
def test_shard_of_no_files_is_told_and_mended(stocked: House, subdir: str) -> None:
    values = {"channel_id": channel_id(stocked), "subdir": subdir, "name": "ghost", "revision": 1}
    shard = {"body": EMPTY_SHARD, "sha256": shard_digest(EMPTY_SHARD)}
    execute(stocked, insert(tables.shard).values(**values, **shard))
    what = "is in the shard index, but there are no files of it, or another shard stands for them"
    assert_mended(stocked, f"data/{subdir}: the shard of 'ghost' {what}.")


def test_second_shard_of_a_name_is_told_and_mended(stocked: House) -> None:
    values = {"channel_id": channel_id(stocked), "subdir": "noarch", "name": "demo", "revision": 1}
    shard = {"body": EMPTY_SHARD, "sha256": shard_digest(EMPTY_SHARD)}
    execute(stocked, insert(tables.shard).values(**values, **shard))
    assert all("data/noarch: the shard of 'demo'" in sentence for sentence in told(compare(stocked)))
    assert compare(stocked, repair=True).differences
    assert told(compare(stocked, deep=True)) == []
    assert_clients_see_the_entries(stocked)


def test_shard_written_by_another_zstd_is_no_difference(stocked: House) -> None:
    with stocked.packhouse.database.reading() as connection:
        row = connection.execute(
            tables.shard.select().where(*_where(stocked, tables.shard, None, "demo"))
        ).one()
    content = zstandard.ZstdDecompressor().decompress(row.body)
    other = zstandard.ZstdCompressor(level=19, write_checksum=True).compress(content)
    assert other != row.body
    change(stocked, tables.shard, "noarch", "demo", body=other, sha256=shard_digest(other))
    assert told(compare(stocked)) == []


def test_mended_shards_reach_a_server_that_has_the_old_index_in_memory(stocked: House) -> None:
    path = "/api/repo/data/noarch/repodata_shards.msgpack.zst"
    change(stocked, tables.shard, "noarch", "demo", body=EMPTY_SHARD, sha256=shard_digest(EMPTY_SHARD))
    before = stocked.request("GET", path)
    compare(stocked, repair=True)
    after = stocked.request("GET", path)
    assert before.headers["etag"] != after.headers["etag"]


# --- documents


@pytest.mark.parametrize(
    "name",
    [
        "repodata.json",
        "repodata.json.zst",
        "current_repodata.json",
        "run_exports.json",
        "run_exports.json.zst",
    ],
)
def test_missing_document_is_told_and_mended(stocked: House, name: str) -> None:
    drop(stocked, tables.document, "noarch", name)
    assert compare(stocked).differences[0] == Difference(f"data/noarch/{name}", "it is missing.")
    assert compare(stocked, repair=True).is_good
    assert told(compare(stocked, deep=True)) == []


def test_missing_channeldata_is_told_and_mended(any_stocked: House) -> None:
    drop(any_stocked, tables.document, ROOT)
    assert_mended(
        any_stocked, "data/channeldata.json: it is missing.", "data/channeldata.json.zst: it is missing."
    )


def test_document_whose_bytes_are_gone_is_told_and_mended(any_stocked: House) -> None:
    sha256 = digest_of_document(any_stocked, "repodata.json")
    any_stocked.packhouse.blobs.remove(sha256)
    assert_mended(any_stocked, f"data/noarch/repodata.json: its bytes ({sha256}) are missing.")


def test_twin_whose_bytes_are_gone_is_told_and_mended(any_stocked: House) -> None:
    sha256 = digest_of_document(any_stocked, "repodata.json.zst")
    any_stocked.packhouse.blobs.remove(sha256)
    assert_mended(any_stocked, f"data/noarch/repodata.json.zst: its bytes ({sha256}) are missing.")


def test_cut_document_is_told_and_mended(any_stocked: House) -> None:
    sha256 = digest_of_document(any_stocked, "repodata.json")
    body = any_stocked.document("data", "noarch", "repodata.json")
    spoil(any_stocked, sha256, body[:-10])
    [sentence] = told(compare(any_stocked))
    assert sentence.startswith("data/noarch/repodata.json: it cannot be read: not the JSON of an index:")
    assert_mended(any_stocked, sentence)


def test_document_with_a_changed_byte_is_told_and_mended(stocked: House) -> None:
    sha256 = digest_of_document(stocked, "run_exports.json")
    body = stocked.document("data", "noarch", "run_exports.json")
    spoil(stocked, sha256, body.replace(b'"version":1', b'"version":2'))
    size = len(body)
    assert_mended(
        stocked,
        f"data/noarch/run_exports.json: its blob {sha256} is damaged ({size} of {size} bytes).",
    )


@pytest.mark.parametrize("name", ["repodata.json", "current_repodata.json"])
def test_record_that_disagrees_is_told_and_mended(stocked: House, name: str) -> None:
    repodata = json.loads(stocked.document("data", "noarch", name))
    repodata["packages"]["demo-2.0-0.tar.bz2"]["size"] += 1
    replace_document(stocked, name, json.dumps(repodata).encode())
    twin = f"data/noarch/{name}.zst: it does not hold the same as {name}."
    what = "'demo-2.0-0.tar.bz2' has other facts in it than in the database."
    assert_mended(stocked, f"data/noarch/{name}: {what}", twin)


def test_files_too_few_and_too_many_in_repodata_are_told_and_mended(any_stocked: House) -> None:
    repodata = any_stocked.repodata("data")
    record = repodata["packages.conda"].pop("demo-1.0-0.conda")
    repodata["packages.conda"]["ghost-1.0-0.conda"] = record
    replace_document(any_stocked, "repodata.json", json.dumps(repodata).encode())
    assert_mended(
        any_stocked,
        "data/noarch/repodata.json: 'demo-1.0-0.conda' is not in it.",
        "data/noarch/repodata.json: 'ghost-1.0-0.conda' is in it, but not in the channel.",
        "data/noarch/repodata.json.zst: it does not hold the same as repodata.json.",
    )


def test_run_exports_that_disagree_are_told_and_mended(stocked: House) -> None:
    body = stocked.document("data", "noarch", "run_exports.json")
    replace_document(stocked, "run_exports.json", body.replace(b"demo >=1", b"demo >=2"))
    assert_mended(
        stocked,
        "data/noarch/run_exports.json: 'demo-1.0-0.conda' has other facts in it than in the database.",
        "data/noarch/run_exports.json.zst: it does not hold the same as run_exports.json.",
    )


def test_channeldata_that_disagrees_is_told_and_mended(stocked: House) -> None:
    body = stocked.document("data", ROOT, "channeldata.json").replace(b'"version":"2.0"', b'"version":"3.0"')
    sha256 = keep(stocked, body)
    with stocked.packhouse.database.transaction(quiet=True) as connection:
        blob_rows.claim(connection, sha256, len(body), utc_now())
        blob_rows.confirm(connection, sha256)
    change(stocked, tables.document, ROOT, "channeldata.json", sha256=sha256, size=len(body))
    assert_mended(
        stocked,
        "data/channeldata.json: the package 'demo' is not told of as it is.",
        "data/channeldata.json.zst: it does not hold the same as channeldata.json.",
    )


@pytest.mark.parametrize(
    ("name", "body", "sentence"),
    [
        ("repodata.json.zst", b"no zstd at all", "it cannot be decompressed"),
        ("repodata.json.zst", zstandard.compress(b"{}"), "it does not hold the same as repodata.json."),
        ("repodata.json", b"[]", "it cannot be read: not the JSON of an index"),
    ],
)
def test_document_that_is_something_else_is_told_and_mended(
    stocked: House, name: str, body: bytes, sentence: str
) -> None:
    replace_document(stocked, name, body)
    assert f"data/noarch/{name}: {sentence}" in told(compare(stocked))[0]
    assert compare(stocked, repair=True).is_good
    assert told(compare(stocked, deep=True)) == []


def test_twin_of_two_frames_is_told_and_mended(stocked: House) -> None:
    """rattler reads the first frame and takes it for the whole."""
    body = stocked.document("data", "noarch", "repodata.json")
    replace_document(
        stocked, "repodata.json.zst", zstandard.compress(body[:50]) + zstandard.compress(body[50:])
    )
    assert_mended(
        stocked, "data/noarch/repodata.json.zst: it cannot be decompressed: it is not one whole frame."
    )


def test_documents_that_just_became_stale_are_due_and_no_difference(stocked: House) -> None:
    stocked.publish("data", "new")
    report = compare(stocked)
    assert (told(report), report.is_good) == ([], True)
    assert [one.where for one in report.due] == ["data", "data/noarch"]


def test_documents_that_stay_stale_are_told_and_mended(any_stocked: House) -> None:
    entry = any_stocked.publish("data", "new")
    report = compare(any_stocked, later=timedelta(minutes=2))
    assert [one.where for one in report.differences] == ["data", "data/noarch"]
    assert report.differences[0].what.startswith("its documents show revision ")
    assert compare(any_stocked, repair=True, later=timedelta(minutes=2)).is_good
    assert entry.artifact.filename in any_stocked.repodata("data")["packages.conda"]
    assert told(compare(any_stocked, deep=True, later=timedelta(minutes=2))) == []


def test_repair_does_not_wait_for_documents_that_are_due(stocked: House) -> None:
    entry = stocked.publish("data", "new")
    report = compare(stocked, repair=True)
    assert (told(report), report.due) == ([], [])
    assert entry.artifact.filename in stocked.repodata("data")["packages.conda"]


# --- blobs


def test_missing_package_bytes_are_told_in_every_channel_and_cannot_be_mended(any_stocked: House) -> None:
    sha256 = digest_of_file(any_stocked, "linux-64/tool-1.0-0.conda")
    any_stocked.packhouse.blobs.remove(sha256)
    what = f"the bytes of its blob {sha256} are missing. Publish the same file again, or remove it."
    sentences = [f"{channel}/linux-64/tool-1.0-0.conda: {what}" for channel in ("data", "other")]
    assert told(compare(any_stocked)) == sentences
    repaired = compare(any_stocked, repair=True)
    assert (told(repaired), repaired.is_good) == (sentences, False)


def test_publishing_the_same_file_again_brings_missing_bytes_back(any_stocked: House) -> None:
    any_stocked.packhouse.blobs.remove(digest_of_file(any_stocked, "linux-64/tool-1.0-0.conda"))
    any_stocked.publish("data", "tool", version="1.0", subdir="linux-64", depends=["demo"])
    assert told(compare(any_stocked, deep=True)) == []


@pytest.mark.parametrize(
    ("cut", "deep", "fault"), [(1, False, "are {cut}, not {size}"), (0, True, "are damaged")]
)
def test_damaged_package_bytes_are_told_and_not_served_after_the_repair(
    any_stocked: House, cut: int, deep: bool, fault: str
) -> None:
    ckey = "noarch/demo-1.0-0.conda"
    sha256 = digest_of_file(any_stocked, ckey)
    size = any_stocked.packhouse.blobs.size(sha256)
    assert size is not None
    spoil(any_stocked, sha256, bytes(size - cut))
    words = fault.format(cut=size - cut, size=size)
    sentence = (
        f"data/{ckey}: the bytes of its blob {sha256} {words}. Publish the same file again, or remove it."
    )
    assert told(compare(any_stocked, deep=deep)) == [sentence]
    assert told(compare(any_stocked, repair=True, deep=deep)) == [sentence]
    assert any_stocked.packhouse.blobs.size(sha256) is None
    any_stocked.publish("data", "demo", version="1.0", run_exports={"weak": ["demo >=1"]})
    assert told(compare(any_stocked, deep=True)) == []


def test_damage_that_keeps_the_size_is_found_by_the_deep_check_only(stocked: House) -> None:
    sha256 = digest_of_file(stocked, "noarch/demo-1.0-0.conda")
    size = stocked.packhouse.blobs.size(sha256)
    assert size is not None
    spoil(stocked, sha256, bytes(size))
    assert told(compare(stocked)) == []
    assert told(compare(stocked, deep=True)) != []


def test_bytes_that_nobody_knows_are_told_and_removed(any_stocked: House) -> None:
    sha256 = keep(any_stocked, b"left behind")
    assert_mended(any_stocked, f"blob {sha256}: it is in the store, but the database knows nothing of it.")
    assert any_stocked.packhouse.blobs.size(sha256) is None


def test_claim_that_was_never_confirmed_is_told_and_removed(any_stocked: House) -> None:
    sha256 = keep(any_stocked, b"left behind")
    with any_stocked.packhouse.database.transaction(quiet=True) as connection:
        blob_rows.claim(connection, sha256, 11, utc_now() - timedelta(days=1))
    assert_mended(any_stocked, f"blob {sha256}: nothing refers to it, and no sweep has removed it.")
    assert any_stocked.packhouse.blobs.size(sha256) is None


def test_fresh_claim_is_left_alone(stocked: House) -> None:
    sha256 = keep(stocked, b"on its way")
    with stocked.packhouse.database.transaction(quiet=True) as connection:
        blob_rows.claim(connection, sha256, 10, utc_now())
    assert told(compare(stocked, repair=True, deep=True)) == []
    assert stocked.packhouse.blobs.size(sha256) == 10


def test_blob_that_nothing_refers_to_is_told_and_given_to_the_sweep(any_stocked: House) -> None:
    sha256 = keep(any_stocked, b"left behind")
    with any_stocked.packhouse.database.transaction(quiet=True) as connection:
        blob_rows.claim(connection, sha256, 11, utc_now())
        blob_rows.confirm(connection, sha256)
    assert_mended(
        any_stocked, f"blob {sha256}: it is kept, but no artifact, document or upload consists of it."
    )


def test_artifact_without_a_row_for_its_blob_is_told_and_mended(any_stocked: House) -> None:
    sha256 = digest_of_file(any_stocked, "noarch/demo-1.0-0.conda")
    execute(any_stocked, delete(tables.blob).where(tables.blob.c.sha256 == sha256))
    needed = f"blob {sha256}: an artifact, document or upload needs it, but it has no row."
    unknown = f"blob {sha256}: it is in the store, but the database knows nothing of it."
    assert told(compare(any_stocked)) == [needed, unknown]
    assert told(compare(any_stocked, repair=True)) == [f"{needed} Mended."]
    assert told(compare(any_stocked, deep=True)) == []


def test_artifact_in_no_channel_is_told_and_removed(any_stocked: House) -> None:
    sha256 = digest_of_file(any_stocked, "noarch/demo-1.0-0.conda")
    with any_stocked.packhouse.database.transaction(quiet=True) as connection:
        row = connection.execute(tables.artifact.select().where(tables.artifact.c.sha256 == sha256)).one()
        values = {**row._mapping, "ckey": "noarch/ghost-1-0.conda"}
        del values["id"]
        connection.execute(insert(tables.artifact).values(values))
    assert_mended(any_stocked, f"noarch/ghost-1-0.conda: the artifact {sha256} is in no channel.")


# --- all together, and while others work


def test_everything_broken_at_once_is_mended_in_one_go(any_stocked: House) -> None:
    drop(any_stocked, tables.shard)
    drop(any_stocked, tables.package)
    drop(any_stocked, tables.document)
    drop(any_stocked, tables.revision)
    keep(any_stocked, b"left behind")
    assert len(compare(any_stocked).differences) == 8
    assert compare(any_stocked, repair=True).is_good
    assert told(compare(any_stocked, deep=True)) == []
    assert_clients_see_the_entries(any_stocked)


@contextmanager
def busy(*work: Callable[[int], Any]) -> Iterator[None]:
    """Each piece of work over and over, in a thread of its own."""
    stop = threading.Event()

    def over_and_over(one: Callable[[int], Any]) -> int:
        number = 0
        while not stop.is_set():
            one(number)
            number += 1
        return number

    with ThreadPoolExecutor(len(work)) as threads:
        running = [threads.submit(over_and_over, one) for one in work]
        try:
            yield
        finally:
            stop.set()
        assert all(one.result(60) > 0 for one in running)


def test_channels_that_change_meanwhile_are_no_false_alarm(any_stocked: House) -> None:
    packages = [any_stocked.build("busy", version=f"{number}.0") for number in range(4)]

    def publish_and_remove(number: int) -> None:
        any_stocked.publish("data", packages[number % 4])
        any_stocked.copy("data", "other", "busy")
        any_stocked.remove("data", "busy")
        any_stocked.remove("other", "busy")

    def come_and_go(number: int) -> None:
        path = f"passing{number}"
        any_stocked.channel(path)
        any_stocked.copy("data", path, "demo")
        delete_channel(any_stocked.packhouse, any_stocked.admin, path)

    with busy(publish_and_remove, come_and_go, lambda _: any_stocked.reindex_all()):
        reports = [compare(any_stocked, deep=True) for _ in range(5)]
    assert [told(report) for report in reports] == [[]] * 5


def test_repair_beside_writers_leaves_everything_in_order(any_stocked: House) -> None:
    packages = [any_stocked.build("busy", version=f"{number}.0") for number in range(4)]

    def publish_and_remove(number: int) -> None:
        any_stocked.publish("data", packages[number % 4])
        if number % 4 == 3:
            any_stocked.remove("data", "busy")

    with busy(publish_and_remove, lambda _: any_stocked.reindex_all()):
        for _ in range(3):
            drop(any_stocked, tables.shard, "noarch", "demo")
            change(any_stocked, tables.package, name="demo", file_count=70)
            assert compare(any_stocked, repair=True).is_good
    any_stocked.reindex_all()
    assert told(compare(any_stocked, deep=True)) == []


def fill(house: House, path: str, files: int) -> None:
    """A channel with many files that consist of the same bytes, twenty a name."""
    house.channel(path)
    model = house.publish(path, "model").artifact
    with house.packhouse.database.transaction() as connection:
        now, here = utc_now(), channels.get(connection, path).id
        row = (
            connection.execute(tables.artifact.select().where(tables.artifact.c.id == model.id))
            .one()
            ._mapping
        )
        first = 1_000 * files
        names = [f"{path}-{number // 20:05}" for number in range(files)]
        filenames = [f"{name}-1-{number}.conda" for number, name in enumerate(names)]
        copies = [
            {**row, "id": first + number, "name": name, "filename": filename, "ckey": f"noarch/{filename}"}
            for number, (name, filename) in enumerate(zip(names, filenames, strict=True))
        ]
        connection.execute(insert(tables.artifact), copies)
        additions = [
            entries.Addition(
                copy["id"],
                "conda",
                copy["name"],
                "noarch",
                copy["filename"],
                copy["ckey"],
                Section.CONDA,
                None,
            )
            for copy in copies
        ]
        entries.add(connection, here, additions, now)
        settle(connection, here, [Change("conda", name, "noarch", +1) for name in names], now)
    house.reindex_all()


def test_memory_does_not_grow_with_the_channel(house: House) -> None:
    def peak(files: int) -> int:
        fill(house, f"big{files}", files)
        tracemalloc.start()
        try:
            assert compare_channel(house.packhouse, channel_id(house, f"big{files}"), f"big{files}") == []
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    small, large = peak(5_200), peak(7_800)  # rows are read five thousand at a time
    assert large < 1.2 * small
