"""Passes a file on while a mirror fetches it: whoever asked first does not wait until all of it is here."""

import asyncio

from packhouse.actions.mirrors.fetching import Fetching
from packhouse.errors import PackhouseError
from packhouse.web.asgi import Receive, Send
from packhouse.web.protocols.content import Answer

CHUNK_BYTES = 256 * 1024


class BrokenOff(Exception):
    """The rest of the file does not come, or was not what was announced; the connection has to tell the client."""


class Left(Exception):
    """Nobody waits for the answer any more."""


async def send_while_it_comes(
    fetching: Fetching, answer: Answer, receive: Receive, send: Send, *, whole: bool
) -> None:
    """Send the file as it grows; with `whole` false, only wait until it is here.

    Raises the PackhouseError of a file of which nothing could be sent, and BrokenOff after that: too few
    bytes then tell the client that something is wrong. Raises Left when the client has gone.
    """
    follower = _Follower(fetching, receive)
    try:
        await follower.wait_for(1 if whole else fetching.size)
        if whole:
            await _send(fetching, follower, answer, send)
    finally:
        follower.leave()


async def _send(fetching: Fetching, follower: "_Follower", answer: Answer, send: Send) -> None:
    tries, sent = fetching.tries, 0
    await send(answer.start)
    while sent < fetching.size:
        try:
            await follower.wait_for(sent + 1)
        except PackhouseError as error:
            raise BrokenOff(f"The upstream broke off after {sent} bytes: {error.message}") from error
        except asyncio.CancelledError as error:
            raise BrokenOff("The server is ending.") from error
        if fetching.tries != tries:
            raise BrokenOff("The upstream began anew, perhaps with other bytes.")
        chunk = fetching.read(sent, CHUNK_BYTES)
        sent += len(chunk)
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


class _Follower:
    """Waits in the event loop for what happens in other threads."""

    def __init__(self, fetching: Fetching, receive: Receive) -> None:
        self._fetching = fetching
        self._changed = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._has_left = False
        # What is sent to a client that has gone raises nothing: only `receive` tells.
        self._watching = self._loop.create_task(self._watch(receive))
        fetching.listen(self._tell)

    def leave(self) -> None:
        self._watching.cancel()
        self._fetching.leave(self._tell)

    def _tell(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._changed.set)

    async def _watch(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._has_left = True
        self._changed.set()

    async def wait_for(self, size: int) -> None:
        """Until so many bytes may be read, or all. Raises Left, and the error of a file that does not come."""
        while not self._has_left and self._fetching.readable < size and not self._fetching.is_done:
            if self._fetching.error is not None:
                raise self._fetching.error
            await self._changed.wait()
            self._changed.clear()
        if self._has_left:
            raise Left
