"""What a URL below `/api/repo/` names: a token, a channel, a subdir or folder, and a file (CEP 26)."""

import re
from dataclasses import dataclass

from packhouse.domain.channels import is_subdir_like
from packhouse.domain.families import FOLDER_NAMES

ROOT = ""
PREFIX = "/api/repo/"
TOKEN_IN_FRONT = re.compile(r"/(t/[^/]*/)api/repo/(.*)", re.DOTALL)
"""Where rattler puts a token that it keeps as `CondaToken`: before the whole path, mount point and all."""
SHARD_FILE = re.compile(r"shards/([0-9a-f]{64})\.msgpack\.zst")


@dataclass(frozen=True, slots=True)
class Target:
    """`subdir` is empty for a file at the channel's root, and a family's folder for a file of none."""

    channel: str
    subdir: str
    file: str
    token: str | None = None

    @property
    def is_in_folder(self) -> bool:
        """Whether it can only be a file, of a family that has no index."""
        return self.subdir in FOLDER_NAMES

    @property
    def shard(self) -> bytes | None:
        match = SHARD_FILE.fullmatch(self.file)
        return bytes.fromhex(match[1]) if match else None


def content_path(path: str) -> str | None:
    """What stands behind `/api/repo/`, a token first if there is one; None for addresses elsewhere."""
    if path.startswith(PREFIX):
        return path.removeprefix(PREFIX)
    in_front = TOKEN_IN_FRONT.fullmatch(path)
    return None if in_front is None else in_front[1] + in_front[2]


def parse_target(path: str) -> Target | None:
    """Read what stands behind `/api/repo/`; None for what can be no content address."""
    if not path.isprintable():
        return None
    parts = path.split("/")
    token = None
    if parts[0] == "t":
        if len(parts) < 3:
            return None
        token, parts = parts[1], parts[2:]
    if len(parts) < 2 or not all(parts):
        return None
    channel, rest = _channel(parts)
    if _ends_channel(rest[0]) and len(rest) > 1:
        return Target(channel, rest[0], "/".join(rest[1:]), token)
    return Target(channel, ROOT, "/".join(rest), token) if len(rest) == 1 else None


def _channel(parts: list[str]) -> tuple[str, list[str]]:
    """One name or two: a subdir, a folder, or a last word, ends the channel's path."""
    if len(parts) == 2 or _ends_channel(parts[1]):
        return parts[0], parts[1:]
    return "/".join(parts[:2]), parts[2:]


def _ends_channel(word: str) -> bool:
    return is_subdir(word) or word in FOLDER_NAMES


def is_subdir(word: str) -> bool:
    return word == "noarch" or is_subdir_like(word)
