"""A pseudo-terminal: commands run in it see a person, with a width, and somebody who answers questions."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.cli.shell import Shell

SECONDS = 60
ESCAPES = re.compile(r"\x1b(\[[0-9;?]*[ -/]*[@-~]|\][^\x07]*\x07|[@-_])")


@dataclass
class Screen:
    exit_code: int
    text: str
    """All that was written, stdout and stderr as the terminal mixes them, without colours."""

    @property
    def lines(self) -> list[str]:
        return [line.rstrip() for line in self.text.splitlines()]


def at_terminal(
    shell: Shell,
    *words: object,
    answers: str = "",
    replies: Sequence[tuple[str, str]] = (),
    columns: int = 80,
    folder: Path | None = None,
    keep_escapes: bool = False,
) -> Screen:
    """Run a command at a terminal; `answers` are typed ahead, a line each.

    `replies` are typed when their questions come up, each once and in this order: whoever asks for a password
    throws away what was typed ahead.
    """
    controller, end = pty.openpty()
    fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    process = subprocess.Popen(
        [*shell.entry_point, *map(str, words)],
        stdin=end,
        stdout=end,
        stderr=end,
        cwd=folder or shell.home,
        env=shell.all_variables | {"TERM": "xterm", "COLUMNS": str(columns)} | shell.environment,
        start_new_session=True,
        preexec_fn=_take_the_terminal,
    )
    os.close(end)
    os.write(controller, answers.encode())
    try:
        text = _read_all(controller, process, list(replies))
    finally:
        process.kill()
        os.close(controller)
    return Screen(process.wait(), text if keep_escapes else ESCAPES.sub("", text))


def _take_the_terminal() -> None:
    """So that Ctrl-C, typed there, comes to the command, and is not ignored as in a shell's background."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _read_all(controller: int, process: subprocess.Popen[bytes], replies: list[tuple[str, str]]) -> str:
    text = bytearray()
    answered = 0
    limit = time.monotonic() + SECONDS
    while time.monotonic() < limit:
        ready, _, _ = select.select([controller], [], [], 0.1)
        try:
            chunk = os.read(controller, 65536) if ready else b""
        except OSError:  # the last process closed its end
            break
        text += chunk
        if replies and replies[0][0].encode() in text[answered:]:
            answered = len(text)
            os.write(controller, f"{replies.pop(0)[1]}\n".encode())
        if not chunk and process.poll() is not None:
            break
    process.wait(max(1, limit - time.monotonic()))
    return text.decode().replace("\r\n", "\n")
