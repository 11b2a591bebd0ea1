"""Mirrors made, changed, stopped, started and deleted."""

import typer

from packhouse_client.commands.mirror.lookup import Found, find_mirror
from packhouse_client.commands.mirror.preview import show_preview
from packhouse_client.commands.mirror.request import DESCRIBE, Request
from packhouse_client.commands.mirror.settings import changed_specification, new_specification
from packhouse_client.commands.mirror.watch import watch_run
from packhouse_client.errors import Conflict, WrongUsage
from packhouse_client.session import Session
from packhouse_client.suggestions import channel_suggested
from packhouse_client.terminal.questions import ask, confirm, is_interactive
from packhouse_client.wire.connection import Document
from packhouse_client.wire.mirrors import Contents

CAN_BE_STOPPED = ("pending", "running")
ANSWERS: dict[str, Contents] = {
    **dict.fromkeys(("", "k", "keep", "y", "yes"), "keep"),
    **dict.fromkeys(("d", "drop"), "drop"),
}
"""To the question whether the files stay. Who says yes to a deletion has not said that they shall go."""


def create_mirror(session: Session, request: Request) -> None:
    path = request.required_channel
    specification = new_specification(request.name, request.settings)
    with channel_suggested(session.client, path):
        if request.dry_run:
            show_preview(session, request, session.client.preview_mirror(path, specification))
            return
        mirror = session.client.create_mirror(path, specification | {"run_now": request.run_now})
    _tell(session, request, f"Mirror {request.name} successfully created on channel {path}", path, mirror)


def update_mirror(session: Session, request: Request) -> None:
    path = request.required_channel
    if not request.settings and not request.run_now:
        raise WrongUsage("Say what to change, as --cron, --mode or a filter, or give --run_now.")
    found = find_mirror(session, request)
    specification = changed_specification(found.mirror, request.settings)
    if request.dry_run:
        show_preview(session, request, session.client.preview_mirror(path, specification, found.id))
        return
    mirror = session.client.update_mirror(path, found.id, specification | {"run_now": request.run_now})
    _tell(session, request, f"Mirror {request.name} successfully update on channel {path}", path, mirror)


def restart_mirror(session: Session, request: Request) -> None:
    found = find_mirror(session, request)
    mirror = session.client.restart_mirror(found.channel, found.id)
    _tell(session, request, f"Restarting mirror {request.name}", found.channel, mirror)


def stop_mirror(session: Session, request: Request) -> None:
    found = find_mirror(session, request)
    if found.state not in CAN_BE_STOPPED:
        raise Conflict(f"Mirror {request.name} cannot be stopped in its current state: {found.state}")
    mirror = session.client.stop_mirror(found.channel, found.id)
    _tell(session, request, f"Stopping mirror {request.name}", found.channel, mirror)


def _tell(session: Session, request: Request, sentence: str, path: str, mirror: Document) -> None:
    """What was done; then how the run goes, if it is waited for."""
    session.output.say(sentence)
    if request.action in DESCRIBE:
        for note in mirror.get("notes") or ():
            session.output.warn(note)
    if request.wait:
        watch_run(session, request, Found(path, mirror))
    elif request.as_json:
        session.output.print_json(mirror)


def delete_mirror(session: Session, request: Request) -> None:
    """As scripts always could: nobody is asked where there is no terminal, and files are kept then."""
    path = request.required_channel
    found = find_mirror(session, request)
    contents = _chosen_contents(request, found)
    if contents is None:
        session.output.warn(f"Not deleting mirror {found.name}")
        raise typer.Exit(1)
    session.client.delete_mirror(path, found.id, contents)
    session.output.say(f"Mirror {request.name} successfully delete on channel {path}")
    if request.as_json:
        session.output.print_json(
            {"mirror_id": found.id, "mirror_name": found.name, "removed": True, "contents": contents}
        )


def _chosen_contents(request: Request, found: Found) -> Contents | None:
    """None for a change of mind."""
    counts = found.mirror["sync_state"]["count"]
    here, awaited = counts["active"], counts["passive"]
    contents: Contents = "drop" if request.contents == "drop" else "keep"
    if not here + awaited or not is_interactive() or request.yes:
        return contents
    if contents == "drop" or not here:
        lost = f"{_files(here + awaited)} of channel {found.channel}"
        reason = "" if contents == "drop" else " that nobody fetched yet"
        question = f"Delete mirror {found.name}, and {lost}{reason} with it? [y|N]: "
        return contents if confirm(question, yes=False) else None
    if request.contents is None:
        rest = f" ({_files(awaited)} that nobody fetched yet cannot be kept.)" if awaited else ""
        question = f"Keep or drop {_files(here)} that mirror {found.name} brought?{rest} [KEEP|drop]: "
        return ANSWERS.get(ask(question).strip().lower())
    return contents


def _files(count: int) -> str:
    return f"{count:,} file{'' if count == 1 else 's'}"
