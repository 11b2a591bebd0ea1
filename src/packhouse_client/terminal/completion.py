"""What a shell offers behind Tab where only the server knows: the names of channels and mirrors."""

import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

import typer

SECONDS = 1.0
"""Whoever presses Tab waits for no slow server."""
MOST_CHANNELS = 1_000


def complete_channels(context: typer.Context, incomplete: str) -> list[str]:
    """Channels and subchannels that begin so. None if the server does not answer at once: Tab never fails."""
    return _begin_with(incomplete, _in_time(lambda: _channels(context)))


def complete_mirrors(context: typer.Context, incomplete: str) -> list[str]:
    """Mirrors that begin so: those of the channel that `--channel` names, or all."""
    return _begin_with(incomplete, _in_time(lambda: _mirrors(context)))


def complete_channel_lists(context: typer.Context, incomplete: str) -> list[str]:
    """As `complete_channels`, for the last name of a list with commas."""
    front, comma, last = incomplete.rpartition(",")
    return [f"{front}{comma}{name}" for name in complete_channels(context, last)]


def _begin_with(incomplete: str, names: Iterable[str]) -> list[str]:
    return sorted(name for name in names if name.startswith(incomplete))


def _in_time(ask: Callable[[], list[str]]) -> list[str]:
    """What it answers, nothing if it takes too long or fails: a shell has no place for errors."""
    found: list[str] = []

    def keep() -> None:
        with suppress(Exception):
            found.extend(ask())

    worker = threading.Thread(target=keep, daemon=True)  # looking up a host's name cannot be interrupted
    worker.start()
    worker.join(SECONDS)
    return list(found)


def _channels(context: typer.Context) -> list[str]:
    from packhouse_client.suggestions import channel_path

    session = _session(context)
    page = session.client.list_channels(limit=MOST_CHANNELS, include_subchannels=True)
    return [channel_path(item) for item in page["items"]]


def _mirrors(context: typer.Context) -> list[str]:
    client = _session(context).client
    if channel := context.params.get("channel"):
        return [mirror["mirror_name"] for mirror in client.list_mirrors(channel)]
    return [mirror["name"] for mirror in client.list_all_mirrors()["items"]]


def _session(context: typer.Context) -> Any:
    """While a line is completed no command runs, so the app's own callback has not made one."""
    from packhouse_client.global_options import GlobalOptions
    from packhouse_client.session import Session

    said = context.find_root().params
    known = {name: said[name] for name in GlobalOptions.__dataclass_fields__ if said.get(name) is not None}
    return Session(GlobalOptions(**{**known, "disable_ssl_warnings": True, "verbose": False}), "conda-repo")
