"""Several things asked for at once, of which some may fail."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from packhouse_client.errors import ClientError, Unauthenticated
from packhouse_client.failures import exit_code_of
from packhouse_client.terminal.output import Output


class Several:
    """The rest is done, each failure is told, and the first decides the exit code."""

    def __init__(self, output: Output, *, is_one: bool = False) -> None:
        """`is_one` when there is but one: its failure ends the command as that of any command does."""
        self._output = output
        self._is_one = is_one
        self._first: ClientError | None = None

    @contextmanager
    def one(self) -> Iterator[None]:
        """One of them. A missing log-in ends all: once it is made up for, they are done anew."""
        try:
            yield
        except ClientError as error:
            if self._is_one or isinstance(error, Unauthenticated):
                raise
            self._output.error(str(error))
            self._first = self._first or error

    def end(self) -> None:
        """Raises Exit if one failed."""
        if self._first is not None:
            raise typer.Exit(exit_code_of(self._first))
