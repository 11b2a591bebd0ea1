"""One thread with one event loop, in which all talk with upstreams happens; started by the first task."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any

import uvloop

from packhouse.errors import Stopped

SHUTTING_DOWN = "The server is shutting down; what it fetches goes on when it runs again."

Make = Callable[[], Coroutine[Any, Any, Any]]
Ended = Callable[["asyncio.Task[Any]"], None]


class Spawned:
    """A task in the background, as seen from another thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop, make: Make, ended: Ended) -> None:
        self._loop = loop
        self._make = make
        self._ended = ended
        self._task: asyncio.Task[Any] | None = None
        loop.call_soon_threadsafe(self._begin)

    def cancel(self) -> None:
        """Soon; `ended` is called all the same, once it has cleaned up."""
        with suppress(RuntimeError):  # the loop is closed, and has cancelled everything
            self._loop.call_soon_threadsafe(self._cancel)

    def _begin(self) -> None:
        self._task = self._loop.create_task(self._make())
        self._task.add_done_callback(self._ended)

    def _cancel(self) -> None:
        assert self._task is not None, "calls come in their order"
        self._task.cancel()


class Background:
    def __init__(self, last: Callable[[], Awaitable[None]]) -> None:
        """`last` is awaited in the loop when everything else has ended."""
        self._last = last
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._is_closed = False

    def spawn(self, make: Make, ended: Ended) -> Spawned:
        """Runs what `make` gives; `ended` gets the finished task, in the loop's thread. Raises Stopped."""
        with self._lock:
            if self._is_closed:
                raise Stopped(SHUTTING_DOWN)
            if self._loop is None:
                self._loop = uvloop.new_event_loop()
                self._thread = threading.Thread(
                    target=self._run, args=(self._loop,), name="upstreams", daemon=True
                )
                self._thread.start()
            return Spawned(self._loop, make, ended)

    def close(self) -> None:
        """Cancels what runs and ends the thread."""
        with self._lock:
            is_first, self._is_closed = not self._is_closed, True
        if is_first and self._loop is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_forever()
            loop.run_until_complete(self._finish())
        finally:
            loop.close()

    async def _finish(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._last()
