"""Sweeping: what nobody refers to goes after a while, and nothing else ever does."""

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from packhouse.actions.packhouse import Packhouse
from packhouse.actions.sweep import sweep
from packhouse.domain.artifacts import Digests
from packhouse.storage import blob_rows, shards
from packhouse.storage.blobs import Spool
from tests.actions.conftest import Clock
from tests.actions.ledger import assert_in_order, at_once, blobs, files, kept, publish_bytes, shard_names
from tests.house import House


@pytest.fixture
def clock(any_house: House) -> Clock:
    """The house's own, from here on."""
    clock = Clock()
    any_house.packhouse = replace(any_house.packhouse, clock=clock)
    return clock


def put(packhouse: Packhouse, content: bytes) -> str:
    """Claim and keep, as a publish does whose process dies then."""
    with Spool(packhouse.spool_dir) as spool:
        spool.write(content)
        digests: Digests = spool.finish()
        with packhouse.database.transaction() as connection:
            blob_rows.claim(connection, digests.sha256, digests.size, packhouse.clock())
        packhouse.blobs.keep_file(digests, spool.path)
    return digests.sha256


def test_orphan_goes_after_the_grace_period_and_not_before(any_house: House, clock: Clock) -> None:
    put(any_house.packhouse, b"left by a crash")

    clock.advance(minutes=59)
    assert sweep(any_house.packhouse).blobs == 0
    assert len(kept(any_house)) == len(blobs(any_house)) == 1

    clock.advance(minutes=2)
    assert sweep(any_house.packhouse).blobs == 1
    assert (kept(any_house), blobs(any_house)) == (set(), {})


def test_what_is_referred_to_stays_for_ever(any_house: House, clock: Clock) -> None:
    any_house.channel("data")
    any_house.publish("data", "demo")
    any_house.reindex_all()
    before = kept(any_house)

    clock.advance(days=1000)

    assert sweep(any_house.packhouse).blobs == 0
    assert kept(any_house) == before
    assert_in_order(any_house)


def test_more_orphans_than_one_batch_all_go(house: House) -> None:
    later = replace(house.packhouse, clock=lambda: house.packhouse.clock() + timedelta(hours=2))
    with house.packhouse.database.transaction() as connection:
        for number in range(1_001):
            blob_rows.claim(connection, f"{number:064x}", 1, house.packhouse.clock())

    assert sweep(later).blobs == 1_001
    assert blobs(house) == {}


def test_blob_that_is_claimed_again_before_the_sweep_reaches_it_stays(any_house: House, clock: Clock) -> None:
    packhouse = any_house.packhouse
    sha256 = put(packhouse, b"wanted again")
    clock.advance(hours=2)
    before = clock() - timedelta(hours=1)
    with packhouse.database.reading() as connection:
        assert blob_rows.orphans(connection, before, 10) == [sha256]

    with packhouse.database.transaction() as connection:
        blob_rows.claim(connection, sha256, 12, clock())
    with packhouse.database.transaction() as connection:
        assert blob_rows.forget(connection, sha256, before) is False

    assert kept(any_house) == set(blobs(any_house)) == {sha256}


def test_blob_that_is_confirmed_before_the_sweep_reaches_it_stays(any_house: House, clock: Clock) -> None:
    packhouse = any_house.packhouse
    sha256 = put(packhouse, b"wanted after all")
    clock.advance(hours=2)
    before = clock() - timedelta(hours=1)

    with packhouse.database.transaction() as connection:
        blob_rows.confirm(connection, sha256)
    with packhouse.database.transaction() as connection:
        assert blob_rows.forget(connection, sha256, before) is False

    assert blobs(any_house) == {sha256: True}


def test_row_that_is_referred_to_though_marked_as_orphan_is_mended(any_house: House, clock: Clock) -> None:
    any_house.channel("data")
    entry = any_house.publish("data", "demo")
    sha256 = entry.artifact.digests.sha256
    with any_house.packhouse.database.transaction() as connection:
        connection.exec_driver_sql("UPDATE blob SET unreferenced_since = 1")

    assert sweep(any_house.packhouse).blobs == 0

    assert blobs(any_house) == {sha256: True}
    assert kept(any_house) == {sha256}


def test_claim_waits_for_a_sweep_that_is_removing_the_same_bytes(any_house: House, clock: Clock) -> None:
    any_house.channel("data")
    path = any_house.build("demo")
    for _ in range(4):
        any_house.publish("data", path)
        any_house.remove("data", "demo")
        clock.advance(hours=2)

        answers = at_once(
            [
                *[lambda: sweep(any_house.packhouse)] * 2,
                lambda: publish_bytes(
                    any_house.packhouse, any_house.admin, "data", path.name, path.read_bytes()
                ),
            ]
        )

        assert not [answer for answer in answers if isinstance(answer, Exception)]
        [sha256] = files(any_house, "data").values()
        assert blobs(any_house)[sha256] is True
        assert sha256 in kept(any_house)
        any_house.remove("data", "demo")


def test_replaced_shard_stays_readable_until_clients_indexes_are_old(any_house: House, clock: Clock) -> None:
    channel = any_house.channel("data")
    any_house.publish("data", "demo", version="1.0")
    with any_house.packhouse.database.reading() as connection:
        old = shards.current(connection, channel.id, "noarch")["demo"]
    any_house.publish("data", "demo", version="2.0")

    def readable() -> bool:
        with any_house.packhouse.database.reading() as connection:
            return shards.body(connection, channel.id, "noarch", old) is not None

    clock.advance(days=6.9)
    assert (sweep(any_house.packhouse).shards, readable()) == (0, True)
    clock.advance(days=0.2)
    assert (sweep(any_house.packhouse).shards, readable()) == (1, False)
    assert shard_names(any_house, "data") == {"demo"}
    assert_in_order(any_house)


def test_forgotten_spool_files_go_and_running_uploads_stay(house: House) -> None:
    def forgotten(folder: Path, age: timedelta) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{age.total_seconds()}.spool"
        path.write_bytes(b"half")
        then = datetime.now(UTC).timestamp() - age.total_seconds()
        os.utime(path, (then, then))
        return path

    folders = [house.packhouse.spool_dir, house.folder / "store" / "incoming"]
    old = [forgotten(folder, timedelta(hours=3)) for folder in folders]
    young = [forgotten(folder, timedelta(hours=1)) for folder in folders]

    assert sweep(house.packhouse).files == 2

    assert not any(path.exists() for path in old)
    assert all(path.exists() for path in young)
