"""How the demo speaks: numbered steps, the lines that a person would type, and what came of them."""

import itertools
import os
import shlex
import subprocess

LONGEST_SECONDS = 120

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


def typed(command: str, *, fails: bool = False) -> None:
    """Show a line, run it as a shell does, and tell what it said. Raises RuntimeError if it ends otherwise."""
    by_hand(command)
    ran = subprocess.run(
        command,
        shell=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LONGEST_SECONDS,
    )
    say(ran.stdout.strip())
    if (ran.returncode != 0) != fails:
        raise RuntimeError(f"'{command}' ended with exit code {ran.returncode}.")


def export(**variables: str) -> None:
    """Set variables for every line that follows."""
    by_hand("export " + " ".join(f"{name}={shlex.quote(value)}" for name, value in variables.items()))
    os.environ.update(variables)
