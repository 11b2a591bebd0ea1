"""`auth`: the tokens of the account."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from packhouse_client.commands import new_app
from packhouse_client.commands.options import Json
from packhouse_client.errors import ClientError, Unauthenticated, WrongUsage
from packhouse_client.session import Session, session_of

app = new_app()

DAY = 24 * 60 * 60
DEFAULT_AGE = 30 * DAY
GREATEST_AGE = 100 * 365 * DAY
SEPARATOR = "-----------------"
SHOWN = ("id", "name", "created_at", "expires_at", "type")


@dataclass(frozen=True, slots=True)
class Order:
    """What a new token is to be."""

    name: str | None
    max_age: int
    scopes: list[str]
    file: Path | None


@app.command()
def auth(
    context: typer.Context,
    scopes_asked: Annotated[
        bool, typer.Option("-x", "--list-scopes", help="List the scopes that a token of yours can have.")
    ] = False,
    list_asked: Annotated[bool, typer.Option("-l", "--list", help="List your tokens.")] = False,
    to_remove: Annotated[
        list[str] | None, typer.Option("-r", "--remove", metavar="ID...", help="Remove tokens by their ids.")
    ] = None,
    more: Annotated[list[str] | None, typer.Argument(hidden=True, metavar="ID")] = None,
    create_asked: Annotated[
        bool, typer.Option("-c", "--create", help="Create a token; it is shown this once.")
    ] = False,
    info_asked: Annotated[
        bool,
        typer.Option(
            "-i", "--info", "--current-info", help="Show the token that is in use, and when it expires."
        ),
    ] = False,
    name: Annotated[
        str | None,
        typer.Option(
            "-n",
            "--name",
            metavar="NAME",
            help="The new token's name. Default: conda_repo:HOST of this machine.",
        ),
    ] = None,
    max_age: Annotated[
        int,
        typer.Option(
            "--max-age",
            metavar="SECONDS",
            min=1,
            max=GREATEST_AGE,
            help="How long the new token lives. Whole days end at midnight UTC; the default is 30 of them.",
        ),
    ] = DEFAULT_AGE,
    scopes: Annotated[
        list[str] | None,
        typer.Option(
            "-s",
            "--scopes",
            metavar="SCOPE",
            help="What the new token may do; repeat it. Default: all you may.",
        ),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Write the new token to a file that only you can read."),
    ] = None,
    as_json: Json = False,
) -> None:
    """List, create and remove tokens, which act for you where no password should be.

    \b
    Examples:
      conda repo auth --create --name ci -s artifact:create -s channel:view
      conda repo auth --create --max-age 3600 --out token.txt
      conda repo auth --remove 884df010-4d5e-4c80-a723-2613fcb63724
    """
    asked = {
        "--list-scopes": scopes_asked,
        "--list": list_asked,
        "--remove": bool(to_remove),
        "--create": create_asked,
        "--info": info_asked,
    }
    action = _the_one([option for option, is_asked in asked.items() if is_asked], asked)
    if more and action != "--remove":
        raise WrongUsage(f"What is '{more[0]}'? Only --remove takes several words.")
    session = session_of(context)
    session.require_log_in()
    if action == "--remove":
        _remove(session, [*(to_remove or []), *(more or [])], as_json)
    elif action == "--create":
        _create(session, Order(name, max_age, scopes or [], file), as_json)
    else:
        {"--list-scopes": _list_scopes, "--list": _list, "--info": _info}[action](session, as_json)


def _the_one(asked: list[str], all_options: Iterable[str]) -> str:
    if len(asked) == 1:
        return asked[0]
    raise WrongUsage(f"Give one of {', '.join(asked or all_options)}.")


# List


def _list_scopes(session: Session, as_json: bool) -> None:
    scopes = sorted(session.client.list_scopes())
    if as_json:
        session.output.print_json({"items": scopes, "total_count": len(scopes)})
        return
    session.output.print("Available scopes:")
    session.output.print(", ".join(scopes))


def _list(session: Session, as_json: bool) -> None:
    tokens = session.client.list_tokens()
    if as_json:
        session.output.print_json({"items": tokens, "total_count": len(tokens)})
        return
    session.output.print(f"Tokens count: {len(tokens)}")
    for token in tokens:
        session.output.print(SEPARATOR)
        for key in SHOWN:
            session.output.print(f"{key}: {_or_never(token.get(key))}")
    if tokens:
        session.output.print(SEPARATOR)


def _or_never(value: Any) -> str:
    return "never" if value is None else str(value)  # only `expires_at` may have no value


def _info(session: Session, as_json: bool) -> None:
    credential = session.require_log_in()
    about = session.client.token_info()
    if as_json:
        facts = {key: about.get(key) for key in ("name", "type", "expires_at")}
        session.output.print_json({"token": credential.secret, **facts, "source": credential.origin})
        return
    session.output.print(f"Token: {credential.secret}")
    session.output.print(f"Expiration: {_or_never(about.get('expires_at'))}")
    session.output.say(f"It comes from {credential.origin}.")


# Create


def _create(session: Session, order: Order, as_json: bool) -> None:
    """The secret goes to the file, or to stdout; a file that cannot be written leaves no token behind."""
    from packhouse_client.login import machine_name, or_deleted

    name = order.name or f"conda_repo:{machine_name()}"
    made = session.client.create_token(
        name, _expiry(order.max_age), scopes=order.scopes or session.client.list_scopes()
    )
    secret, token_id = str(made["token"]), str(made["id"])
    if order.file is not None:
        file = order.file
        or_deleted(session.client, token_id, lambda: _write(file, secret))
        session.output.say(f"The token is in {file}, which only you can read.")
    shown = name if order.file is not None else secret
    if as_json:
        told = {"id": token_id, "name": name}
        session.output.print_json(
            {**told, "file": str(order.file)} if order.file is not None else {**told, "token": secret}
        )
    else:
        session.output.print(f"Token {shown} succesfully created with id: {token_id}")


def _expiry(max_age: int) -> str:
    """A date, which every server takes, for whole days; for less the moment, or it would live longer than asked."""
    moment = datetime.now(UTC) + timedelta(seconds=max_age)
    return moment.date().isoformat() if max_age % DAY == 0 else moment.isoformat(timespec="seconds")


def _write(file: Path, secret: str) -> Path:
    from packhouse_client.whole_file import write_file

    try:
        file.parent.stat()  # a folder that is mistyped is not to be made
        write_file(file, f"{secret}\n", is_secret=True)
    except OSError as error:
        raise ClientError(f"{file} cannot be written: {error.strerror}. No token was made.") from error
    return file


# Remove


def _remove(session: Session, ids: list[str], as_json: bool) -> None:
    """All that can be; the exit code is that of the first that could not."""
    from packhouse_client.failures import exit_code_of

    removed: list[str] = []
    failures: list[ClientError] = []
    for token_id in ids:
        try:
            session.client.delete_token(token_id)
        except Unauthenticated:
            raise  # so it would be for the others
        except ClientError as error:
            failures.append(error)
            session.output.error(f"{token_id}: {error}")
        else:
            removed.append(token_id)
            session.output.say(f"Token {token_id} successfully removed.")
    if as_json:
        items = [{"id": token_id, "removed": token_id in removed} for token_id in ids]
        session.output.print_json({"items": items, "total_count": len(items)})
    if failures:
        raise typer.Exit(exit_code_of(failures[0]))
