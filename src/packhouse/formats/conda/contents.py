"""What one walk through a package keeps: the documents of `info/`, and a summary of everything else."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from packhouse.errors import InvalidPackage, TooLarge
from packhouse.formats.conda.archive import Part
from packhouse.formats.conda.layout import Layout
from packhouse.formats.conda.limits import Limits
from packhouse.formats.conda.tar import Member, TarWalk

INDEX, ABOUT, PATHS = "info/index.json", "info/about.json", "info/paths.json"
RUN_EXPORTS, LINK = "info/run_exports.json", "info/link.json"
FILES, HAS_PREFIX = "info/files", "info/has_prefix"

_DOCUMENTS = (INDEX, ABOUT, RUN_EXPORTS, LINK)
_LISTINGS = (PATHS, FILES, HAS_PREFIX)
# Written by clients into their cache when they unpack; CEP 34 forbids it in a package, where it would
# speak for the channel.
_FORBIDDEN = "info/repodata_record.json"
_LICENSE = re.compile(r"info/(?:licenses/.+|LICENSE\.txt)")
_IMAGE = re.compile(r"info/[^/]+\.png")


@dataclass(slots=True)
class Contents:
    """`documents` by path; `scripts` are the flags of CEP 38 that files set by lying where they lie."""

    documents: dict[str, bytes] = field(default_factory=dict)
    licenses: dict[str, bytes] = field(default_factory=dict)
    images: set[str] = field(default_factory=set)
    scripts: set[str] = field(default_factory=set)
    file_count: int = 0
    installed_size: int = 0


def read_contents(parts: Iterable[tuple[Part, TarWalk]], name: str, limits: Limits) -> Contents:
    """Walk every part of the package called `name` to its end."""
    contents, layout = Contents(), Layout()
    scripts = _Scripts(name)
    for part, walk in parts:
        for member in walk:
            path = layout.place(member)
            if path.startswith("info/"):
                keep_info(contents, part, path, member, walk, limits)
            elif part == "info" and path not in ("", "info"):
                raise InvalidPackage(f"its info part holds {path!r}; only info/ belongs there (CEP 35)")
            elif member.kind != "directory":
                contents.file_count += 1
                contents.installed_size += member.size
                contents.scripts |= scripts.flags(path)
    layout.finish()
    return contents


def keep_info(
    contents: Contents, part: Part, path: str, member: Member, walk: TarWalk, limits: Limits
) -> None:
    """Keep what is of use of one member below `info/`."""
    if path == _FORBIDDEN:
        raise InvalidPackage(f"it holds {path}, which only clients may write (CEP 34)")
    if path in _DOCUMENTS or path in _LISTINGS:
        _keep_document(contents, part, path, member, walk, limits)
    elif member.kind != "file":
        return
    elif _LICENSE.fullmatch(path) and len(contents.licenses) < limits.max_licenses:
        contents.licenses[path] = walk.read(limits.max_license_bytes)
    elif _IMAGE.fullmatch(path):
        contents.images.add(path)


def _keep_document(
    contents: Contents, part: Part, path: str, member: Member, walk: TarWalk, limits: Limits
) -> None:
    # Which of two documents counts, and what a link leads to, depends on how a client unpacks.
    if member.kind != "file":
        raise InvalidPackage(f"its {path} is not a regular file")
    if part == "pkg":
        raise InvalidPackage(f"its pkg part holds {path}, which belongs to the info part (CEP 35)")
    if path in contents.documents:
        raise InvalidPackage(f"it holds {path} twice")
    limit = limits.max_listing_bytes if path in _LISTINGS else limits.max_document_bytes
    if member.size > limit:
        raise TooLarge(f"its {path} has {member.size} bytes; at most {limit} are read")
    contents.documents[path] = walk.read(member.size)


def license_texts(contents: Contents) -> list[dict[str, str]]:
    """Path and text of each licence, as the details of an artifact have them."""
    return [
        {"path": path, "text": data.decode("utf-8", "replace").replace("\0", "\ufffd")}
        for path, data in sorted(contents.licenses.items())
    ]


def script_flags(name: str, paths: Iterable[str]) -> set[str]:
    """The flags of CEP 38 that files of the package called `name` set by lying where they lie."""
    scripts = _Scripts(name)
    return set().union(*(scripts.flags(path) for path in paths))


class _Scripts:
    """Tells by its path whether a file is run when the package is installed, activated or removed."""

    def __init__(self, name: str) -> None:
        # CEP 34; files of noarch python packages move from python-scripts/ to bin/ when installed.
        folder = "bin|Scripts|python-scripts"
        action = "pre-link|post-link|pre-unlink"
        self._link = re.compile(rf"(?:{folder})/\.{re.escape(name)}-({action})\.(?:sh|bat)")
        self._shell = re.compile(r"etc/conda/((?:de)?activate\.d)/.+")

    def flags(self, path: str) -> set[str]:
        if match := self._link.fullmatch(path):
            return {match[1].replace("-", "_")}
        if match := self._shell.fullmatch(path):
            return {match[1]}
        return set()
