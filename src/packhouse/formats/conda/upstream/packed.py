"""An upstream's msgpack (CEP 16), read so that a small body cannot become a large heap of objects.

An empty map takes one byte in a document and sixty-four in memory, so a bound on the bytes alone is none.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgpack  # type: ignore[import-untyped]  # ships no types, and no stubs are published

from packhouse.errors import Invalid, TooLarge
from packhouse.formats.conda.limits import KIB, MIB
from packhouse.formats.conda.shards import LARGEST_SHARD, LARGEST_SHARD_INDEX, content_of

MOST_NAMES = 1_000_000
"""In one subdir; the largest channels of today have a thirtieth of it."""
LARGEST_HEAD = 64 * KIB
"""Of what an index says of itself, a member at a time."""
INDEX_RATIO, RATIO_FREE_BYTES = 20, MIB
"""How much more content than body an index may have: digests do not compress, so real ones have 1 to 2."""
BYTES_A_CONTAINER = 32
"""Of content, for each map or list of a shard; real ones have about 200."""
CONTAINERS_FREE = 1_000
LONGEST_LIST = 100_000

_HEAD = ("info", "version")


def unpack_shard(body: bytes) -> dict[str, Any]:
    """The map of a shard. Raises TooLarge beyond 16 MiB of content, Invalid if this is no such document."""
    content = content_of(body, LARGEST_SHARD)
    return _unpacked_map(content, _Containers(CONTAINERS_FREE + len(content) // BYTES_A_CONTAINER))


def unpack_index(body: bytes) -> dict[str, Any]:
    """`info`, `version` and `shards` of an index, as far as they are there; what else it has is passed over.

    Raises TooLarge beyond 128 MiB of content, and for far more content than body; Invalid if this is no map.
    """
    content = content_of(body, min(LARGEST_SHARD_INDEX, RATIO_FREE_BYTES + INDEX_RATIO * len(body)))
    with _explained():
        unpacker = _reader(content)
        found: dict[str, Any] = {}
        for _ in range(unpacker.read_map_header()):
            key = unpacker.unpack()
            if key == "shards":
                found[key] = _shards(unpacker)
            elif key in _HEAD:
                found[key] = _small(unpacker, content)
            else:
                unpacker.skip()
        if unpacker.tell() != len(content):
            raise Invalid("something follows the map")
        return found


class _Containers:
    """Counts maps and lists as they are made."""

    def __init__(self, most: int) -> None:
        self._left = most

    def __call__(self, made: Any) -> Any:
        self._left -= 1
        if self._left < 0:
            raise TooLarge("it holds more maps and lists than documents of its size have")
        return made


def _unpacked_map(content: bytes, counted: _Containers) -> dict[str, Any]:
    with _explained():
        document = msgpack.unpackb(
            content, object_hook=counted, list_hook=counted, max_array_len=LONGEST_LIST
        )
    if not isinstance(document, dict):
        raise Invalid(f"expected a map, found {type(document).__name__}")
    return document


def _reader(content: bytes) -> Any:
    """For the keys and values of maps whose headers are read by themselves: neither may hold anything."""
    unpacker = msgpack.Unpacker(max_buffer_size=len(content), max_map_len=0, max_array_len=0)
    unpacker.feed(content)
    return unpacker


def _shards(unpacker: Any) -> dict[Any, Any]:
    count = unpacker.read_map_header()
    if count > MOST_NAMES:
        raise TooLarge(f"it has {count} names; at most {MOST_NAMES} are read")
    return {unpacker.unpack(): unpacker.unpack() for _ in range(count)}


def _small(unpacker: Any, content: bytes) -> Any:
    start = unpacker.tell()
    unpacker.skip()
    if unpacker.tell() - start > LARGEST_HEAD:
        raise TooLarge(f"what it says of itself takes more than {LARGEST_HEAD} bytes")
    return msgpack.unpackb(content[start : unpacker.tell()])


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except (ValueError, TypeError, msgpack.UnpackException) as error:  # TypeError: a map as a key
        raise Invalid(f"not zstd-compressed msgpack: {error}") from error
