"""Lets a client finish sending before it is refused.

Many clients look for the answer only after their last byte. A connection that is closed in mid-upload
is reset, and takes the answer with it: "connection reset" in place of "the channel is frozen".
"""

import asyncio
from contextlib import suppress
from time import monotonic

from packhouse.web.asgi import Application, Message, Receive, Scope, Send

LINGER_SECONDS = 10.0
SILENCE_SECONDS = 2.0
"""Who sends nothing for so long waits for the answer, or is gone."""
METHODS_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
FIRST_REFUSAL = 400


async def answer_after_body(application: Application, scope: Scope, receive: Receive, send: Send) -> None:
    """Call the application; a refusal waits a while for the rest of the request's body, and drops it."""
    if scope["type"] != "http" or scope["method"] not in METHODS_WITH_BODY or _waits_for_leave(scope):
        await application(scope, receive, send)
        return
    body = _Body(receive)

    async def send_in_turn(message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] >= FIRST_REFUSAL:
            await body.drop_rest()
        await send(message)

    await application(scope, body.receive, send_in_turn)


def _waits_for_leave(scope: Scope) -> bool:
    """`Expect: 100-continue`: reading on would ask for the very body that is refused."""
    return any(name == b"expect" for name, _ in scope["headers"])


class _Body:
    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._ended = False

    async def receive(self) -> Message:
        message = await self._receive()
        self._ended = not message.get("more_body", False)
        return message

    async def drop_rest(self) -> None:
        end = monotonic() + LINGER_SECONDS
        with suppress(TimeoutError):
            while not self._ended and monotonic() < end:
                async with asyncio.timeout(SILENCE_SECONDS):
                    await self.receive()
