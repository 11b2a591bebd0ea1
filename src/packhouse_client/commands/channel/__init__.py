"""`channel`: the channels of a server, and what is in them."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from packhouse_client.commands import new_app
from packhouse_client.commands.channel.request import Request
from packhouse_client.commands.options import Family, Json, Yes
from packhouse_client.errors import WrongUsage
from packhouse_client.session import session_of
from packhouse_client.terminal.completion import complete_channels

CHANNEL = "CHANNEL"
SPECIFICATION = "CHANNEL[::PACKAGE[/VERSION[/FILE]]]"
PRIVACIES = ("public", "authenticated", "private")

app = new_app()


def _check_privacy(privacy: str | None) -> str | None:
    if privacy is not None and privacy not in PRIVACIES:
        raise typer.BadParameter(f"'{privacy}' is none of {', '.join(PRIVACIES)}.")
    return privacy


def _action(flag: str, help: str, metavar: str = CHANNEL, *more_flags: str) -> Any:
    return typer.Option(flag, *more_flags, metavar=metavar, help=help, autocompletion=complete_channels)


@app.command()
def channel(
    context: typer.Context,
    more: Annotated[
        list[str] | None, typer.Argument(hidden=True, metavar="CHANNEL", autocompletion=complete_channels)
    ] = None,
    list_channels: Annotated[
        bool, typer.Option("--list", help="List the channels that you have access to.")
    ] = False,
    create: Annotated[
        str | None, _action("--create", "Create a channel, or a subchannel in one that is there.")
    ] = None,
    update: Annotated[str | None, _action("--update", "Set --description or --privacy of a channel.")] = None,
    remove: Annotated[
        str | None,
        _action(
            "--remove",
            "Remove a channel with everything in it, its subchannels too. At a terminal you are asked first, "
            "unless it is empty; scripts are not.",
        ),
    ] = None,
    show: Annotated[
        str | None, _action("--show", "Show a channel; --full-details adds its subchannels.")
    ] = None,
    list_packages: Annotated[
        list[str] | None,
        _action("--list-packages", "List the packages of one or more channels.", f"{CHANNEL}..."),
    ] = None,
    list_files: Annotated[
        list[str] | None,
        _action(
            "--list-files",
            "List the files of channels, packages or versions, as data, data/stage, data::numpy, "
            "data::numpy/1.26.4 or data::numpy//numpy-1.26.4-0.conda (any version).",
            f"{SPECIFICATION}...",
            "--list-file",
        ),
    ] = None,
    history: Annotated[
        str | None, _action("--history", "Show who did what to a channel, the newest first.")
    ] = None,
    package_changes: Annotated[
        str | None,
        _action("--package-changes", "Show which files came to a channel or left it, the newest first."),
    ] = None,
    lock: Annotated[
        str | None, _action("--lock", "Make a channel private: for who it is shared with.")
    ] = None,
    soft_lock: Annotated[
        str | None, _action("--soft-lock", "Make a channel authenticated: for everybody who is logged in.")
    ] = None,
    unlock: Annotated[str | None, _action("--unlock", "Make a channel public: for everybody.")] = None,
    freeze: Annotated[
        str | None, _action("--freeze", "Let nobody change what is in a channel until it is unfrozen.")
    ] = None,
    unfreeze: Annotated[str | None, _action("--unfreeze", "Let what is in a channel change again.")] = None,
    family: Family = None,
    full_details: Annotated[
        bool,
        typer.Option(
            "--full-details",
            help="Show all that is known. --list-files then prints a JSON list, of all files unless --limit "
            "is given; --list includes subchannels.",
        ),
    ] = False,
    offset: Annotated[
        int,
        typer.Option(
            "-o", "--offset", min=0, metavar="NUMBER", help="How many to leave out at the beginning."
        ),
    ] = 0,
    limit: Annotated[
        int | None,
        typer.Option(
            "-l",
            "--limit",
            min=1,
            metavar="NUMBER",
            help="How many to list at most: 50 by default, with --list all.",
        ),
    ] = None,
    privacy: Annotated[
        str | None,
        typer.Option(
            metavar="PRIVACY",
            callback=_check_privacy,
            help=f"With --create (default: public) and --update: {', '.join(PRIVACIES)}.",
        ),
    ] = None,
    description: Annotated[
        str | None, typer.Option(metavar="TEXT", help="With --create and --update: what the channel is for.")
    ] = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Work with channels: give one of the actions from --list to --unfreeze.

    CHANNEL is the name of a channel, or CHANNEL/SUBCHANNEL for one inside it.

    Examples:

    \b
        conda repo channel --create data/stage --privacy private
        conda repo channel --show data --full-details
        conda repo channel --list-files data::numpy/1.26.4 --json
        conda repo channel --list-packages data data/stage --limit 200
    """
    from packhouse_client.commands.channel.actions import ACTIONS

    asked = {
        "--list": list_channels,
        "--create": create,
        "--update": update,
        "--remove": remove,
        "--show": show,
        "--list-packages": list_packages,
        "--list-files": list_files,
        "--history": history,
        "--package-changes": package_changes,
        "--lock": lock,
        "--soft-lock": soft_lock,
        "--unlock": unlock,
        "--freeze": freeze,
        "--unfreeze": unfreeze,
    }
    flag, channels = _chosen(asked, more or [])
    request = Request(
        flag, channels, family, full_details, offset, limit, privacy, description, yes=yes, as_json=as_json
    )
    if request.settings and flag not in ("--create", "--update"):
        raise WrongUsage("--privacy and --description go with --create and --update.")
    ACTIONS[flag](session_of(context), request)


def _chosen(asked: Mapping[str, Any], more: Sequence[str]) -> tuple[str, list[str]]:
    """The one action that is given, and the channels that it is about."""
    given = [flag for flag, value in asked.items() if value]
    if len(given) != 1:
        said = f" You gave {' and '.join(given)}." if given else ""
        raise WrongUsage(f"Give one of {', '.join(asked)}.{said}")
    [flag] = given
    value = asked[flag]
    if isinstance(value, list):
        return flag, [*value, *more]
    if more:
        raise WrongUsage(f"'{more[0]}' is one word too many: {flag} does not take it.")
    return flag, [value] if isinstance(value, str) else []
