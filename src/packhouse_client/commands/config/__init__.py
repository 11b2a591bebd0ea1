"""`config`: the files of the configuration, and what they come to."""

from typing import Annotated

import typer

from packhouse_client.commands import new_app
from packhouse_client.commands.config.change import Pairs, change, set_site
from packhouse_client.commands.config.show import get, show, show_files, show_sources
from packhouse_client.commands.options import Json
from packhouse_client.configuration.keys import TYPES
from packhouse_client.errors import WrongUsage
from packhouse_client.session import session_of

app = new_app()


@app.command()
def config(
    context: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME VALUE", help="Set a value. Repeat it to set several."),
    ] = None,
    values: Annotated[list[str] | None, typer.Argument(hidden=True, metavar="VALUE")] = None,
    to_get: Annotated[
        str | None,
        typer.Option("--get", metavar="NAME", help="Print the value that counts, even if it is a secret."),
    ] = None,
    to_remove: Annotated[
        list[str] | None,
        typer.Option("--remove", metavar="NAME", help="Remove a value. Repeat it to remove several."),
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(
            "--set-site", metavar="ADDRESS", help="Add the server at this address, and use it from now on."
        ),
    ] = None,
    merged: Annotated[
        bool, typer.Option("--show", help="Show what all files say together, as YAML.")
    ] = False,
    sources: Annotated[
        bool,
        typer.Option(
            "--show-sources",
            "--show_sources",
            help="Show what each file, the environment and the defaults say, and which of them counts.",
        ),
    ] = False,
    files: Annotated[bool, typer.Option("-f", "--files", help="Show where the files are.")] = False,
    kind: Annotated[
        str | None,
        typer.Option(
            "--type",
            metavar="TYPE",
            help=f"What the values to set are: {', '.join(TYPES)}. Known by itself, mostly.",
        ),
    ] = None,
    user: Annotated[
        bool, typer.Option("-u", "--user", help="Change the user's own files: the default.")
    ] = False,
    system: Annotated[
        bool, typer.Option("-s", "--system", "--site", help="Change the file of all users of this conda.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show and change which servers there are, and how to reach them.

    \b
    Examples:
      conda repo config --set-site packages.example.org
      conda repo config --set default_site work --set ssl_verify true
      conda repo config --set sites.work.ssl_verify ~/company-ca.pem
      conda repo config --show-sources
    """
    session = session_of(context)
    pairs = _pairs(names or [], values or [], kind)
    if user and system:
        raise WrongUsage("Give --user or --system, not both.")
    asked = {
        "--set and --remove": names or to_remove,
        "--set-site": address is not None,
        "--get": to_get is not None,
        "--show": merged,
        "--show-sources": sources,
        "--files": files,
    }
    _require_one(context, [option for option, is_asked in asked.items() if is_asked])
    if names or to_remove:
        change(session, pairs, to_remove or [], system=system, as_json=as_json)
    elif address is not None:
        set_site(session, address, system=system, as_json=as_json)
    elif to_get is not None:
        get(session, to_get, as_json)
    else:
        (show if merged else show_sources if sources else show_files)(session, as_json)


def _pairs(names: list[str], values: list[str], kind: str | None) -> Pairs:
    """`--set A 1 --set B 2` arrives as the options A and B and the arguments 1 and 2."""
    if kind is not None and kind not in TYPES:
        raise WrongUsage(f"'{kind}' is no type of a value. One of: {', '.join(TYPES)}.")
    if len(names) > len(values):
        raise WrongUsage(f"--set takes a name and a value: --set {names[-1]} VALUE.")
    if len(names) < len(values):
        raise WrongUsage(f"What is '{values[-1]}'? A value follows its name: --set NAME VALUE.")
    return Pairs(tuple(zip(names, values, strict=True)), kind)


def _require_one(context: typer.Context, asked: list[str]) -> None:
    """Help and exit code 1 where nothing is asked, as `conda repo config` always had it."""
    if not asked:
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(1)
    if len(asked) > 1:
        raise WrongUsage(f"One at a time: {' or '.join(asked)}.")
