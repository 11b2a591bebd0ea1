"""`login`: from a user name and a password to a token that the other commands use."""

import sys
from typing import Annotated

import typer

from packhouse_client.commands import new_app
from packhouse_client.commands.options import Json
from packhouse_client.errors import WrongUsage
from packhouse_client.session import session_of

app = new_app()


@app.command()
def login(
    context: typer.Context,
    username: Annotated[
        str | None,
        typer.Option("-u", "--username", metavar="NAME", help="Who logs in; asked for if not given."),
    ] = None,
    password: Annotated[
        str | None,
        typer.Option(
            "-p",
            "--password",
            metavar="PASSWORD",
            help="Better not: others can see it in the list of processes.",
        ),
    ] = None,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input: for scripts.")
    ] = False,
    hostname: Annotated[
        str | None,
        typer.Option(
            "--hostname",
            metavar="HOST",
            help="The name of this machine in the token's name, repo-cli-token-HOST; each machine has its own.",
        ),
    ] = None,
    force_scopes: Annotated[
        bool,
        typer.Option(
            "--force-scopes",
            "--force_scopes",
            help="Make the token anew, with all scopes that you have by now.",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Log in with user name and password, and keep a token for 30 days.

    The password is not kept. The token lies in ~/.anaconda/repo-tokens, in a file that only you can read.
    Where you log in by browser or device, use `anaconda login`: its log-in counts here as well.

    Scripts do without a log-in: they set CONDA_REPO_TOKEN.
    """
    session = session_of(context)
    session.may_ask_to_log_in = False
    if password is not None:
        session.output.warn("A password on the command line is seen by others; --password-stdin hides it.")
    if password_stdin:
        password = _from_stdin(password)

    from packhouse_client.login import log_in

    done = log_in(session, username, password, hostname, force_scopes)
    session.output.say("login successful")
    if as_json:
        session.output.print_json(
            {
                "site": session.site.name,
                "url": session.site.url,
                "username": done.username,
                "token_id": done.token.id,
                "expires_at": done.token.expires_at,
                "token_file": str(done.path),
            }
        )


def _from_stdin(password: str | None) -> str:
    if password is not None:
        raise WrongUsage("Give --password or --password-stdin, not both.")
    secret = sys.stdin.readline().rstrip("\r\n")
    if not secret:
        raise WrongUsage("There is no password on standard input.")
    return secret
