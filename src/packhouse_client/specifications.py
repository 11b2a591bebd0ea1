"""Package specifications as people write them: `channel[/subchannel][::package[/version[/filename]]]`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from packhouse_client.errors import WrongUsage

CHANNEL = re.compile(r"[a-z][a-z0-9_-]*(/[a-z][a-z0-9_-]*)?", re.ASCII)
SHAPE = "CHANNEL[/SUBCHANNEL][::PACKAGE[/VERSION[/FILENAME]]]"


@dataclass(frozen=True, slots=True)
class Specification:
    """Which files are meant: those of a channel, of a package there, of one version, or one file."""

    channel: str
    package: str | None = None
    version: str | None = None
    filename: str | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)
    """What follows a `?`, as `subdir=linux-64`: two platforms may have a file of the same name."""

    @property
    def is_whole_package(self) -> bool:
        return self.version is None and self.filename is None

    def __str__(self) -> str:
        parts = [self.package, self.version if self.version or not self.filename else "", self.filename]
        inner = "/".join(part for part in parts if part is not None)
        attributes = "&".join(f"{name}={value}" for name, value in self.attributes.items())
        return self.channel + (f"::{inner}" if inner else "") + (f"?{attributes}" if attributes else "")


def parse_specification(text: str) -> Specification:
    """Raises WrongUsage for what is no specification. An empty version, `channel::package//file`, is any."""
    channel, separator, rest = text.strip().partition("::")
    check_channel(channel)
    if not separator:
        return Specification(channel)
    rest, _, query = rest.partition("?")
    package, version, filename = (*rest.split("/", 2), "", "")[:3]
    if not package:
        raise WrongUsage(f"Invalid package specification: {text}. Write {SHAPE}.")
    return Specification(channel, package, version or None, filename or None, dict(parse_qsl(query)))


def parse_package_specification(text: str) -> Specification:
    """One that names a package; raises WrongUsage for a whole channel."""
    found = parse_specification(text)
    if found.package is None:
        raise WrongUsage(f"Invalid package specification: {text}. Name a package: {text}::PACKAGE.")
    return found


def check_channel(path: str) -> str:
    """The path of a channel or subchannel. Raises WrongUsage for what cannot be one."""
    if not CHANNEL.fullmatch(path):
        raise WrongUsage(
            f"'{path}' is no name of a channel: it begins with a lower-case letter, goes on with lower-case "
            "letters, digits, '-' and '_', and may have one '/' in front of a subchannel."
        )
    return path
