"""Questions to the person at the terminal; where there is none, the way to answer beforehand is said."""

import sys

import typer

from packhouse_client.errors import NobodyToAsk

YES = frozenset({"y", "yes"})
NO = frozenset({"n", "no"})


def is_interactive() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


def confirm(question: str, *, yes: bool, option: str = "--yes", default: bool = False) -> bool:
    """Ask for a yes or no; `yes` answers beforehand. Raises NobodyToAsk where stdin is no terminal."""
    if yes:
        return True
    if not is_interactive():
        raise NobodyToAsk(f"This needs a confirmation, and there is no terminal to ask at. Give {option}.")
    return _is_yes(ask(question), default)


def _is_yes(answer: str, default: bool) -> bool:
    word = answer.strip().lower()
    return default if not word else word in YES


def ask(question: str, *, hidden: bool = False, option: str | None = None) -> str:
    """One line from the terminal. Raises NobodyToAsk, naming the `option` to give instead."""
    if not is_interactive():
        way_out = f" Give {option}." if option else ""
        raise NobodyToAsk(f"There is no terminal to ask at: '{question.strip()}'.{way_out}")
    return str(
        typer.prompt(question, hide_input=hidden, default="", show_default=False, prompt_suffix="", err=True)
    )
