import hashlib
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import msgpack
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from packhouse.errors import Invalid, TooLarge
from packhouse.formats.conda.shards import LARGEST_SHARD, ShardIndex
from packhouse.formats.conda.upstream.shards import read_index, read_shard
from tests.formats.conda.upstream.samples import SHARDS_URL, SUBDIR, pack, record, shard, without

DIGEST = hashlib.sha256(b"shard").digest()
INFO = {"subdir": SUBDIR, "base_url": "", "shards_base_url": "./shards/"}


def index(shards: dict[Any, Any] | None = None, version: Any = 1, **info: Any) -> bytes:
    return pack(
        {"version": version, "info": INFO | info, "shards": {"zlib": DIGEST} if shards is None else shards}
    )


def test_index_tells_names_digests_and_absolute_addresses() -> None:
    found = read_index(index(), SHARDS_URL)

    assert found.subdir == SUBDIR
    assert found.digests == {"zlib": DIGEST.hex()}
    assert found.base_url == "https://upstream.example/channel/linux-64/"
    assert found.shard_url("zlib") == f"{found.base_url}shards/{DIGEST.hex()}.msgpack.zst"


def test_our_own_index_is_read() -> None:
    body = ShardIndex(SUBDIR, {"zlib": DIGEST, "numpy": DIGEST}).pack(datetime.now(UTC))

    assert set(read_index(body, SHARDS_URL).digests) == {"zlib", "numpy"}


def test_index_without_version_and_urls_is_read_as_conda_index_once_wrote_it() -> None:
    body = pack({"repodata_version": 2, "info": {"subdir": SUBDIR}, "shards": {"zlib": DIGEST}})

    assert read_index(body, SHARDS_URL).shards_base_url == "https://upstream.example/channel/linux-64/"


def test_entry_that_no_package_can_have_costs_no_other() -> None:
    found = read_index(
        index(
            {"zlib": DIGEST, "../x": DIGEST, "UP": DIGEST, "short": b"12", "text": DIGEST.hex(), b"b": DIGEST}
        ),
        SHARDS_URL,
    )

    assert set(found.digests) == {"zlib"}
    assert len(found.refused) == 5


@pytest.mark.parametrize(
    "body",
    [
        index(version=2),
        index(subdir="../x"),
        index(subdir=None),
        index(base_url="file:///etc/"),
        index(shards_base_url="ftp://x/"),
        pack({"info": INFO}),
        pack({"info": [], "shards": {}}),
        pack([]),
        b"<html>",
        b"",
        index()[:-5],
    ],
)
def test_broken_index_is_refused_by_its_address(body: bytes) -> None:
    with pytest.raises(Invalid, match=r"^https://upstream\.example/channel/linux-64/repodata_shards"):
        read_index(body, SHARDS_URL)


def test_shard_gives_the_files_of_its_name_in_order() -> None:
    document = {
        "packages": {"zlib-1.3-h1_0.tar.bz2": record()},
        "packages.conda": {"zlib-1.4-h1_0.conda": record(version="1.4"), "zlib-1.3-h1_0.conda": record()},
        "removed": ["zlib-1.2-0.conda"],
    }

    found = read_shard(shard("zlib", document), SUBDIR, "zlib")

    assert [(file.filename, file.section) for file in found.files] == [
        ("zlib-1.3-h1_0.conda", 1),
        ("zlib-1.3-h1_0.tar.bz2", 0),
        ("zlib-1.4-h1_0.conda", 1),
    ]
    assert found.files[0].md5 == record()["md5"]
    assert (found.name, found.refused, found.removed) == ("zlib", [], ["zlib-1.2-0.conda"])


def test_v3_keys_get_their_extension_and_wheels_are_refused() -> None:
    v3 = {kind: {"zlib-1.3-h1_0": record()} for kind in ("tar.bz2", "conda", "whl")}

    found = read_shard(pack({"packages": {}, "packages.conda": {}, "v3": v3}), SUBDIR, "zlib")

    assert [(file.filename, file.section) for file in found.files] == [
        ("zlib-1.3-h1_0.conda", 3),
        ("zlib-1.3-h1_0.tar.bz2", 2),
    ]
    assert [refused.filename for refused in found.refused] == ["zlib-1.3-h1_0.whl"]


def test_file_listed_in_v3_and_outside_of_it_counts_as_outside() -> None:
    body = pack(
        {"packages.conda": {"zlib-1.3-h1_0.conda": record()}, "v3": {"conda": {"zlib-1.3-h1_0": record()}}}
    )

    found = read_shard(body, SUBDIR, "zlib")

    assert [file.section for file in found.files] == [1]
    assert "v3" in found.refused[0].reason


def test_bad_and_foreign_records_cost_no_other() -> None:
    records = {
        "zlib-1.3-h1_0.conda": record(),
        "zlib-1.4-h1_0.conda": without(record(version="1.4"), "size"),
        "numpy-1.3-h1_0.conda": record("numpy"),
        "../../x": {},
    }

    found = read_shard(pack({"packages.conda": records}), SUBDIR, "zlib")

    assert [file.filename for file in found.files] == ["zlib-1.3-h1_0.conda"]
    assert {refused.filename for refused in found.refused} == records.keys() - {"zlib-1.3-h1_0.conda"}


def test_signed_file_is_told() -> None:
    body = pack(
        {
            "packages.conda": {"zlib-1.3-h1_0.conda": record()},
            "signatures": {"zlib-1.3-h1_0.conda": {"key": {}}},
        }
    )

    assert read_shard(body, SUBDIR, "zlib").files[0].is_signed


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        pack([]),
        pack({"packages": []}),
        pack({"v3": {"conda": 5}}),
        pack({"packages": {b"x": {}}}),
    ],
)
def test_broken_shard_is_refused_by_its_name(body: bytes) -> None:
    with pytest.raises(Invalid, match=r"^the shard of 'zlib' in linux-64: "):
        read_shard(body, SUBDIR, "zlib")


def test_bomb_is_too_large() -> None:
    with pytest.raises(TooLarge, match="the shard of 'zlib'"):
        read_shard(zstandard.compress(bytes(LARGEST_SHARD + 1)), SUBDIR, "zlib")


def test_bottomless_nesting_is_refused() -> None:
    with pytest.raises(Invalid):
        read_shard(zstandard.compress(b"\x91" * 100_000), SUBDIR, "zlib")


packable = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=4)
    | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4) | st.binary(max_size=2), inner)
    ),
    max_leaves=8,
)
keys = ("packages", "packages.conda", "v3", "removed", "signatures", "info", "shards", "version")


@given(st.binary() | st.dictionaries(st.sampled_from(keys), packable).map(msgpack.packb))
def test_garbage_is_refused_or_holds_nothing_good(content: bytes) -> None:
    for body in (content, zstandard.compress(content)):
        with suppress(Invalid):
            assert read_shard(body, SUBDIR, "zlib").files == []
        with pytest.raises(Invalid, match=r"^https://"):
            read_index(body, SHARDS_URL)
