"""What was asked of the command `mirror`: one action, on which mirror, and what was said with it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from packhouse_client.commands.mirror.settings import Given
from packhouse_client.commands.options import DEFAULT_LIMIT
from packhouse_client.errors import WrongUsage
from packhouse_client.specifications import check_channel
from packhouse_client.terminal.output import Output

NO_CHANNEL = (
    "Channel name not specified. Please use -c or --channel to specify your channel.\nUse --help for help."
)
DESCRIBE = ("--create", "--update")
"""Actions that say something of a mirror."""
START = (*DESCRIBE, "--restart")
TAKE_MORE = ("--show", "--changes")


@dataclass(frozen=True, slots=True)
class Request:
    action: str
    """The option that chose it, as `--create`."""
    name: str = ""
    """Of the mirror, or its id; of the channel with `--list`."""
    more: Sequence[str] = ()
    """Words behind the name, where the action takes them."""
    channel: str | None = None
    settings: Given = field(default_factory=dict)
    run_now: bool = False
    wait: bool = False
    dry_run: bool = False
    contents: str | None = None
    change: str | None = None
    """With `--changes`: the only action that is listed."""
    offset: int = 0
    limit: int = DEFAULT_LIMIT
    yes: bool = False
    as_json: bool = False

    @property
    def required_channel(self) -> str:
        """Raises WrongUsage where none was given."""
        if not self.channel:
            raise WrongUsage(NO_CHANNEL)
        return check_channel(self.channel)

    def check(self) -> None:
        """Raises WrongUsage for what does not go with the action."""
        if not self.name and self.action not in ("--list", "--list-all"):
            raise WrongUsage(f"{self.action} needs the name of a mirror.")
        if self.more and self.action not in TAKE_MORE:
            raise WrongUsage(f"'{self.more[0]}' is one word too many: {self.action} does not take it.")
        if len(self.more) > 1 and self.action == "--changes":
            raise WrongUsage(f"'{self.more[1]}' is one word too many: name one run.")
        if self.contents not in (None, "keep", "drop"):
            raise WrongUsage(f"'{self.contents}' after --contents is neither keep nor drop.")
        for option, actions in self._limited():
            if self.action not in actions:
                raise WrongUsage(f"{option} goes with {', '.join(actions)}.")

    def _limited(self) -> Iterator[tuple[str, Sequence[str]]]:
        """What was given, and the actions that it goes with."""
        for option in self.settings:
            yield option, ("--update",) if option == "--name" else DESCRIBE
        if self.wait or self.run_now:
            yield "--wait" if self.wait else "--run_now", START
        if self.dry_run:
            yield "--dry-run", DESCRIBE
        if self.contents is not None:
            yield "--contents", ("--delete",)
        if self.change is not None:
            yield "--action", ("--changes",)

    def say_what_follows(self, output: Output, shown: int, total: int) -> None:
        """Tell who reads one page that it is not all."""
        end = self.offset + shown
        if shown and end < total:
            output.say(f"\nThese are {self.offset + 1}-{end} of {total}; --offset {end} shows what follows.")
