"""What the small servers of the tests stand on: a thread with an event loop, and a port that can be shut."""

import asyncio
import threading
from contextlib import suppress
from ssl import SSLContext
from types import TracebackType
from typing import Self

import uvloop


class Threaded:
    """A server in a thread of its own, at a port of its own."""

    def __init__(self, port: int = 0, tls: SSLContext | None = None) -> None:
        self.port = port
        self._tls = tls
        self._loop = uvloop.new_event_loop()
        self._server: asyncio.Server | None = None
        self.connections = 0
        """How many were ever opened."""
        self._open_ones: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self.listen_again()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop_listening()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def listen_again(self) -> None:
        """At the port that it had."""
        asyncio.run_coroutine_threadsafe(self._open(), self._loop).result(10)

    def stop_listening(self) -> None:
        """Breaks off what is under way; who connects is refused."""
        asyncio.run_coroutine_threadsafe(self._shut(), self._loop).result(10)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raise NotImplementedError

    async def _open(self) -> None:
        self._server = await asyncio.start_server(
            self._connected, "127.0.0.1", self.port, ssl=self._tls, backlog=512
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def _shut(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._open_ones:
            task.cancel()
        await asyncio.gather(*self._open_ones, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.connections += 1
        self._open_ones.add(task)
        task.add_done_callback(self._open_ones.discard)
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await self.answer(reader, writer)
        writer.transport.abort() if task.cancelling() else writer.close()


async def read_head(reader: asyncio.StreamReader) -> tuple[str, str, dict[str, str]] | None:
    """Method, target and headers (names in lower case) of the next request; None at the end."""
    try:
        text = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    line, *lines = text.removesuffix("\r\n\r\n").split("\r\n")
    method, target, _ = line.split(" ")
    pairs = (one.partition(":") for one in lines)
    return method, target, {name.lower(): value.strip() for name, _, value in pairs}
