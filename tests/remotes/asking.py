"""What most tests here do: put a file into the upstream, ask for it, and look at what came."""

import hashlib
from typing import Any

from packhouse.remotes import Got, InMemory, Outcome, Remotes, Request, Validators
from tests.upstream import Upstream

CONTENT = bytes(range(256)) * 400  # 102,400 bytes
FILE = "/noarch/zlib-1.3-0.conda"
DOCUMENT = "/noarch/repodata.json"
MOST = 1024**2


def put(upstream: Upstream, path: str, content: bytes = CONTENT) -> str:
    """The URL that the content has from now on."""
    file = upstream.folder / path.lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return upstream.url + path


def request(url: str, content: bytes = CONTENT, **fields: Any) -> Request:
    """As the index announces it; `fields` say otherwise."""
    announced = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
    return Request(url=url, **{**announced, **fields})


def fetch(remotes: Remotes, *requests: Request) -> list[Outcome]:
    """The outcomes in the order of the requests."""
    found: dict[int, Outcome] = {}
    remotes.fetch_many(requests, done=lambda one, outcome: found.update({id(one): outcome}), at_once=4)
    return [found[id(one)] for one in requests]


def fetch_one(remotes: Remotes, asked: Request) -> Outcome:
    return fetch(remotes, asked)[0]


def get(
    remotes: Remotes, url: str, known: Validators | None = None, max_bytes: int = MOST, **fields: Any
) -> tuple[Got, bytes]:
    """What was got, and the document."""
    sink = InMemory()
    got = remotes.get(url, sink=sink, max_bytes=max_bytes, known=known, **fields)
    return got, sink.body


def ranges(upstream: Upstream, path: str = FILE) -> list[str | None]:
    return [asked.range for asked in upstream.asked(path)]
