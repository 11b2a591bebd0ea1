"""Passes a file on while a mirror fetches it: whoever asked first does not wait until all of it is here."""

import asyncio

from packhouse.actions.mirrors.on_demand import Fetching
from packhouse.errors import PackhouseError
from packhouse.web.asgi import Send
from packhouse.web.protocols.content import Answer

CHUNK_BYTES = 256 * 1024


class BrokenOff(Exception):
    """The rest of the file does not come, or was not what was announced; the connection has to tell the client."""


async def send_while_it_comes(fetching: Fetching, answer: Answer, send: Send, *, whole: bool) -> None:
    """Send the file as it grows; with `whole` false, only wait until it is here.

    Raises the PackhouseError of a file of which nothing could be sent, and BrokenOff after that: too few
    bytes then tell the client that something is wrong.
    """
    follower = _Follower(fetching)
    await follower.wait_for(1 if whole else fetching.size)
    if not whole:
        return
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

    def __init__(self, fetching: Fetching) -> None:
        self._fetching = fetching
        self._changed = asyncio.Event()
        loop = asyncio.get_running_loop()

        def tell() -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._changed.set)

        fetching.listen(tell)

    async def wait_for(self, size: int) -> None:
        """Until so many bytes may be read, or all. Raises the error of a file that does not come."""
        while self._fetching.readable < size and not self._fetching.is_done:
            if self._fetching.error is not None:
                raise self._fetching.error
            await self._changed.wait()
            self._changed.clear()
