"""Mirrors listed, and one shown with what is known of it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from packhouse_client.commands.mirror.lookup import find_mirror, mirrored_channel
from packhouse_client.commands.mirror.request import Request
from packhouse_client.errors import WrongUsage
from packhouse_client.listings import read_listing
from packhouse_client.session import Session
from packhouse_client.specifications import check_channel
from packhouse_client.suggestions import channel_suggested
from packhouse_client.terminal.tables import Column, as_cell, moment_cell, table
from packhouse_client.wire.connection import Document

INDENT = 5
LIST_COLUMNS = (
    Column("Id", 36, may_be_left_out=True),
    Column("Name", 15),
    Column("Type", 8, align_right=True, may_be_left_out=True),
    Column("Mode", 10),
    Column("State", 10),
    Column("Source_root", 50),
    Column("Proxy", 40, may_be_left_out=True),
    Column("Last run at", 30),
    Column("Updated at", 30, may_be_left_out=True),
)
LIST_KEYS = (
    *("mirror_id", "mirror_name", "mirror_type", "mirror_mode", "state", "source_root", "proxy"),
    *("last_run_at", "updated_at"),
)
ALL_COLUMNS = (
    Column("Id", 36, may_be_left_out=True),
    Column("Name", 15),
    Column("root source", 45, align_right=True, may_be_left_out=True),
    Column("Type", 18, may_be_left_out=True),
    Column("Channel", 19),
    Column("Privacy", 14, may_be_left_out=True),
    Column("Mode", 10),
    Column("State", 10),
    Column("last run at", 34),
    Column("created at", 34, may_be_left_out=True),
    Column("updated at", 34, may_be_left_out=True),
)
PROPERTIES: Mapping[str, str] = {
    "id": "mirror_id",
    "name": "mirror_name",
    "source": "source_root",
    "type": "mirror_type",
    "mode": "mirror_mode",
    "state": "state",
    "proxy": "proxy",
    "cron": "cron",
    "last_run_at": "last_run_at",
    "created_at": "created_at",
    "updated_at": "updated_at",
}
"""What `--show NAME PROPERTY` knows, and the key that holds it."""
FACTS: Mapping[str, str] = {
    "id": "mirror_id",
    "name": "mirror_name",
    "type": "mirror_type",
    "mode": "mirror_mode",
    "state": "state",
    "source root": "source_root",
    "Last run at": "last_run_at",
    "Updated at": "updated_at",
    "created": "created_at",
    "cron": "cron",
    "proxy": "proxy",
}
"""What `--show` says before the filters, and the key that holds it."""
VANISHED: Mapping[str, Callable[[str], str]] = {
    "keep": lambda source: f"Files that {source} no longer has are kept.",
    "flag": lambda source: f"Files that {source} no longer has are kept, and flagged.",
    "drop": lambda source: f"Files that {source} no longer has are dropped.",
}


def list_mirrors(session: Session, request: Request) -> None:
    path = check_channel(request.name) if request.name else request.required_channel
    with channel_suggested(session.client, path):
        mirrors = session.client.list_mirrors(path)
    if request.as_json:
        session.output.print_json({"items": mirrors, "total_count": len(mirrors)})
        return
    _print_table(session, LIST_COLUMNS, list(map(_row, mirrors)))


def list_all_mirrors(session: Session, request: Request) -> None:
    mirrors = list(read_listing(session.client.list_all_mirrors).items)
    if request.as_json:
        session.output.print_json({"items": mirrors, "total_count": len(mirrors)})
        return
    _print_table(session, ALL_COLUMNS, list(map(_row_of_all, mirrors)))


def _row(mirror: Document) -> Sequence[object]:
    return [moment_cell(mirror[key]) if key.endswith("_at") else mirror[key] for key in LIST_KEYS]


def _row_of_all(mirror: Document) -> Sequence[object]:
    place = mirror.get("subchannel") or mirror["channel"]
    names = (mirror["id"], mirror["name"], mirror["source_root"], mirror["type"], mirrored_channel(mirror))
    moments = [moment_cell(mirror[key]) for key in ("last_run_at", "created_at", "updated_at")]
    return *names, place["privacy"], mirror["mode"], mirror["state"], *moments


def _print_table(session: Session, columns: Sequence[Column], rows: Sequence[Sequence[object]]) -> None:
    session.output.print(table(columns, rows, indent=INDENT))
    if not rows:
        session.output.say(f"{' ' * INDENT}(there are none)")


def show_mirror(session: Session, request: Request) -> None:
    if unknown := [name for name in request.more if name not in PROPERTIES]:
        raise WrongUsage(f"Invalid field(s): {', '.join(unknown)}. There are: {', '.join(PROPERTIES)}.")
    mirror = find_mirror(session, request).mirror
    if request.as_json:
        shown = {name: mirror[PROPERTIES[name]] for name in request.more}
        session.output.print_json(shown if request.more else mirror)
    elif request.more:
        session.output.print(",".join(as_cell(mirror[PROPERTIES[name]]) for name in request.more))
    else:
        session.output.print("\n".join(details(mirror)))
        for sentence in _beyond(mirror):
            session.output.say(sentence)


def details(mirror: Document) -> Iterator[str]:
    """Exactly as the reference document shows a mirror."""
    yield "    Mirror Details:"
    yield "    ---------------"
    for label, key in FACTS.items():
        yield f"    {label}: {as_cell(mirror[key])}".rstrip()
    yield "    filters:"
    for name, value in sorted(mirror["filters"].items()):
        yield f"        {name:25}| {value}"


def _beyond(mirror: Mapping[str, Any]) -> Iterator[str]:
    """What that document's server did not know: words, so that scripts still find the lines that they know."""
    yield ""
    if next_run := mirror.get("next_run_at"):
        yield f"The next run is at {next_run}; cron is in {mirror.get('timezone') or 'UTC'}."
    else:
        yield "It runs only when it is told to."
    if sentence := VANISHED.get(mirror.get("on_vanished") or ""):
        yield sentence(mirror["source_root"])
    if mirror.get("policy_id"):
        yield f"Policy {mirror['policy_id']} is the mirror's own."
    yield from mirror.get("notes") or ()
