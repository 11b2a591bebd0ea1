"""The documents of a package's `info/` folder, checked field by field (CEP 34)."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

import orjson

from packhouse.errors import InvalidPackage
from packhouse.formats.conda.contents import ABOUT, FILES, HAS_PREFIX, INDEX, LINK, PATHS, RUN_EXPORTS
from packhouse.formats.conda.filename import is_subdir
from packhouse.formats.conda.layout import inner_path
from packhouse.formats.conda.match_specs import LONGEST_SPEC

Document: TypeAlias = dict[str, Any]
_Check: TypeAlias = tuple[Callable[[Any], bool], str]

# What rattler can read: seconds up to the first, milliseconds between the others (values below the year
# 10000 in seconds are taken for seconds). One time outside makes it refuse a whole index.
_LAST_SECONDS = 253_402_207_200
_FIRST_MILLISECONDS, _LAST_MILLISECONDS = 253_402_300_800, 253_402_207_200_000
RUN_EXPORT_KINDS = ("weak", "strong", "weak_constrains", "strong_constrains", "noarch")
# As conda-build names them: the architecture of `index.json` is Python's, that of the subdir conda's.
_SUBDIR_ARCHITECTURES = {"x86": "32", "x86_64": "64"}
_TEXT_TYPES = frozenset({str})
_HAS_PREFIX_LINE = re.compile(r'(?:"[^"]+"|\S+)\s+(text|binary)\s+"?([^"]+)"?')


def _is_time(value: Any) -> bool:
    return _is_count(value) and (value <= _LAST_SECONDS or _FIRST_MILLISECONDS <= value <= _LAST_MILLISECONDS)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_text_or_null(value: Any) -> bool:
    return value is None or isinstance(value, str)


def is_texts(value: Any) -> bool:
    return isinstance(value, list) and _TEXT_TYPES.issuperset(map(type, value))


def _is_specs(value: Any) -> bool:
    """A longer one could be a trap: rattler's parser recurses, and enough brackets end the process of a client."""
    return is_texts(value) and max(map(len, value), default=0) <= LONGEST_SPEC


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


_TEXT: _Check = (_is_text, "a text")
_TEXT_OR_NULL: _Check = (_is_text_or_null, "a text")
_TEXTS: _Check = (is_texts, "a list of texts")
_SPECS: _Check = (_is_specs, f"a list of texts of at most {LONGEST_SPEC} characters")

_REQUIRED: dict[str, _Check] = {
    "name": _TEXT,
    "version": _TEXT,
    "build": _TEXT,
    "build_number": (_is_count, "a whole number, not negative"),
}
_OPTIONAL: dict[str, _Check] = {
    "depends": _SPECS,
    "constrains": _SPECS,
    "subdir": _TEXT_OR_NULL,
    "platform": _TEXT_OR_NULL,
    "arch": _TEXT_OR_NULL,
    "noarch": (
        lambda value: value in ("generic", "python", "", None) or isinstance(value, bool),
        '"generic" or "python"',
    ),
    "timestamp": (
        lambda value: value is None or _is_time(value),
        "a time in milliseconds since 1970, before the year 10000",
    ),
    "license": _TEXT_OR_NULL,
    "license_family": _TEXT_OR_NULL,
    "features": _TEXT_OR_NULL,
    "track_features": (
        lambda value: _is_text_or_null(value) or is_texts(value),
        "a text or a list of texts",
    ),
    "python_site_packages_path": _TEXT_OR_NULL,
    "flags": _TEXTS,
    "extra_depends": (
        lambda value: isinstance(value, dict) and all(map(_is_specs, value.values())),
        "an object of lists of texts",
    ),
}


def read_index(documents: Mapping[str, bytes]) -> Document:
    """`info/index.json` as indexes want it: `depends` and `subdir` present, `noarch` a kind or absent."""
    if INDEX not in documents:
        raise InvalidPackage(f"it has no {INDEX}, so it is no conda package (CEP 34)")
    index = _read_object(INDEX, documents[INDEX])
    for key, check in _REQUIRED.items():
        if key not in index:
            raise InvalidPackage(f"its {INDEX} has no {key!r}")
        _require(INDEX, key, index[key], check)
    for key in _OPTIONAL.keys() & index.keys():
        _require(INDEX, key, index[key], _OPTIONAL[key])
    _settle_noarch(index)
    _settle_track_features(index)
    index.setdefault("depends", [])
    index["subdir"] = _subdir(index)
    return index


def wrong_field(record: Mapping[str, Any]) -> str | None:
    """What a record says that makes a client refuse the whole index, in words; only optional keys are asked."""
    for key, (is_right, wanted) in _OPTIONAL.items():
        if key in record and not is_right(record[key]):
            return f"its {key!r} must be {wanted}, not {_short(record[key])}"
    return None


def read_about(documents: Mapping[str, bytes]) -> Document:
    return _read_object(ABOUT, documents[ABOUT]) if ABOUT in documents else {}


def read_run_exports(documents: Mapping[str, bytes]) -> Document:
    """The five lists of CEP 12, as far as given; a bare list means `weak` (CEP 34)."""
    if RUN_EXPORTS not in documents:
        return {}
    value = _read_json(RUN_EXPORTS, documents[RUN_EXPORTS])
    exports = {"weak": value} if isinstance(value, list) else _as_object(RUN_EXPORTS, value)
    known = {kind: exports[kind] for kind in RUN_EXPORT_KINDS if kind in exports}
    for kind, specs in known.items():
        _require(RUN_EXPORTS, kind, specs, _TEXTS)
    return known


def prefix_modes(documents: Mapping[str, bytes]) -> set[str]:
    """How clients must write the prefix into files of the package: `text`, `binary`, both or not at all.

    On the way each listed path is checked, because clients link by these lists. `paths.json` wins over
    the older `files` and `has_prefix` (CEP 34).
    """
    if PATHS in documents:
        return {mode for mode in map(_entry_mode, _path_entries(documents[PATHS])) if mode}
    for line in _lines(FILES, documents):
        inner_path(line)
    return {_line_mode(line) for line in _lines(HAS_PREFIX, documents)}


def check_link(documents: Mapping[str, bytes]) -> None:
    """Entry points become files of the prefix, so their names must be names (CEP 34)."""
    link = _read_object(LINK, documents[LINK]) if LINK in documents else {}
    noarch = _as_object(LINK, link.get("noarch") or {})
    points = noarch.get("entry_points") or []
    _require(LINK, "entry_points", points, _TEXTS)
    for point in points:
        command = point.partition("=")[0].strip()
        if not command or inner_path(command) != command or "/" in command or "\\" in command:
            raise InvalidPackage(f"its {LINK} has the entry point {point!r}, which names no command")


def _settle_noarch(index: Document) -> None:
    # An empty text makes rattler refuse the whole index; `true` is how the first noarch packages said it.
    noarch = index.pop("noarch", None)
    if noarch:
        index["noarch"] = "generic" if noarch is True else noarch


def _settle_track_features(index: Document) -> None:
    # conda and libmamba read a text; some builders write a list.
    if isinstance(index.get("track_features"), list):
        index["track_features"] = " ".join(index["track_features"])


def _subdir(index: Document) -> str:
    subdir = index.get("subdir") or _derived_subdir(index)
    if not is_subdir(subdir):
        raise InvalidPackage(f"its {INDEX} has the subdir {subdir!r}, which no channel can have (CEP 26)")
    if "noarch" in index and subdir != "noarch":
        raise InvalidPackage(f"its {INDEX} says noarch {index['noarch']!r}, and yet the subdir {subdir!r}")
    return subdir


def _derived_subdir(index: Document) -> str:
    """As old packages mean it, which name platform and architecture instead."""
    if "noarch" in index:
        return "noarch"
    platform, arch = index.get("platform"), index.get("arch")
    if not platform or not arch:
        raise InvalidPackage(f"its {INDEX} has no 'subdir', and no 'platform' and 'arch' to tell it by")
    return f"{platform}-{_SUBDIR_ARCHITECTURES.get(arch, arch)}"


def _path_entries(data: bytes) -> Iterator[Document]:
    entries = _read_object(PATHS, data).get("paths", [])
    if not isinstance(entries, list):
        raise InvalidPackage(f"its {PATHS} has 'paths' that are not a list")
    for entry in entries:
        path = _as_object(PATHS, entry).get("_path")
        if not isinstance(path, str) or not inner_path(path):
            raise InvalidPackage(f"its {PATHS} has an entry without a '_path'")
        yield entry


def _entry_mode(entry: Document) -> str | None:
    if not entry.get("prefix_placeholder"):
        return None
    mode = entry.get("file_mode") or "text"
    if mode not in ("text", "binary"):
        raise InvalidPackage(
            f"its {PATHS} has the file_mode {mode!r}; it must be 'text' or 'binary' (CEP 34)"
        )
    return str(mode)


def _lines(path: str, documents: Mapping[str, bytes]) -> list[str]:
    text = documents.get(path, b"").decode("utf-8", "surrogateescape")
    return [line.strip() for line in text.splitlines() if line.strip()]


def _line_mode(line: str) -> str:
    """Of `path` alone, which means text, or of `placeholder mode path` (CEP 34)."""
    match = _HAS_PREFIX_LINE.fullmatch(line)
    inner_path(match[2] if match else line.strip('"'))
    return match[1] if match else "text"


def _require(path: str, key: str, value: Any, check: _Check) -> None:
    is_right, wanted = check
    if not is_right(value):
        raise InvalidPackage(f"its {path} has a wrong {key!r}: it must be {wanted}, not {_short(value)}")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _read_object(path: str, data: bytes) -> Document:
    return _as_object(path, _read_json(path, data))


def _as_object(path: str, value: Any) -> Document:
    if not isinstance(value, dict):
        raise InvalidPackage(f"its {path} has {_short(value)} where a JSON object must be")
    return value


def _read_json(path: str, data: bytes) -> Any:
    """JSON that can be written again: no NUL, which PostgreSQL cannot keep, and no bottomless nesting."""
    try:
        value = orjson.loads(data)
        written = orjson.dumps(value)
    except (orjson.JSONDecodeError, orjson.JSONEncodeError) as error:
        raise InvalidPackage(f"its {path} is not JSON that can be read: {error}") from error
    if rb"\u0000" in written:
        raise InvalidPackage(f"its {path} holds the character NUL")
    return value
