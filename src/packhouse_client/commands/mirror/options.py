"""The options of `mirror`, each with what it means; those that say something of a mirror take "" for none."""

from typing import Annotated, Any

import typer

from packhouse_client.commands.mirror.settings import LICENSES, MODES, SUBDIRS, TYPES, WHEN_VANISHED
from packhouse_client.terminal.completion import complete_channels, complete_mirrors

NAME = "NAME"
BOOL = "[BOOL]"


def _action(flag: str, help: str, metavar: str = NAME) -> Any:
    spellings = dict.fromkeys((flag, flag.replace("-", "_").replace("__", "--", 1)))
    return typer.Option(*spellings, metavar=metavar, help=help, autocompletion=complete_mirrors)


def _setting(flag: str, metavar: str, help: str, *more_flags: str, words: tuple[str, ...] = ()) -> Any:
    """One that takes a text; hyphens and underscores in its name are the same."""
    body = flag.removeprefix("--")
    spellings = (f"--{body}", f"--{body.replace('-', '_')}", f"--{body.replace('_', '-')}")
    return typer.Option(
        *more_flags,
        *dict.fromkeys(spellings),
        metavar=metavar,
        help=help,
        autocompletion=(lambda incomplete: [word for word in words if word.startswith(incomplete)])
        if words
        else None,
    )


Create = Annotated[str | None, _action("--create", "Create a mirror in the channel that --channel names.")]
Update = Annotated[
    str | None, _action("--update", "Change what is said of a mirror: only what you give changes.")
]
Delete = Annotated[
    str | None, _action("--delete", "Delete a mirror; --contents says what becomes of the files it brought.")
]
Stop = Annotated[str | None, _action("--stop", "Stop the run that is under way.")]
Restart = Annotated[str | None, _action("--restart", "Run a mirror now.")]
ListChannel = Annotated[
    str | None,
    typer.Option(
        "-l",
        "--list",
        metavar="[CHANNEL]",
        help="List the mirrors of a channel.",
        autocompletion=complete_channels,
    ),
]
ListAll = Annotated[
    bool, typer.Option("--list-all", "--list_all", help="List all mirrors that you have access to.")
]
Show = Annotated[
    str | None,
    _action(
        "--show",
        "Show a mirror, or only some of id, name, source, type, mode, state, proxy, cron, last_run_at, "
        "created_at, updated_at.",
        "NAME [PROPERTY...]",
    ),
]
SyncState = Annotated[
    str | None, _action("--sync-state", "Show how far a mirror is, and what its filters left out.")
]
Follow = Annotated[str | None, _action("--follow", "Watch the run that is under way until it ends.")]
Runs = Annotated[str | None, _action("--runs", "List the runs of a mirror, the latest first.")]
Changes = Annotated[
    str | None,
    _action("--changes", "List what a run changed in the channel; the last run by default.", "NAME [RUN]"),
]
More = Annotated[list[str] | None, typer.Argument(hidden=True, metavar="WORD")]

Channel = Annotated[
    str | None,
    typer.Option(
        "-c",
        "--channel",
        metavar="CHANNEL",
        help="The channel, or CHANNEL/SUBCHANNEL, that the mirror fills. --create, --update and --delete need "
        "it; the others find a mirror by its name if no other channel has one of that name.",
        autocompletion=complete_channels,
    ),
]
Source = Annotated[
    str | None,
    _setting("--source", "URL", "The channel to mirror, as https://conda.anaconda.org/conda-forge.", "-s"),
]
NewName = Annotated[str | None, _setting("--name", NAME, "With --update: the mirror's new name.", "-n")]
Mode = Annotated[
    str | None,
    _setting(
        "--mode",
        "MODE",
        "passive (default): files are listed at once, and each is fetched when it is first asked for. "
        "active: all files are fetched now.",
        words=MODES,
    ),
]
Type = Annotated[
    str | None,
    _setting("--type", "TYPE", f"What the source is: {', '.join(TYPES)}. conda by default.", words=TYPES),
]
Cron = Annotated[
    str | None,
    _setting(
        "--cron",
        "CRON",
        "When to run: minute, hour, day, month, weekday. '0 0 * * *' by default; \"\" only when told to.",
    ),
]
Timezone = Annotated[
    str | None, _setting("--timezone", "ZONE", "Where --cron is, as Europe/Berlin. UTC by default.")
]
Proxy = Annotated[
    str | None,
    _setting(
        "--proxy",
        "URL",
        'Reach the source through a proxy, as http://USER:PASSWORD@HOST:PORT; "" through none.',
    ),
]
OnVanished = Annotated[
    str | None,
    _setting(
        "--on-vanished",
        "WORD",
        "What becomes of files that the source no longer has: keep (default), flag, drop.",
        words=WHEN_VANISHED,
    ),
]
UseChannelPolicy = Annotated[
    str | None, _setting("--use-channel-policy", BOOL, "Whether the channel's policy holds for the mirror.")
]
PolicyId = Annotated[str | None, _setting("--policy-id", "ID", "A policy of the mirror's own.")]
RunNow = Annotated[
    bool,
    typer.Option(
        "--run_now", "--run-now", help="With --create and --update: run at once, not when --cron says so."
    ),
]

Subdirs = Annotated[
    str | None,
    _setting(
        "--subdirs",
        "LIST",
        'Only these platforms, as "noarch,linux-64,osx-arm64"; noarch comes in any case. All by default.',
        words=SUBDIRS,
    ),
]
Projects = Annotated[
    str | None, _setting("--projects", "LIST", "Only these Python projects, as rxnpy,sympad.")
]
Licenses = Annotated[
    str | None,
    _setting(
        "--licenses",
        "LIST",
        f'Only these licences, and not those with a hyphen, as "mit,apache" or "-agpl,-none": '
        f"{', '.join(LICENSES)}.",
    ),
]
OnlySpec = Annotated[
    list[str] | None,
    _setting("--only_spec", "SPEC", "Only what matches, as numpy or 'python>=3.11'. May be repeated."),
]
ExcludeSpec = Annotated[
    list[str] | None, _setting("--exclude_spec", "SPEC", "Not what matches. May be repeated.")
]
IncludeSpec = Annotated[
    list[str] | None,
    _setting("--include_spec", "SPEC", "What matches, though --exclude_spec excludes it. May be repeated."),
]
IncludeDependencies = Annotated[
    str | None,
    _setting(
        "--include-dependencies",
        BOOL,
        "With --only_spec: all that those packages need as well, so that environments can be made of them.",
    ),
]
CveScore = Annotated[
    str | None,
    _setting("--cve_score", "SCORE", "No file with a CVE of this score or a higher one, from 0.0 to 10.0."),
]
ExcludeUncurated = Annotated[
    str | None,
    _setting("--exclude_uncurated_cve_packages", BOOL, "No file with a CVE that nobody has curated."),
]
OnlySigned = Annotated[str | None, _setting("--only_signed", BOOL, "Only signed packages.")]
DateFrom = Annotated[
    str | None, _setting("--date_from", "YYYY-MM-DD", "Only what was published on this day or later.")
]
DateTo = Annotated[
    str | None, _setting("--date_to", "YYYY-MM-DD", "Only what was published on this day or before.")
]

DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        "--dry_run",
        help="With --create and --update: change nothing, and show what would come: names, files, sizes, and "
        "which specs and dependencies nothing satisfies.",
    ),
]
Wait = Annotated[
    bool,
    typer.Option(
        "--wait",
        help="With --create, --update and --restart: run now, and wait until the run has ended. "
        "The exit code is 1 if it or one of its files failed.",
    ),
]
Contents = Annotated[
    str | None,
    _setting(
        "--contents",
        "WORD",
        "With --delete: keep or drop the files that the mirror brought; those that nobody fetched yet cannot "
        "be kept. At a terminal you are asked, otherwise they are kept.",
        words=("keep", "drop"),
    ),
]
Change = Annotated[
    str | None,
    typer.Option(
        "--action",
        metavar="WORD",
        help="With --changes: only files that were added, removed, changed, refused or failed.",
    ),
]
Limit = Annotated[int, typer.Option("--limit", min=1, metavar="NUMBER", help="How many to show at most.")]
"""Without the `-l` of other commands: that is `--list` here."""
