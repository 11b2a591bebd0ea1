"""Bars that show how far a file has come; at a terminal only, and only then is rich imported."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Self

from packhouse_client.terminal.output import Output, printable

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class Bar:
    """How far one file is. This one shows nothing; it is for where nobody watches."""

    def describe(self, activity: str) -> None:
        """What is being done with the file; a new activity begins at 0."""

    def tell(self, done: int) -> None:
        """Bytes so far."""


class _ShownBar(Bar):
    def __init__(self, progress: "Progress", task: "TaskID") -> None:
        self._progress = progress
        self._task = task

    def describe(self, activity: str) -> None:
        self._progress.reset(self._task, activity=activity)

    def tell(self, done: int) -> None:
        self._progress.update(self._task, completed=done)


class ProgressBars:
    """One bar for each file that is under way; they make way for what is said, and are gone at the end.

    Threads may use it together.
    """

    def __init__(self, output: Output, *, wanted: bool = True) -> None:
        is_shown = wanted and not output.is_quiet and sys.stderr.isatty()
        self._progress = _make_progress() if is_shown else None

    def __enter__(self) -> Self:
        if self._progress is not None:
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    @contextmanager
    def bar(self, label: str, size: int | None) -> Iterator[Bar]:
        """For a file of `size` bytes; None if that is not known beforehand."""
        if self._progress is None:
            yield Bar()
            return
        task = self._progress.add_task(printable(label), total=size, activity="")
        try:
            yield _ShownBar(self._progress, task)
        finally:
            self._progress.remove_task(task)


def _make_progress() -> "Progress":
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )
    from rich.table import Column

    label = Column(ratio=2, no_wrap=True, overflow="ellipsis", min_width=12)
    return Progress(
        TextColumn("{task.description}", markup=False, table_column=label),
        TextColumn("{task.fields[activity]}", markup=False, table_column=Column(no_wrap=True, width=8)),
        BarColumn(bar_width=None, table_column=Column(ratio=1, min_width=6)),
        DownloadColumn(table_column=Column(no_wrap=True)),
        TransferSpeedColumn(table_column=Column(no_wrap=True)),
        TimeRemainingColumn(compact=True, table_column=Column(no_wrap=True)),
        console=Console(stderr=True),
        transient=True,
        expand=True,
    )
