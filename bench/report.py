"""Writes what a benchmark found as a page of Markdown, with the machine it ran on."""

import datetime
import os
import platform
from collections.abc import Iterable, Sequence
from pathlib import Path

RESULTS = Path(__file__).with_name("results")


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; the first column is text, the others are figures."""
    rule = ["---", *("---:" for _ in columns[1:])]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (columns, rule, *rows))


def conditions() -> str:
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    system = f"{platform.system()} {platform.release()}"
    return f"{today}, {os.cpu_count()} processors, Python {platform.python_version()}, {system}."


def write_page(name: str, parts: Iterable[str]) -> None:
    """Print the page and keep it in the folder of results."""
    page = "\n\n".join(parts) + "\n"
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.md").write_text(page)
    print(page)


def verdict(reached: bool) -> str:
    return "reached" if reached else "missed"
