"""What `copy`, `move` and `remove` have in common: choose the files, ask, change them, and tell."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

import typer

from packhouse_client.bulk import Selected, change, request, select
from packhouse_client.commands.options import FAMILIES, check_family
from packhouse_client.errors import WrongUsage
from packhouse_client.failures import FAILED
from packhouse_client.session import Session
from packhouse_client.several import Several
from packhouse_client.specifications import SHAPE, Specification, check_channel, parse_package_specification
from packhouse_client.terminal.completion import complete_channels
from packhouse_client.terminal.questions import confirm, is_interactive

MOST_SHOWN = 50
"""Files in a question; more would push it off the screen."""
DONE = {"copy": "copied", "move": "moved", "remove": "removed"}

Specifications = Annotated[
    list[str],
    typer.Argument(metavar="SPEC", help=f"{SHAPE}, and ?subdir=SUBDIR behind it if that is not enough."),
]
Destination = Annotated[
    str | None,
    typer.Option(
        "-d",
        "--destination",
        metavar="CHANNEL[/SUBCHANNEL]",
        autocompletion=complete_channels,
        help="Where to; left out, your default channel.",
    ),
]
OneFamily = Annotated[
    str,
    typer.Option("--family", metavar="FAMILY", callback=check_family, help=f"One of {', '.join(FAMILIES)}."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the files that are meant, and change nothing.")]


@dataclass
class BulkChange:
    """One run of such a command."""

    session: Session
    action: str
    family: str
    destination: str | None = None
    yes: bool = False
    as_json: bool = False
    is_dry_run: bool = False
    is_harmless: bool = False
    """Whether nothing is lost by it: scripts are then not asked to confirm it."""
    _done: list[Mapping[str, Any]] = field(default_factory=list)
    _was_declined: bool = False

    def run(self, texts: Sequence[str]) -> None:
        """Channel by channel: what is asked of one is done as a whole, or not at all."""
        specifications = [parse_package_specification(text) for text in dict.fromkeys(texts)]
        self._check()
        several = Several(self.session.output, is_one=len(specifications) == 1)
        for channel in dict.fromkeys(one.channel for one in specifications):
            selected = self._select([one for one in specifications if one.channel == channel], several)
            with several.one():
                self._change(channel, self._confirmed(selected))
        self._print()
        several.end()
        if self._was_declined:
            raise typer.Exit(FAILED)

    def _check(self) -> None:
        """Raises WrongUsage for what cannot be done, before anything is done."""
        if not (self.is_dry_run or self.is_harmless or self.yes or is_interactive()):
            confirm("", yes=False)  # says that nobody can be asked
        if self.destination is not None:
            check_channel(self.destination)
        elif self.action != "remove":
            self.destination = self.session.client.account().get("default_channel_name")
            if not self.destination:
                raise WrongUsage("You have no default channel. Say where to: --destination CHANNEL.")

    def _select(self, specifications: Sequence[Specification], several: Several) -> list[Selected]:
        """Those of one channel: all of them, or none if one of them means nothing."""
        selected: list[Selected] = []
        with_files = self.as_json or self.is_dry_run
        for specification in specifications:
            with several.one():
                selected.append(
                    select(self.session.client, specification, self.family, with_files=with_files)
                )
        if len(selected) < len(specifications):
            if len(specifications) > 1:
                self.session.output.warn(f"Nothing was changed in channel '{specifications[0].channel}'.")
            return []
        return selected

    def _confirmed(self, selected: Iterable[Selected]) -> list[Selected]:
        return [one for one in selected if self._confirm(one)]

    def _confirm(self, one: Selected) -> bool:
        if self.is_dry_run or (self.is_harmless and not is_interactive()):
            return True
        if confirm(_question(self.action, one, self.destination), yes=self.yes):
            return True
        self._was_declined = True
        if self.action == "remove":
            self.session.output.warn(f"Not removing release {one.specification}")
        else:
            self.session.output.say(f"{self.action} action not executed")
        return False

    def _change(self, channel: str, selected: Sequence[Selected]) -> None:
        if not selected:
            return
        if not self.is_dry_run:
            items = [item for one in selected for item in one.items]
            ask = request(self.session.client, self.action, channel, self.destination)
            change(ask, items, lambda count: self._say_progress(count, len(items)))
            self._say_done(selected)
        for one in selected:
            self._done += [_shown(channel, one.family, file) for file in one.files]

    def _say_progress(self, count: int, total: int) -> None:
        if count < total:
            self.session.output.say(f"{count} of {total} files {DONE[self.action]}")

    def _say_done(self, selected: Sequence[Selected]) -> None:
        if self.action != "remove":
            self.session.output.say(f"{self.action} action successful")
            return
        for one in selected:
            self.session.output.say(f"Spec {one.specification} succesfully removed")

    def _print(self) -> None:
        if self.as_json:
            told = {"action": self.action, "destination": self.destination, "dry_run": self.is_dry_run}
            self.session.output.print_json({**told, "items": self._done, "total_count": len(self._done)})
        elif self.is_dry_run:
            for file in self._done:
                self.session.output.print(_line(file))
            count = len(self._done)
            self.session.output.say(f"{count} file{'' if count == 1 else 's'} would be {DONE[self.action]}.")


def _question(action: str, one: Selected, destination: str | None) -> str:
    if action == "remove":
        listed = f"{_listed(one)}\n" if one.files else ""
        return (
            f"{listed}Are you sure you want to remove the package {one.specification} ? "
            "(and all data with it?) [y|N]: "
        )
    if not one.files or one.specification.is_whole_package:
        return f"Conform action {action} on spec {one.specification} ? (and all data with it?) [y|N]: "
    return (
        f"Are you sure you want to {action} the package release to channel {destination} "
        f"{one.specification}? The following will be affected:\n\n{_listed(one)}\n\n[y|N]: "
    )


def _listed(one: Selected) -> str:
    lines = [_line(file) for file in one.files[:MOST_SHOWN]]
    if len(one.files) > MOST_SHOWN:
        lines.append(f"... and {len(one.files) - MOST_SHOWN} more")
    return "\n".join(lines)


def _line(file: Mapping[str, Any]) -> str:
    release = f"{file['name']}:{file['version'] or 'n/a'}-{file['ckey']}"
    filename = file.get("filename") or file.get("fn")
    return f"PACKAGE: {release}; PLATFORM: {file['platform'] or 'n/a'}; FILENAME: {filename}"


def _shown(channel: str, family: str, file: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "channel": channel,
        "family": family,
        "name": file["name"],
        "version": file["version"],
        "platform": file["platform"],
        "ckey": file["ckey"],
        "filename": file["fn"],
    }
