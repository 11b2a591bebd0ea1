"""Small bodies that would become large heaps of objects, and large ones that are as they should be."""

import hashlib
import tracemalloc
from collections.abc import Callable
from typing import Any

import msgpack
import pytest
import zstandard

from packhouse.errors import Invalid, TooLarge
from packhouse.formats.conda.limits import MIB
from packhouse.formats.conda.shards import LARGEST_SHARD
from packhouse.formats.conda.upstream import packed
from packhouse.formats.conda.upstream.packed import unpack_index, unpack_shard
from tests.formats.conda.upstream.samples import pack, record

EMPTY_MAP = b"\x80"
HEAD = {"info": {"subdir": "noarch"}, "version": 1, "shards": {"zlib": b"1" * 32}}


def with_list(document: dict[str, Any], key: str, count: int, element: bytes = EMPTY_MAP) -> bytes:
    """The document with one more member, a list of so many elements."""
    packer = msgpack.Packer(autoreset=False)
    packer.pack_map_header(len(document) + 1)
    for name, value in document.items():
        packer.pack(name)
        packer.pack(value)
    packer.pack(key)
    packer.pack_array_header(count)
    return zstandard.compress(packer.bytes() + element * count)


def peak_bytes(read: Callable[[bytes], Any], body: bytes) -> int:
    """Of Python's memory, whether it is read or refused."""
    tracemalloc.start()
    try:
        read(body)
    except Invalid:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return peak


@pytest.mark.parametrize("key", ["x", "info", "version", "shards"])
@pytest.mark.parametrize("element", [EMPTY_MAP, b"\x91" + EMPTY_MAP, b"\xa2ab"])
def test_index_of_many_objects_takes_little_memory(key: str, element: bytes) -> None:
    body = with_list({one: value for one, value in HEAD.items() if one != key}, key, 300_000, element)

    assert peak_bytes(unpack_index, body) < 4 * MIB


def test_index_with_far_more_content_than_body_is_too_large() -> None:
    with pytest.raises(TooLarge, match="bytes of content"):
        unpack_index(with_list(HEAD, "x", 4 * MIB))


def test_index_with_more_names_than_any_channel_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed, "MOST_NAMES", 10)

    with pytest.raises(TooLarge, match="11 names; at most 10"):
        unpack_index(pack({**HEAD, "shards": {str(number): b"" for number in range(11)}}))


@pytest.mark.parametrize("bomb", [{"": [1]}, {"": {"a": 1}}, {"": [[[]]]}])
def test_shard_that_is_named_by_no_digest_but_a_container_refuses_the_index(bomb: dict[str, Any]) -> None:
    with pytest.raises(Invalid, match="msgpack"):
        unpack_index(pack({**HEAD, "shards": bomb}))


def test_index_with_something_behind_it_is_refused() -> None:
    with pytest.raises(Invalid, match="something follows"):
        unpack_index(zstandard.compress(msgpack.packb(HEAD) + b"\x00"))


def test_index_of_many_names_is_read() -> None:
    shards = {f"package-{number}": hashlib.sha256(b"%d" % number).digest() for number in range(40_000)}

    assert unpack_index(pack({**HEAD, "more": [1], "shards": shards})) == {**HEAD, "shards": shards}


@pytest.mark.parametrize("element", [EMPTY_MAP, b"\x90", b"\x91" + EMPTY_MAP])
def test_shard_of_many_maps_takes_little_memory(element: bytes) -> None:
    body = with_list({}, "x", 90_000, element)

    with pytest.raises(TooLarge, match="maps and lists"):
        unpack_shard(body)
    assert peak_bytes(unpack_shard, body) < 4 * MIB


def test_list_longer_than_any_shard_has_is_refused() -> None:
    with pytest.raises(Invalid, match="max_array_len"):
        unpack_shard(with_list({}, "removed", packed.LONGEST_LIST + 1, b"\x01"))


def test_shard_as_large_as_clients_read_is_read() -> None:
    one = record(depends=[], constrains=[], track_features="", run_exports={"weak": ["zlib >=1.3,<2"]})
    count = LARGEST_SHARD // (len(msgpack.packb(one)) + 40)
    shard = {"packages.conda": {f"zlib-{number}-h1_0.conda": one for number in range(count)}}

    assert unpack_shard(pack(shard)) == shard
