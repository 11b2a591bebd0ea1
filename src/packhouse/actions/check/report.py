"""What a check found, what would mend it, and how that is told to people and programs."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

SHOWN = 200
"""Lines for people; a program gets all of them."""


@dataclass(frozen=True, slots=True)
class SumUp:
    """Write a package's sums again."""

    family: str
    name: str


@dataclass(frozen=True, slots=True)
class Recount:
    """Write a subdir's number of files, and its revisions, again."""

    subdir: str


@dataclass(frozen=True, slots=True)
class Reshard:
    """Make the shard of a name again."""

    subdir: str
    name: str


@dataclass(frozen=True, slots=True)
class Reindex:
    """Make a subdir's documents again, without the damaged bytes of this digest."""

    subdir: str
    damaged: str | None = None


Remedy: TypeAlias = SumUp | Recount | Reshard | Reindex


@dataclass(frozen=True, slots=True)
class Found:
    """One difference inside a channel. `is_due` is a document that may simply not have had its turn yet."""

    where: str
    what: str
    remedy: Remedy
    is_due: bool = False


@dataclass(frozen=True, slots=True)
class Difference:
    """`where` is a channel, subdir or file, or a blob; `what` a sentence about it."""

    where: str
    what: str
    is_mended: bool = False

    def __str__(self) -> str:
        return f"{self.where}: {self.what}{' Mended.' if self.is_mended else ''}"


@dataclass(slots=True)
class Report:
    """Grows with the damage, not with what was compared."""

    channels: int = 0
    blobs: int = 0
    differences: list[Difference] = field(default_factory=list)
    due: list[Difference] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        """Whether everything agrees by now; documents that wait for their reindex do not count."""
        return all(one.is_mended for one in self.differences)

    def add(self, where: str, what: str, is_mended: bool = False) -> None:
        self.differences.append(Difference(where, what, is_mended))

    def add_found(self, found: Sequence[Found], are_mended: bool) -> None:
        for one in found:
            if not one.is_due:
                self.add(one.where, one.what, are_mended)
            elif not are_mended:
                self.due.append(Difference(one.where, one.what))

    def as_document(self) -> dict[str, Any]:
        return {
            "good": self.is_good,
            "channels": self.channels,
            "blobs": self.blobs,
            "differences": [
                {"where": one.where, "what": one.what, "mended": one.is_mended} for one in self.differences
            ],
            "due": [{"where": one.where, "what": one.what} for one in self.due],
        }

    def as_text(self) -> str:
        lines = [str(one) for one in self.differences[:SHOWN]]
        if len(self.differences) > SHOWN:
            lines.append(f"... and {len(self.differences) - SHOWN} more; --json lists them all.")
        lines += [str(one) for one in self.due[:SHOWN]]
        return "\n".join([*lines, self._sum()])

    def _sum(self) -> str:
        mended = sum(one.is_mended for one in self.differences)
        compared = f"Compared {_counted(self.channels, 'channel')} and {_counted(self.blobs, 'blob')}"
        if not self.differences:
            return f"{compared}: all agree{f'; {len(self.due)} wait for their reindex' if self.due else ''}."
        return f"{compared}: {_counted(len(self.differences), 'difference')}, {mended} of them mended."


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
