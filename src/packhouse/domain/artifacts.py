"""An artifact: one immutable file of one version of a package, and what it says of itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

from packhouse.domain.families import FOLDERS
from packhouse.domain.sections import Section

JsonObject: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Digests:
    """Computed by us while the bytes went by: lower-case hex digests, `size` in bytes."""

    md5: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFacts:
    """What a file of any family says of itself, already checked.

    `about` is what listings show of it; `details` is what only a page about the file does. A family
    without builds and subdirs has them empty.
    """

    family: str
    name: str
    version: str
    filename: str
    about: JsonObject
    details: JsonObject = field(default_factory=dict)
    build: str = ""
    build_number: int = 0
    subdir: str = ""

    @property
    def ckey(self) -> str:
        """The route of the file inside a channel, and its identity there."""
        return f"{FOLDERS[self.family]}/{self.filename}"


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneralFacts(FileFacts):
    """A general artifact: anything at all, told apart by its name and version alone."""

    @property
    def ckey(self) -> str:
        parts = (FOLDERS[self.family], self.name, self.version, self.filename)
        return "/".join(part for part in parts if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageFacts(FileFacts):
    """What a conda package file says of itself, already checked against its file name.

    `index`, `about` and `run_exports` are the documents of the same names in `info/` (an absent
    one is empty). `details` has `licenses` (list of {"path", "text"}), `icon` (path in the archive or
    None), `file_count`, `installed_size` (bytes). `flags` are the seven booleans that channeldata.json
    wants (CEP 38).
    """

    index: JsonObject
    run_exports: JsonObject
    flags: Mapping[str, bool]

    @property
    def ckey(self) -> str:
        return f"{self.subdir}/{self.filename}"


@dataclass(frozen=True, slots=True)
class IndexRecord:
    """What the conda indexes show of a file; empty for a file that is in none.

    `body` is its exact record without `indexed_timestamp`, which goes in at `splice`; `run_exports` is JSON.
    """

    body: bytes = b"{}"
    splice: int = 0
    run_exports: bytes = b"{}"
    flags: Mapping[str, bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file. `record` is its exact index record without `indexed_timestamp`, which goes in at `splice`.

    `run_exports` is JSON, and empty where nobody told them. `mirror_id` is the mirror that fetches its bytes
    where they are not here.
    """

    id: int
    family: str
    name: str
    version: str
    build: str
    build_number: int
    subdir: str
    filename: str
    ckey: str
    digests: Digests
    record: bytes
    splice: int
    run_exports: bytes
    about: JsonObject
    flags: Mapping[str, bool]
    mirror_id: int | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """An artifact in a channel. `indexed_timestamp` (milliseconds, CEP 47) is set when it is added, once.

    One that is not served awaits its bytes: a mirror will fetch them. `mirror_id` is the mirror that brought
    it into the channel. `section` is that of the conda index. One without bytes is fetched when it is asked
    for, even if the same bytes lie in the store for another channel: nobody has shown yet to have a right to them.
    """

    id: int
    channel_id: int
    artifact: Artifact
    indexed_timestamp: int
    added_at: datetime
    download_count: int
    is_served: bool = True
    vanished_at: datetime | None = None
    section: int = Section.CONDA
    mirror_id: int | None = None
    has_bytes: bool = True


@dataclass(frozen=True, slots=True)
class Package:
    """A name within a family in one channel, summed up over its files."""

    channel_id: int
    family: str
    name: str
    latest: Artifact
    file_count: int
    versions: Sequence[str]
    subdirs: Sequence[str]
    download_count: int
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Selection:
    """Files of one package that a bulk request names: all of them, or the one of `ckey`."""

    family: str
    name: str
    ckey: str | None = None

    def __str__(self) -> str:
        return self.ckey or self.name
