"""One package as an index shows it: its own `info/index.json`, plus what only the finished file can tell."""

import re
from typing import Any

import orjson

from packhouse.domain.artifacts import Digests, IndexRecord, JsonObject, PackageFacts
from packhouse.errors import InvalidPackage

INDEXED_TIMESTAMP = "indexed_timestamp"

# Facts about the file, or about our copy of it. A package that names them itself would speak for the
# server: its own time of arrival (CEP 47), its own address (ceps#151), its attestations, the digest of the
# file it was made from (CEP 36). `run_exports` come from info/run_exports.json alone (CEP 12), so that
# shards and run_exports.json cannot disagree. `purls` are a draft, and rattler refuses a whole index over
# one that it cannot parse.
_NOT_FOR_THE_PACKAGE_TO_SAY = frozenset(
    {
        INDEXED_TIMESTAMP,
        "attestations_sha256",
        "channel",
        "fn",
        "legacy_bz2_md5",
        "legacy_bz2_size",
        "purls",
        "run_exports",
        "url",
    }
)

# rattler refuses the whole index over a null in one of these; to every client absent means the same.
_ABSENT_RATHER_THAN_NULL = frozenset({"constrains", "extra_depends", "features", "flags", "track_features"})


# The byte NUL stands nowhere in JSON, so this finds the place of the time and no text that looks like it.
_GAP = orjson.Fragment(b"\0")
_GAP_TEXT = b'"%b":\0,' % INDEXED_TIMESTAMP.encode()

# Optional dependency groups (CEP 44), flags (CEP 45), conditions (CEP 43).
_LATER_KEYS = ("extra_depends", "flags")
_LATER_SPEC = re.compile(r"\[[^\]]*\b(when|extras|flags)\s*=")


def make_record(facts: PackageFacts, digests: Digests) -> IndexRecord:
    """The record of a package file, without the time of its indexing: compact JSON with sorted keys.

    Every other key of `info/index.json` is kept as it is, unknown ones too, and a null `arch` and
    `platform` too: CEP 36 wants the values that the package has, and conda-index serves them so.
    Raises InvalidPackage if a value fits no index (a number beyond 64 bits, a broken character).
    """
    if later := needs_later_revision(facts.index):
        raise InvalidPackage(
            f"{facts.filename}: info/index.json has {later!r}, which needs repodata v3 (CEP 48); "
            "it is not served yet. Build the package without it."
        )
    record = said_by_package(facts.index)
    record |= {"md5": digests.md5, "sha256": digests.sha256, "size": digests.size, "subdir": facts.subdir}
    try:
        body, splice = sealed(readable_by_all(record))
        return IndexRecord(body, splice, compact(facts.run_exports), facts.flags)
    except TypeError as error:
        raise InvalidPackage(
            f"{facts.filename}: info/index.json holds a value that no index can carry ({error}). "
            "Build the package again without it."
        ) from error


def said_by_package(index: JsonObject) -> dict[str, Any]:
    """What a package may say of itself: all of its record but the facts about the file and our copy of it."""
    record = dict(index)
    for key in _NOT_FOR_THE_PACKAGE_TO_SAY & record.keys():
        del record[key]
    return record


def needs_later_revision(index: JsonObject) -> str | None:
    """The key or spec that only a reader of repodata v3 understands: others must not meet it (CEP 48)."""
    for key in _LATER_KEYS:
        if index.get(key):
            return key
    specs = [*(index.get("depends") or ()), *(index.get("constrains") or ())]
    return next((spec for spec in specs if "[" in spec and _LATER_SPEC.search(spec)), None)


def with_indexed_timestamp(body: bytes, splice: int, milliseconds: int) -> bytes:
    """The finished record. Called once a record of every index, so it copies bytes and parses nothing."""
    return b'%b"indexed_timestamp":%d,%b' % (body[:splice], milliseconds, body[splice:])


def readable_by_all(record: dict[str, Any]) -> dict[str, Any]:
    """The same record, changed in place where a client would choke on how its builder put it."""
    record["depends"] = record.get("depends") or []
    if not record.get("noarch"):
        record.pop("noarch", None)  # an empty string breaks rattler (pixi#4344)
    for key in _ABSENT_RATHER_THAN_NULL & record.keys():
        if record[key] is None:
            del record[key]
    for key in ("features", "track_features"):
        if isinstance(record.get(key), list):  # some old builds wrote lists; CEP 34 and readers want words
            record[key] = " ".join(record[key])
    return record


def sealed(record: dict[str, Any]) -> tuple[bytes, int]:
    """A finished record and the place for its `indexed_timestamp`; raises TypeError if a value is not JSON.

    `depends` always sorts before the time and `name` after it, so there is a comma on either side.
    """
    before, after = compact(record | {INDEXED_TIMESTAMP: _GAP}).split(_GAP_TEXT)
    return before + after, len(before)


def compact(document: JsonObject) -> bytes:
    """JSON as all our indexes have it: without blanks, and with sorted keys."""
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)
