"""A line for every request, cheap enough to be on by default.

Formatting an event with structlog costs more than serving a 304 does. So these lines are formatted
here, and written together a few times a second.
"""

import asyncio
import json
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from time import perf_counter, time
from typing import Literal, TextIO
from urllib.parse import quote

from packhouse.logs import mask
from packhouse.web.asgi import Application, Message, Receive, Scope, Send

ACTOR = "packhouse.actor"
"""Whoever answers a request may put the actor's name into its scope under this key."""
WRITE_EVERY_SECONDS = 0.1


class RequestLog:
    """An ASGI application that writes a line for every request of the one it wraps.

    The query is left out: it is of no use here, and clients put secrets into it.
    """

    def __init__(
        self, application: Application, format: Literal["text", "json"], stream: TextIO | None = None
    ) -> None:
        self._application = application
        self._formatted = _as_json if format == "json" else _as_text
        self._stream = stream or sys.stderr
        self._lines: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        answer = _Answer(send)
        started = perf_counter()
        try:
            await self._application(scope, receive, answer.send)
        except Exception:
            answer.status = 500  # the server's answer, if none had begun
            raise
        finally:
            self._write(self._formatted(scope, answer, (perf_counter() - started) * 1000))

    def _write(self, line: str) -> None:
        if not self._lines:
            asyncio.get_running_loop().call_later(WRITE_EVERY_SECONDS, self.flush)
        self._lines.append(line)

    def flush(self) -> None:
        """Write the lines that wait; the end of the process may come before their turn."""
        lines, self._lines = self._lines, []
        if lines:
            self._stream.write("\n".join(lines) + "\n")
            self._stream.flush()


class _Answer:
    """Watches a response go by; 499 (nginx's number) means that it went nowhere."""

    __slots__ = ("_headers", "_send", "size", "status")

    def __init__(self, send: Send) -> None:
        self._send = send
        self._headers: Iterable[tuple[bytes, bytes]] = ()
        self.status = 499
        self.size = 0

    async def send(self, message: Message) -> None:
        kind = message["type"]
        if kind == "http.response.body":
            self.size += len(message.get("body", b""))
        elif kind == "http.response.start":
            self.status = message["status"]
            self._headers = message.get("headers", ())
        elif kind == "http.response.pathsend":  # the server reads the file, the header knows its size
            self.size = int(dict(self._headers).get(b"content-length", 0))
        await self._send(message)


def _as_text(scope: Scope, answer: _Answer, milliseconds: float) -> str:
    return (
        f"{_now()} info request: {scope['method']} {_shown(scope['path'])} {answer.status} {milliseconds:.1f}ms "
        f"{answer.size}B actor={scope.get(ACTOR) or '-'} client={_client(scope)}"
    )


def _as_json(scope: Scope, answer: _Answer, milliseconds: float) -> str:
    return json.dumps(
        {
            "timestamp": _now(),
            "level": "info",
            "logger": "request",
            "method": scope["method"],
            "path": _shown(scope["path"]),
            "status": answer.status,
            "milliseconds": round(milliseconds, 1),
            "bytes": answer.size,
            "actor": scope.get(ACTOR),
            "client": _client(scope),
        }
    )


@lru_cache(maxsize=1024)
def _shown(path: str) -> str:
    """Masked, and quoted again: a token hides in no encoding, and no client writes lines of its own."""
    return quote(mask(path) if "/t/" in path else path, safe="/:@!$&'()*+,;=~")


def _client(scope: Scope) -> str:
    client = scope.get("client")
    return client[0] if client else "-"


def _now() -> str:
    now = time()
    return f"{_second(int(now))}.{int(now % 1 * 1000):03}Z"


@lru_cache(maxsize=1)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
