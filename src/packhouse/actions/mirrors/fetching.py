"""A file on its way from an upstream: its bytes as they come, for all who wait for them."""

import os
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import BinaryIO

from packhouse.domain.artifacts import Digests
from packhouse.errors import PackhouseError
from packhouse.storage.blobs.partial import PARTIAL_SUFFIX, PartialFile

FORSAKEN_SECONDS = 30
"""Who lost the connection may be back by then."""


class Fetching:
    """Readers follow the bytes that are there; the last ones are told of once all are right."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.error: PackhouseError | None = None
        self.is_done = False
        self._file: BinaryIO | None = None
        self._lock = threading.Lock()
        self._there = 0
        self._tries = 0
        self._listeners: list[Callable[[], object]] = []
        self._wanted_at = monotonic()

    @property
    def tries(self) -> int:
        """Grows when the upstream made us begin anew: what was read before may have been wrong."""
        return self._tries

    @property
    def readable(self) -> int:
        """How many bytes may be passed on: all but the last one until the digest was found right."""
        return self.size if self.is_done else min(self._there, max(0, self.size - 1))

    @property
    def is_forsaken(self) -> bool:
        """Whether nobody has waited for a while, and most is still to come."""
        with self._lock:
            is_alone = not self._listeners and monotonic() - self._wanted_at >= FORSAKEN_SECONDS
        return is_alone and self._there < self.size / 2

    def read(self, start: int, size: int) -> bytes:
        """At most `size` bytes from `start`, of those that are readable; also when the file has its final name."""
        assert self._file is not None, "it is read once bytes are there"
        return os.pread(self._file.fileno(), min(size, self.readable - start), start)

    def expect(self) -> None:
        """Somebody is about to listen."""
        with self._lock:
            self._wanted_at = monotonic()

    def listen(self, listener: Callable[[], object]) -> None:
        """Have `listener` called, from any thread, when more is there, or all, or nothing more will be."""
        with self._lock:
            self._listeners.append(listener)
        listener()

    def leave(self, listener: Callable[[], object]) -> None:
        with self._lock:
            self._listeners.remove(listener)
            self._wanted_at = monotonic()

    def begin(self, path: Path, there: int) -> None:
        """`there` bytes were left by an earlier try; a whole file among them was not found right yet."""
        self._file, self._there = path.open("rb"), there if there < self.size else 0
        weakref.finalize(self, self._file.close)  # the last reader may be anyone

    def progress(self, there: int) -> None:
        if there < self._there:
            self._tries += 1
        self._there = there
        self._tell()

    def finish(self, error: PackhouseError | None) -> None:
        self.error = error
        self.is_done = error is None
        self._tell()

    def _tell(self) -> None:
        with self._lock:
            listeners = list(self._listeners)
        for listener in listeners:
            listener()


class LateFile:
    """The partial file of a fetch, opened with its first byte: many fetches may wait for a connection."""

    def __init__(self, directory: Path, key: str, fetching: Fetching) -> None:
        self._directory, self._key, self._fetching = directory, key, fetching
        self._partial: PartialFile | None = None
        if (directory / f"{key}{PARTIAL_SUFFIX}").exists():
            # What an earlier try left is read again here, and not in the thread of all transfers.
            self._take(PartialFile(directory, key))

    @property
    def position(self) -> int:
        return 0 if self._partial is None else self._partial.position

    def opened(self) -> PartialFile:
        """Raises StorageFull."""
        if self._partial is not None:
            return self._partial
        partial = PartialFile(self._directory, self._key)
        if partial.position:  # left by another process since we looked; what comes now is the first byte
            partial.restart()
        return self._take(partial)

    def write(self, chunk: bytes) -> None:
        self.opened().write(chunk)

    def restart(self) -> None:
        if self._partial is not None:
            self._partial.restart()

    def finish(self) -> Digests:
        return self.opened().finish()

    def close(self) -> None:
        if self._partial is not None:
            self._partial.close()

    def _take(self, partial: PartialFile) -> PartialFile:
        try:
            self._fetching.begin(partial.path, partial.position)
        except BaseException:
            partial.close()
            raise
        self._partial = partial
        return partial
