"""A real web server of packages that misbehaves on command.

    with Upstream(folder) as upstream:
        upstream.url                                       # http://127.0.0.1:PORT
        upstream.misbehave("*.conda", cut_after(1000), times=2)
        upstream.misbehave("/noarch/repodata.json", status(503, retry_after="2"))
        upstream.behave()                                  # as at first
        upstream.stop_listening(); upstream.listen_again() # at the same port
        upstream.log, upstream.count("/noarch/x.conda")    # what was asked, and what was really sent

Patterns are those of `fnmatch` over the path, without the query; the ways are described in `misbehaviour.py`.
Of several patterns that match, the newest is taken, until it was used `times` times; None is for ever.
It serves a folder with ETag, Last-Modified, Range, If-Range, 304 and keep-alive.
For a process of its own: `python -m tests.upstream FOLDER [PORT]`.
"""

import asyncio
import mmap
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from email.utils import formatdate, parsedate_to_datetime
from fnmatch import fnmatchcase
from pathlib import Path
from ssl import SSLContext
from urllib.parse import unquote, urlsplit

from tests.misbehaviour import (
    Asked,
    Misbehaviour,
    Plan,
    body,
    compressed,
    cut_after,
    hang_after,
    hang_before,
    ignore_range,
    no_length,
    other_bytes,
    page,
    redirect,
    short_range,
    slow,
    status,
    with_headers,
    without,
    wrong_length,
    wrong_range,
)
from tests.threaded import Threaded, read_head

__all__ = [
    "Asked",
    "Misbehaviour",
    "Plan",
    "Upstream",
    "body",
    "compressed",
    "cut_after",
    "hang_after",
    "hang_before",
    "ignore_range",
    "no_length",
    "other_bytes",
    "page",
    "redirect",
    "short_range",
    "slow",
    "status",
    "with_headers",
    "without",
    "wrong_length",
    "wrong_range",
]

CHUNK_BYTES = 256 * 1024
PHRASES = {200: "OK", 206: "Partial Content", 304: "Not Modified", 404: "Not Found"}


@dataclass
class _Rule:
    pattern: str
    ways: Sequence[Misbehaviour]
    times: int | None


class Upstream(Threaded):
    """Serves `folder`; see the module."""

    def __init__(self, folder: Path, port: int = 0, tls: SSLContext | None = None) -> None:
        super().__init__(port, tls)
        self.folder = folder
        self.log: list[Asked] = []
        self.most_at_once = 0
        self._at_once = 0
        self._rules: list[_Rule] = []

    def misbehave(self, pattern: str, *ways: Misbehaviour, times: int | None = None) -> None:
        """Whatever matches `pattern` is answered in all these ways together."""
        self._rules.insert(0, _Rule(pattern, ways, times))

    def behave(self) -> None:
        self._rules.clear()

    def asked(self, pattern: str = "*") -> list[Asked]:
        return [one for one in self.log if fnmatchcase(one.path, pattern)]

    def count(self, pattern: str = "*") -> int:
        return len(self.asked(pattern))

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (asked := await _read_head(reader)) is not None:
            self.log.append(asked)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            try:
                stays_open = await _send(self._plan(asked), writer)
            finally:
                self._at_once -= 1
            if not stays_open:
                return

    def _plan(self, asked: Asked) -> Plan:
        plan = self._honest(asked)
        for rule in self._rules:
            if rule.times != 0 and fnmatchcase(asked.path, rule.pattern):
                if rule.times is not None:
                    rule.times -= 1
                for way in rule.ways:
                    plan = way(plan)
                break
        return plan

    def _honest(self, asked: Asked) -> Plan:
        path = (self.folder / asked.path.lstrip("/")).resolve()
        if not path.is_relative_to(self.folder.resolve()) or not path.is_file():
            return Plan(asked, 404, {"Content-Type": "text/plain"}, b"not here", b"not here")
        state = path.stat()
        etag = f'"{state.st_mtime_ns:x}-{state.st_size:x}"'
        headers = {
            "ETag": etag,
            "Last-Modified": formatdate(state.st_mtime, usegmt=True),
            "Accept-Ranges": "bytes",
            "Content-Type": "application/octet-stream",
        }
        whole = _content(path, state.st_size)
        if _is_known(asked.headers, etag, state.st_mtime):
            return Plan(asked, 304, headers, b"", whole)
        return _ranged(Plan(asked, 200, headers, whole, whole), etag)


def _content(path: Path, size: int) -> bytes | memoryview:
    if size <= CHUNK_BYTES:
        return path.read_bytes()
    with path.open("rb") as file:
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def _is_known(headers: Mapping[str, str], etag: str, modified: float) -> bool:
    if "if-none-match" in headers:
        return headers["if-none-match"].removeprefix("W/") == etag
    if "if-modified-since" in headers:
        return int(modified) <= parsedate_to_datetime(headers["if-modified-since"]).timestamp()
    return False


def _ranged(plan: Plan, etag: str) -> Plan:
    """Understands `bytes=N-` and `bytes=N-M`."""
    wanted, size = plan.asked.range, len(plan.whole)
    if wanted is None or plan.asked.headers.get("if-range", etag) != etag:
        return plan
    first, _, last = wanted.removeprefix("bytes=").partition("-")
    start, end = int(first), min(int(last or size), size - 1) + 1
    if start >= size:
        plan = replace(plan, status=416, body=b"")
        return plan.with_headers(**{"Content-Range": f"bytes */{size}"})
    plan = replace(plan, status=206, body=plan.whole[start:end])
    return plan.with_headers(**{"Content-Range": f"bytes {start}-{end - 1}/{size}"})


async def _read_head(reader: asyncio.StreamReader) -> Asked | None:
    head = await read_head(reader)
    if head is None:
        return None
    method, target, headers = head
    return Asked(method, unquote(urlsplit(target).path), headers, time.monotonic())


async def _send(plan: Plan, writer: asyncio.StreamWriter) -> bool:
    """Whether the connection can be used again."""
    if plan.is_silent:
        await asyncio.Event().wait()
    asked, content = plan.asked, memoryview(plan.body)
    asked.status = plan.status
    told = len(content) if plan.length is None else plan.length
    length = "Connection: close\r\n" if told < 0 else f"Content-Length: {told}\r\n"
    if plan.status == 304:
        length = ""
    lines = "".join(f"{name}: {value}\r\n" for name, value in plan.headers.items())
    head = f"HTTP/1.1 {plan.status} {PHRASES.get(plan.status, 'Status')}\r\n{length}{lines}\r\n".encode()
    if asked.method == "HEAD" or not len(content):
        writer.write(head)
        await writer.drain()
        asked.completed = True
        return asked.method == "HEAD" or told == 0
    end = min(limit for limit in (len(content), plan.cut_at, plan.hang_at) if limit is not None)
    await _send_body(plan, head, content[: min(end, told) if told >= 0 else end], writer)
    if plan.hang_at is not None:
        await asyncio.Event().wait()
    asked.completed = asked.sent == len(content)
    return asked.completed and told == len(content)


async def _send_body(plan: Plan, head: bytes, content: memoryview, writer: asyncio.StreamWriter) -> None:
    rate = plan.bytes_per_second
    size = CHUNK_BYTES if rate is None else max(int(rate / 20), 1)
    if rate is None and len(content) <= size:
        writer.write(head + bytes(content))
        await writer.drain()
        plan.asked.sent = len(content)
        return
    writer.write(head)
    for start in range(0, len(content), size):
        chunk = content[start : start + size]
        if writer.is_closing():
            raise ConnectionResetError("the client went away")
        writer.write(chunk)
        await writer.drain()
        plan.asked.sent += len(chunk)
        if rate is not None:
            await asyncio.sleep(len(chunk) / rate)


def main() -> None:
    """Until it is killed."""
    folder, port = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0
    with Upstream(folder, port) as upstream:
        print(upstream.url, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
