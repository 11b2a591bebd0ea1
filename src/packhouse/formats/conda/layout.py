"""Where the members of a package may lie: inside the prefix, whichever way a client unpacks them."""

import re
from typing import NoReturn

from packhouse.errors import InvalidPackage
from packhouse.formats.conda.tar import Member

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_DRIVE = re.compile(r"[A-Za-z]:")
_SEPARATORS = re.compile(r"[/\\]")


def inner_path(path: str) -> str:
    """The path without `./` and doubled slashes; raises InvalidPackage when it may lead outside."""
    if not path.isprintable() and (_CONTROL.search(path) or _has_surrogates(path)):
        raise InvalidPackage(f"the path {path!r} in it has control characters or is not UTF-8")
    # Windows clients also split at backslashes and know drives; elsewhere a backslash may be part of a
    # name (systemd units have them), so only what leads outside is refused.
    if path.startswith(("/", "\\")) or _DRIVE.match(path):
        raise InvalidPackage(f"the path {path!r} in it is absolute; it must be relative to the prefix")
    if ".." in path and ".." in _SEPARATORS.split(path):
        raise InvalidPackage(f"the path {path!r} in it leads upwards; it must stay inside the prefix")
    return _tidy(path)


class Layout:
    """Watches the members of one package go by, and knows when they reach outside together."""

    def __init__(self) -> None:
        self._symlinks: dict[str, str] = {}

    def place(self, member: Member) -> str:
        """The checked path of the member; the root itself is the empty path."""
        path = inner_path(member.name)
        if not path and member.kind != "directory":
            raise InvalidPackage(f"its member {member.name!r} has no name")
        if path == "info" and member.kind != "directory":
            raise InvalidPackage("its member 'info' is not a directory")
        self._refuse_below_symlink(path)
        if member.kind == "symlink":
            self._symlinks[path] = member.target
        elif member.kind == "hardlink":
            inner_path(member.target)
        return path

    def finish(self) -> None:
        for path, target in self._symlinks.items():
            self._require_inside(path, target)

    def _refuse_below_symlink(self, path: str) -> None:
        if not self._symlinks:
            return
        end = path.find("/")
        while end != -1:
            if path[:end] in self._symlinks:
                raise InvalidPackage(
                    f"its member {path!r} lies below {path[:end]!r}, which is a symbolic link"
                )
            end = path.find("/", end + 1)

    def _require_inside(self, path: str, target: str) -> None:
        """Follow the target step by step, as a file system would.

        An empty target leads nowhere: the first `.conda` files of 2018 lost theirs when they were converted.
        """
        if target.startswith(("/", "\\")) or _DRIVE.match(target) or _CONTROL.search(target):
            _escapes(path, target)
        here = path.split("/")[:-1]
        for step in _SEPARATORS.split(target):
            if step == "..":
                # "Up" from a symbolic link is up from where it points to, which may be outside.
                if not here or "/".join(here) in self._symlinks:
                    _escapes(path, target)
                here.pop()
            elif step not in ("", "."):
                here.append(step)


def _tidy(path: str) -> str:
    if path.startswith("./") or path.endswith(("/", "/.")) or "//" in path or "/./" in path or path == ".":
        return "/".join(step for step in path.split("/") if step not in ("", "."))
    return path


def _has_surrogates(path: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in path)


def _escapes(path: str, target: str) -> NoReturn:
    raise InvalidPackage(f"its symbolic link {path!r} points to {target!r}, outside the prefix")
