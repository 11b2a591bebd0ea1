"""A conda package file read from end to end and turned into facts, hostile or not.

Nothing is written to disk and no member is trusted: the archive is streamed once, within `Limits`, and every
byte of it is decompressed, so a file that passes is whole and means the same to every client. The reading is
our own (see `stream` and `tar` for why), on the decompressors that `conda-package-streaming` uses too.
"""

from typing import BinaryIO

from packhouse.domain.artifacts import JsonObject, PackageFacts
from packhouse.errors import InvalidPackage, TooLarge
from packhouse.formats.conda.archive import walk_parts
from packhouse.formats.conda.contents import INDEX, Contents, license_texts, read_contents
from packhouse.formats.conda.documents import (
    check_link,
    prefix_modes,
    read_about,
    read_index,
    read_run_exports,
)
from packhouse.formats.conda.filename import CondaFilename, split_filename
from packhouse.formats.conda.limits import Limits

__all__ = ["Limits", "read_package"]

SCRIPTS = ("activate.d", "deactivate.d", "pre_link", "post_link", "pre_unlink")
_ICON = "info/icon.png"
_DEFAULT_LIMITS = Limits()


def read_package(file: BinaryIO, filename: str, limits: Limits = _DEFAULT_LIMITS) -> PackageFacts:
    """Read the complete package in the seekable `file`.

    Raises InvalidPackage when it cannot be read or does not agree with itself, TooLarge beyond the limits.
    """
    parts = split_filename(filename)
    try:
        contents = read_contents(walk_parts(file, parts, limits), parts.name, limits)
        return _facts(parts, contents)
    except (InvalidPackage, TooLarge) as error:
        raise type(error)(f"{filename}: {error.message}") from error


def _facts(filename: CondaFilename, contents: Contents) -> PackageFacts:
    index = read_index(contents.documents)
    _require_agreement(filename, index)
    check_link(contents.documents)
    return PackageFacts(
        family="conda",
        name=filename.name,
        version=filename.version,
        build=filename.build,
        build_number=index["build_number"],
        subdir=index["subdir"],
        filename=str(filename),
        index=index,
        about=read_about(contents.documents),
        run_exports=read_run_exports(contents.documents),
        flags=_flags(contents),
        details=_details(index, contents),
    )


def _require_agreement(filename: CondaFilename, index: JsonObject) -> None:
    named = {"name": filename.name, "version": filename.version, "build": filename.build}
    for key, text in named.items():
        if index[key] != text:
            raise InvalidPackage(
                f"the file name says {key} {text!r}, its {INDEX} says {index[key]!r}; they must be the same"
            )


def _flags(contents: Contents) -> dict[str, bool]:
    """The seven booleans of CEP 38."""
    modes = prefix_modes(contents.documents)
    flags = {flag: flag in contents.scripts for flag in SCRIPTS}
    return flags | {f"{mode}_prefix": mode in modes for mode in ("binary", "text")}


def _details(index: JsonObject, contents: Contents) -> JsonObject:
    return {
        "licenses": license_texts(contents),
        "icon": _icon(index, contents),
        "file_count": contents.file_count,
        "installed_size": contents.installed_size,
    }


def _icon(index: JsonObject, contents: Contents) -> str | None:
    """conda-build writes the picture to one fixed path; `icon` of the index is its name in a channel."""
    for path in (_ICON, f"info/{index.get('icon')}"):
        if path in contents.images:
            return path
    return None
