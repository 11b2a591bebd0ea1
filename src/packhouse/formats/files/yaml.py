"""YAML of strangers: bounded, without aliases, every scalar a text."""

from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import AliasEvent
from ruamel.yaml.nodes import Node

from packhouse.domain.artifacts import JsonObject
from packhouse.errors import InvalidPackage, TooLarge

MAX_BYTES = 256 * 1024
"""The longest environments, locked to every build, stay below a fifth of it."""
MAX_NODES = 20_000
"""Names, values, lists and mappings: short ones take the most time. So many are parsed in a second or two."""

MAX_DEPTH = 50
"""Far more than an environment has; the time that is spent on brackets grows with the square of it."""


class _BoundedComposer(Composer):
    """Reads no aliases: a few lines of aliases to aliases stand for gigabytes."""

    def __init__(self, loader: Any = None) -> None:
        super().__init__(loader)
        self.warn_double_anchors = False  # who may send files should not write the log
        self._nodes = self._depth = 0

    def compose_node(self, parent: Node | None, index: int) -> Node | None:
        if self.parser.check_event(AliasEvent):
            raise YAMLError("aliases (*name) are not read; write the value out")
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise YAMLError(f"it holds more than {MAX_NODES} names and values")
        if self._depth == MAX_DEPTH:
            raise YAMLError("it is nested too deeply")
        self._depth += 1
        try:
            found: Node | None = super().compose_node(parent, index)
        finally:
            self._depth -= 1
        return found


def read_mapping(data: bytes, what: str) -> JsonObject:
    """The one document in `data`, which must be a mapping. Raises InvalidPackage, TooLarge."""
    if len(data) > MAX_BYTES:
        raise TooLarge(f"{what} is longer than {MAX_BYTES // 1024} KiB.")
    # "base" makes a text of every scalar: no number, date or tag of a stranger's choice is built.
    yaml = YAML(typ="base", pure=True)
    yaml.Composer = _BoundedComposer
    try:
        found: Any = yaml.load(data.decode())
    except (YAMLError, ValueError, TypeError, OverflowError) as error:  # the last by "\UFFFFFFFF"
        raise InvalidPackage(f"{what} is no YAML that can be read: {_first_line(error)}.") from error
    if not isinstance(found, dict):
        raise InvalidPackage(f"{what} is no YAML mapping of names to values.")
    return found


def _first_line(error: Exception) -> str:
    problem = getattr(error, "problem", None) or str(error)
    mark = getattr(error, "problem_mark", None)
    line = problem.strip().partition("\n")[0].rstrip(".")
    return line if mark is None else f"{line} (line {mark.line + 1})"
