"""What a content request is answered with, once resolved: small bytes, a blob, a redirect or a refusal."""

import re
from dataclasses import dataclass, field
from email.utils import formatdate, parsedate_to_datetime

from packhouse.domain.artifacts import Entry

Headers = list[tuple[bytes, bytes]]

POSITION = re.compile(rb"[0-9]{0,18}")
IMMUTABLE_SECONDS = 31_536_000
INDEX_SECONDS = 30
"""How long a client may use an index without asking again; conda adds no time of its own."""
FILE_SECONDS = 3_600
"""Short enough that a file which a policy takes away does not live on in caches for long."""


@dataclass(slots=True)
class Answer:
    """One resource as one actor sees it. `body` or `sha256` holds the bytes; `entry_id` counts a download."""

    status: int = 200
    body: bytes = b""
    sha256: str | None = None
    size: int = 0
    path: str | None = None
    etag: bytes = b""
    modified: int = 0
    entry_id: int | None = None
    awaited: Entry | None = None
    """A file whose bytes a mirror fetches when it is asked for."""
    actor: str = ""
    headers: Headers = field(default_factory=list)
    start: dict[str, object] = field(default_factory=dict)
    not_modified: dict[str, object] = field(default_factory=dict)
    generation: int = 0
    expires: float = 0.0

    @property
    def weight(self) -> int:
        """About how much memory the answer takes, in bytes."""
        return len(self.body) + 1_500

    def seal(self) -> "Answer":
        """Make the two messages that most requests get, once."""
        length = (b"content-length", str(self.size).encode())
        self.start = {
            "type": "http.response.start",
            "status": self.status,
            "headers": [*self.headers, length],
        }
        kept = [
            pair for pair in self.headers if pair[0] in (b"etag", b"cache-control", b"vary", b"last-modified")
        ]
        self.not_modified = {"type": "http.response.start", "status": 304, "headers": kept}
        return self


def cache_control(is_shared: bool, seconds: int) -> bytes:
    """`public` only for what anybody may see at an address that holds no secret."""
    audience = "public" if is_shared else "private"
    immutable = ", immutable" if seconds == IMMUTABLE_SECONDS else ""
    return f"{audience}, max-age={seconds}{immutable}".encode()


def validators(etag: str, modified: int) -> Headers:
    return [
        (b"etag", f'"{etag}"'.encode()),
        (b"last-modified", formatdate(modified, usegmt=True).encode()),
    ]


def is_unmodified(answer: Answer, if_none_match: bytes | None, if_modified_since: bytes | None) -> bool:
    """RFC 9110: the entity tag decides when there is one, the date only without."""
    if if_none_match is not None:
        if if_none_match == answer.etag:
            return True
        tags = (tag.strip().removeprefix(b"W/") for tag in if_none_match.split(b","))
        return any(tag in (answer.etag, b"*") for tag in tags)
    if if_modified_since is None or not answer.modified:
        return False
    try:
        return answer.modified <= parsedate_to_datetime(if_modified_since.decode("latin-1")).timestamp()
    except (ValueError, OverflowError):
        return False


class UnsatisfiableRange(Exception):
    pass


def wanted_range(answer: Answer, header: bytes | None, if_range: bytes | None) -> tuple[int, int] | None:
    """First byte and the one after the last, or None for all of it. Several ranges are answered whole.

    Raises UnsatisfiableRange for one that begins behind the end.
    """
    if header is None or answer.status != 200 or (if_range is not None and if_range != answer.etag):
        return None
    unit, _, spec = header.partition(b"=")
    first, dash, last = spec.strip().partition(b"-")
    if unit.strip() != b"bytes" or not dash or not all(POSITION.fullmatch(part) for part in (first, last)):
        return None
    return _bounds(answer.size, first, last)


def _bounds(size: int, first: bytes, last: bytes) -> tuple[int, int] | None:
    if not first:
        if not last:
            return None
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(size, int(last) + 1) if last else size
        if last and int(last) < int(first):
            return None
    if start >= end:
        raise UnsatisfiableRange
    return start, end
