"""How the demo speaks: numbered steps, the command that does the same by hand, and what came of it."""

import itertools

_numbers = itertools.count(1)


def step(title: str) -> None:
    print(f"\n{next(_numbers)}. {title}", flush=True)


def by_hand(*commands: str) -> None:
    """Lines to paste into a shell; each is one line, however long."""
    for command in commands:
        print(f"   $ {command}", flush=True)


def say(text: str) -> None:
    for line in text.splitlines():
        print(f"   {line}", flush=True)
