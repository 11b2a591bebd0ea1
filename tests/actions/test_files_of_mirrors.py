"""What people and jobs do with files that mirrors brought, whether their bytes are here or not."""

import io
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from packhouse.actions.channels import delete_channel
from packhouse.actions.check import check
from packhouse.actions.mirrors.fetch_files import fetch_some
from packhouse.actions.mirrors.on_demand import OnDemand
from packhouse.actions.mirrors.runs import ask_for_run, take_run
from packhouse.actions.mirrors.work import working
from packhouse.actions.packhouse import Packhouse, utc_now
from packhouse.actions.sweep import sweep
from packhouse.domain.artifacts import Digests
from packhouse.domain.channels import Privacy
from packhouse.domain.mirror_runs import Trigger
from packhouse.domain.mirrors import MirrorMode
from packhouse.errors import Stopped
from packhouse.formats.conda.shards import read_shard_index
from packhouse.storage import blob_rows, channels, mirror_runs, tables
from packhouse.storage.blobs.partial import PartialFile
from packhouse.web.protocols.shard_indexes import ShardIndexes
from tests.actions.ledger import Interrupted, once
from tests.actions.ledger import counts as channel_counts
from tests.actions.mirrored import (
    Upstream,
    add_mirror,
    artifact_of,
    ask_for_file,
    counts,
    entry_of,
    mirroring,
    run_mirror,
    the_mirror,
)
from tests.house import House

PLAIN, NEWER = "noarch/plain-1.0-0.conda", "noarch/newer-1.0-0.conda"


@pytest.fixture
def upstream(any_house: House) -> Iterator[Upstream]:
    with mirroring(any_house) as upstream:
        upstream.add(any_house.build("plain"))
        upstream.add(any_house.build("newer"), is_v3=True)
        yield upstream


@pytest.fixture
def passive(any_house: House, upstream: Upstream) -> House:
    any_house.channel("data")
    add_mirror(any_house, upstream, "data", MirrorMode.PASSIVE)
    run_mirror(any_house, "data")
    return any_house


@pytest.fixture
def awaiting(any_house: House, upstream: Upstream) -> House:
    """An active mirror that has fetched nothing yet."""
    any_house.channel("data")
    add_mirror(any_house, upstream, "data", MirrorMode.ACTIVE)
    run_mirror(any_house, "data", is_fetching=False)
    return any_house


def assert_all_agrees(house: House) -> None:
    house.reindex_all()
    assert [str(one) for one in check(house.packhouse, repair=False, deep=True).differences] == []


# --- publishing


def test_file_published_where_one_is_awaited_takes_its_place(awaiting: House) -> None:
    awaiting.publish("data", "plain")
    assert awaiting.sharded("data").keys() == {"plain-1.0-0.conda"}
    assert_all_agrees(awaiting)


def test_other_file_published_where_one_is_awaited_takes_its_place(awaiting: House) -> None:
    entry = awaiting.publish("data", "plain", depends=["other"])
    assert artifact_of(awaiting, "data", PLAIN) == entry.artifact
    assert_all_agrees(awaiting)


def test_publishing_what_was_never_fetched_brings_its_bytes(passive: House) -> None:
    passive.publish("data", "plain")
    assert counts(passive, "data") == (1, 1)
    assert passive.packhouse.blobs.verify(artifact_of(passive, "data", PLAIN).digests.sha256)
    assert_all_agrees(passive)


def test_bytes_published_in_a_public_channel_are_the_mirrors_at_the_first_request(
    passive: House, upstream: Upstream
) -> None:
    passive.channel("other")
    passive.publish("other", "plain")
    assert counts(passive, "data") == (0, 2)
    (upstream.folder / PLAIN).unlink()
    assert OnDemand(passive.packhouse).fetch(entry_of(passive, "data", PLAIN)) is None
    assert counts(passive, "data") == (1, 1)
    assert_all_agrees(passive)


def test_bytes_that_a_mirror_has_from_another_channel_stay_when_they_are_removed_there(
    passive: House,
) -> None:
    passive.channel("other")
    passive.publish("other", "plain")
    OnDemand(passive.packhouse).fetch(entry_of(passive, "data", PLAIN))
    passive.remove("other", "plain")
    sweep(replace(passive.packhouse, clock=lambda: utc_now() + timedelta(days=1)))
    assert counts(passive, "data") == (1, 1)
    assert_all_agrees(passive)


def test_bytes_published_in_a_private_channel_are_fetched_by_the_mirror_itself(passive: House) -> None:
    passive.channel("other", privacy=Privacy.PRIVATE)
    passive.publish("other", "plain")
    ask_for_file(passive, "data", PLAIN)  # which fails unless a transfer begins
    assert counts(passive, "data") == (1, 1)
    assert_all_agrees(passive)


# --- removing, copying, moving


def test_removed_files_are_counted_no_longer(passive: House) -> None:
    ask_for_file(passive, "data", PLAIN)
    assert counts(passive, "data") == (1, 1)
    passive.remove("data", "plain")
    assert counts(passive, "data") == (0, 1)
    passive.remove("data", "newer")
    assert counts(passive, "data") == (0, 0)
    assert_all_agrees(passive)


@pytest.mark.parametrize("is_move", [False, True])
def test_file_for_newer_clients_stays_one_in_another_channel(passive: House, is_move: bool) -> None:
    passive.channel("other")
    (passive.move if is_move else passive.copy)("data", "other", NEWER)
    passive.reindex_all()
    assert passive.repodata("other")["v3"]["conda"].keys() == {"newer-1.0-0"}
    assert counts(passive, "data") == (0, 1 if is_move else 2)
    assert_all_agrees(passive)


def test_file_copied_where_it_is_awaited_is_served(awaiting: House, upstream: Upstream) -> None:
    awaiting.channel("source")
    add_mirror(awaiting, upstream, "source", MirrorMode.PASSIVE)
    run_mirror(awaiting, "source")
    awaiting.copy("source", "data", "plain")
    assert awaiting.sharded("data").keys() == {"plain-1.0-0.conda"}
    ask_for_file(awaiting, "data", PLAIN)
    assert_all_agrees(awaiting)


def test_published_file_is_the_same_as_a_mirrored_one_of_unknown_md5(passive: House) -> None:
    passive.channel("other")
    passive.publish("other", "plain")
    passive.copy("other", "data", "plain")
    assert artifact_of(passive, "data", PLAIN).digests.md5 == ""
    assert_all_agrees(passive)


# --- the channel


def test_mirrors_of_a_channel_are_counted(passive: House, upstream: Upstream) -> None:
    passive.channel("data/stage")
    add_mirror(passive, upstream, "data", MirrorMode.ACTIVE, "second")
    assert [channel_counts(passive, path).mirrors for path in ("data", "data/stage")] == [2, 0]


@pytest.mark.parametrize("path", ["data", "data/stage"])
def test_deleted_channel_takes_its_mirrors_along(any_house: House, upstream: Upstream, path: str) -> None:
    any_house.channel("data")
    any_house.channel("data/stage")
    add_mirror(any_house, upstream, path, MirrorMode.ACTIVE)
    run_mirror(any_house, path)
    delete_channel(any_house.packhouse, any_house.admin, "data")
    of_mirrors = [table for table in tables.metadata.sorted_tables if table.name.startswith("mirror")]
    assert len(of_mirrors) == 5
    with any_house.packhouse.database.reading() as connection:
        for table in (*of_mirrors, tables.entry, tables.artifact):
            assert connection.execute(table.select()).all() == [], table.name
    assert_all_agrees(any_house)


def test_run_stops_when_its_channel_is_deleted(awaiting: House) -> None:
    packhouse = awaiting.packhouse
    mirror = the_mirror(awaiting, "data")
    with packhouse.database.transaction() as connection:
        ask_for_run(connection, mirror.id, Trigger.RESTART, utc_now())
        uuid = mirror_runs.last(connection, [mirror.id])[mirror.id].uuid
    assert take_run(packhouse, uuid)
    with working(packhouse, uuid) as work:
        delete_channel(packhouse, awaiting.admin, "data")
        # Nothing is awaited any more, and the sign of life that is given each second fails.
        assert not fetch_some(work)
        assert work.stop.wait(10)
        with pytest.raises(Stopped):
            work.go_on()
    assert_all_agrees(awaiting)


# --- indexes


def test_head_of_documents_tells_of_files_for_newer_clients(passive: House) -> None:
    passive.reindex_all()
    indexed_at = passive.sharded("data")["newer-1.0-0.conda"]["indexed_timestamp"]
    expected = {"v3": {"message": None, "n_packages": 1, "oldest": indexed_at, "newest": indexed_at}}
    assert passive.repodata("data")["info"]["repodata_revisions"] == expected
    current = json.loads(passive.document("data", "noarch", "current_repodata.json"))
    assert (current["packages.conda"].keys(), "v3" in current) == ({"plain-1.0-0.conda"}, False)


def test_shard_index_tells_of_files_for_newer_clients_after_each_change(passive: House) -> None:
    indexes = ShardIndexes()

    def told() -> int | None:
        with passive.packhouse.database.reading() as connection:
            channel_id = channels.get(connection, "data").id
            packed = indexes.get(connection, channel_id, "noarch")
        assert packed is not None
        revisions = read_shard_index(packed.body)["info"].get("repodata_revisions")
        return None if revisions is None else int(revisions["v3"]["n_packages"])

    passive.remove("data", "newer")
    assert told() is None
    passive.channel("other")
    run_mirror_of_newer(passive, "other")
    passive.copy("other", "data", "newer")
    assert told() == 1
    passive.remove("data", "newer")
    assert told() is None


def run_mirror_of_newer(house: House, channel: str) -> None:
    upstream = Upstream(house.folder / "upstream")
    add_mirror(house, upstream, channel, MirrorMode.PASSIVE)
    run_mirror(house, channel)


# --- sweeping


def test_awaited_files_are_not_swept(awaiting: House) -> None:
    later = replace(awaiting.packhouse, clock=lambda: utc_now() + timedelta(days=1))
    assert sweep(later).blobs == 0
    run_mirror(awaiting, "data")
    assert counts(awaiting, "data") == (2, 0)
    assert_all_agrees(awaiting)


def test_fetch_that_was_killed_between_claim_and_bytes_is_made_good(passive: House) -> None:
    """The claim is swept like any other, though an artifact of that digest is listed: its bytes never came."""
    digests = artifact_of(passive, "data", PLAIN).digests
    with passive.packhouse.database.transaction() as connection:
        blob_rows.claim(connection, digests.sha256, digests.size, utc_now())
    later = replace(passive.packhouse, clock=lambda: utc_now() + timedelta(days=1))
    assert sweep(later).blobs == 1
    assert counts(passive, "data") == (0, 2)
    ask_for_file(passive, "data", PLAIN)
    assert_all_agrees(passive)


def test_bytes_that_a_killed_fetch_kept_are_swept_and_fetched_again(passive: House) -> None:
    digests = artifact_of(passive, "data", PLAIN).digests
    content = (passive.folder / "upstream" / PLAIN).read_bytes()
    with passive.packhouse.database.transaction() as connection:
        blob_rows.claim(connection, digests.sha256, digests.size, utc_now())
    passive.packhouse.blobs.keep(Digests("", digests.sha256, digests.size), io.BytesIO(content))
    later = replace(passive.packhouse, clock=lambda: utc_now() + timedelta(days=1))
    assert sweep(later).blobs == 1
    ask_for_file(passive, "data", PLAIN)
    assert counts(passive, "data") == (1, 1)
    assert_all_agrees(passive)


def test_partial_download_is_swept_when_nobody_has_gone_on_with_it_for_long(house: House) -> None:
    with (
        PartialFile(house.packhouse.spool_dir, "a" * 64) as old,
        PartialFile(house.packhouse.spool_dir, "b" * 64) as new,
    ):
        old.write(b"begun")
        new.write(b"begun")
    long_ago = time.time() - timedelta(days=30).total_seconds()
    os.utime(old.path, (long_ago, long_ago))
    assert sweep(house.packhouse).files == 1
    assert (old.path.exists(), new.path.exists()) == (False, True)


# --- while others work


@contextmanager
def meanwhile(house: House, happens: Callable[[], object]) -> Iterator[Packhouse]:
    """A packhouse in which something else happens, once, before the first file that was fetched is kept."""
    packhouse = replace(
        house.packhouse, blobs=Interrupted(house.packhouse.blobs, once(happens), is_before=True)
    )
    try:
        yield packhouse
    finally:
        packhouse.remotes.close()


def test_file_removed_while_it_is_fetched_leaves_nothing_behind(passive: House) -> None:
    with meanwhile(passive, lambda: passive.remove("data", "plain")) as packhouse:
        artifact = ask_for_file(passive, "data", PLAIN, by=packhouse)
    sweep(replace(passive.packhouse, clock=lambda: utc_now() + timedelta(days=1)))
    assert passive.packhouse.blobs.size(artifact.digests.sha256) is None
    assert counts(passive, "data") == (0, 1)
    assert_all_agrees(passive)


@pytest.mark.parametrize("depends", [[], ["other"]])
def test_file_published_while_a_mirror_fetches_it_stays(awaiting: House, depends: list[str]) -> None:
    """The same bytes, or others of the same name: the mirror's own come too late."""
    with meanwhile(awaiting, lambda: awaiting.publish("data", "plain", depends=depends)) as packhouse:
        run_mirror(awaiting, "data", by=packhouse)
    assert awaiting.sharded("data")["plain-1.0-0.conda"]["depends"] == depends
    assert counts(awaiting, "data") == (1, 0)
    assert_all_agrees(awaiting)
