"""What went wrong, said in one sentence and turned into the exit code that scripts ask for."""

import os
import sys
import traceback
from types import TracebackType
from typing import Any, Self

import typer
from typer import TyperException

from packhouse_client.errors import (
    ClientError,
    Conflict,
    Forbidden,
    Frozen,
    NotFound,
    Unauthenticated,
    WrongUsage,
)
from packhouse_client.session import Session
from packhouse_client.terminal.output import Output
from packhouse_client.terminal.questions import is_interactive

FAILED, USAGE, NOT_LOGGED_IN, NOT_ALLOWED, NOT_FOUND, CONFLICT = 1, 2, 3, 4, 5, 6
INTERRUPTED = 130
"""128 + SIGINT, as shells count."""
BROKEN_PIPE = 141
EXIT_CODES: dict[type[Exception], int] = {
    WrongUsage: USAGE,
    Unauthenticated: NOT_LOGGED_IN,
    Forbidden: NOT_ALLOWED,
    NotFound: NOT_FOUND,
    Conflict: CONFLICT,
    Frozen: CONFLICT,
}
ENDINGS = (typer.Exit, TyperException)
TOKEN_REFUSED = "The provided token does not allow you to perform this operation"


def exit_code_of(error: Exception) -> int:
    """The code of the error's class, or of the nearest class above it; 1 for any other."""
    return next((EXIT_CODES[one] for one in type(error).__mro__ if one in EXIT_CODES), FAILED)


class FailureTold:
    """Says what is raised within it, and keeps the exit code; nothing gets out but the library's own ways to end.

    A missing log-in is made up for at a terminal, as `conda repo` always did: a second try is worth it then.
    """

    def __init__(self, context: Any) -> None:
        self._context = context
        self.exit_code = 0
        self.is_worth_a_second_try = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if error is None or isinstance(error, ENDINGS):
            _point_to_the_place(self._context, error)
            return False
        if isinstance(error, BrokenPipeError):
            _leave_the_pipe()
            self.exit_code = BROKEN_PIPE
        elif isinstance(error, KeyboardInterrupt | typer.Abort):  # the latter at a question
            typer.echo("\nInterrupted.", err=True)
            self.exit_code = INTERRUPTED
        elif isinstance(error, Exception):  # whatever it is, people get a sentence and scripts a code
            self._fail(error)
        else:
            return False
        return True

    def _fail(self, error: Exception) -> None:
        session = self._context.find_object(Session)
        _tell(session, error)
        self.exit_code = exit_code_of(error)
        if isinstance(error, Unauthenticated) and session is not None:
            self.is_worth_a_second_try = _logs_in_now(session)


def _point_to_the_place(context: Any, error: BaseException | None) -> None:
    """An option for all commands stands before the command's name; say so where it was put behind it."""
    option = getattr(error, "option_name", None)
    known = {name for parameter in context.command.params for name in parameter.opts}
    if (
        isinstance(error, TyperException)
        and option in known
        and getattr(error, "ctx", context) is not context
    ):
        error.message = f"'{option}' goes before the command's name, behind '{context.command_path}'."


def _tell(session: Session | None, error: Exception) -> None:
    output = Output() if session is None else session.output
    output.error(_sentence(session, error))
    if session is not None and session.options.show_traceback:
        output.say("".join(traceback.format_exception(error)))


def _sentence(session: Session | None, error: Exception) -> str:
    if isinstance(error, Unauthenticated) and session is not None and session.options.token is not None:
        return f"{TOKEN_REFUSED}. {error}"
    if isinstance(error, ClientError):
        return str(error)
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror or error}"
    return f"{type(error).__name__}: {error}. This should not happen; --show-traceback shows where it did."


def _logs_in_now(session: Session) -> bool:
    """Whether the user, asked at the terminal, logged in. Never asks scripts, or those who gave a token."""
    if session.options.token is not None or not is_interactive() or not session.may_ask_to_log_in:
        return False
    from packhouse_client.login import log_in

    session.output.say("The action you are performing requires authentication, please sign in:")
    try:
        log_in(session)
    except ClientError as error:
        _tell(session, error)
        return False
    session.forget_credential()
    return True


def _leave_the_pipe() -> None:
    """The reader went away, as `head` does; without this, Python would complain when it flushes."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
