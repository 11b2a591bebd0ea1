"""One answer of an upstream, the same for a web server and for a folder."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

from yarl import URL

from packhouse.remotes.requests import Validators
from packhouse.remotes.rules import place_of


@dataclass(frozen=True, slots=True)
class Answer:
    """`url` is who answered, after redirects. `chunks` raises Passing when the bytes break off."""

    status: int
    headers: Mapping[str, str]
    url: URL
    chunks: AsyncIterator[bytes]

    @property
    def validators(self) -> Validators:
        return Validators(_told(self.headers, "ETag"), _told(self.headers, "Last-Modified"))

    @property
    def length(self) -> int | None:
        """Of the bytes that `chunks` gives; None if it is not told, or told of other bytes (RFC 9110, 8.4)."""
        text = self.headers.get("Content-Length", "")
        return int(text) if text.isdecimal() and not self.is_encoded else None

    @property
    def is_encoded(self) -> bool:
        return self.headers.get("Content-Encoding", "identity").lower() not in ("", "identity")

    @property
    def is_page(self) -> bool:
        """A page for people, as portals, log-ins and error handlers send in place of a file."""
        media_type = self.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        return media_type in ("text/html", "application/xhtml+xml")


def shown(url: URL) -> str:
    """The URL for people: without a name, a password, and the query, which may be a signature.

    The path stays quoted: what it quotes may be control characters.
    """
    return f"{url.scheme}://{place_of(url)}{url.raw_path}"


def _told(headers: Mapping[str, str], name: str) -> str | None:
    """None for what we could neither keep nor send back: RFC 9110 allows little but ASCII (5.5)."""
    value = headers.get(name)
    return value if value is not None and value.isascii() and value.isprintable() else None
