"""Tables in the shape that `conda repo` has always printed, fitted to the terminal's width."""

import shutil
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

SEPARATOR = " | "
ELLIPSIS = "…"
LEAST_WIDTH = 6
WITHOUT_WIDTH = frozenset({"Mn", "Me", "Cf"})
"""Categories of characters that are drawn onto the one before, or not at all."""


@dataclass(frozen=True, slots=True)
class Column:
    """A heading and the width it is padded to; longer cells push their row, unless the terminal is narrow."""

    heading: str
    width: int
    align_right: bool = False
    may_be_left_out: bool = False
    """On a terminal too narrow for the whole table; a pipe gets every column."""


def table(
    columns: Sequence[Column], rows: Iterable[Sequence[object]], *, indent: int = 0, width: int | None = None
) -> str:
    """Heading, dashes, rows. A terminal too narrow gets fewer and smaller columns, cells cut with `…`.

    `width` is that of the terminal, which is asked when it is left out; 0 is no terminal.
    """
    available = (terminal_width() if width is None else width) - indent
    cells = [[column.heading for column in columns], *([as_cell(cell) for cell in row] for row in rows)]
    columns, cells = _left_in(columns, cells, available)
    widths = _widths(columns, cells, available)
    lines = [_line(columns, widths, row, available > 0) for row in cells]
    lines.insert(1, SEPARATOR.join("-" * one for one in widths))
    return "\n".join(" " * indent + line.rstrip() for line in lines)


def terminal_width() -> int:
    """Columns of the terminal that data goes to; a pipe or file has no end, so nothing is cut for it."""
    if not sys.stdout.isatty():
        return 0
    return shutil.get_terminal_size().columns


def as_cell(value: object) -> str:
    """Text on one line: a description may have several."""
    return "" if value is None else " ".join(str(value).split())


def moment_cell(moment: str | None) -> str:
    """For programs as the server writes it; a person's terminal has better use for the room."""
    if not moment or not terminal_width():
        return moment or ""
    return datetime.fromisoformat(moment).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def text_width(text: str) -> int:
    """Columns of a terminal that a text takes: East Asian characters take two."""
    if text.isascii():
        return len(text)
    return sum(map(_character_width, text))


def _character_width(character: str) -> int:
    if unicodedata.category(character) in WITHOUT_WIDTH:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


Cells = list[list[str]]


def _left_in(columns: Sequence[Column], cells: Cells, available: int) -> tuple[list[Column], Cells]:
    """What is left of the table when columns that may go have gone, the last first, until it fits."""
    kept = list(range(len(columns)))
    natural = _natural(cells)
    for number in reversed(range(len(columns))):
        if available <= 0 or _total([natural[one] for one in kept]) <= available:
            break
        if columns[number].may_be_left_out:
            kept.remove(number)
    return [columns[one] for one in kept], [[row[one] for one in kept] for row in cells]


def _widths(columns: Sequence[Column], cells: Cells, available: int) -> list[int]:
    declared = [column.width for column in columns]
    if available <= 0:
        return declared
    natural = _natural(cells)
    generous = [max(pair) for pair in zip(declared, natural, strict=True)]
    return generous if _total(generous) <= available else _shrunk(natural, available)


def _natural(cells: Cells) -> list[int]:
    """The width of the widest cell of each column."""
    return [max(map(text_width, column)) for column in zip(*cells, strict=True)]


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + len(SEPARATOR) * (len(widths) - 1)


def _shrunk(widths: list[int], available: int) -> list[int]:
    """Take from the widest column until all fit, or none has anything left to give."""
    widths = list(widths)
    while _total(widths) > available and max(widths) > LEAST_WIDTH:
        widths[widths.index(max(widths))] -= 1
    return widths


def _line(columns: Sequence[Column], widths: Sequence[int], row: Sequence[str], is_cut: bool) -> str:
    return SEPARATOR.join(
        _padded(cut(cell, width) if is_cut else cell, width, column.align_right)
        for column, width, cell in zip(columns, widths, row, strict=True)
    )


def _padded(text: str, width: int, align_right: bool) -> str:
    space = " " * (width - text_width(text))
    return space + text if align_right else text + space


def cut(text: str, width: int) -> str:
    """The text, or as much of its beginning as fits, with an ellipsis."""
    if text_width(text) <= width:
        return text
    end, taken = 0, text_width(ELLIPSIS)
    while taken + _character_width(text[end]) <= width:
        taken += _character_width(text[end])
        end += 1
    return text[:end] + ELLIPSIS
