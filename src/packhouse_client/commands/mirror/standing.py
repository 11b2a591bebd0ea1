"""How far a mirror is, in words."""

from collections import deque
from dataclasses import dataclass
from typing import Self

from packhouse_client.terminal.sizes import as_size
from packhouse_client.wire.connection import Document

UNDER_WAY = frozenset({"pending", "running"})
RATE_SECONDS = 10.0


class Rate:
    """Bytes per second over the last ten: files come in bursts."""

    def __init__(self) -> None:
        self._readings: deque[tuple[float, int]] = deque()

    def tell(self, moment: float, count: int) -> float:
        """The rate, now that `count` bytes have come; 0 before there are two readings."""
        self._readings.append((moment, count))
        while moment - self._readings[0][0] > RATE_SECONDS:
            self._readings.popleft()
        began, first = self._readings[0]
        return max(0.0, (count - first) / (moment - began)) if moment > began else 0.0


@dataclass(frozen=True, slots=True)
class Standing:
    state: str
    step: int
    steps: int
    description: str
    percentage: float
    files: int
    files_planned: int
    failed: int
    refused: int
    transferred: int
    planned: int
    last_file: str
    last_error: str

    @classmethod
    def of(cls, mirror: Document) -> Self:
        sync = mirror["sync_state"]
        count = sync["count"]
        return cls(
            state=mirror["state"],
            step=sync["current_step_number"],
            steps=sync["total_steps_count"],
            description=sync["current_step_description"] or "",
            percentage=sync["current_step_percentage"],
            files=count["active"] + count["passive"],
            files_planned=count["active_planned"],
            failed=count["failed"],
            refused=count.get("refused", 0),
            transferred=sync["bytes_transfered"],
            planned=sync.get("bytes_planned") or 0,
            last_file=sync["last_ckey"] or "",
            last_error=sync["last_exception"] or "",
        )

    @property
    def is_under_way(self) -> bool:
        return self.state in UNDER_WAY

    @property
    def heading(self) -> str:
        if self.state == "pending":
            return "Waiting to begin"
        number = f"Step {self.step} of {self.steps}" if self.steps else "Running"
        return f"{number}: {self.description}" if self.description else number

    def figures(self, rate: float) -> str:
        """Files, bytes and bytes per second; then what went wrong, if anything did."""
        if self.state == "pending":
            return ""
        noun = "file" if (self.files_planned or self.files) == 1 else "files"
        parts = [f"{_of(f'{self.files:,}', f'{self.files_planned:,}', bool(self.files_planned))} {noun}"]
        if self.transferred or self.planned:
            parts.append(_of(as_size(self.transferred), as_size(self.planned), bool(self.planned)))
        if rate:
            parts.append(f"{as_size(rate)}/s")
        troubles = {"refused": self.refused, "failed": self.failed}
        return ", ".join(parts + [f"{number:,} {word}" for word, number in troubles.items() if number])

    def line(self, rate: float) -> str:
        """All of it on one line, for where there is no terminal."""
        parts = [f"{self.heading} ({self.percentage:.0f} %)", self.figures(rate), self.last_file]
        return "; ".join(part for part in parts if part)


def _of(done: str, planned: str, is_planned: bool) -> str:
    return f"{done} of {planned}" if is_planned else done
