"""Keeps whoever sends a body without an end from filling the memory: the framework gathers bodies whole."""

from collections.abc import AsyncIterator

from fastapi import Request
from starlette.exceptions import HTTPException

from packhouse.web.asgi import Application, Message, Receive, Scope, Send

MAX_JSON_BYTES = 4 * 1024**2
"""Ten thousand items of a bulk change, at their longest."""
MAX_FORM_BYTES = 64 * 1024
"""A log-in, and no file; the parser of forms needs far longer for its bytes than that of JSON."""
FORM_TYPES = (b"application/x-www-form-urlencoded", b"multipart/form-data")

_GUARD = "packhouse.body_guard"


class BodyLimit:
    """Refuses (413) a body that is too long to be held, before anybody has been asked who they are.

    A handler that reads it piece by piece says so by `unbounded_stream`.
    """

    def __init__(self, app: Application) -> None:
        self._application = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        guard = scope[_GUARD] = _Guard(receive, _limit(scope))
        await self._application(scope, guard.receive, send)


class _Guard:
    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive = receive
        self._received = 0
        self.limit: int | None = limit

    async def receive(self) -> Message:
        message = await self._receive()
        self._received += len(message.get("body", b""))
        if self.limit is not None and self._received > self.limit:
            raise HTTPException(
                413, f"The body is longer than {self.limit // 1024} KiB. Send less at a time."
            )
        return message


def _limit(scope: Scope) -> int:
    kinds = (value.lower().lstrip() for name, value in scope["headers"] if name == b"content-type")
    is_form = any(kind.startswith(FORM_TYPES) for kind in kinds)
    return MAX_FORM_BYTES if is_form else MAX_JSON_BYTES


def unbounded_stream(request: Request) -> AsyncIterator[bytes]:
    """The body as it arrives, however long it is: the caller knows an end, and whose it is."""
    guard: _Guard = request.scope[_GUARD]
    guard.limit = None
    return request.stream()
