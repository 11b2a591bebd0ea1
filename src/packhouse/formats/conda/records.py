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


# Optional dependency groups (CEP 44), flags (CEP 45), conditions (CEP 43).
_LATER_KEYS = ("extra_depends", "flags")
_LATER_SPEC = re.compile(r"\[[^\]]*\b(when|extras|flags)\s*=")


def make_record(facts: PackageFacts, digests: Digests) -> IndexRecord:
    """The record of a package file, without the time of its indexing: compact JSON with sorted keys.

    Every other key of `info/index.json` is kept as it is, unknown ones too, and a null `arch` and
    `platform` too: CEP 36 wants the values that the package has, and conda-index serves them so.
    Raises InvalidPackage if a value fits no index (a number beyond 64 bits, a broken character).
    """
    _refuse_later_revisions(facts)
    record = {key: value for key, value in facts.index.items() if key not in _NOT_FOR_THE_PACKAGE_TO_SAY}
    record |= {"md5": digests.md5, "sha256": digests.sha256, "size": digests.size, "subdir": facts.subdir}
    try:
        body, splice = _sealed(_readable_by_all(record))
        return IndexRecord(body, splice, _compact(facts.run_exports), facts.flags)
    except TypeError as error:
        raise InvalidPackage(
            f"{facts.filename}: info/index.json holds a value that no index can carry ({error}). "
            "Build the package again without it."
        ) from error


def _refuse_later_revisions(facts: PackageFacts) -> None:
    """What only a reader of repodata v3 understands must not stand where all others read it (CEP 48)."""
    specs = [*(facts.index.get("depends") or ()), *(facts.index.get("constrains") or ())]
    used = [key for key in _LATER_KEYS if facts.index.get(key)]
    used += [spec for spec in specs if _LATER_SPEC.search(spec)]
    if used:
        raise InvalidPackage(
            f"{facts.filename}: info/index.json has {used[0]!r}, which needs repodata v3 (CEP 48); "
            "it is not served yet. Build the package without it."
        )


def with_indexed_timestamp(body: bytes, splice: int, milliseconds: int) -> bytes:
    """The finished record. Called once a record of every index, so it copies bytes and parses nothing."""
    return b'%b"indexed_timestamp":%d,%b' % (body[:splice], milliseconds, body[splice:])


def _readable_by_all(record: dict[str, Any]) -> dict[str, Any]:
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


def _sealed(record: dict[str, Any]) -> tuple[bytes, int]:
    """`depends` always sorts before the time and `md5` after it, so there is a comma on either side."""
    earlier = {key: value for key, value in record.items() if key < INDEXED_TIMESTAMP}
    return _compact(record), len(_compact(earlier))


def _compact(document: JsonObject) -> bytes:
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)
