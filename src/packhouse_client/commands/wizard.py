"""`wizard`: sets up conda's .condarc for a server in a dialogue, or puts the former file back."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from packhouse_client.commands import new_app
from packhouse_client.commands.options import Json, Yes
from packhouse_client.commands.wizard_dialogue import (
    DEFAULTS,
    Channels,
    ask_for_default_channels,
    ask_for_other_channels,
    confirms,
    introduce,
    show_settings,
    split_names,
    without_defaults,
)
from packhouse_client.condarc import (
    CondaSettings,
    backup_path,
    change_condarc,
    environment_condarc,
    keep_backup,
    read_condarc,
    restore_condarc,
    system_condarc,
    user_condarc,
    write_condarc,
)
from packhouse_client.errors import NotFound, Unauthenticated, WrongUsage
from packhouse_client.session import Session, session_of
from packhouse_client.suggestions import channel_path, did_you_mean
from packhouse_client.terminal.completion import complete_channel_lists

app = new_app()


@dataclass(frozen=True, slots=True)
class Answers:
    """What the command line answers beforehand; None is to be asked for."""

    default_channels: list[str] | None
    channels: list[str] | None
    yes: bool


@app.command()
def wizard(
    context: typer.Context,
    system: Annotated[
        bool,
        typer.Option("--system", help="Set up the .condarc of the conda installation, for all its users."),
    ] = False,
    env: Annotated[
        bool, typer.Option("--env", help="Set up the .condarc of the active environment.")
    ] = False,
    file: Annotated[Path | None, typer.Option("--file", metavar="FILE", help="Set up this file.")] = None,
    restore: Annotated[
        bool, typer.Option("--restore", help="Put back the file as it was before the wizard changed it.")
    ] = False,
    default_channels: Annotated[
        list[str] | None,
        typer.Option(
            metavar="A,B",
            help="Do not ask: make these the default channels.",
            autocompletion=complete_channel_lists,
        ),
    ] = None,
    channels: Annotated[
        list[str] | None,
        typer.Option(
            metavar="A,B",
            help='Do not ask: add these to the list "channels".',
            autocompletion=complete_channel_lists,
        ),
    ] = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Set up conda for this server: write its address and channels into .condarc.

    The wizard shows the channels that you may see, and asks which of them conda should search for every package
    (default_channels), and which others after them (channels). At least one default channel is needed.

    What the file says of channel_alias, default_channels and channels is replaced; everything else in it stays as
    it is, comments as well. A copy is kept beside it before, as .condarc.backup, and --restore puts that back.

    The file is ~/.condarc, or the one that $CONDARC names.

    Examples:

    \b
        conda repo wizard
        conda repo wizard --default-channels main,tools --channels nightly --yes
        conda repo wizard --restore
    """
    session = session_of(context)
    path = _choose_file(system, env, file)
    if restore:
        _restore(session, path, as_json)
    else:
        _set_up(session, path, Answers(_names(default_channels), _names(channels), yes), as_json)


def _choose_file(system: bool, env: bool, file: Path | None) -> Path:
    if system + env + (file is not None) > 1:
        raise WrongUsage("Give one of --system, --env and --file.")
    if file is not None:
        return file.expanduser().absolute()
    return system_condarc() if system else environment_condarc() if env else user_condarc()


def _names(values: list[str] | None) -> list[str] | None:
    return None if values is None else split_names(" ".join(values))


def _restore(session: Session, path: Path, as_json: bool) -> None:
    backup = backup_path(path)
    is_restored = restore_condarc(path)
    if is_restored:
        session.output.say(f"Restoring your condarc file from {backup}")
    else:
        session.output.say(f"No backup file {backup} was found.")
        session.output.say("There is nothing to do.")
    if as_json:
        session.output.print_json({"condarc": str(path), "backup": str(backup), "restored": is_restored})


def _set_up(session: Session, path: Path, answers: Answers, as_json: bool) -> None:
    before = read_condarc(path)
    available = _available_channels(session)
    settings = _choose_settings(session, path, answers, available)
    content = change_condarc(path, before, settings)
    show_settings(session, settings.as_document())
    backup = _apply(session, path, before, content, answers.yes)
    _tell_what_conda_needs(session, path, settings, available)
    if as_json:
        session.output.print_json(
            {
                "condarc": str(path),
                "backup": None if backup is None else str(backup),
                "changed": content != before,
                "configuration": settings.as_document(),
            }
        )


def _available_channels(session: Session) -> Channels:
    """Those with mirrors first: they make the usual default channels."""
    found = session.client.list_channels(include_subchannels=True)["items"]
    if not found and session.credential is None:
        raise Unauthenticated(f"{session.site.url} shows no channels to those who are not logged in.")
    if not found:
        raise NotFound(f"There are no channels at {session.site.url} that you may see.")
    found.sort(key=lambda item: not item.get("mirror_count"))
    return {channel_path(item): item for item in found}


def _choose_settings(session: Session, path: Path, answers: Answers, available: Channels) -> CondaSettings:
    """With the channels that were given, and those that are asked for."""
    others = None if answers.channels is None else _all_known(without_defaults(answers.channels), available)
    if answers.default_channels is not None:
        default_channels = _all_known(answers.default_channels, available)
        if not default_channels:
            raise WrongUsage("--default-channels names no channel, and at least one is needed.")
        others = others or []
    else:
        introduce(session, path, available)
        default_channels = ask_for_default_channels(session, available)
        others = ask_for_other_channels(session, available) if others is None else others
    return CondaSettings(session.site.channel_alias, default_channels, [DEFAULTS, *others])


def _all_known(names: Sequence[str], available: Channels) -> list[str]:
    """The same names. Raises NotFound if one is no channel's: a script would not read a warning."""
    unknown = [name for name in names if name not in available]
    if unknown:
        hints = (f"There is no channel '{name}'.{did_you_mean(name, available)}" for name in unknown)
        raise NotFound(f"{' '.join(hints)} Nothing was changed.")
    return list(names)


def _apply(session: Session, path: Path, before: bytes | None, content: bytes, yes: bool) -> Path | None:
    """Write the new content; the backup's path if there was something to keep. Exits where the answer is no."""
    if content == before:
        session.output.say(f"{path} says so already.")
        return None
    if not yes and not confirms(session, path, has_file=before is not None):
        session.output.say("Nothing was changed.")
        raise typer.Exit(1)
    backup = None
    if before is not None:
        session.output.say(f"Backing up your current condarc file to {backup_path(path)}")
        backup = keep_backup(path)
    write_condarc(path, content)
    session.output.say(f"The configuration was written to {path}")
    return backup


def _tell_what_conda_needs(
    session: Session, path: Path, settings: CondaSettings, available: Channels
) -> None:
    site = session.site
    if isinstance(site.verify, str):
        session.output.say(
            f"The server's certificate is signed by a CA of its own. For conda to trust it, add to {path}:\n"
            f"ssl_verify: {site.verify}"
        )
    chosen = [*settings.default_channels, *without_defaults(settings.channels)]
    if any(available[name]["privacy"] != "public" for name in chosen):
        session.output.say(
            "Not all of these channels are public, and conda sends no token unless it is in the address:\n"
            f"channel_alias: {site.channel_alias}/t/TOKEN"
        )
