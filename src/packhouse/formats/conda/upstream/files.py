"""One file as an upstream's index tells of it, checked before anything of ours is made from it."""

import hashlib
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from packhouse.domain.sections import FIRST_V3, Section
from packhouse.errors import Invalid, InvalidPackage
from packhouse.formats.conda.documents import RUN_EXPORT_KINDS, is_texts, wrong_field
from packhouse.formats.conda.filename import MAX_FILENAME, CondaFilename, split_filename
from packhouse.formats.conda.records import (
    compact,
    needs_later_revision,
    readable_by_all,
    said_by_package,
    sealed,
)

LARGEST_NUMBER = 2**63 - 1
"""What a column of the database holds."""
WHEELS = 4
"""In place of a Section: `v3.whl`, of which nothing is taken."""

_MD5 = re.compile(r"[0-9a-fA-F]{32}")
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_EXTENSIONS = {int(section): section.extension for section in Section}
_NUL = rb"\u0000"  # PostgreSQL cannot keep this character


class RefusedRecord(Invalid):
    """One record that cannot be taken; its neighbours can."""

    def __init__(self, filename: str, reason: str) -> None:
        self.filename = _printable(filename[:MAX_FILENAME])
        self.reason = _printable(reason)
        super().__init__(f"{self.filename}: {self.reason}")


class UpstreamFile(NamedTuple):
    """A file that an upstream lists. An unknown digest is empty.

    `record` is upstream's own, patches included, without what is not for it to say; `body` is the same as
    finished JSON, with the place for `indexed_timestamp` at `splice`. `run_exports` is JSON too, and empty if
    unknown (CEP 12). `variant` changes with either of them.
    """

    name: str
    version: str
    build: str
    build_number: int
    subdir: str
    filename: str
    ckey: str
    section: int
    sha256: str
    md5: str
    size: int
    record: dict[str, Any]
    body: bytes
    splice: int
    run_exports: bytes
    variant: str
    is_signed: bool


def upstream_file(
    subdir: str,
    filename: str,
    raw: object,
    *,
    section: int,
    run_exports: bytes = b"",
    is_signed: bool = False,
) -> UpstreamFile:
    """The file of a record; raises RefusedRecord.

    `filename` has its extension, even in a section of v3, whose keys have none. `run_exports` are those
    that the subdir's `run_exports.json` tells; others in the record itself win (CEP 21).
    """
    try:
        return _file(subdir, filename, raw, section, run_exports, is_signed)
    except RefusedRecord:
        raise
    except InvalidPackage as error:  # it already names the file
        raise RefusedRecord(filename, error.message.removeprefix(f"{filename!r}: ")) from error
    except Invalid as error:
        raise RefusedRecord(filename, error.message) from error
    except TypeError as error:
        raise RefusedRecord(filename, f"it holds a value that no index can carry ({error})") from error


def _file(
    subdir: str, filename: str, raw: object, section: int, run_exports: bytes, is_signed: bool
) -> UpstreamFile:
    if section == WHEELS:
        raise Invalid("wheels in a conda channel are not served yet")
    if not isinstance(raw, Mapping):
        raise Invalid("its record is no object")
    parts = split_filename(filename)
    _check_names(parts, raw, section, subdir)
    build_number = _number(raw, "build_number")
    size = _number(raw, "size")
    sha256, md5 = _digests(raw)
    record = _record(raw, section)
    record["size"], record["subdir"] = size, subdir
    _set_known(record, "md5", md5)
    _set_known(record, "sha256", sha256)
    body, splice = _sealed(record)
    run_exports = _run_exports(raw) or run_exports
    return UpstreamFile(
        parts.name,
        parts.version,
        parts.build,
        build_number,
        subdir,
        filename,
        f"{subdir}/{filename}",
        section,
        sha256,
        md5,
        size,
        record,
        body,
        splice,
        run_exports,
        hashlib.sha256(body + run_exports).hexdigest()[:16],
        is_signed,
    )


def _check_names(parts: CondaFilename, raw: Mapping[str, Any], section: int, subdir: str) -> None:
    if parts.extension != _EXTENSIONS[section]:
        raise Invalid(f"it is listed among files that end in {_EXTENSIONS[section]}")
    for key in ("name", "version", "build"):
        if raw.get(key) != getattr(parts, key):
            raise Invalid(f"its {key!r} is {_short(raw.get(key))}, which its file name contradicts")
    told = raw.get("subdir")
    if told is not None and told != subdir:
        raise Invalid(f"its 'subdir' is {_short(told)}, and yet it is listed in {subdir!r}")


def _number(raw: Mapping[str, Any], key: str) -> int:
    value = raw.get(key)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST_NUMBER:
        return value
    raise Invalid(f"its {key!r} must be a whole number of at most 63 bits, not {_short(value)}")


def _digests(raw: Mapping[str, Any]) -> tuple[str, str]:
    sha256, md5 = _digest(raw, "sha256", _SHA256), _digest(raw, "md5", _MD5)
    if not sha256 and not md5:
        raise Invalid("it has neither 'sha256' nor 'md5', so nobody could tell whether its bytes are right")
    return sha256, md5


def _digest(raw: Mapping[str, Any], key: str, pattern: re.Pattern[str]) -> str:
    """Hex, as JSON has it, or the bytes themselves, as shards do (CEP 16)."""
    value = raw.get(key)
    if value is None or value == "":
        return ""
    text = value.hex() if isinstance(value, bytes) else value
    if isinstance(text, str) and pattern.fullmatch(text):
        return text.lower()
    raise Invalid(f"its {key!r} is no such digest: {_short(value)}")


def _set_known(record: dict[str, Any], key: str, digest: str) -> None:
    if digest:
        record[key] = digest
    else:
        record.pop(key, None)


def _record(raw: Mapping[str, Any], section: int) -> dict[str, Any]:
    """What clients may see of it, every optional field of the type that they expect."""
    depends = raw.get("depends")
    if not depends and depends is not None and depends != []:  # what is not empty is checked with the rest
        raise Invalid(f"its 'depends' must be a list of texts, not {_short(depends)}")
    record = readable_by_all(said_by_package(raw))
    if fault := wrong_field(record):
        raise Invalid(fault)
    later = needs_later_revision(record) if section < FIRST_V3 else None
    if later:
        raise Invalid(f"it has {later!r} outside of 'v3', where older clients would misread it (CEP 48)")
    return record


def _sealed(record: dict[str, Any]) -> tuple[bytes, int]:
    body, splice = sealed(record)
    if _NUL in body:
        raise Invalid("it holds the character NUL")
    return body, splice


def _run_exports(raw: Mapping[str, Any]) -> bytes:
    told = raw.get("run_exports")
    if told is None:
        return b""
    if known := run_exports_json(told):
        return known
    raise Invalid(f"its 'run_exports' must be lists of texts by kind, not {_short(told)}")


def run_exports_json(told: object) -> bytes:
    """The five lists of CEP 12, as far as told; empty if a client could not read them."""
    if not isinstance(told, Mapping):
        return b""
    known = {kind: told[kind] for kind in RUN_EXPORT_KINDS if kind in told}
    body = compact(known) if all(map(is_texts, known.values())) else _NUL
    return b"" if _NUL in body else body


def _printable(text: str) -> str:
    """What an upstream wrote, for terminals and databases: neither is to meet its control characters."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text
    )


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
