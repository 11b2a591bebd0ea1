"""The two addresses of everything that belongs to a channel: its own, and its twin below `subchannels`."""

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request

Handler = TypeVar("Handler", bound=Callable[..., Any])

TOP = "/channels/{channel}"
SUB = "/channels/{channel}/subchannels/{subchannel}"


def at_channel(method: Callable[..., Any], suffix: str = "", **options: Any) -> Callable[[Handler], Handler]:
    """Route a handler at `{C}` + suffix, where `{C}` is a channel or a subchannel."""

    def register(handler: Handler) -> Handler:
        for base in (TOP, SUB):
            method(base + suffix, **options)(handler)
        return handler

    return register


def channel_path(request: Request) -> str:
    names = request.path_params
    return f"{names['channel']}/{names['subchannel']}" if "subchannel" in names else names["channel"]


ChannelAt = Annotated[str, Depends(channel_path)]
"""The channel's path, whichever of the two addresses was asked."""
