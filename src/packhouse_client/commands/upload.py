"""`upload`: publish files in channels."""

from collections.abc import Sequence
from typing import Annotated

import typer

from packhouse_client.commands import new_app
from packhouse_client.commands.options import Json
from packhouse_client.configuration import toml_path
from packhouse_client.detection.types import PackageType
from packhouse_client.errors import ClientError, WrongUsage
from packhouse_client.failures import exit_code_of
from packhouse_client.publishing.delivery import Delivery, Result, Status, Watcher
from packhouse_client.publishing.files import Declared, LocalFile, Questions, prepared
from packhouse_client.publishing.resumption import Resumption
from packhouse_client.session import Session, session_of
from packhouse_client.specifications import check_channel
from packhouse_client.suggestions import channel_suggested
from packhouse_client.terminal.completion import complete_channels
from packhouse_client.terminal.progress import ProgressBars
from packhouse_client.terminal.questions import ask

DEFAULT_JOBS = 4
RESUMPTION_FOLDER = "repo-uploads"
"""Beside config.toml: what has to be sent of files that were not sent to their end."""
TYPES = ", ".join(PackageType)

app = new_app()


@app.command()
def upload(
    context: typer.Context,
    files: Annotated[list[str], typer.Argument(metavar="FILE", help="Files, or folders of projects.")],
    channels: Annotated[
        list[str] | None,
        typer.Option(
            "-c",
            "--channel",
            metavar="CHANNEL[/SUBCHANNEL]",
            autocompletion=complete_channels,
            help="Where to publish; may be given several times. Left out, it is the first of default_channels "
            "in .condarc, else the account's default channel.",
        ),
    ] = None,
    package_type: Annotated[
        PackageType | None,
        typer.Option(
            "-t",
            "--package-type",
            case_sensitive=False,
            help="What the files are, if that should not be found out from their content.",
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option("-n", "--name", help="Name of the package; general artifacts (gra) need one."),
    ] = None,
    version: Annotated[
        str | None, typer.Option("--version", help="Version, for files that cannot tell their own.")
    ] = None,
    jobs: Annotated[
        int, typer.Option("--jobs", min=1, max=32, help="How many files to send at the same time.")
    ] = DEFAULT_JOBS,
    interactive: Annotated[
        bool, typer.Option("-i", "--interactive", help="Ask for the type or name of a file that tells none.")
    ] = False,
    no_progress: Annotated[bool, typer.Option("--no-progress", help="Show no progress bars.")] = False,
    as_json: Json = False,
) -> None:
    """Publish files: conda packages, notebooks, environments, projects, or general artifacts (gra).

    All files are looked at before the first is sent. A file that a channel has already is not sent again; one
    that fails does not stop the others, and the exit code is that of the first failure. What a broken
    connection interrupts goes on where it stopped.

    Examples:

        conda repo upload demo-1.0-0.conda

        conda repo upload *.conda --channel team/stage --channel mirror

        conda repo upload model.bin -c team -t gra --name model --version 1.0
    """
    session = session_of(context)
    declared = Declared(package_type, name, version)
    questions = AskedQuestions() if interactive else Questions()
    _say_detecting(session, files, declared)
    with prepared(files, declared, questions, lambda link: _say_left_out(session, link)) as found:
        _say_types(session, found, declared)
        results = _publish(
            session, found, channels or [], jobs, ProgressBars(session.output, wanted=not no_progress)
        )
    if as_json:
        items = [result.as_document() for result in results]
        session.output.print_json({"items": items, "total_count": len(items)})
    for result in results:
        if result.error is not None:
            raise typer.Exit(exit_code_of(result.error))


class AskedQuestions(Questions):
    def package_type(self, given: str) -> PackageType | None:
        answer = ask(f"Package type of '{given}' ({TYPES}): ", option="--package-type").strip().lower()
        if answer not in set(PackageType):
            raise WrongUsage(f"'{answer}' is no package type. There are: {TYPES}.")
        return PackageType(answer)

    def name(self, given: str) -> str | None:
        return ask(f"Name of the general artifact '{given}': ", option="--name").strip() or None


class Narrator(Watcher):
    def __init__(self, session: Session) -> None:
        self._session = session

    def retrying(self, file: LocalFile, reason: str, seconds: float) -> None:
        self._session.output.warn(f"{file.given}: {reason} Trying again in {seconds:.1f} s.")

    def finished(self, result: Result) -> None:
        given, channel = result.file.given, result.channel
        if result.error is not None:
            self._session.output.error(self._failure(result, result.error))
        elif result.status is Status.EXISTS:
            self._session.output.say(f"File {given} is already there in channel {channel}: nothing was sent")
        else:
            address = f"{self._session.site.channel_alias}/{channel}"
            self._session.output.say(f"File {given} successfully uploaded to {address} with response 201")

    def _failure(self, result: Result, error: Exception) -> str:
        status = error.status if isinstance(error, ClientError) else None
        responded = "" if status is None else f" Server responded with status code {status}."
        place = f"{self._session.site.url}/api::{result.channel}"
        return f"Error uploading {result.file.given} to {place}.{responded} {error}"


def _say_detecting(session: Session, files: Sequence[str], declared: Declared) -> None:
    if declared.package_type is None:
        session.output.say(f"Detecting file type{'s' if len(files) > 1 else ''}...")


def _say_types(session: Session, files: Sequence[LocalFile], declared: Declared) -> None:
    if declared.package_type is None and len(files) == 1:
        session.output.say(f'File type is "{files[0].package_type}"')
    for file in files if len(files) > 1 else ():
        session.output.debug(f'{file.given}: file type is "{file.package_type}"')


def _say_left_out(session: Session, link: str) -> None:
    session.output.warn(f"{link} is a link or no regular file, and is left out of the project.")


def _publish(
    session: Session, files: Sequence[LocalFile], given: Sequence[str], jobs: int, bars: ProgressBars
) -> list[Result]:
    channels, refused = _usable(session, _chosen(session, given))
    _say_uploading(session, files, channels)
    narrator = Narrator(session)
    failed = [
        Result(file, channel, Status.FAILED, error=error)
        for file in files
        for channel, error in refused.items()
    ]
    for channel, error in refused.items():
        session.output.error(f"{error} Nothing is uploaded to '{channel}'.")
    resumption = Resumption(toml_path().parent / RESUMPTION_FOLDER)
    delivery = Delivery(session.client, channels, bars, narrator, resumption)
    try:
        with bars:
            return [*failed, *delivery.run(files, jobs)]
    except KeyboardInterrupt:
        names = ", ".join(file.given for file in delivery.unfinished(files))
        session.output.warn(f"Not published: {names}. The same command again sends the rest.")
        raise


def _chosen(session: Session, given: Sequence[str]) -> list[str]:
    """The channels to publish in. Raises WrongUsage when none is named and no default is known."""
    if given:
        return [check_channel(path) for path in dict.fromkeys(given)]
    from packhouse_client.publishing.default_channel import default_channel

    if (found := default_channel(session.site)) is not None:
        channel, path = found
        session.output.say(f"Channel {channel}, by default_channels in {path}")
        return [channel]
    default = session.client.account().get("default_channel_name")
    if not default:
        raise WrongUsage(
            "User default channel is not specified. Please set it in the user account or use -c option."
        )
    session.output.say(f"Channel {default}, the default of your account")
    return [str(default)]


def _usable(session: Session, channels: Sequence[str]) -> tuple[list[str], dict[str, ClientError]]:
    """Those that are there, and what is wrong with the others. Raises if no channel can be used."""
    if session.credential is None:
        session.client.account()  # raises: nobody publishes without a name
    refused: dict[str, ClientError] = {}
    for path in channels:
        try:
            with channel_suggested(session.client, path):
                session.client.show_channel(path)
        except ClientError as error:
            refused[path] = error
    if len(refused) == len(channels):
        raise next(iter(refused.values()))
    return [path for path in channels if path not in refused], refused


def _say_uploading(session: Session, files: Sequence[LocalFile], channels: Sequence[str]) -> None:
    what = f"{files[0].package_type} artifact" if len(files) == 1 else f"{len(files)} files"
    for channel in channels:
        address = f"{session.site.url}/api/channels/{channel}/artifacts"
        session.output.say(f"Uploading {what} to {address}...")
