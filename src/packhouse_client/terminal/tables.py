"""Tables in the shape that `conda repo` has always printed, fitted to the terminal's width."""

import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

SEPARATOR = " | "
LEAST_WIDTH = 6


@dataclass(frozen=True, slots=True)
class Column:
    """A heading and the width it is padded to; longer cells push their row, unless the terminal is narrow."""

    heading: str
    width: int
    align_right: bool = False

    def pad(self, text: str, width: int) -> str:
        return text.rjust(width) if self.align_right else text.ljust(width)


def table(
    columns: Sequence[Column], rows: Iterable[Sequence[object]], *, indent: int = 0, width: int | None = None
) -> str:
    """Heading, dashes, rows. On a terminal narrower than the columns, they shrink and cells are cut with `…`."""
    texts = [["" if cell is None else str(cell) for cell in row] for row in rows]
    available = terminal_width() if width is None else width
    widths = _widths(columns, texts, available - indent)
    lines = [_line(columns, widths, row, available > 0) for row in [[one.heading for one in columns], *texts]]
    lines.insert(1, SEPARATOR.join("-" * one for one in widths))
    return "\n".join(" " * indent + line.rstrip() for line in lines)


def terminal_width() -> int:
    """Columns of the terminal that data goes to; a pipe or file has no end, so nothing is cut for it."""
    if not sys.stdout.isatty():
        return 0
    return shutil.get_terminal_size().columns


def _widths(columns: Sequence[Column], rows: Sequence[Sequence[str]], available: int) -> list[int]:
    declared = [column.width for column in columns]
    if available <= 0:
        return declared
    natural = [
        max(len(text) for text in (column.heading, *(row[number] for row in rows)))
        for number, column in enumerate(columns)
    ]
    room = available - len(SEPARATOR) * (len(columns) - 1)
    generous = [max(pair) for pair in zip(declared, natural, strict=True)]
    return generous if sum(generous) <= room else _shrunk(natural, room)


def _shrunk(widths: list[int], room: int) -> list[int]:
    """Take from the widest column until all fit, or none has anything left to give."""
    widths = list(widths)
    while sum(widths) > room and max(widths) > LEAST_WIDTH:
        widths[widths.index(max(widths))] -= 1
    return widths


def _line(columns: Sequence[Column], widths: Sequence[int], cells: Sequence[str], cut: bool) -> str:
    return SEPARATOR.join(
        column.pad(_cut(cell, width) if cut else cell, width)
        for column, width, cell in zip(columns, widths, cells, strict=True)
    )


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: max(width - 1, 0)] + "…"
