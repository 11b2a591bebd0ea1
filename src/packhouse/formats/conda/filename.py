"""The file name of a conda package, taken apart and checked (CEP 26)."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeAlias, get_args

from rattler import Version
from rattler.exceptions import InvalidVersionError

from packhouse.errors import InvalidPackage
from packhouse.formats.conda.panics import Panicked, panics_as_errors
from packhouse.formats.conda.versions import VERSIONS_REMEMBERED

Extension: TypeAlias = Literal[".conda", ".tar.bz2"]

MAX_FILENAME = 211
MAX_PART = 64
MAX_SUBDIR = 32

_EXTENSIONS: tuple[Extension, ...] = get_args(Extension)

# CEP 26 says "MUST start with a letter, a number, or a single underscore" and "MUST NOT include two
# consecutive separators"; a trailing separator passes the CEP's own expression.
_NAME = re.compile(r"_?[a-z0-9]+(?:[._-][a-z0-9]+)*[._-]?")
# CEP 26, plus upper case: versions such as 1.0RC1 are in the field, and clients compare without case.
_VERSION = re.compile(r"[A-Za-z0-9._+!]+")
_BUILD = re.compile(r"[A-Za-z0-9_.+]+")
_SUBDIR = re.compile(r"noarch|[a-z0-9]+-[a-z0-9]+")


@dataclass(frozen=True, slots=True)
class CondaFilename:
    """A file name that has been through `split_filename`."""

    name: str
    version: str
    build: str
    extension: Extension

    @property
    def stem(self) -> str:
        return f"{self.name}-{self.version}-{self.build}"

    def __str__(self) -> str:
        return self.stem + self.extension


def split_filename(filename: str) -> CondaFilename:
    """Take `<name>-<version>-<build><extension>` apart; raises InvalidPackage for anything CEP 26 forbids."""
    if len(filename) > MAX_FILENAME:
        raise InvalidPackage(
            f"{filename[:40]!r}...: a file name has at most {MAX_FILENAME} characters (CEP 26)"
        )
    extension = _extension(filename)
    # From the right: neither version nor build can hold a hyphen, a name can.
    parts = filename.removesuffix(extension).rsplit("-", 2)
    if len(parts) != 3:
        raise InvalidPackage(f"{filename!r} is not named <name>-<version>-<build>{extension} (CEP 26)")
    name, version, build = parts
    _require(filename, "name", name, _NAME)
    _require(filename, "version", version, _VERSION)
    _require(filename, "build", build, _BUILD)
    _require_comparable(filename, version)
    return CondaFilename(name, version, build, extension)


def name_within(filename: str) -> str | None:
    """The package name that a file name begins with, if it can be one; the rest is not looked at."""
    name, *rest = filename.rsplit("-", 2)
    return name if len(rest) == 2 and is_name(name) else None


def is_name(text: str) -> bool:
    """Whether a package may have this name (CEP 26)."""
    return len(text) <= MAX_PART and _NAME.fullmatch(text) is not None


def is_subdir(text: str) -> bool:
    """Whether a channel may have a subdir of this name: `noarch` or `<os>-<arch>` (CEP 26)."""
    return len(text) <= MAX_SUBDIR and _SUBDIR.fullmatch(text) is not None


def _extension(filename: str) -> Extension:
    for extension in _EXTENSIONS:
        if filename.endswith(extension):
            return extension
    raise InvalidPackage(f"{filename!r} is no conda package: its name ends neither in .conda nor in .tar.bz2")


def _require(filename: str, noun: str, text: str, allowed: re.Pattern[str]) -> None:
    if len(text) > MAX_PART:
        raise InvalidPackage(f"{filename!r}: the {noun} has more than {MAX_PART} characters (CEP 26)")
    if not allowed.fullmatch(text):
        raise InvalidPackage(f"{filename!r}: {text!r} cannot be the {noun} of a conda package (CEP 26)")


def _require_comparable(filename: str, version: str) -> None:
    if fault := _fault_of(version):
        raise InvalidPackage(f"{filename!r}: no client can compare the version {version!r}: {fault}")


@lru_cache(maxsize=VERSIONS_REMEMBERED)
def _fault_of(version: str) -> str | None:
    try:
        with panics_as_errors:
            Version(version)
    except (InvalidVersionError, Panicked) as error:
        return str(error)
    return None
