"""What plugins answer with."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass
class CondaSubcommand:
    name: str
    summary: str
    action: Callable[[tuple[str, ...]], int | None]
    configure_parser: Callable[[Any], None] | None = None
