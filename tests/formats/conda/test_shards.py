import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from random import Random
from typing import Any

import msgpack  # type: ignore[import-untyped]  # ships no types, and no stubs are published
import orjson
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from packhouse.errors import Invalid, TooLarge
from packhouse.formats.conda.repodata import IndexRow
from packhouse.formats.conda.shards import ShardIndex, pack_shard, read_shard, read_shard_index, shard_digest

MakeRow = Callable[..., IndexRow]
NOW = datetime(2026, 11, 22, 7, 0, 0, 987_654, tzinfo=UTC)


def keys_are_sorted(value: object) -> bool:
    if not isinstance(value, dict):
        return True
    return list(value) == sorted(value) and all(map(keys_are_sorted, value.values()))


def test_shard_holds_the_records_with_raw_digests_and_run_exports(make_row: MakeRow) -> None:
    row = make_row("zlib", depends=["libgcc"], run_exports={"weak": ["zlib >=1"]})
    record = orjson.loads(row.record)

    shard = read_shard(pack_shard([row]))

    raw = {key: bytes.fromhex(record[key]) for key in ("md5", "sha256")}
    assert shard == {
        "packages": {},
        "packages.conda": {row.filename: record | raw | {"run_exports": {"weak": ["zlib >=1"]}}},
        "removed": [],
    }


def test_run_exports_that_are_unknown_are_not_told(make_row: MakeRow) -> None:
    row = make_row("zlib")._replace(run_exports=b"")

    assert "run_exports" not in read_shard(pack_shard([row]))["packages.conda"][row.filename]


@pytest.mark.parametrize(("known", "unknown"), [("md5", "sha256"), ("sha256", "md5")])
def test_digest_that_upstream_does_not_tell_is_left_out(make_row: MakeRow, known: str, unknown: str) -> None:
    row = make_row("zlib")
    record = orjson.loads(row.record)
    del record[unknown]

    packed = read_shard(pack_shard([row._replace(record=orjson.dumps(record))]))["packages.conda"]

    assert packed[row.filename] == record | {known: bytes.fromhex(record[known]), "run_exports": {}}


def test_each_kind_of_file_has_its_section(make_row: MakeRow) -> None:
    shard = read_shard(pack_shard([make_row("zlib"), make_row("zlib", extension=".tar.bz2")]))

    assert list(shard["packages"]) == ["zlib-1.0-0.tar.bz2"]
    assert list(shard["packages.conda"]) == ["zlib-1.0-0.conda"]


def test_keys_of_a_shard_are_sorted_at_every_depth(make_row: MakeRow) -> None:
    rows = [make_row("zlib", version, run_exports={"weak": []}) for version in ("1.3", "1.10", "1.2")]

    assert keys_are_sorted(read_shard(pack_shard(rows)))


def test_rows_in_any_order_give_the_same_shard(make_row: MakeRow) -> None:
    rows = [make_row("zlib", f"1.{minor}") for minor in range(20)]
    shuffled = Random(7).sample(rows, len(rows))

    assert pack_shard(shuffled) == pack_shard(rows)


def test_shard_without_rows_still_has_every_section() -> None:
    assert read_shard(pack_shard([])) == {"packages": {}, "packages.conda": {}, "removed": []}


def test_shard_and_index_tell_their_size(make_row: MakeRow) -> None:
    for body in (pack_shard([make_row("zlib")]), ShardIndex("noarch", {}).pack(NOW)):
        assert zstandard.frame_content_size(body) == len(zstandard.decompress(body))


def test_row_of_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match=r"a-1-py3\.whl"):
        pack_shard([IndexRow("a-1-py3.whl", b"{}", b"{}")])


def test_digest_is_that_of_the_compressed_bytes(make_row: MakeRow) -> None:
    body = pack_shard([make_row("zlib")])

    assert shard_digest(body) == hashlib.sha256(body).digest()


def test_index_names_every_shard() -> None:
    digests = {"zlib": b"\x01" * 32, "numpy": b"\x02" * 32}

    document = read_shard_index(ShardIndex("linux-64", digests).pack(NOW))

    assert document == {
        "info": {
            "base_url": "",
            "created_at": "2026-11-22T07:00:00Z",
            "shards_base_url": "./shards/",
            "subdir": "linux-64",
        },
        "shards": digests,
        "version": 1,
    }
    assert keys_are_sorted(document)


def test_time_of_another_zone_is_written_in_utc() -> None:
    body = ShardIndex("noarch", {}).pack(NOW.astimezone(timezone(timedelta(hours=5))))

    assert read_shard_index(body)["info"]["created_at"] == "2026-11-22T07:00:00Z"


def test_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        ShardIndex("noarch", {}).pack(datetime(2026, 11, 22))  # noqa: DTZ001  # the case itself


def test_digest_in_hex_is_refused() -> None:
    with pytest.raises(ValueError, match="'zlib'"):
        ShardIndex("noarch", {}).update({"zlib": b"0" * 64})


def test_unknown_name_may_be_taken_out() -> None:
    index = ShardIndex("noarch", {"zlib": b"\x01" * 32})
    index.update({"numpy": None})

    assert len(index) == 1


names = st.sampled_from(["a", "aa", "b", "zlib", "_r-mutex", "x" * 40]) | st.text(
    "abz_.-", min_size=1, max_size=4
)
digests = st.binary(min_size=32, max_size=32)


@given(
    st.dictionaries(names, digests, max_size=8),
    st.lists(st.dictionaries(names, st.none() | digests, max_size=4), max_size=4),
)
def test_updated_index_equals_a_fresh_one_byte_for_byte(
    first: dict[str, bytes], updates: list[dict[str, bytes | None]]
) -> None:
    index, expected = ShardIndex("linux-64", first), dict[str, bytes | None](first)
    for changes in updates:
        index.update(changes)
        expected |= changes

    left = {name: digest for name, digest in expected.items() if digest is not None}
    assert index.pack(NOW) == ShardIndex("linux-64", left).pack(NOW)
    assert read_shard_index(index.pack(NOW))["shards"] == left
    assert len(index) == len(left)


@pytest.mark.parametrize("count", [0, 15, 16, 65_536])
def test_index_of_any_size_is_read_back(count: int) -> None:
    digests = {f"name-{number:05d}": hashlib.sha256(b"%d" % number).digest() for number in range(count)}

    assert read_shard_index(ShardIndex("noarch", digests).pack(NOW))["shards"] == digests


@pytest.mark.parametrize("read", [read_shard, read_shard_index])
@pytest.mark.parametrize("tells_size", [True, False])
def test_more_content_than_allowed_is_refused(read: Callable[..., object], tells_size: bool) -> None:
    bomb = zstandard.ZstdCompressor(write_content_size=tells_size).compress(bytes(1_000_000))

    with pytest.raises(TooLarge if tells_size else Invalid):
        read(bomb, max_output_size=10_000)


@given(st.binary())
def test_noise_is_refused_as_invalid(noise: bytes) -> None:
    for body in (noise, zstandard.compress(noise)):
        for read in (read_shard, read_shard_index):
            with pytest.raises(Invalid):
                read(body)


@pytest.mark.parametrize("document", [[], {}, {"packages": {}, "packages.conda": []}, {"packages": {}}])
def test_map_of_another_shape_is_refused(document: object) -> None:
    with pytest.raises(Invalid):
        read_shard(zstandard.compress(msgpack.packb(document)))


def test_client_sees_the_same_records_by_shards_zst_and_json(static_channel: Any, make_row: MakeRow) -> None:
    rows = [
        make_row("six", extension=".tar.bz2", license="MIT"),
        make_row("numpy", "2.0", depends=["python >=3.11"], constrains=["six >1"], track_features="a b"),
        make_row("zlib", "1.2", run_exports={"weak": ["zlib >=1.2"]}, legacy_bz2_md5="0f" * 16),
        make_row("zlib", "1.3", timestamp=1_700_000_000_000, arch=None, platform=None, unknown={"a": 1}),
    ]
    static_channel.publish(rows)

    by_way = {way: static_channel.fetch(way, "six", "numpy", "zlib") for way in ("shards", "zst", "json")}

    seen = {way: [orjson.loads(record.to_json()) for record in records] for way, records in by_way.items()}
    for record in seen["shards"]:
        record.pop("run_exports", None)  # only shards tell them
    assert seen["shards"] == seen["zst"] == seen["json"]
    assert len(seen["json"]) == 4


def test_client_reads_a_record_of_a_mirror_that_knows_less(static_channel: Any, make_row: MakeRow) -> None:
    row = make_row("zlib")
    record = orjson.loads(row.record)
    del record["md5"]
    static_channel.publish([row._replace(record=orjson.dumps(record), run_exports=b"")])

    for way in ("shards", "zst", "json"):
        (seen,) = static_channel.fetch(way, "zlib")
        assert (seen.md5, seen.sha256) == (None, bytes.fromhex(record["sha256"]))
        assert orjson.loads(seen.to_json()).get("run_exports") is None


def test_package_address_is_found_beside_the_index(static_channel: Any, make_row: MakeRow) -> None:
    static_channel.publish([make_row("zlib", indexed_timestamp=1_700_000_000_123)])

    (record,) = static_channel.fetch("shards", "zlib")

    assert record.url == f"{static_channel.url}/linux-64/zlib-1.0-0.conda"
    assert record.sha256 == hashlib.sha256(b"zlib-1.0-0.conda").digest()
    assert record.indexed_timestamp == datetime(2023, 11, 14, 22, 13, 20, 123_000, tzinfo=UTC)
