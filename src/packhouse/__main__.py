"""The operator's commands: each reads its options and calls one function of the server.

Imports wait until a command needs them, so that `packhouse --help` answers at once.
Words go to stderr, data to stdout.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from packhouse import __version__
from packhouse.domain.access import Role
from packhouse.errors import Invalid, PackhouseError

if TYPE_CHECKING:
    from packhouse.actions.packhouse import Packhouse
    from packhouse.settings import Settings
    from packhouse.web.server import Addresses

OPTIONS: dict[str, Any] = {
    "rich_markup_mode": None,
    "pretty_exceptions_enable": False,
    "context_settings": {"help_option_names": ["-h", "--help"]},
}
app = typer.Typer(name="packhouse", no_args_is_help=True, add_completion=False, **OPTIONS)
user_app = typer.Typer(no_args_is_help=True, **OPTIONS)
app.add_typer(user_app, name="user", help="Users who log in with a password.")

DataDir = Annotated[Path | None, typer.Option(help="Folder of databases, blobs and certificates.")]
DatabaseUrl = Annotated[str | None, typer.Option(help="postgresql://...; left out, SQLite in the data dir.")]
BlobUrl = Annotated[str | None, typer.Option(help="s3://bucket/prefix; left out, a folder in the data dir.")]
LogLevel = Annotated[
    Literal["debug", "info", "warning", "error"] | None, typer.Option(help="Least level logged.")
]
LogFormat = Annotated[
    Literal["text", "json"] | None, typer.Option(help="Log lines for people or for programs.")
]
Json = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]
PasswordStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from stdin.")]
UserName = Annotated[str, typer.Argument(metavar="NAME")]


@app.callback(invoke_without_command=True)
def packhouse(
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
) -> None:
    """A self-hosted, governed package repository for conda, Python and R.

    Every setting is also an environment variable PACKHOUSE_<NAME> and a key of packhouse.toml.
    """
    if version:
        typer.echo(__version__)
        raise typer.Exit


@app.command()
def serve(
    context: typer.Context,
    data_dir: DataDir = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port for plain HTTP; 0: any free one.")] = None,
    tls_port: Annotated[int | None, typer.Option(help="Port for HTTPS; 0: any free one.")] = None,
    tls: Annotated[bool | None, typer.Option("--tls/--no-tls", help="Listen with TLS too.")] = None,
    worker: Annotated[bool | None, typer.Option("--worker/--no-worker", help="Run jobs here too.")] = None,
    database_url: DatabaseUrl = None,
    blob_url: BlobUrl = None,
    public_url: Annotated[str | None, typer.Option(help="Address that clients use, behind a proxy.")] = None,
    log_level: LogLevel = None,
    log_format: LogFormat = None,
) -> None:
    """Serve channels until Ctrl-C or SIGTERM."""
    settings = _settings(context)
    from packhouse.app import run_serve

    run_serve(settings, _announce)


@app.command()
def worker(
    context: typer.Context,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    blob_url: BlobUrl = None,
    log_level: LogLevel = None,
    log_format: LogFormat = None,
) -> None:
    """Run jobs only, beside servers started with --no-worker."""
    settings = _settings(context)
    from packhouse.app import run_worker

    run_worker(settings)


@app.command()
def migrate(context: typer.Context, data_dir: DataDir = None, database_url: DatabaseUrl = None) -> None:
    """Bring the database to the schema of this version."""
    settings = _settings(context)
    from packhouse.storage.database import Database

    settings.data_dir.mkdir(parents=True, exist_ok=True)
    database = Database(settings.effective_database_url)
    try:
        database.migrate()
    finally:
        database.close()
    _say("The database is up to date.")


@app.command()
def check(
    context: typer.Context,
    repair: Annotated[bool, typer.Option("--repair", help="Rebuild what can be rebuilt.")] = False,
    deep: Annotated[bool, typer.Option("--deep", help="Read every blob and compare its digest.")] = False,
    as_json: Json = False,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    blob_url: BlobUrl = None,
) -> None:
    """Compare database, blobs and indexes, and say what differs. Exit code 1: something still does."""
    with _packhouse(context, "repair", "deep", "as_json") as house:
        from packhouse.actions.check import check as compare

        report = compare(house, repair=repair, deep=deep)
    typer.echo(json.dumps(report.as_document(), indent=2) if as_json else report.as_text())
    if not report.is_good:
        raise typer.Exit(1)


@user_app.command("add")
def add_user(
    context: typer.Context,
    name: UserName,
    role: Annotated[Role, typer.Option(help="What the user may do.")] = Role.AUTHOR,
    email: Annotated[str | None, typer.Option(help="Where to reach the user.")] = None,
    password_stdin: PasswordStdin = False,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Add a user. The password is asked for, or read from stdin."""
    with _packhouse(context, "name", "role", "email", "password_stdin") as house:
        from packhouse.actions.users import create_user

        create_user(house, None, name, _password(password_stdin), role, email)
    _say(f"User '{name}' is there, as {role.value}.")


@user_app.command("password")
def change_password(
    context: typer.Context,
    name: UserName,
    password_stdin: PasswordStdin = False,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Give a user a new password; what is logged in with the old one is logged out."""
    with _packhouse(context, "name", "password_stdin") as house:
        from packhouse.actions import users

        users.change_password(house, None, name, _password(password_stdin))
    _say(f"The password of '{name}' is changed.")


@user_app.command("list")
def list_users(
    context: typer.Context, as_json: Json = False, data_dir: DataDir = None, database_url: DatabaseUrl = None
) -> None:
    """List users."""
    with _packhouse(context, "as_json") as house:
        from packhouse.actions import users

        rows = [
            {"name": user.username, "role": user.role.value, "email": user.email}
            for user in users.list_users(house, None)
        ]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    for row in rows:
        typer.echo(f"{row['name']:<30} {row['role']:<8} {row['email'] or ''}".rstrip())


def main() -> None:
    """Run a command; what goes wrong is one sentence and exit code 1, wrong usage is exit code 2."""
    try:
        app()
    except PackhouseError as error:
        _say(f"Error: {error.message}")
        sys.exit(1)


def _settings(context: typer.Context, *not_settings: str) -> "Settings":
    from packhouse.logs import configure_logs
    from packhouse.settings import load_settings

    options = {name: value for name, value in context.params.items() if name not in not_settings}
    settings = load_settings(**options)
    configure_logs(settings.log_level, settings.log_format)
    return settings


@contextmanager
def _packhouse(context: typer.Context, *not_settings: str) -> "Iterator[Packhouse]":
    settings = _settings(context, *not_settings)
    from packhouse.app import build

    house = build(settings)
    try:
        yield house
    finally:
        house.database.close()


def _password(from_stdin: bool) -> str:
    """The password, typed twice unseen, or the first line of stdin."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise Invalid("There is no terminal to ask for the password. Pass it with --password-stdin.")
    password: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return password


def _announce(addresses: "Addresses", first_password: str | None) -> None:
    """What somebody who just started the server needs to know; said once."""
    _say(f"Packhouse {__version__} listens at {addresses.http}")
    if addresses.https is not None:
        _say(f"  and with TLS at {addresses.https}")
    if addresses.ca is not None:
        _say(f"  signed by {addresses.ca} (for clients to trust)")
    if first_password is not None:
        _say(f"First start: log in as 'admin' with the password {first_password} (shown only now).")


def _say(words: str) -> None:
    typer.echo(words, err=True)


if __name__ == "__main__":
    main()
