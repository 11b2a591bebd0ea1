"""How far something is that takes long: a picture that changes at a terminal, a line now and then elsewhere."""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from packhouse_client.terminal.output import Output, printable

if TYPE_CHECKING:
    from rich.live import Live

SECONDS_BETWEEN_LINES = 5.0


class Display:
    """This one shows nothing, for those who want it quiet."""

    def show(self, percentage: float, line: str, lines: Sequence[str]) -> None:
        """`lines` around a bar at a terminal, or the one `line` elsewhere."""


class _Lines(Display):
    def __init__(self, output: Output) -> None:
        self._output = output
        self._said = ""
        self._moment = float("-inf")

    def show(self, percentage: float, line: str, lines: Sequence[str]) -> None:
        now = time.monotonic()
        if line != self._said and now - self._moment >= SECONDS_BETWEEN_LINES:
            self._output.say(line)
            self._said, self._moment = line, now


class _Picture(Display):
    def __init__(self, live: "Live") -> None:
        self._live = live

    def show(self, percentage: float, line: str, lines: Sequence[str]) -> None:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Column, Table
        from rich.text import Text

        bar = Table.grid(Column(ratio=1), Column(no_wrap=True), padding=(0, 1), expand=True)
        bar.add_row(ProgressBar(total=100, completed=percentage), f"{percentage:.0f} %")
        texts = [Text(printable(text), no_wrap=True, overflow="ellipsis") for text in lines if text]
        self._live.update(Group(*texts[:1], bar, *texts[1:]), refresh=True)


@contextmanager
def display(output: Output) -> Iterator[Display]:
    """Gone at the end, so that what is said then stands alone."""
    if output.is_quiet:
        yield Display()
    elif not sys.stderr.isatty():
        yield _Lines(output)
    else:
        from rich.console import Console
        from rich.live import Live

        with Live(console=Console(stderr=True), transient=True, auto_refresh=False) as live:
            yield _Picture(live)
