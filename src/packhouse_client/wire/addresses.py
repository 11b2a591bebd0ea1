"""Where things lie in the API."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote


def channel_address(path: str) -> str:
    """Of a channel, or of a `channel/subchannel`."""
    channel, _, subchannel = path.partition("/")
    address = f"/channels/{quote(channel, safe='')}"
    return f"{address}/subchannels/{quote(subchannel, safe='')}" if subchannel else address


def mirror_address(path: str, mirror: str) -> str:
    """Of a mirror, by its id or its name, in a channel."""
    return f"{channel_address(path)}/mirrors/{quote(mirror, safe='')}"


def given(values: Mapping[str, Any]) -> dict[str, Any]:
    """Those that are not None: a query or body says only what was said."""
    return {name: value for name, value in values.items() if value is not None}
