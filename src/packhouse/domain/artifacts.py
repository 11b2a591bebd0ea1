"""An artifact: one immutable file of one version of a package, and what it says of itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

JsonObject: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Digests:
    """Computed by us while the bytes went by: lower-case hex digests, `size` in bytes."""

    md5: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class PackageFacts:
    """What a conda package file says of itself, already checked against its file name.

    `index`, `about` and `run_exports` are the documents of the same names in `info/` (an absent
    one is empty). `details` is what pages show and no index needs: `licenses` (list of
    {"path", "text"}), `icon` (path in the archive or None), `file_count`, `installed_size` (bytes).
    `flags` are the seven booleans that channeldata.json wants (CEP 38).
    """

    family: str
    name: str
    version: str
    build: str
    build_number: int
    subdir: str
    filename: str
    index: JsonObject
    about: JsonObject
    run_exports: JsonObject
    flags: Mapping[str, bool]
    details: JsonObject

    @property
    def ckey(self) -> str:
        """The route of the file inside a channel, and its identity there."""
        return f"{self.subdir}/{self.filename}"


@dataclass(frozen=True, slots=True)
class Artifact:
    """A kept file. `record` is its exact index record without `indexed_timestamp`, which goes in at `splice`."""

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


@dataclass(frozen=True, slots=True)
class Entry:
    """An artifact in a channel. `indexed_timestamp` (milliseconds, CEP 47) is set when it is added, once."""

    id: int
    channel_id: int
    artifact: Artifact
    indexed_timestamp: int
    added_at: datetime
    download_count: int


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
