"""What `wizard` shows and asks, word for word as `conda repo wizard` always did.

All of it goes to stderr, and answers may come through a pipe: scripts that type for people exist.
"""

import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import typer

from packhouse_client.errors import NobodyToAsk
from packhouse_client.session import Session
from packhouse_client.suggestions import did_you_mean
from packhouse_client.terminal.questions import YES, ask, is_interactive
from packhouse_client.terminal.tables import Column, table, terminal_width

Channels = Mapping[str, dict[str, Any]]
"""The channels that there are, by their paths."""

DEFAULTS = "defaults"
"""Conda's name for whatever `default_channels` holds."""
RULE_WIDTH = 75
MIRRORED = "✓"


def split_names(text: str) -> list[str]:
    """The names of a list with spaces or commas, each once."""
    return list(dict.fromkeys(name for name in re.split(r"[\s,]+", text) if name))


def without_defaults(names: Iterable[str]) -> list[str]:
    """It stands in front of the others anyway."""
    return [name for name in names if name != DEFAULTS]


def introduce(session: Session, path: Path, available: Channels) -> None:
    say = session.output.say
    say("Conda configuration wizard.")
    say(f"This wizard will configure your CondaRC file using channels from {session.site.url}")
    say()
    say(f"The CondaRC path is {path}")
    say()
    say("The following channels are available:")
    for line in _table(available):
        say(line)
    say()


def _table(available: Channels) -> list[str]:
    columns = [Column("Name", 30), Column("Mirror", 2), Column("Privacy", 15), Column("Owners", 0)]
    rows = [
        (name, MIRRORED if item.get("mirror_count") else "", item["privacy"], _owners(item))
        for name, item in available.items()
    ]
    heading, _, *lines = table(columns, rows).splitlines()
    return [heading, "-" * min(RULE_WIDTH, terminal_width() or RULE_WIDTH), *lines]


def _owners(item: Mapping[str, Any]) -> str:
    return ", ".join(str(owner) for owner in item.get("owners") or [])


def ask_for_default_channels(session: Session, available: Channels) -> list[str]:
    """At least one; asks until it gets it."""
    session.output.say("Provide a space-separated list of channels to set as default_channels")
    session.output.say("It is common to add mirror channels here.")
    while True:
        known = _known(session, split_names(_answer(": ", "--default-channels")), available)
        if known:
            session.output.say()
            return known
        session.output.say("At least one channel should be added to default channels! Try again...")


def ask_for_other_channels(session: Session, available: Channels) -> list[str]:
    session.output.say('If you wish to add channels to the "channels" list')
    session.output.say("provide a space-separated list. You may leave this blank.")
    return _known(session, without_defaults(split_names(_answer(": ", "--channels"))), available)


def _known(session: Session, names: Iterable[str], available: Channels) -> list[str]:
    """Those that are channels; the others are named."""
    names = list(names)
    unknown = [name for name in names if name not in available]
    if unknown:
        session.output.say("The following channels do not exist and will not be saved:")
        for name in unknown:
            hint = did_you_mean(name, available)
            session.output.say(f"  - {name}{'.' if hint else ''}{hint}")
    return [name for name in names if name in available]


def show_settings(session: Session, settings: Mapping[str, Any]) -> None:
    say = session.output.say
    say("The following Conda configuration will be applied")
    for key, value in settings.items():
        say(f"{key}:" if isinstance(value, list) else f"{key}: {value}")
        for item in value if isinstance(value, list) else ():
            say(f"  - {item}")


def confirms(session: Session, path: Path, has_file: bool) -> bool:
    """Whether the answer is yes, which an empty one is."""
    session.output.say(f"Confirm changes to {path}")
    archived = "(The current condarc file will be archived) " if has_file else ""
    return _answer(f"{archived}[Y, n]: ", "--yes").strip().lower() in YES | {""}


def _answer(question: str, option: str) -> str:
    """One line from the terminal, or from a script that writes its answers to stdin.

    Raises NobodyToAsk, naming the `option` to give instead, where there is neither.
    """
    if is_interactive():
        return ask(question)
    line = sys.stdin.readline() if sys.stdin is not None else ""
    if not line:
        raise NobodyToAsk(f"This needs an answer, and there is no terminal to ask at. Give {option}.")
    typer.echo(f"{question}{line.rstrip()}", err=True)
    return line
