"""What happened to a channel and to the files in it."""

from collections.abc import Sequence
from functools import partial

from packhouse_client.commands.channel.request import Request
from packhouse_client.listings import Page, read_listing
from packhouse_client.session import Session
from packhouse_client.suggestions import channel_suggested
from packhouse_client.terminal.tables import Column, moment_cell, table
from packhouse_client.wire.connection import Document

HISTORY_COLUMNS = (
    Column("id", 36, may_be_left_out=True),
    Column("Type", 20, align_right=True),
    Column("Created", 32, align_right=True),
    Column("Summary", 50),
)
CHANGE_COLUMNS = (
    Column("Created", 32),
    Column("Action", 10),
    Column("User", 15),
    Column("Version", 10, may_be_left_out=True),
    Column("Path", 60),
)
SUMMARY_KEYS = ("ckey", "artifact_family")
RULE = "----------------"


def show_history(session: Session, request: Request) -> None:
    found, total = _page(session, request, partial(session.client.channel_history, request.channel))
    if request.as_json:
        session.output.print_json({"items": found, "total_count": total})
        return
    session.output.print()
    if request.full_details:
        for event in found:
            session.output.print(f"{RULE}\n{_in_full(event)}")
    else:
        session.output.print(table(HISTORY_COLUMNS, [_event_row(event) for event in found]))
    request.say_what_follows(session.output, len(found), total)


def _page(session: Session, request: Request, ask: Page) -> tuple[list[Document], int]:
    with channel_suggested(session.client, request.channel):
        listing = read_listing(ask, request.offset, request.page_size)
        return list(listing.items), listing.total


def _event_row(event: Document) -> Sequence[object]:
    data = event["data"]
    known = {key: data[key] for key in SUMMARY_KEYS if key in data} or data
    summary = "; ".join(f"{key}: {value}" for key, value in known.items())
    return event["event_id"], event["event_type"], moment_cell(event["created"]), summary


def _in_full(event: Document) -> str:
    from packhouse_client.terminal.yaml import as_yaml

    return as_yaml(event)


def show_package_changes(session: Session, request: Request) -> None:
    found, total = _page(session, request, partial(session.client.package_changes, request.channel))
    if request.as_json:
        session.output.print_json({"items": found, "total_count": total})
        return
    session.output.print()
    session.output.print(table(CHANGE_COLUMNS, [_change_row(change) for change in found]))
    request.say_what_follows(session.output, len(found), total)


def _change_row(change: Document) -> Sequence[object]:
    keys = ("action", "user", "version", "ckey")
    return moment_cell(change["created"]), *(change.get(key) for key in keys)
