"""A channel: a named place that packages are published to and installed from; a tree of depth two."""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Self

from packhouse.domain.families import FOLDER_NAMES
from packhouse.errors import Invalid


class Privacy(StrEnum):
    PUBLIC = "public"
    AUTHENTICATED = "authenticated"
    PRIVATE = "private"


class Indexing(StrEnum):
    DEFAULT = "default"
    FROZEN = "frozen"


NAME_PATTERN = re.compile(r"[a-z][a-z0-9_-]*")
"""The rule that existing clients check too; CEP 26 allows more."""

MAX_NAME_LENGTH = 60
"""Two names and the slash stay below CEP 26's 128 characters for a channel path."""

RESERVED_NAMES = frozenset(
    "channels account artifacts namespaces namespace-channels mirrors cves system reports users diagnose "
    "policies auth organizations logout repo v2 t openapi docs uploads".split()
)
"""Management calls share `/api/repo/` with the package files, so these cannot be channels."""

RESERVED_SUBCHANNEL_NAMES = FOLDER_NAMES | frozenset(
    "subchannels artifacts files mirrors history package-changes bulk simple src bin label noarch".split()
)
"""A channel's own URL tree uses these words where a subchannel's name would stand."""

SUBDIR_SHAPE = re.compile(r"[a-z0-9]+-[a-z0-9]+")


@dataclass(frozen=True, slots=True)
class ChannelPath:
    """`name` or `parent/name`, checked."""

    name: str
    parent: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raise Invalid for more than one slash or characters that no channel can have."""
        parts = text.split("/")
        if len(parts) > 2:
            raise Invalid(
                f"Channel '{text}' has more than one '/': a subchannel is written 'channel/subchannel'."
            )
        for part in parts:
            check_characters(part)
        return cls(parts[-1], parts[0] if len(parts) == 2 else None)

    def check_free(self) -> None:
        """Raise Invalid where the name is kept for URLs of Packhouse's own."""
        if self.parent is None:
            reserved = self.name in RESERVED_NAMES
        else:
            reserved = self.name in RESERVED_SUBCHANNEL_NAMES or is_subdir_like(self.name)
        if reserved:
            raise Invalid(f"'{self.name}' is a reserved name; choose another for the channel.")

    def __str__(self) -> str:
        return self.name if self.parent is None else f"{self.parent}/{self.name}"


def check_characters(name: str) -> None:
    """Raise Invalid unless `name` can be one part of a channel's path."""
    if len(name) > MAX_NAME_LENGTH:
        raise Invalid(f"Channel name '{name[:20]}...' is longer than {MAX_NAME_LENGTH} characters.")
    if not NAME_PATTERN.fullmatch(name):
        raise Invalid(
            f"'{name}' is no channel name: it starts with a letter a-z and holds only a-z, 0-9, '_' and '-'."
        )


def is_subdir_like(name: str) -> bool:
    """Whether a subchannel of this name would hide a platform folder such as `linux-64` (CEP 26)."""
    platforms = ("linux", "osx", "win", "zos", "freebsd", "emscripten", "wasi")
    return bool(SUBDIR_SHAPE.fullmatch(name)) and name.startswith(tuple(f"{p}-" for p in platforms))


@dataclass(frozen=True, slots=True)
class Channel:
    id: int
    uuid: str
    path: str
    parent_id: int | None
    description: str
    privacy: Privacy
    indexing: Indexing
    owner_id: int
    owner_name: str
    created_at: datetime
    updated_at: datetime

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def parent(self) -> str | None:
        return self.path.rpartition("/")[0] or None

    @property
    def is_frozen(self) -> bool:
        return self.indexing is Indexing.FROZEN


@dataclass(frozen=True, slots=True)
class ChannelCounts:
    artifacts: int = 0
    downloads: int = 0
    subchannels: int = 0
    grants: int = 0
    mirrors: int = 0
