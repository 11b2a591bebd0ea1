"""A compressed stream read forwards in bounded steps, whatever it claims to hold.

The decompressors of `bz2` and `backports.zstd` (`compression.zstd` from Python 3.14) bound their output per
call and say whether the stream has ended. The file objects of `conda_package_streaming` do neither: they
take a truncated stream for a short one, and one read of a bomb for what the bomb says.
"""

import bz2
import sys
from collections.abc import Callable
from typing import Protocol
from zipfile import BadZipFile

from packhouse.errors import InvalidPackage
from packhouse.formats.conda.limits import Budget, Limits

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_STEP = 256 * 1024

Source = Callable[[int], bytes]


class Decompressor(Protocol):
    """What `bz2` and `zstd` have in common."""

    @property
    def eof(self) -> bool: ...

    @property
    def needs_input(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


def zstd_decompressor(limits: Limits) -> Decompressor:
    options: dict[int, int] = {zstd.DecompressionParameter.window_log_max: limits.max_window_log}
    return zstd.ZstdDecompressor(options=options)


def bzip2_decompressor() -> Decompressor:
    return bz2.BZ2Decompressor()


class DecompressedStream:
    """Reads and skips; raises InvalidPackage for corrupt or truncated data, TooLarge beyond the budget."""

    def __init__(self, source: Source, decompressor: Decompressor, budget: Budget) -> None:
        self._source = source
        self._decompressor = decompressor
        self._budget = budget
        self._piece = memoryview(b"")

    def at_end(self) -> bool:
        return not self._piece and not self._fill()

    def read(self, size: int) -> bytes:
        """Exactly `size` bytes: the caller has checked that it wants so many in memory."""
        if size <= len(self._piece):
            return self._take(size)
        collected = bytearray()
        while len(collected) < size:
            self._require_more()
            collected += self._take(size - len(collected))
        return bytes(collected)

    def skip(self, size: int) -> None:
        while size:
            self._require_more()
            step = min(size, len(self._piece))
            self._piece = self._piece[step:]
            size -= step

    def finish(self) -> None:
        """Read to the end, and see that it is one: the checksums of zstd, bzip2 and zip are checked there."""
        while not self.at_end():
            self._piece = memoryview(b"")
        # rattler stops at the end of the first bzip2 stream, and when streaming of the first zstd frame: what
        # follows would be installed by one client and not by another.
        if self._decompressor.unused_data or self._input(1):
            raise InvalidPackage("it has bytes behind the end of its compressed data")

    def _require_more(self) -> None:
        if self.at_end():
            raise InvalidPackage("its tar archive is truncated: it ends in the middle of a member")

    def _take(self, size: int) -> bytes:
        taken = bytes(self._piece[:size])
        self._piece = self._piece[size:]
        return taken

    def _fill(self) -> bool:
        while not self._decompressor.eof:
            piece = self._decompress()
            if piece:
                self._budget.spend(len(piece))
                self._piece = memoryview(piece)
                return True
        return False

    def _decompress(self) -> bytes:
        data = b""
        if self._decompressor.needs_input:
            data = self._input(_STEP)
            if not data:
                raise InvalidPackage("it is truncated: its compressed data stop before their end")
        try:
            return self._decompressor.decompress(data, _STEP)
        except (zstd.ZstdError, OSError, EOFError, ValueError) as error:
            raise InvalidPackage(f"it cannot be decompressed: {error}") from error

    def _input(self, size: int) -> bytes:
        try:
            return self._source(size)
        except (BadZipFile, EOFError) as error:
            raise InvalidPackage(f"it is corrupt: {error}") from error
