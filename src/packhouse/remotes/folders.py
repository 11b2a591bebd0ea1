"""Answers for a folder as a web server would, so that `file://` is a source like any other."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from email.utils import formatdate
from pathlib import Path
from typing import BinaryIO

from multidict import CIMultiDict
from yarl import URL

from packhouse.errors import UpstreamUnreachable
from packhouse.remotes.answers import Answer
from packhouse.remotes.rules import Rules

CHUNK_BYTES = 1024**2


@asynccontextmanager
async def ask_folder(rules: Rules, url: URL, headers: Mapping[str, str]) -> AsyncIterator[Answer]:
    """Understands If-None-Match and an open range. Raises UpstreamRefused, UpstreamUnreachable."""
    path = rules.path_of(url)
    if not path.is_file():
        yield Answer(404, {}, url, _nothing())
        return
    try:
        file = path.open("rb")
    except OSError as error:
        raise UpstreamUnreachable(f"'{path}' cannot be read: {error.strerror}.") from error
    with file:
        yield _answer(file, path, url, headers)


def _answer(file: BinaryIO, path: Path, url: URL, headers: Mapping[str, str]) -> Answer:
    state = path.stat()
    own = CIMultiDict({"ETag": f'"{state.st_mtime_ns:x}-{state.st_size:x}"'})
    own["Last-Modified"] = formatdate(state.st_mtime, usegmt=True)
    if headers.get("If-None-Match") == own["ETag"]:
        return Answer(304, own, url, _nothing())
    start = _start(headers, own["ETag"])
    own["Content-Length"] = str(max(state.st_size - start, 0))
    if start == 0:
        return Answer(200, own, url, _read(file, path))
    if start >= state.st_size:
        return Answer(416, own, url, _nothing())
    file.seek(start)
    own["Content-Range"] = f"bytes {start}-{state.st_size - 1}/{state.st_size}"
    return Answer(206, own, url, _read(file, path))


def _start(headers: Mapping[str, str], etag: str) -> int:
    if headers.get("If-Range", etag) != etag:
        return 0
    return int(headers.get("Range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))


async def _read(file: BinaryIO, path: Path) -> AsyncIterator[bytes]:
    while True:
        try:
            chunk = await asyncio.to_thread(file.read, CHUNK_BYTES)
        except OSError as error:
            raise UpstreamUnreachable(f"'{path}' cannot be read: {error.strerror}.") from error
        if not chunk:
            return
        yield chunk


async def _nothing() -> AsyncIterator[bytes]:
    for chunk in tuple[bytes, ...]():
        yield chunk
