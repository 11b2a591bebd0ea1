"""An upstream's sharded repodata (CEP 16), and the files of one package however they were listed."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from packhouse.domain.sections import Section
from packhouse.errors import Invalid
from packhouse.formats.conda.filename import is_name, is_subdir, name_within
from packhouse.formats.conda.upstream.files import WHEELS, RefusedRecord, UpstreamFile, upstream_file
from packhouse.formats.conda.upstream.packed import unpack_index, unpack_shard
from packhouse.formats.conda.upstream.urls import folder_url

NEWEST_INDEX_VERSION = 1
_DIGEST_SIZE = 32

SECTIONS: Mapping[str, int] = {"packages": Section.TAR_BZ2, "packages.conda": Section.CONDA}
V3_SECTIONS: Mapping[str, int] = {
    "tar.bz2": Section.V3_TAR_BZ2,
    "conda": Section.V3_CONDA,
    "whl": WHEELS,
}


class UpstreamIndex(NamedTuple):
    """The names in one subdir, each with the SHA-256 of its shard in hex; both URLs are absolute, ending in `/`.

    `refused` are entries that no package can have.
    """

    subdir: str
    base_url: str
    shards_base_url: str
    digests: dict[str, str]
    refused: list[RefusedRecord]

    def shard_url(self, name: str) -> str:
        return f"{self.shards_base_url}{self.digests[name]}.msgpack.zst"


class UpstreamShard(NamedTuple):
    """What an upstream lists under one package name, in order of file names."""

    name: str
    files: list[UpstreamFile]
    refused: list[RefusedRecord]
    removed: list[str]


class Listed(NamedTuple):
    """A record as a document holds it, with the file name that its key stands for."""

    section: int
    filename: str
    raw: Any
    run_exports: bytes = b""
    is_signed: bool = False


def read_index(body: bytes, url: str) -> UpstreamIndex:
    """Raises Invalid, and TooLarge beyond 128 MiB of content; either names the document by its URL."""
    with _named(url):
        document = unpack_index(body)
        _check_types(document, {"info": dict, "shards": dict})
    version = document.get("version", NEWEST_INDEX_VERSION)  # some builds of conda-index leave it out
    if version != NEWEST_INDEX_VERSION:
        raise Invalid(
            f"{url}: it is sharded repodata of version {str(version)[:20]!r}; only 1 is known (CEP 16)"
        )
    info = document["info"]
    subdir = info.get("subdir")
    if not isinstance(subdir, str) or not is_subdir(subdir):
        raise Invalid(f"{url}: its subdir is {str(subdir)[:60]!r}, which no channel has (CEP 26)")
    base_url, shards_base_url = (folder_url(url, info.get(key)) for key in ("base_url", "shards_base_url"))
    faults = {name: _fault(name, digest) for name, digest in document["shards"].items()}
    digests = {name: document["shards"][name].hex() for name, fault in faults.items() if not fault}
    refused = [RefusedRecord(str(name), fault) for name, fault in faults.items() if fault]
    return UpstreamIndex(subdir, base_url, shards_base_url, digests, refused)


def read_shard(body: bytes, subdir: str, name: str) -> UpstreamShard:
    """Raises Invalid, and TooLarge beyond 16 MiB of content; either names the shard by its package."""
    where = f"the shard of {name!r} in {subdir}"
    with _named(where):
        shard = unpack_shard(body)
    return assemble(subdir, name, _listed(shard, where), _filenames(shard.get("removed")))


def assemble(subdir: str, name: str, listed: Iterable[Listed], removed: list[str]) -> UpstreamShard:
    """Read each record by itself, so that a bad one costs no other.

    A file that is listed in `v3` and outside of it counts as outside.
    """
    files: dict[str, UpstreamFile] = {}
    refused: list[RefusedRecord] = []
    for section, filename, raw, run_exports, is_signed in sorted(listed, key=_by_filename):
        try:
            if filename in files:
                raise RefusedRecord(
                    filename, "it is listed in 'v3' and outside of it, and may only be in one"
                )
            file = upstream_file(
                subdir, filename, raw, section=section, run_exports=run_exports, is_signed=is_signed
            )
            if file.name != name:
                raise RefusedRecord(filename, f"it is listed under the name {name!r}")
            files[filename] = file
        except RefusedRecord as refusal:
            refused.append(refusal.with_traceback(None))  # which would keep all that was read alive
    return UpstreamShard(name, list(files.values()), refused, removed)


def group_of(filename: str) -> str:
    """The package under which a record is looked for; empty for a file name that no package can have."""
    return name_within(filename) or ""


def _by_filename(listed: Listed) -> tuple[str, int]:
    return listed.filename, listed.section


@contextmanager
def _named(where: str) -> Iterator[None]:
    try:
        yield
    except Invalid as error:
        raise type(error)(f"{where}: {error.message}") from error


def _check_types(document: Mapping[str, Any], wanted: Mapping[str, type]) -> None:
    for key, kind in wanted.items():
        if not isinstance(document.get(key), kind):
            raise Invalid(f"the map has no {key!r} of type {kind.__name__}")


def _fault(name: object, digest: object) -> str | None:
    if not isinstance(name, str) or not is_name(name):
        return "no package can have this name (CEP 26)"
    if not isinstance(digest, bytes) or len(digest) != _DIGEST_SIZE:
        return "its shard is not named by a SHA-256"
    return None


def _listed(shard: Mapping[str, Any], where: str) -> list[Listed]:
    signatures = shard.get("signatures")
    signed = {name for name, by in signatures.items() if by} if isinstance(signatures, dict) else set()
    found = [
        Listed(section, filename, raw, is_signed=filename in signed)
        for key, section in SECTIONS.items()
        for filename, raw in _section(shard, key, where).items()
    ]
    v3 = _section(shard, "v3", where)
    for key, section in V3_SECTIONS.items():
        for stem, raw in _section(v3, key, where).items():
            found.append(Listed(section, f"{stem}.{key}", raw))
    return found


def _section(document: Mapping[str, Any], key: str, where: str) -> Mapping[str, Any]:
    section = document.get(key, {})
    if not isinstance(section, dict) or not all(isinstance(filename, str) for filename in section):
        raise Invalid(f"{where}: its {key!r} is no map of file names")
    return section


def _filenames(value: object) -> list[str]:
    return [name for name in value if isinstance(name, str)] if isinstance(value, list) else []
