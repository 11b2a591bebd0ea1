"""`download`: fetches a notebook from a channel."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from packhouse_client.commands import new_app
from packhouse_client.commands.options import Json
from packhouse_client.errors import ClientError, Conflict, NotFound, WrongUsage
from packhouse_client.session import Session, session_of
from packhouse_client.specifications import check_channel
from packhouse_client.suggestions import channel_suggested, did_you_mean
from packhouse_client.terminal.completion import complete_channels
from packhouse_client.terminal.progress import ProgressBars

SUFFIX = ".ipynb"

app = new_app()


@app.command()
def download(
    context: typer.Context,
    channel: Annotated[
        str | None,
        typer.Option(
            "-c",
            "--channel",
            metavar="CHANNEL",
            help="The channel or subchannel that has it, as data or data/stage.",
            autocompletion=complete_channels,
        ),
    ] = None,
    notebook: Annotated[
        str | None, typer.Option(metavar="NAME", help="Its name, with or without .ipynb.")
    ] = None,
    filename: Annotated[
        str | None, typer.Option(metavar="PATH", help="Where to save it: a file, or a folder.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is already there.")] = False,
    no_progress: Annotated[bool, typer.Option("--no-progress", help="Show no bar.")] = False,
    as_json: Json = False,
) -> None:
    """Download a notebook, into the current folder unless --filename says otherwise.

    Examples:

    \b
        conda repo download --channel data --notebook analysis
        conda repo download --channel data --notebook analysis --filename new/
    """
    session = session_of(context)
    if not channel or not notebook:
        raise WrongUsage("Not enough parameters to identify download file. Give --channel and --notebook.")
    check_channel(channel)
    name = _checked_name(notebook)
    target = _target(name, filename, force)
    with (
        _names_suggested(session, channel, name),
        session.client.download(f"{channel}/jupyter/{name}{SUFFIX}") as file,
        ProgressBars(session.output, wanted=not no_progress) as bars,
        bars.bar(target.name, file.size) as bar,
        _saving(target),
    ):
        saved = file.save(target, bar.tell)
    session.output.say(f"Notebook {name} was saved to {target}")
    if as_json:
        answer = {"channel": channel, "notebook": name, "filename": str(target)}
        session.output.print_json({**answer, "size": saved.size, "sha256": saved.sha256})


def _checked_name(notebook: str) -> str:
    name = notebook.removesuffix(SUFFIX)
    if not name or "/" in name:
        raise WrongUsage(f"'{notebook}' is no name of a notebook; a channel is named with --channel.")
    return name


def _target(name: str, filename: str | None, force: bool) -> Path:
    """Raises WrongUsage for a folder that is not there, Conflict for a file that is."""
    chosen = Path(filename or ".").expanduser()
    is_folder = chosen.is_dir() or str(filename).endswith(("/", os.sep))
    target = chosen / f"{name}{SUFFIX}" if is_folder else chosen
    if not target.parent.is_dir():
        raise WrongUsage(f"There is no folder {target.parent} to save the notebook in.")
    if target.exists() and not force:
        raise Conflict(
            f"File {target} already exists. Please specify a different filename. --force replaces it."
        )
    return target.absolute()


@contextmanager
def _saving(target: Path) -> Iterator[None]:
    """A disk that is full is told by the name that the user gave, and not by a temporary one."""
    try:
        yield
    except OSError as error:
        raise ClientError(f"{target} cannot be written: {error.strerror or error}.") from error


@contextmanager
def _names_suggested(session: Session, channel: str, name: str) -> Iterator[None]:
    """Say which is missing, channel or notebook, and what was probably meant."""
    try:
        yield
    except NotFound as error:
        with channel_suggested(session.client, channel):
            page = session.client.list_packages(channel, artifact_family="notebook")
        hint = did_you_mean(name, (item["name"] for item in page["items"]))
        raise NotFound(
            f"There is no notebook '{name}' in channel '{channel}'.{hint}", error.status
        ) from error
