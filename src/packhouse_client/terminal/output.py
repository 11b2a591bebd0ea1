"""Data to stdout, words to stderr: a command's output can be piped on, and its user still reads along."""

import json
import os
import re
import sys
from collections.abc import Iterable
from textwrap import indent
from typing import Any

import typer

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""What a terminal would obey instead of show; a description from a server must not move its cursor."""


def printable(text: str) -> str:
    return CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


class Output:
    """Where a command says things. Quiet leaves only warnings, errors and data."""

    def __init__(self, *, quiet: bool = False, verbose: bool = False) -> None:
        self.is_quiet = quiet
        self.is_verbose = verbose

    def say(self, text: str = "") -> None:
        """Tell the user what was done or is about to be: not data."""
        if not self.is_quiet:
            typer.echo(printable(text), err=True)

    def debug(self, text: str) -> None:
        if self.is_verbose:
            typer.echo(f"[DEBUG] {printable(text)}", err=True)

    def warn(self, text: str) -> None:
        typer.echo(_coloured("[WARNING]", "yellow") + f" {printable(text)}", err=True)

    def error(self, text: str) -> None:
        typer.echo(_coloured("[ERROR]", "red") + f" {printable(text)}", err=True)

    def print(self, text: str = "") -> None:
        """Data: what the command was asked for."""
        typer.echo(printable(text))

    def print_json(self, document: Any) -> None:
        typer.echo(_as_json(document))

    def print_json_list(self, items: Iterable[Any]) -> None:
        """As `print_json` prints a list, but item by item: there may be more than memory holds."""
        before = "["
        for item in items:
            typer.echo(f"{before}\n{indent(_as_json(item), '  ')}", nl=False)
            before = ","
        typer.echo("[]" if before == "[" else "\n]")

    def tell_of_answer(self, method: str, url: str, status: int, seconds: float) -> None:
        self.debug(f"{method} {url}: {status} in {1000 * seconds:.0f} ms")


def _as_json(document: Any) -> str:
    return json.dumps(document, indent=2, ensure_ascii=not _speaks_unicode())


def _coloured(word: str, colour: str) -> str:
    """Says who? https://no-color.org; a terminal that calls itself dumb knows no colours either."""
    is_plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return word if is_plain else typer.style(word, fg=colour)


def _speaks_unicode() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
