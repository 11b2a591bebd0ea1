"""Channels made, changed and removed."""

from collections.abc import Mapping

import typer

from packhouse_client.commands.channel.request import Request
from packhouse_client.errors import WrongUsage
from packhouse_client.session import Session
from packhouse_client.suggestions import channel_suggested
from packhouse_client.terminal.questions import confirm, is_interactive
from packhouse_client.wire.connection import Document

BEHAVIOURS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "--lock": ("locked", {"privacy": "private"}),
    "--soft-lock": ("soft-locked", {"privacy": "authenticated"}),
    "--unlock": ("unlocked", {"privacy": "public"}),
    "--freeze": ("frozen", {"indexing_behavior": "frozen"}),
    "--unfreeze": ("unfrozen", {"indexing_behavior": "default"}),
}
"""What a channel is then called, and what is set for it."""


def create_channel(session: Session, request: Request) -> None:
    path = request.channel
    with channel_suggested(session.client, path):
        created = session.client.create_channel(path, request.privacy, request.description)
    _tell(session, request, f"Channel {path} successfully created", created)


def update_channel(session: Session, request: Request) -> None:
    if not request.settings:
        raise WrongUsage("Say what to change: --privacy, --description or both.")
    _change(session, request, request.settings, "updated")


def set_behaviour(session: Session, request: Request) -> None:
    word, values = BEHAVIOURS[request.action]
    _change(session, request, values, f"now {word}")


def _change(session: Session, request: Request, values: Mapping[str, str], outcome: str) -> None:
    path = request.channel
    with channel_suggested(session.client, path):
        changed = session.client.update_channel(path, **values)
    _tell(session, request, f"Channel {path} is {outcome}", changed)


def remove_channel(session: Session, request: Request) -> None:
    """Scripts were never asked, and `--remove` in one says what it does; a person may have mistyped."""
    path = request.channel
    with channel_suggested(session.client, path):
        if is_interactive() and not request.yes and not _is_meant(session, path):
            session.output.warn(f"Not removing channel {path}")
            raise typer.Exit(1)
        session.client.delete_channel(path)
    _tell(session, request, f"Channel {path} successfully removed", {"name": path, "removed": True})


def _is_meant(session: Session, path: str) -> bool:
    """Whether the user says yes to losing what is in the channel; nobody is asked about an empty one."""
    contents = _contents(session.client.show_channel(path))
    return not contents or confirm(f"Remove channel {path} with {contents}? [y|N]: ", yes=False)


def _contents(channel: Document) -> str:
    counts = {"artifact": channel["artifact_count"], "subchannel": channel["subchannel_count"]}
    return " and ".join(
        f"{count} {noun}{'' if count == 1 else 's'}" for noun, count in counts.items() if count
    )


def _tell(session: Session, request: Request, sentence: str, document: Document) -> None:
    session.output.say(sentence)
    if request.as_json:
        session.output.print_json(document)
