"""A thread that works on what others hand it, in groups of what gathers meanwhile."""

import queue
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

GATHER_SECONDS = 0.2
"""How long the first of a group waits for others."""

T = TypeVar("T")


class InGroups(Generic[T]):
    """Calls `work` with what was put, in its order, from one thread; once that has raised, `abandon` instead."""

    def __init__(
        self, work: Callable[[list[T]], object], abandon: Callable[[list[T]], object], most: int
    ) -> None:
        """`most` are worked on together, and as many may wait."""
        self._work, self._abandon, self._most = work, abandon, most
        self._waiting: queue.Queue[T | None] = queue.Queue(most)
        self._is_closed = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="in-groups", daemon=True)
        self._thread.start()

    def put(self, one: T) -> None:
        """Hand it over, once there is room. Raises what `work` raised; `one` stays the caller's then."""
        if self._error is not None:
            raise self._error
        self._waiting.put(one)

    def close(self) -> None:
        """Wait for the last group. Raises what `work` raised."""
        self._waiting.put(None)
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        while not self._is_closed:
            group = self._gathered()
            try:
                if group:
                    (self._work if self._error is None else self._abandon)(group)
            except BaseException as error:
                self._error = error

    def _gathered(self) -> list[T]:
        group: list[T] = []
        until = None
        while len(group) < self._most:
            try:
                one = self._waiting.get(timeout=until and max(0, until - time.monotonic()))
            except queue.Empty:
                break
            if one is None:
                self._is_closed = True
                break
            group.append(one)
            until = until or time.monotonic() + GATHER_SECONDS
        return group
