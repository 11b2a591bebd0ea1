"""A real HTTP proxy that writes down what it was asked for, wants a password, or refuses.

with Proxy(user="bob", password="s3cret") as proxy:
    proxy.url              # http://bob:s3cret@127.0.0.1:PORT
    proxy.asked            # ["GET http://host/x", "CONNECT host:443"]
    proxy.refuse(503)      # every request from now on; None: no longer
    proxy.to["repo.example:80"] = upstream.port  # where that name really is
"""

import asyncio
from base64 import b64encode
from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import quote, urlsplit

from tests.threaded import Threaded, read_head


class Proxy(Threaded):
    def __init__(self, user: str | None = None, password: str = "") -> None:
        super().__init__()
        self.asked: list[str] = []
        self.headers: list[Mapping[str, str]] = []
        self.to: dict[str, int] = {}
        self._user = user
        self._password = password
        self._refusal: int | None = None

    @property
    def url(self) -> str:
        """With the name and password that it wants."""
        if self._user is None:
            return self.place
        return self.place.replace("//", f"//{quote(self._user, '')}:{quote(self._password, '')}@")

    @property
    def place(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def refuse(self, status: int | None) -> None:
        self._refusal = status

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await read_head(reader)
        if head is None:
            return
        method, target, headers = head
        self.asked.append(f"{method} {target}")
        self.headers.append(headers)
        refusal = 407 if not self._knows(headers) else self._refusal
        if refusal is not None:
            writer.write(f"HTTP/1.1 {refusal} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
            await writer.drain()
        elif method == "CONNECT":
            await self._tunnel(target, reader, writer)
        else:
            await self._pass_on(method, target, headers, reader, writer)

    def _knows(self, headers: Mapping[str, str]) -> bool:
        if self._user is None:
            return True
        secret = b64encode(f"{self._user}:{self._password}".encode()).decode()
        return headers.get("proxy-authorization") == f"Basic {secret}"

    async def _tunnel(self, place: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream = await self._connect(place)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await _join(reader, writer, *upstream)

    async def _pass_on(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        parts = urlsplit(url)
        upstream = await self._connect(f"{parts.hostname}:{parts.port or 80}")
        path = parts._replace(scheme="", netloc="").geturl() or "/"
        kept = {name: value for name, value in headers.items() if not name.startswith("proxy-")}
        lines = "".join(f"{name}: {value}\r\n" for name, value in {**kept, "connection": "close"}.items())
        upstream[1].write(f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode())
        await _join(reader, writer, *upstream)

    async def _connect(self, place: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        port = self.to.get(place) or int(place.rpartition(":")[2])
        return await asyncio.open_connection("127.0.0.1", port)


async def _join(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    upstream_reader: asyncio.StreamReader,
    upstream_writer: asyncio.StreamWriter,
) -> None:
    """Copies both ways until the upstream has said all."""
    up = asyncio.create_task(_copy(reader, upstream_writer))
    try:
        await _copy(upstream_reader, writer)
    finally:
        up.cancel()
        upstream_writer.close()


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while chunk := await source.read(65536):
            target.write(chunk)
            await target.drain()
