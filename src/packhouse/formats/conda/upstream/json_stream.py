"""One JSON document of any length, read member by member in bounded memory.

A member is parsed whole by orjson once its end is found, which takes a quarter of the time that ijson
(yajl2_c) needs for the items of one prefix, and lets one pass serve every part of the document.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import orjson

from packhouse.errors import Invalid, TooLarge

LARGEST_VALUE = 16 * 1024 * 1024
"""The most bytes that one value may take; what is larger is read by its members."""
DEEPEST = 200

_STEP = 1024 * 1024
_GUESSES = 3
_SPACES = b" \t\r\n"
_SPACE = re.compile(rb"[ \t\r\n]*+")
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_SCALAR = re.compile(rb"[^ \t\r\n,:\[\]{}\"]++")
# A quote alone is one that its string lacks; the whole string is tried first.
_STRUCTURE = re.compile(rb'"(?:[^"\\]++|\\.)*+"|["{}\[\]]', re.DOTALL)
_CLOSING = {b"{": b"}", b"[": b"]"}


class JsonStream:
    """A cursor that goes through the document once: each value met is to be read or skipped.

    All methods raise Invalid where the text is not JSON, and TooLarge for a value beyond `LARGEST_VALUE`.
    """

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read = read
        self._text = b""
        self._place = 0
        self._passed = 0
        self._usual_count = 1

    def kind(self) -> bytes:
        """The character that the next value begins with; empty at the end of the text."""
        while True:
            mark = self._text[self._place : self._place + 1]
            if mark and mark not in _SPACES:
                return mark
            match = _SPACE.match(self._text, self._place)
            self._place = match.end() if match else self._place
            if self._place == len(self._text) and not self._fill():
                return b""

    def members(self) -> Iterator[str]:
        """The keys of the object that comes next; the value of each is to be taken before the next key."""
        self._expect(b"{")
        if self.kind() == b"}":
            self._place += 1
            return
        while True:
            if self.kind() != b'"':
                raise self._broken("a key in double quotes")
            key: str = self.value()
            self._expect(b":")
            yield key
            if self._ends(b"}"):
                return

    def elements(self) -> Iterator[Any]:
        """The values of the array that comes next."""
        self._expect(b"[")
        if self.kind() == b"]":
            self._place += 1
            return
        while True:
            yield self.value()
            if self._ends(b"]"):
                return

    def value(self) -> Any:
        """The next value, parsed."""
        first = self.kind()
        if not first:
            raise self._broken("a value")
        while True:
            found = self._container(first) if first in _CLOSING else self._scalar(first)
            if found is not None:
                value, self._place = found
                return value
            if not self._fill():
                raise self._broken("more: it stops in the middle of a value")

    def skip(self) -> None:
        """Pass over the next value, which may be of any length as long as its members are not."""
        first = self.kind()
        if first == b"{":
            for _ in self.members():
                self.value()
        elif first == b"[":
            for _ in self.elements():
                pass
        else:
            self.value()

    def finish(self) -> None:
        """See that nothing follows."""
        if self.kind():
            raise self._broken("nothing more")

    def _container(self, first: bytes) -> tuple[Any, int] | None:
        """The object or array here and its end, or None if the text at hand ends before.

        No object begins with a shorter one, so an end that parses is the right one. Neighbours mostly hold
        as many braces as each other, so the end is guessed by their number; a wrong guess is measured.
        """
        closing, end = _CLOSING[first], self._place
        for count in range(1, self._usual_count + _GUESSES):
            end = self._text.find(closing, end) + 1
            if not end:
                break
            if count < self._usual_count:
                continue
            with suppress(orjson.JSONDecodeError):
                value = orjson.loads(self._text[self._place : end])
                self._usual_count = count
                return value, end
        self._usual_count = 1
        measured = self._measured()
        return None if measured is None else (self._parsed(measured), measured)

    def _measured(self) -> int | None:
        depth = 0
        for token in _STRUCTURE.finditer(self._text, self._place):
            mark = token[0]
            if mark in (b"{", b"["):
                depth += 1
            elif mark in (b"}", b"]"):
                depth -= 1
                if not depth:
                    return token.end()
            elif mark == b'"':
                return None
            if depth > DEEPEST:
                raise self._broken(f"no more than {DEEPEST} levels")
        return None

    def _scalar(self, first: bytes) -> tuple[Any, int] | None:
        match = (_STRING if first == b'"' else _SCALAR).match(self._text, self._place)
        if match is None:
            if first == b'"':
                return None
            raise self._broken("a value")
        if first != b'"' and match.end() == len(self._text) and self._fill():
            return self._scalar(first)  # a number may go on
        return self._parsed(match.end()), match.end()

    def _parsed(self, end: int) -> Any:
        try:
            return orjson.loads(self._text[self._place : end])
        except orjson.JSONDecodeError as error:
            raise self._broken(f"JSON ({error})") from error

    def _expect(self, mark: bytes) -> None:
        if self.kind() != mark:
            raise self._broken(repr(mark.decode()))
        self._place += 1

    def _ends(self, closing: bytes) -> bool:
        mark = self.kind()
        if mark not in (b",", closing) or not mark:
            raise self._broken(f"',' or {closing.decode()!r}")
        self._place += 1
        return mark == closing

    def _fill(self) -> bool:
        """Read on, more at a time the longer the value is, so that long ones are not searched too often."""
        pending = len(self._text) - self._place
        if pending > LARGEST_VALUE:
            raise TooLarge(
                f"a value at byte {self._passed + self._place} has more than {LARGEST_VALUE} bytes"
            )
        more = self._read(max(_STEP, pending))
        self._passed += self._place
        self._text = self._text[self._place :] + more
        self._place = 0
        return bool(more)

    def _broken(self, wanted: str) -> Invalid:
        found = self._text[self._place : self._place + 40].decode("utf-8", "replace")
        place = self._passed + self._place
        return Invalid(
            f"at byte {place} it needs {wanted}, and has {found!r}"
            if found
            else f"it ends at byte {place}, where it needs {wanted}"
        )
