"""gzip in bounded steps, with the face that `bz2` and `zstd` have."""

import zlib

_GZIP = 16 + zlib.MAX_WBITS


class GzipDecompressor:
    """`zlib` keeps what it could not take yet to itself; this holds it until the next call."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(_GZIP)

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data

    @property
    def needs_input(self) -> bool:
        return not self.eof and not self._zlib.unconsumed_tail

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        """Raises ValueError for what is not gzip."""
        try:
            return self._zlib.decompress(self._zlib.unconsumed_tail + data, max(max_length, 0))
        except zlib.error as error:
            raise ValueError(str(error)) from error
