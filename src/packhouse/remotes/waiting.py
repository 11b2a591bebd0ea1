"""How other threads wait for the background: for many tasks at once, for one by a future, and until they stop."""

import asyncio
import queue
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator
from concurrent.futures import Future, InvalidStateError
from typing import Any, TypeVar

from packhouse.errors import Stopped
from packhouse.remotes.background import SHUTTING_DOWN, Background, Spawned
from packhouse.remotes.requests import Outcome, Request, Target

STOP_POLL_SECONDS = 0.2

Result = TypeVar("Result")


def run_all(
    background: Background,
    requests: Iterable[Request],
    work: Callable[[Request], Coroutine[Any, Any, Result]],
    done: Callable[[Request, Result], object],
    stop: threading.Event | None = None,
    at_once: int = 1,
) -> None:
    """Gives each request to `work` in the background, and the result to `done` in this thread.

    However it ends, nothing runs any more, and the targets that `done` was not told of are closed.
    """
    crowd = _Crowd(background, work)
    waiting = iter(requests)
    try:
        while not _is_set(stop):
            crowd.fill(waiting, at_once, stop)
            if crowd.is_empty:
                return
            crowd.report_next(done)
    finally:
        crowd.cut_off()


class _Crowd:
    """The requests under way: those that run, and those whose end was not told yet."""

    def __init__(self, background: Background, work: Callable[[Request], Coroutine[Any, Any, Any]]) -> None:
        self._background = background
        self._work = work
        self._running: dict[Request, Spawned] = {}
        self._untold: set[Request] = set()
        self._ended: queue.SimpleQueue[tuple[Request, asyncio.Task[Any]]] = queue.SimpleQueue()

    @property
    def is_empty(self) -> bool:
        return not self._running

    def fill(self, requests: Iterator[Request], at_once: int, stop: threading.Event | None) -> None:
        while len(self._running) < at_once and not _is_set(stop):
            request = next(requests, None)
            if request is None:
                return
            self._untold.add(request)
            self._running[request] = self._spawn(request)

    def _spawn(self, request: Request) -> Spawned:
        return self._background.spawn(
            lambda: self._work(request), lambda task: self._ended.put((request, task))
        )

    def report_next(self, done: Callable[[Request, Any], object]) -> None:
        """Waits for the next end, but not for long."""
        try:
            request, task = self._ended.get(timeout=STOP_POLL_SECONDS)
        except queue.Empty:
            return
        del self._running[request]
        if task.cancelled():
            raise Stopped(SHUTTING_DOWN)
        result = task.result()
        self._untold.remove(request)
        done(request, result)

    def cut_off(self) -> None:
        for spawned in self._running.values():
            spawned.cancel()
        for _ in self._running:
            _, task = self._ended.get()
            if not task.cancelled():
                task.exception()  # asked for, so that asyncio does not complain that nobody did
        for request in self._untold:
            request.target.close()


def settle(future: "Future[Outcome]", task: "asyncio.Task[Outcome]", target: Target) -> None:
    """Passes on how `task` ended; the target of one that nobody waits for is closed."""
    try:
        if task.cancelled():
            future.cancel()
        elif (error := task.exception()) is not None:
            future.set_exception(error)
        else:
            future.set_result(task.result())
    except InvalidStateError:
        pass  # cancelled by the one who had waited
    if future.cancelled() or future.exception() is not None:
        target.close()


def _is_set(stop: threading.Event | None) -> bool:
    return stop is not None and stop.is_set()
