"""Channels listed, and one shown with what is known of it."""

from collections.abc import Iterable
from functools import partial
from itertools import islice

from packhouse_client.commands.channel.request import Request
from packhouse_client.listings import read_listing
from packhouse_client.session import Session
from packhouse_client.suggestions import channel_path, channel_suggested
from packhouse_client.terminal.tables import Column, as_cell, table, terminal_width
from packhouse_client.wire.connection import Document

LIST_HEADINGS = ("name", "privacy", "description", "artifacts", "downloads")
LIST_COLUMNS = (
    Column("Name", 30),
    Column("Privacy", 13),
    Column("Description", 30, may_be_left_out=True),
    Column("Artifacts", 9, align_right=True),
    Column("Downloads", 9, align_right=True),
)
SUBCHANNEL_COLUMNS = (
    Column("Channel", 30),
    Column("Privacy", 10),
    Column("Owners", 15, align_right=True),
    Column("# Artifacts", 12),
    Column("# Downloads", 11),
    Column("# Subchannels", 14, may_be_left_out=True),
    Column("# Mirrors", 9, may_be_left_out=True),
    Column("Description", 30, may_be_left_out=True),
)
FIELDS = {
    "description": "description",
    "privacy": "privacy",
    "# of artifacts": "artifact_count",
    "# of downloads": "download_count",
    "# mirrors": "mirror_count",
    "# of subchannels": "subchannel_count",
    "created": "created",
    "updated": "updated",
    "indexing_behavior": "indexing_behavior",
}
"""What `--show` says of a channel between its name and its owners, and the key that holds it."""


def list_channels(session: Session, request: Request) -> None:
    channels = _accessible(session, subchannels=request.full_details)
    end = None if request.limit is None else request.offset + request.limit
    shown = list(islice(channels, request.offset, end))
    if request.as_json:
        session.output.print_json({"items": shown, "total_count": len(channels)})
        return
    session.output.print("\nChannels available to the user:\n")
    rows = [_row(channel) for channel in shown]
    if terminal_width():
        session.output.print(table(LIST_COLUMNS, rows))
    else:
        for row in (LIST_HEADINGS, *rows):
            session.output.print("\t".join(map(as_cell, row)))
    session.output.print()
    request.say_what_follows(session.output, len(shown), len(channels))


def _row(channel: Document) -> tuple[object, ...]:
    counts = (channel["artifact_count"], channel["download_count"])
    return channel_path(channel), channel["privacy"], channel["description"], *counts


def _accessible(session: Session, subchannels: bool) -> list[Document]:
    """Subchannels are shown with their channel; those whose channel the user may not see stand for themselves."""
    ask = partial(session.client.list_channels, include_subchannels=True)
    channels = list(read_listing(ask).items)
    names = {channel["name"] for channel in channels if not channel.get("parent")}
    return [channel for channel in channels if subchannels or channel.get("parent") not in names]


def show_channel(session: Session, request: Request) -> None:
    path = request.channel
    with channel_suggested(session.client, path):
        channel = session.client.show_channel(path)
        has_subchannels = request.full_details and "/" not in path
        subchannels = _subchannels(session, path) if has_subchannels else None
    if request.as_json:
        known = {} if subchannels is None else {"subchannels": subchannels}
        session.output.print_json(channel | known)
        return
    session.output.print("\nChannel details:\n")
    for label, value in _facts(channel):
        session.output.print(f"\t{label}: {as_cell(value)}")
    if subchannels is not None:
        session.output.print("\n\tSubchannels:\n\t------------")
        session.output.print(_subchannel_table(subchannels))


def _facts(channel: Document) -> Iterable[tuple[str, object]]:
    yield "name", channel_path(channel)
    for label, key in FIELDS.items():
        if key in channel:  # older servers know no indexing behaviour
            yield label, channel[key]
    yield "owners", ", ".join(channel["owners"])


def _subchannels(session: Session, path: str) -> list[Document]:
    return list(read_listing(partial(session.client.list_subchannels, path)).items)


def _subchannel_table(subchannels: Iterable[Document]) -> str:
    return table(SUBCHANNEL_COLUMNS, [_subchannel_row(one) for one in subchannels])


def _subchannel_row(channel: Document) -> tuple[object, ...]:
    return (
        channel_path(channel),
        channel["privacy"],
        ", ".join(channel["owners"]),
        channel["artifact_count"],
        channel["download_count"],
        channel["subchannel_count"],
        channel["mirror_count"],
        channel["description"],
    )
