"""Whom we ask: fetches documents and files from upstreams, many at once, for all mirrors of a process."""

import ssl
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future

from aiohttp.abc import AbstractResolver

from packhouse.domain.artifacts import Digests
from packhouse.errors import PackhouseError, Stopped
from packhouse.remotes.background import Background
from packhouse.remotes.exchange import Exchange
from packhouse.remotes.pace import Pace
from packhouse.remotes.requests import Got, InMemory, IntoSink, Outcome, Request, Sink, Validators
from packhouse.remotes.rules import Rules
from packhouse.remotes.transfer import OnProgress, Transfer
from packhouse.remotes.waiting import run_all, settle
from packhouse.settings import Settings

Done = Callable[[Request, Outcome], object]


class Remotes:
    """One a process: one thread, whose connections all mirrors share. Its methods are for any other thread.

    Proxies of the environment are not used, and no password is sent but that of a proxy, to that proxy.
    """

    def __init__(
        self,
        settings: Settings,
        pace: Pace | None = None,
        lookup: AbstractResolver | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`lookup` and `tls` take the place of the system's resolver and of its trusted certificates."""
        self._settings = settings
        self._rules = Rules(settings)
        self._pace = pace or Pace()
        self._lookup = lookup
        self._tls = tls
        self._exchange: Exchange | None = None
        self._background = Background(self._close_exchange)

    def close(self) -> None:
        """Cuts off what is under way; whoever waits for it gets Stopped, or a cancelled future."""
        self._background.close()

    def get(
        self,
        url: str,
        *,
        sink: Sink,
        max_bytes: int,
        proxy: str | None = None,
        known: Validators | None = None,
        stop: threading.Event | None = None,
    ) -> Got:
        """Writes an index document into `sink`, unless it is what `known` says.

        Raises UpstreamError, TooLarge (more than `max_bytes`, decompressed), Stopped, and whatever the
        sink raises; the sink may then hold a part of the document.
        """
        request = Request(url=url, proxy=proxy, target=IntoSink(sink), max_bytes=max_bytes)
        found: list[Got] = []
        run_all(
            self._background,
            [request],
            lambda one: self._document(one, known),
            lambda _, got: found.append(got),
            stop,
        )
        if not found:
            raise Stopped(f"Stopped before '{url}' was here.")
        return found[0]

    def fetch_many(
        self,
        requests: Iterable[Request],
        *,
        done: Done,
        at_once: int,
        stop: threading.Event | None = None,
    ) -> None:
        """Fetches all files, `at_once` at a time; takes no request before there is a place for it.

        `done` is called in this thread as each file ends, well or not; from then on its target is the
        caller's. Once `stop` is set, what is under way is cut off and its targets are closed, so that
        partial files stay; the same if `requests` or `done` raise. Raises Stopped if `close` is called.
        """
        run_all(self._background, requests, self._file, done, stop, at_once)

    def start(self, request: Request, on_progress: OnProgress | None = None) -> "Future[Outcome]":
        """Fetches one file and answers at once. A cancelled future closes the target.

        `on_progress` is called in the background thread, and must not wait.
        """
        future: Future[Outcome] = Future()
        spawned = self._background.spawn(
            lambda: self._file(request, on_progress), lambda task: settle(future, task, request.target)
        )
        future.add_done_callback(lambda ended: spawned.cancel() if ended.cancelled() else None)
        return future

    async def _file(self, request: Request, on_progress: OnProgress | None = None) -> Outcome:
        transfer = self._transfer(request, None, on_progress)
        digests: Digests | None = None
        error: PackhouseError | None = None
        try:
            digests = await transfer.fetch_file()
        except PackhouseError as caught:
            error = caught
        target = request.target
        body = target.body if error is None and isinstance(target, InMemory) else None
        return Outcome(transfer.transferred, digests, body, error)

    async def _document(self, request: Request, known: Validators | None) -> Got:
        transfer = self._transfer(request, known, None)
        answer = await transfer.fetch_document()
        found = answer.validators
        if answer.status == 304 and known is not None:
            found = Validators(found.etag or known.etag, found.last_modified or known.last_modified)
        status = 200 if answer.status == 206 else answer.status
        return Got(status, found, str(answer.url), transfer.transferred)

    def _transfer(
        self, request: Request, known: Validators | None, on_progress: OnProgress | None
    ) -> Transfer:
        if self._exchange is None:  # here, in the loop that its connections belong to
            self._exchange = Exchange(self._settings, self._rules, self._pace, self._lookup, self._tls)
        return Transfer(self._exchange, self._rules, self._pace, request, known, on_progress)

    async def _close_exchange(self) -> None:
        if self._exchange is not None:
            await self._exchange.close()
