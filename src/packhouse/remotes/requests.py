"""What is asked of an upstream, where its bytes go, and what came of it."""

import hashlib
from dataclasses import dataclass, field
from typing import Any, Protocol

from packhouse.domain.artifacts import Digests
from packhouse.errors import PackhouseError


@dataclass(frozen=True, slots=True)
class Validators:
    """What an upstream gave to ask later whether a document is still the same (RFC 9110, 8.8)."""

    etag: str | None = None
    last_modified: str | None = None

    @property
    def strong_etag(self) -> str | None:
        """Only such a one promises the same bytes, so that a range may be asked for."""
        return None if self.etag is None or self.etag.startswith("W/") else self.etag


@dataclass(frozen=True, slots=True)
class Got:
    """Of a document: 200 (it is in the sink), 304 (what is known is still true) or 404 (there is none).

    `url` is where it was found, after redirects; `transferred` counts bytes of documents, repeats included.
    """

    status: int
    validators: Validators
    url: str
    transferred: int


class Sink(Protocol):
    """Where a document goes: a file, a parser, memory."""

    def write(self, chunk: bytes, /) -> object: ...

    def restart(self) -> object:
        """Forget what was written: it was wrong, or its rest is not to be had."""


class Target(Protocol):
    """Where a file goes, such as a PartialFile. It may hold the first bytes already."""

    @property
    def position(self) -> int: ...

    def write(self, chunk: bytes, /) -> None: ...

    def restart(self) -> None: ...

    def finish(self) -> Digests: ...

    def close(self) -> None: ...


class InMemory:
    """A target for small files."""

    def __init__(self) -> None:
        self._body = bytearray()

    @property
    def position(self) -> int:
        return len(self._body)

    @property
    def body(self) -> bytes:
        return bytes(self._body)

    def write(self, chunk: bytes) -> None:
        self._body += chunk

    def restart(self) -> None:
        self._body.clear()

    def finish(self) -> Digests:
        md5 = hashlib.md5(self._body, usedforsecurity=False).hexdigest()
        return Digests(md5=md5, sha256=hashlib.sha256(self._body).hexdigest(), size=len(self._body))

    def close(self) -> None:
        pass


class IntoSink:
    """A sink as a target; its digests are nobody's concern."""

    def __init__(self, sink: Sink) -> None:
        self.position = 0
        self._sink = sink

    def write(self, chunk: bytes) -> None:
        self._sink.write(chunk)
        self.position += len(chunk)

    def restart(self) -> None:
        if self.position:
            self._sink.restart()
            self.position = 0

    def finish(self) -> Digests:
        return Digests(md5="", sha256="", size=self.position)

    def close(self) -> None:
        pass


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Request:
    """One file: what is known of it (digests in lower-case hex), the target of its bytes, and the asker's `tag`.

    Without a SHA-256 or MD5, bytes that the target holds are only continued if the upstream's own strong
    ETag says that they are of the same file. The MD5 is looked at if there is no SHA-256; the target then
    has to compute it. `tries` is for what somebody waits for: left out, it is tried for half a minute.
    """

    url: str
    target: Target = field(default_factory=InMemory)
    proxy: str | None = None
    sha256: str | None = None
    md5: str | None = None
    size: int | None = None
    max_bytes: int | None = None
    tries: int | None = None
    tag: Any = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a request: `digests` if its bytes are all there and right, or else `error`.

    `error` is an UpstreamError, TooLarge or StorageFull. `transferred` counts bytes that came over the
    network, repeats included; `body` is of files that were fetched into memory.
    """

    transferred: int
    digests: Digests | None = None
    body: bytes | None = None
    error: PackhouseError | None = None

    @property
    def is_ok(self) -> bool:
        return self.error is None
