"""Whom we ask: upstreams of mirrors, over HTTP or in folders, only those that the settings allow."""

from typing import TYPE_CHECKING, Any

from packhouse.remotes.pace import Pace
from packhouse.remotes.requests import Got, InMemory, Outcome, Request, Sink, Target, Validators
from packhouse.remotes.rules import check_proxy, check_source

if TYPE_CHECKING:
    from packhouse.remotes.remotes import Remotes

__all__ = [
    "Got",
    "InMemory",
    "Outcome",
    "Pace",
    "Remotes",
    "Request",
    "Sink",
    "Target",
    "Validators",
    "check_proxy",
    "check_source",
]


def __getattr__(name: str) -> Any:
    """`Remotes` comes with aiohttp, which takes a quarter of a server's start: only with the first request."""
    if name != "Remotes":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from packhouse.remotes.remotes import Remotes

    return Remotes
