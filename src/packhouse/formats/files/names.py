"""What names, versions and file names may consist of, where no ecosystem has a rule of its own."""

import re

from packhouse.errors import InvalidPackage

MAX_NAME = 64
MAX_VERSION = 64
MAX_FILENAME = 211
"""As for conda packages (CEP 26), whose columns these files share."""

# A name is a step of a URL and of somebody's folders: no dot in front, so neither `..` nor a hidden file.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
# Local and epoch versions (PEP 440, conda) have these two.
_VERSION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+!-]*")


def check_name(name: str) -> str:
    return _checked("name", name, MAX_NAME, _NAME, "a letter, digit or '_', then those and '.', '-'")


def check_version(version: str) -> str:
    return _checked(
        "version", version, MAX_VERSION, _VERSION, "a letter, digit or '_', then those and '.', '-', '+', '!'"
    )


def check_filename(filename: str) -> str:
    return _checked(
        "file name", filename, MAX_FILENAME, _NAME, "a letter, digit or '_', then those and '.', '-'"
    )


def stem(filename: str, *extensions: str) -> str:
    """The file name without the one of the extensions that it has. Raises InvalidPackage for another."""
    check_filename(filename)
    for extension in extensions:
        if filename.lower().endswith(extension) and len(filename) > len(extension):
            return filename[: -len(extension)]
    raise InvalidPackage(f"'{filename}' has none of these endings: {', '.join(extensions)}.")


def _checked(noun: str, text: str, longest: int, allowed: re.Pattern[str], rule: str) -> str:
    if len(text) > longest:
        raise InvalidPackage(f"The {noun} '{text[:40]}...' is longer than {longest} characters.")
    if not allowed.fullmatch(text):
        raise InvalidPackage(f"'{text}' cannot be a {noun}: it must be {rule}. Choose another.")
    return text
