"""A Jupyter notebook: a JSON object of the notebook format (nbformat) of version 3 or later."""

import codecs
from typing import BinaryIO, TypeVar

import msgspec

from packhouse.domain.artifacts import FileFacts, JsonObject
from packhouse.domain.families import NOTEBOOK, Declared
from packhouse.errors import InvalidPackage, TooLarge
from packhouse.formats.files.names import check_name, check_version, stem
from packhouse.formats.files.text import shown

EXTENSION = ".ipynb"
MAX_BYTES = 64 * 1024**2
"""Pictures lie inside a notebook, so it may be long; what is not of interest is passed over, not built."""
STEP_BYTES = 1024**2
MAX_METADATA_BYTES = 256 * 1024
OLDEST_FORMAT = 3

_Kind = TypeVar("_Kind")


class _Notebook(msgspec.Struct):
    """The keys that are looked at; the cells are read as JSON and forgotten."""

    nbformat: int
    nbformat_minor: msgspec.Raw = msgspec.Raw(b"0")
    metadata: msgspec.Raw = msgspec.Raw(b"{}")


def read_notebook(file: BinaryIO, filename: str, declared: Declared) -> FileFacts:
    """Raises InvalidPackage for what is no notebook, TooLarge for one beyond the limits."""
    own_name = stem(filename, EXTENSION)
    name = check_name(declared.name or own_name)
    notebook = _decode(_read(file, filename), _Notebook, filename)
    if notebook.nbformat < OLDEST_FORMAT:
        raise InvalidPackage(
            f"{filename}: notebooks of format {notebook.nbformat} are not taken; open it in Jupyter and save "
            "it again."
        )
    return FileFacts(
        family=NOTEBOOK,
        name=name,
        version="" if declared.version is None else check_version(declared.version),
        filename=f"{name}{EXTENSION}",  # where clients look for the notebook of this name
        about=_about(notebook, filename),
    )


def _read(file: BinaryIO, filename: str) -> bytes:
    data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise TooLarge(
            f"{filename}: a notebook has at most {MAX_BYTES // 1024**2} MiB. Clear its output and send it again."
        )
    return data


def _decode(data: bytes | msgspec.Raw, kind: type[_Kind], filename: str) -> _Kind:
    try:
        _require_text(memoryview(data))
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidPackage(f"{filename} is no notebook: {error}.") from error


def _require_text(data: memoryview) -> None:
    """Strings that are passed over are not looked at; here they are, a step at a time. UnicodeDecodeError."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    for start in range(0, len(data), STEP_BYTES):
        decoder.decode(data[start : start + STEP_BYTES])
    decoder.decode(b"", final=True)


def _about(notebook: _Notebook, filename: str) -> JsonObject:
    metadata = _metadata(notebook.metadata, filename)
    kernel, language = _object(metadata, "kernelspec"), _object(metadata, "language_info")
    facts = {
        "summary": shown(metadata.get("title")) or shown(kernel.get("display_name")),
        "title": shown(metadata.get("title")),
        "kernel": shown(kernel.get("name")),
        "language": shown(kernel.get("language")) or shown(language.get("name")),
        "language_version": shown(language.get("version")),
        "nbformat": notebook.nbformat,
    }
    return {key: value for key, value in facts.items() if value is not None}


def _metadata(raw: msgspec.Raw, filename: str) -> JsonObject:
    if len(memoryview(raw)) > MAX_METADATA_BYTES:
        raise TooLarge(f"{filename}: its metadata has more than {MAX_METADATA_BYTES // 1024} KiB.")
    found = _decode(raw, object, filename)  # a number that was passed over may be one that cannot be held
    if not isinstance(found, dict):
        raise InvalidPackage(f"{filename} is no notebook: its 'metadata' is no object.")
    return found


def _object(within: JsonObject, key: str) -> JsonObject:
    found = within.get(key)
    return found if isinstance(found, dict) else {}
