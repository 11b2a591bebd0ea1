"""What was asked of the command `channel`: one action, on which channels, and how to show the outcome."""

from collections.abc import Sequence
from dataclasses import dataclass

from packhouse_client.commands.options import DEFAULT_LIMIT
from packhouse_client.specifications import check_channel
from packhouse_client.terminal.output import Output


@dataclass(frozen=True, slots=True)
class Request:
    action: str
    """The option that chose it, as `--list-files`."""
    channels: Sequence[str]
    """Or specifications, where the action takes them."""
    family: str | None = None
    full_details: bool = False
    offset: int = 0
    limit: int | None = None
    """None where it was not given; what that means depends on the action."""
    privacy: str | None = None
    description: str | None = None
    yes: bool = False
    as_json: bool = False

    @property
    def channel(self) -> str:
        """The one channel of an action that takes one. Raises WrongUsage for what cannot be a channel."""
        [path] = self.channels
        return check_channel(path)

    @property
    def page_size(self) -> int:
        return DEFAULT_LIMIT if self.limit is None else self.limit

    @property
    def settings(self) -> dict[str, str]:
        """What `--create` and `--update` shall set."""
        values = {"privacy": self.privacy, "description": self.description}
        return {name: value for name, value in values.items() if value is not None}

    def say_what_follows(self, output: Output, shown: int, total: int) -> None:
        """Tell who reads one page that it is not all."""
        end = self.offset + shown
        if shown and end < total:
            output.say(f"\nThese are {self.offset + 1}-{end} of {total}; --offset {end} shows what follows.")
