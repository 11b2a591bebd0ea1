"""Reads an index of any size one file at a time: `repodata.json`, `current_repodata.json`, `run_exports.json`."""

import codecs
import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from packhouse.domain.sections import Section
from packhouse.errors import Invalid

_SECTIONS = {"packages": Section.TAR_BZ2, "packages.conda": Section.CONDA}
_V3, _V3_SECTIONS = "v3", {"tar.bz2": Section.V3_TAR_BZ2, "conda": Section.V3_CONDA}

_SPACE = " \t\r\n"


class Member(NamedTuple):
    """One file of an index; `text` is the JSON that stands behind its name."""

    section: Section
    filename: str
    text: str


def read_members(chunks: Iterable[bytes]) -> Iterator[Member]:
    """The members of all sections in the order of the document; the rest of it is only passed over.

    In memory are one member and one chunk. Raises Invalid where the bytes are no such document, which
    may be after the first members were given.
    """
    reader = _Reader(chunks)
    try:
        for key in reader.each_key():
            if key in _SECTIONS:
                yield from _section(reader, _SECTIONS[key])
            elif key == _V3:
                yield from _v3(reader)
            else:
                reader.value_text()
        reader.expect_end()
    except ValueError as error:  # JSON and UTF-8 errors are both of this kind
        raise Invalid(f"not the JSON of an index: {error}") from error


def _v3(reader: "_Reader") -> Iterator[Member]:
    for extension in reader.each_key():
        if extension in _V3_SECTIONS:
            yield from _section(reader, _V3_SECTIONS[extension])
        else:
            reader.value_text()


def _section(reader: "_Reader", section: Section) -> Iterator[Member]:
    for key in reader.each_key():
        yield Member(section, section.filename(key), reader.value_text())


class _Reader:
    """A cursor over JSON text that arrives in chunks."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._utf8 = codecs.getincrementaldecoder("utf-8")()
        self._scan = json.JSONDecoder().raw_decode
        self._text = ""
        self._place = 0
        self._is_whole = False

    def each_key(self) -> Iterator[str]:
        """Each key of the object that begins here; the caller reads the value before it asks for the next."""
        self._take("{")
        if self._look() == "}":
            self._take("}")
            return
        while True:
            key, _ = self._value()
            if not isinstance(key, str):
                raise ValueError(f"the key {key!r} is no text")
            self._take(":")
            yield key
            if self._take(",", "}") == "}":
                return

    def value_text(self) -> str:
        return self._value()[1]

    def expect_end(self) -> None:
        if left := self._look():
            raise ValueError(f"{left!r} stands behind the end")

    def _value(self) -> tuple[Any, str]:
        self._look()
        while True:
            try:
                value, end = self._scan(self._text, self._place)
            except json.JSONDecodeError:
                if not self._more():
                    raise
                continue
            if end < len(self._text) or not self._more():  # at the end of a chunk, a number may go on
                text = self._text[self._place : end]
                self._place = end
                return value, text

    def _take(self, *wanted: str) -> str:
        found = self._look()
        if found not in wanted:
            raise ValueError(f"{found!r} stands where {' or '.join(wanted)} must be")
        self._place += 1
        return found

    def _look(self) -> str:
        """The next character that is no space; empty at the end."""
        while True:
            while self._place < len(self._text):
                if self._text[self._place] not in _SPACE:
                    return self._text[self._place]
                self._place += 1
            if not self._more():
                return ""

    def _more(self) -> bool:
        """Read on behind what is left, so much that rereading costs no more than twice; False at the end."""
        if self._is_whole:
            return False
        parts = [self._text[self._place :]]
        wanted = max(1, len(parts[0]))
        while wanted > 0 and not self._is_whole:
            chunk = next(self._chunks, None)
            self._is_whole = chunk is None
            parts.append(self._utf8.decode(chunk or b"", final=self._is_whole))
            wanted -= len(parts[-1])
        self._text, self._place = "".join(parts), 0
        return True
