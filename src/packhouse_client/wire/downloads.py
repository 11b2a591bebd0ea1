"""The part of the API that fetches files: streamed to where they belong, and checked on the way."""

import hashlib
import re
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import requests

from packhouse_client.errors import ChecksumMismatch
from packhouse_client.whole_file import whole_file
from packhouse_client.wire.connection import Connection
from packhouse_client.wire.unreachable import reachable

CHUNK_BYTES = 256 * 1024
ETAG_OF_SHA256 = re.compile('"([0-9a-f]{64})"')
"""How a Packhouse server names a file; another's may be anything."""
REPR_DIGEST = re.compile(r"(?:^|,)\s*sha-256=:([A-Za-z0-9+/=]+):")
"""Says who? RFC 9530, 3."""


@dataclass(frozen=True, slots=True)
class Saved:
    size: int
    sha256: str


class Download:
    """A file that the server has begun to send."""

    def __init__(self, url: str, answer: requests.Response) -> None:
        self._url = url
        self._answer = answer

    @property
    def size(self) -> int | None:
        """In bytes, if the server says so beforehand."""
        length = self._answer.headers.get("Content-Length", "")
        return int(length) if length.isdecimal() else None

    def save(self, target: Path, tell: Callable[[int], None] | None = None) -> Saved:
        """Write it to `target`, whole or not at all; `tell` is told how many bytes have come.

        Raises Unreachable for a connection that breaks, ChecksumMismatch for bytes that changed on the way.
        """
        digest, size = hashlib.sha256(), 0
        with whole_file(target) as file, reachable(self._url):
            for chunk in self._answer.iter_content(CHUNK_BYTES):
                file.write(chunk)
                digest.update(chunk)
                size += len(chunk)
                if tell is not None:
                    tell(size)
            self._check(digest.hexdigest())
        return Saved(size, digest.hexdigest())

    def _check(self, sha256: str) -> None:
        promised = _promised_sha256(self._answer)
        if promised is not None and promised != sha256:
            raise ChecksumMismatch(f"{self._answer.url} was damaged on its way here. Try again.")


class Downloads(Connection):
    """The methods of `PackhouseClient` that fetch files."""

    @contextmanager
    def download(self, route: str) -> Iterator[Download]:
        """Begin to fetch what lies at `CHANNEL[/SUBCHANNEL]/CKEY`."""
        address = f"/repo/{quote(route)}"
        # Compressed on the way, it would have another length and digest than the file.
        answer = self._exchange("GET", address, headers={"Accept-Encoding": "identity"}, stream=True)
        with answer:
            yield Download(self.url, answer)


def _promised_sha256(answer: requests.Response) -> str | None:
    if match := REPR_DIGEST.search(answer.headers.get("Repr-Digest", "")):
        try:
            return b64decode(match[1], validate=True).hex()
        except NotBase64:
            return None
    match = ETAG_OF_SHA256.fullmatch(answer.headers.get("ETag", ""))
    return match[1] if match else None
