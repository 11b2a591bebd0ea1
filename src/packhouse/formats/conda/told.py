"""What a package file that a mirror fetched tells of itself, beyond what the upstream's index says.

The index decides what clients install, so a package that tells nothing is taken as well; publishing one
(`package.read_package`) is stricter, and reads to the last byte.
"""

import re
from contextlib import closing
from typing import Any, BinaryIO, NamedTuple

import orjson

from packhouse.domain.artifacts import JsonObject
from packhouse.errors import Invalid, PackhouseError
from packhouse.formats.conda.archive import walk_parts
from packhouse.formats.conda.contents import INDEX, PATHS, Contents, keep_info, license_texts, script_flags
from packhouse.formats.conda.documents import prefix_modes, read_about, read_run_exports
from packhouse.formats.conda.filename import split_filename
from packhouse.formats.conda.limits import Limits
from packhouse.formats.conda.package import SCRIPTS

_LIMITS = Limits()
_INFO = re.compile(r"(?:\./)?(info/.+)")


class Told(NamedTuple):
    """`about` and `run_exports` as in PackageFacts; `flags` are those of CEP 38."""

    about: JsonObject
    run_exports: bytes
    flags: dict[str, bool]
    details: dict[str, Any]


def read_told(file: BinaryIO, filename: str) -> Told | None:
    """Read only `info/`, which stands first in a package; None if it cannot be read."""
    try:
        parts = split_filename(filename)
        contents = _info_of(file, filename)
        modes = prefix_modes(contents.documents)
        paths = _paths(contents)
        scripts = script_flags(parts.name, paths)
        flags = {flag: flag in scripts for flag in SCRIPTS}
        flags |= {f"{mode}_prefix": mode in modes for mode in ("binary", "text")}
        run_exports = orjson.dumps(read_run_exports(contents.documents), option=orjson.OPT_SORT_KEYS)
        details = {
            "licenses": license_texts(contents),
            "icon": None,
            "file_count": len(paths),
            "installed_size": sum(paths.values()),
        }
        return Told(read_about(contents.documents), run_exports, flags, details)
    except (PackhouseError, orjson.JSONEncodeError):
        return None


def _info_of(file: BinaryIO, filename: str) -> Contents:
    contents = Contents()
    with closing(walk_parts(file, split_filename(filename), _LIMITS)) as parts:
        part, walk = next(parts)
        for member in walk:
            info = _INFO.fullmatch(member.name)
            if info is not None:
                keep_info(contents, part, info[1], member, walk, _LIMITS)
            elif INDEX in contents.documents:
                break  # what is installed follows; whole packages of the old kind are slow to unpack
    if INDEX not in contents.documents:
        raise Invalid(f"{filename} has no {INDEX}.")
    return contents


def _paths(contents: Contents) -> dict[str, int]:
    """Path and size in bytes of each file that is installed."""
    try:
        listed = orjson.loads(contents.documents.get(PATHS, b"{}")).get("paths") or []
        found = {one.get("_path"): one.get("size_in_bytes") for one in listed}
    except (orjson.JSONDecodeError, AttributeError, TypeError) as error:
        raise Invalid(f"{PATHS} cannot be read: {error}") from error
    return {
        path: size if isinstance(size, int) else 0 for path, size in found.items() if isinstance(path, str)
    }
