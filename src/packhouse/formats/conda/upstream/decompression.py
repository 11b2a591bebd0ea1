"""A document of an upstream as it comes, compressed or not, read within bounds."""

from collections.abc import Callable
from typing import BinaryIO, cast

import zstandard

from packhouse.errors import Invalid, TooLarge
from packhouse.formats.conda.limits import GIB

LARGEST_DOCUMENT = 4 * GIB
"""After decompression; the largest channels of today have a tenth of it."""

# The window of `zstd --ultra -22`: what a frame may ask to be kept in memory.
_LARGEST_WINDOW = 128 * 1024 * 1024
_MAGIC = zstandard.FRAME_HEADER


def decompressed(source: BinaryIO, limit: int = LARGEST_DOCUMENT) -> Callable[[int], bytes]:
    """A function that reads on in `source`; whether that is zstd is seen from its first bytes.

    It raises Invalid for a broken frame, and TooLarge beyond `limit` bytes.
    """
    begin = source.read(len(_MAGIC))
    together = _Prefixed(begin, source)
    return _Bounded(_zstd(together) if begin == _MAGIC else together.read, limit).read


class _Prefixed:
    def __init__(self, begin: bytes, source: BinaryIO) -> None:
        self._begin, self._source = begin, source

    def read(self, size: int = -1) -> bytes:
        begin, self._begin = self._begin, b""
        return begin or self._source.read(size)


class _Bounded:
    def __init__(self, read: Callable[[int], bytes], limit: int) -> None:
        self._read, self._left, self._limit = read, limit, limit

    def read(self, size: int) -> bytes:
        piece = self._read(size)
        self._left -= len(piece)
        if self._left < 0:
            raise TooLarge(f"it has more than {self._limit} bytes of content, the most that is read")
        return piece


def _zstd(source: _Prefixed) -> Callable[[int], bytes]:
    decompressor = zstandard.ZstdDecompressor(max_window_size=_LARGEST_WINDOW)
    reader = decompressor.stream_reader(cast(BinaryIO, source), read_across_frames=True)

    def read(size: int) -> bytes:
        try:
            return reader.read(size)
        except zstandard.ZstdError as error:
            raise Invalid(f"its compressed data are broken ({error})") from error

    return read
