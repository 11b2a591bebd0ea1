"""The names that were probably meant: added to what the server says of a channel or package it does not know."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from typing import TYPE_CHECKING

from packhouse_client.errors import ClientError, NotFound

if TYPE_CHECKING:
    from packhouse_client.client import PackhouseClient

MOST_CHANNELS = 1_000
"""More are not fetched for the sake of a hint."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A question to add to an error, or nothing if no known name is near."""
    near = get_close_matches(name.lower(), list(known), n=2, cutoff=0.6)
    quoted = " or ".join(f"'{one}'" for one in near)
    return f" Did you mean {quoted}?" if near else ""


@contextmanager
def channel_suggested(client: "PackhouseClient", path: str) -> Iterator[None]:
    """Add names like the one asked for to a NotFound that says the channel, or the one it is in, is missing."""
    try:
        yield
    except NotFound as error:
        missing = next((name for name in (path, path.partition("/")[0]) if name in error.message), None)
        known = [] if missing is None else _channels(client)
        if missing is None or missing in known:  # something in the channel is missing
            raise
        raise NotFound(f"{error.message}{did_you_mean(missing, known)}", error.status) from error


def _channels(client: "PackhouseClient") -> list[str]:
    """Paths of channels and subchannels; none when the server does not want to tell."""
    try:
        page = client.list_channels(limit=MOST_CHANNELS, include_subchannels=True)
    except ClientError:
        return []
    return [channel_path(item) for item in page["items"]]


def channel_path(item: dict[str, object]) -> str:
    parent = item.get("parent")
    return f"{parent}/{item['name']}" if parent else str(item["name"])
