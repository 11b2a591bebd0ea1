"""The parts of an upstream's `repodata.json` and `run_exports.json`, in one pass over either."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol

from packhouse.errors import Invalid
from packhouse.formats.conda.upstream.json_stream import JsonStream
from packhouse.formats.conda.upstream.shards import SECTIONS, V3_SECTIONS


class Receiver(Protocol):
    """Whoever wants the parts of a `repodata.json`, in whatever order they come."""

    def add_record(self, section: int, filename: str, record: Any) -> None: ...

    def add_signed(self, filename: str) -> None: ...

    def add_removed(self, filename: str) -> None: ...


class Head(NamedTuple):
    """What a `repodata.json` says of itself; None for what it does not say."""

    subdir: Any = None
    base_url: Any = None


def read_repodata(stream: JsonStream, receiver: Receiver) -> Head:
    """Hand over all records, and answer the head. Raises Invalid for another document.

    `{}` is an empty subdir. Any other object needs a part that only an index has: a server may well answer
    an error as JSON, and to take that for an empty channel would remove all that there was.
    """
    return _RepodataReader(stream, receiver).read()


def read_run_exports(stream: JsonStream) -> Iterator[tuple[str, Any]]:
    """File names and the run exports of each, as far as told (CEP 12); raises Invalid for another document."""
    seen: set[str] = set()
    for key in stream.members():
        if key not in SECTIONS:
            stream.skip()
            continue
        _once(seen, key)
        for filename in stream.members():
            entry = stream.value()
            if isinstance(entry, Mapping) and entry.get("run_exports") is not None:
                yield filename, entry["run_exports"]
    stream.finish()
    if not seen:
        raise Invalid("it has neither 'packages' nor 'packages.conda', so it is no run_exports.json")


class _RepodataReader:
    def __init__(self, stream: JsonStream, receiver: Receiver) -> None:
        self._stream, self._receiver = stream, receiver
        self._head = Head()
        self._seen: set[str] = set()
        self._is_empty = True
        self._readers: dict[str, Callable[[], None]] = {
            "info": self._read_info,
            "removed": self._read_removed,
            "signatures": self._read_signatures,
            "v3": self._read_v3,
        }

    def read(self) -> Head:
        for key in self._stream.members():
            self._is_empty = False
            if key in SECTIONS:
                _once(self._seen, key)
                self._read_section(SECTIONS[key])
            elif key in self._readers:
                _once(self._seen, key)
                self._readers[key]()
            else:
                self._stream.skip()
        self._stream.finish()
        if not self._is_empty and not self._seen & {"info", "v3", *SECTIONS}:
            raise Invalid("it has neither 'packages' nor 'packages.conda', so it is no index of a channel")
        return self._head

    def _read_section(self, section: int, ending: str = "") -> None:
        for key in self._stream.members():
            self._receiver.add_record(section, key + ending, self._stream.value())

    def _read_v3(self) -> None:
        """Sections by extension, whose keys are file names without it (CEP 48)."""
        seen: set[str] = set()
        for extension in self._stream.members():
            if extension in V3_SECTIONS:
                _once(seen, extension)
                self._read_section(V3_SECTIONS[extension], f".{extension}")
            else:
                self._stream.skip()

    def _read_info(self) -> None:
        info = self._stream.value()
        if isinstance(info, Mapping):
            self._head = Head(info.get("subdir"), info.get("base_url"))

    def _read_removed(self) -> None:
        if self._stream.kind() != b"[":
            self._stream.skip()
            return
        for filename in self._stream.elements():
            if isinstance(filename, str):
                self._receiver.add_removed(filename)

    def _read_signatures(self) -> None:
        if self._stream.kind() != b"{":
            self._stream.skip()
            return
        for filename in self._stream.members():
            if self._stream.value():
                self._receiver.add_signed(filename)


def _once(seen: set[str], key: str) -> None:
    if key in seen:
        raise Invalid(f"it has {key!r} twice, and clients differ in which of them they read")
    seen.add(key)
