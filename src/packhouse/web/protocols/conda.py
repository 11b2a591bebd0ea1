"""What conda's clients speak: a small plain-ASGI application, because most requests are answered from here.

The answer of each address is kept for a second, or until something is committed in this process; a
framework's route would cost more than finding it.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import orjson
import structlog

from packhouse.actions.authenticate import authenticate
from packhouse.actions.downloads import Downloads
from packhouse.actions.mirrors.on_demand import OnDemand
from packhouse.actions.packhouse import Packhouse
from packhouse.domain.access import Actor
from packhouse.domain.artifacts import Entry
from packhouse.errors import Corrupt, NotFound, PackhouseError
from packhouse.web.asgi import Receive, Scope, Send
from packhouse.web.credentials import find_credential
from packhouse.web.errors import envelope, error_body, headers_of, internal_error_body, status_of
from packhouse.web.protocols.conda_urls import Target, content_path, parse_target
from packhouse.web.protocols.content import Answer, UnsatisfiableRange, is_unmodified, wanted_range
from packhouse.web.protocols.following import BrokenOff, Left, send_while_it_comes
from packhouse.web.protocols.resolve import Resolver
from packhouse.web.request_log import ACTOR

KEPT_SECONDS = 1.0
"""How long another process's change may stay unseen."""
KEPT_BYTES = 64 * 1024**2
CHUNK_BYTES = 256 * 1024
SIGNED_FOR = timedelta(minutes=5)
RESOLVING_THREADS = 8
NO_BODY: dict[str, Any] = {"type": "http.response.body", "body": b""}

log = structlog.get_logger(__name__)


class CondaApplication:
    def __init__(self, packhouse: Packhouse, downloads: Downloads) -> None:
        self._packhouse = packhouse
        self._downloads = downloads
        self._resolver = Resolver(packhouse)
        self._on_demand = OnDemand(packhouse)
        self._threads = ThreadPoolExecutor(RESOLVING_THREADS, thread_name_prefix="content")
        self._answers: OrderedDict[tuple[str, bytes], Answer] = OrderedDict()
        self._weight = 0
        self._pending: dict[tuple[tuple[str, bytes], int], asyncio.Future[Answer]] = {}
        self._generation = 0
        packhouse.database.on_commit(self._forget)

    def _forget(self) -> None:
        self._generation += 1

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        credential = b""
        if_none_match = wants = None
        for name, value in scope["headers"]:
            if name == b"authorization" or name == b"x-auth":
                credential += name + value
            elif name == b"if-none-match":
                if_none_match = value
            elif name == b"range" or name == b"if-modified-since" or name == b"if-range":
                wants = {**(wants or {}), name: value}
        answer = self._answers.get((scope["path"], credential))
        if answer is None or answer.generation != self._generation or answer.expires < time.monotonic():
            answer = await self._resolved(scope, credential)
        scope[ACTOR] = answer.actor
        if if_none_match and if_none_match == answer.etag and scope["method"] == "GET":
            await send(answer.not_modified)  # what most requests of all are, so it takes the shortest way
            await send(NO_BODY)
            return
        await self._send(scope["method"], answer, if_none_match, wants or {}, receive, send)

    async def _resolved(self, scope: Scope, credential: bytes) -> Answer:
        """One look-up an address at a time; whoever asks meanwhile waits for it, unless something changed since."""
        key = (scope["path"], credential)
        turn = (key, self._generation)
        pending = self._pending.get(turn)
        if pending is None:
            pending = asyncio.get_running_loop().run_in_executor(self._threads, self._resolve, scope)
            self._pending[turn] = pending
            pending.add_done_callback(lambda _: self._pending.pop(turn, None))
        answer = await asyncio.shield(pending)
        self._keep(key, answer)
        return answer

    def _resolve(self, scope: Scope) -> Answer:
        generation = self._generation
        try:
            path = content_path(scope["path"])
            target = None if path is None else parse_target(path)
            if target is None:
                raise NotFound(f"'{scope['path']}' is no address of a package file or an index.")
            actor = self._actor(scope, target)
            answer = self._resolver.resolve(actor, target)
            answer.actor = actor.name
        except PackhouseError as error:
            answer = refusal(error)
        except Exception as error:
            answer = failure(error)
        answer.generation = generation
        answer.expires = time.monotonic() + KEPT_SECONDS
        return answer

    def _actor(self, scope: Scope, target: Target) -> Actor:
        return authenticate(self._packhouse, find_credential(scope["headers"], target.token))

    def _keep(self, key: tuple[str, bytes], answer: Answer) -> None:
        """Keep the newest answers, up to a fixed weight."""
        before = self._answers.pop(key, None)
        self._weight += _weight(key, answer) - (_weight(key, before) if before else 0)
        self._answers[key] = answer
        while self._weight > KEPT_BYTES and self._answers:
            self._weight -= _weight(*self._answers.popitem(last=False))

    async def _send(
        self,
        method: str,
        answer: Answer,
        if_none_match: bytes | None,
        wants: dict[bytes, bytes],
        receive: Receive,
        send: Send,
    ) -> None:
        if method not in ("GET", "HEAD"):
            answer = refused_method(method)
        elif answer.status == 200:
            if is_unmodified(answer, if_none_match, wants.get(b"if-modified-since")):
                await send(answer.not_modified)
                await send(NO_BODY)
                return
            if answer.entry_id is not None and method == "GET":
                await self._send_file(answer, wants, receive, send)
                return
            if wants and method == "GET":
                await self._send_range(answer, wants, send)
                return
        await self._send_whole(method, answer, send)

    async def _send_file(
        self, answer: Answer, wants: dict[bytes, bytes], receive: Receive, send: Send
    ) -> None:
        assert answer.entry_id is not None
        self._downloads.count(answer.entry_id)
        if answer.awaited is not None:
            await self._send_awaited(answer, answer.awaited, wants, receive, send)
            return
        if self._packhouse.settings.redirect_downloads and answer.sha256 is not None:
            url = self._packhouse.blobs.signed_url(answer.sha256, SIGNED_FOR)
            if url is not None:
                await self._send_whole("GET", redirect(url), send)
                return
        await self._send_range(answer, wants, send)

    async def _send_awaited(
        self, answer: Answer, entry: Entry, wants: dict[bytes, bytes], receive: Receive, send: Send
    ) -> None:
        """Have the file fetched, and pass it on while it comes; a part of it only once all is here."""
        try:
            loop = asyncio.get_running_loop()
            fetching = await loop.run_in_executor(self._threads, self._on_demand.fetch, entry)
            is_whole = fetching is not None and b"range" not in wants
            if fetching is not None:
                await send_while_it_comes(fetching, answer, receive, send, whole=is_whole)
        except PackhouseError as error:
            await self._send_whole("GET", refusal(error), send)
            return
        except BrokenOff as error:
            # To return before all was sent breaks off the connection; an exception would be logged as our fault.
            log.warning("file_broken_off", file=entry.artifact.ckey, reason=str(error))
            return
        except Left:
            return
        if not is_whole:
            here = await loop.run_in_executor(self._threads, self._resolver.file_here, answer)
            await self._send_range(here, wants, send)

    async def _send_range(self, answer: Answer, wants: dict[bytes, bytes], send: Send) -> None:
        try:
            wanted = wanted_range(answer, wants.get(b"range"), wants.get(b"if-range"))
        except UnsatisfiableRange:
            await self._send_whole("GET", unsatisfiable(answer), send)
            return
        if wanted is None:
            await self._send_whole("GET", answer, send)
            return
        start, end = wanted
        headers = [
            *answer.headers,
            (b"content-length", str(end - start).encode()),
            (b"content-range", f"bytes {start}-{end - 1}/{answer.size}".encode()),
        ]
        begin = {"type": "http.response.start", "status": 206, "headers": headers}
        if answer.sha256 is None:
            await send(begin)
            await send({"type": "http.response.body", "body": answer.body[start:end]})
        else:
            await self._stream(begin, answer.sha256, start, end, send)

    async def _send_whole(self, method: str, answer: Answer, send: Send) -> None:
        if method == "GET" and answer.sha256 is not None and answer.path is None:
            await self._stream(answer.start, answer.sha256, 0, answer.size, send)
            return
        await send(answer.start)
        if method == "HEAD":
            await send(NO_BODY)
        elif answer.path is not None:
            await send({"type": "http.response.pathsend", "path": answer.path})
        else:
            await send({"type": "http.response.body", "body": answer.body})

    async def _stream(self, begin: Mapping[str, Any], sha256: str, start: int, end: int, send: Send) -> None:
        """The answer begins when the store's does, so that its failure can still be told."""
        try:
            chunks = await self._packhouse.blobs.stream(sha256, start, end)
        except NotFound as error:
            await self._send_whole("GET", refusal(Corrupt(error.message)), send)
            return
        except Exception as error:
            await self._send_whole("GET", failure(error), send)
            return
        await send(dict(begin))
        async for chunk in chunks:
            await send({"type": "http.response.body", "body": bytes(chunk), "more_body": True})
        await send(NO_BODY)


def _weight(key: tuple[str, bytes], answer: Answer) -> int:
    """Address and credential count: whoever makes them up may make them long."""
    return answer.weight + len(key[0]) + len(key[1])


def refusal(error: PackhouseError) -> Answer:
    status = status_of(error)
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error("internal_error", code=error.code, exc_info=error)
    answer = _refused(status, error_body(error))
    answer.headers += [(name.lower().encode(), value.encode()) for name, value in headers_of(error).items()]
    return answer.seal()


def failure(error: Exception) -> Answer:
    log.error("internal_error", exc_info=error)
    return _refused(HTTPStatus.INTERNAL_SERVER_ERROR, internal_error_body())


def refused_method(method: str) -> Answer:
    message = f"{method} is not for package files and indexes; they take GET and HEAD."
    answer = _refused(HTTPStatus.METHOD_NOT_ALLOWED, envelope("method_not_allowed", message))
    answer.headers.append((b"allow", b"GET, HEAD"))
    return answer.seal()


def redirect(url: str) -> Answer:
    headers = [(b"location", url.encode()), (b"cache-control", b"no-store")]
    return Answer(status=302, headers=headers).seal()


def unsatisfiable(answer: Answer) -> Answer:
    message = f"The range begins behind the end, which is at {answer.size} bytes."
    status = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
    refused = _refused(status, envelope("range_not_satisfiable", message))
    refused.headers.append((b"content-range", f"bytes */{answer.size}".encode()))
    return refused.seal()


def _refused(status: int, body: Mapping[str, Any]) -> Answer:
    packed = orjson.dumps(body)
    headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
    return Answer(status=status, body=packed, size=len(packed), headers=headers).seal()
