"""The command line: options that all commands share, and how errors become words and exit codes."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from packhouse_client import __version__
from packhouse_client.commands import COMMANDS, Commands
from packhouse_client.global_options import GlobalOptions
from packhouse_client.session import Session


class CommandGroup(TyperGroup):
    """Loads a command when it is asked for, and turns what it raises into an exit code."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = Commands()

    # The contexts below are of a class of Typer's that it does not make public.
    def list_commands(self, ctx: Any) -> list[str]:
        return sorted(self.commands)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Says what is in the table: asking the commands would import them all."""
        with formatter.section("Commands"):
            formatter.write_dl(sorted(COMMANDS.items()))

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """Offers what is in the table, and options, for the same reason."""
        from typer._click.shell_completion import CompletionItem  # Typer does not make it public either

        offered = [
            CompletionItem(name, help=help)
            for name, help in sorted(COMMANDS.items())
            if name.startswith(incomplete)
        ]
        return offered + super(TyperGroup, self).shell_complete(ctx, incomplete)

    def invoke(self, ctx: Any) -> Any:
        from packhouse_client.failures import FailureTold

        words = [*ctx._protected_args, *ctx.args]  # emptied as they are read; a second try needs them again
        with FailureTold(ctx) as failure:
            return super().invoke(ctx)
        if failure.is_worth_a_second_try:
            ctx._protected_args, ctx.args = words[:1], words[1:]
            with FailureTold(ctx) as failure:
                return super().invoke(ctx)
        raise typer.Exit(failure.exit_code)


app = typer.Typer(
    cls=CommandGroup,
    name="repo",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(context: typer.Context, asked: bool) -> None:
    if asked:
        typer.echo(f"{context.command_path} Command line client (version {__version__})")
        raise typer.Exit


@app.callback(no_args_is_help=True)
def repo(
    context: typer.Context,
    token: Annotated[
        str | None,
        typer.Option("-t", "--token", metavar="TOKEN", help="A token, or the path of a file that holds one."),
    ] = None,
    site: Annotated[
        str | None,
        typer.Option(
            "-s", "--site", metavar="SITE", help="The configured site to use, or a server's address."
        ),
    ] = None,
    insecure: Annotated[
        bool, typer.Option("-k", "--insecure", help="Do not verify the server's certificate.")
    ] = False,
    ca_file: Annotated[
        Path | None,
        typer.Option(
            "--ca-file", metavar="FILE", help="Trust the certificates that the CAs of this file signed."
        ),
    ] = None,
    disable_ssl_warnings: Annotated[
        bool, typer.Option("--disable-ssl-warnings", help="Do not warn of certificates that nobody verified.")
    ] = False,
    show_traceback: Annotated[
        bool, typer.Option("--show-traceback", help="Show where in the program an error came up.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("-v", "--verbose", help="Say what is asked of the server and how it answers.")
    ] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Say only warnings and errors.")] = False,
    version: Annotated[
        bool,
        typer.Option(
            "-V", "--version", is_eager=True, callback=_show_version, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Work with the channels and packages of a Packhouse or Anaconda Platform server.

    Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not logged in, 4 not allowed, 5 not found, 6 conflict.
    """
    options = GlobalOptions(
        token, site, insecure, ca_file, disable_ssl_warnings, show_traceback, verbose, quiet
    )
    context.obj = Session(options.filled_from(context.obj), context.command_path)
    context.call_on_close(context.obj.close)


def run(arguments: Sequence[str] | None, program: str) -> int:
    """Run one command line and answer its exit code; `program` is what the user typed to get here."""
    try:
        app(list(sys.argv[1:] if arguments is None else arguments), prog_name=program)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    return 0
