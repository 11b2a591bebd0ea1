"""Whom we ask: upstreams of mirrors, over HTTP or in folders, only those that the settings allow."""

from packhouse.remotes.pace import Pace
from packhouse.remotes.remotes import Remotes
from packhouse.remotes.requests import Got, InMemory, Outcome, Request, Sink, Target, Validators
from packhouse.remotes.rules import check_proxy, check_source

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
