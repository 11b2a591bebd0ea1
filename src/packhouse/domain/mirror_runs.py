"""A run of a mirror: why it began, how far it came, and what it did."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from packhouse.domain.mirrors import MirrorState


class Trigger(StrEnum):
    """Why a run began."""

    SCHEDULE = "schedule"
    RUN_NOW = "run_now"
    RESTART = "restart"
    UPDATE = "update"


STEPS = ("Reading indexes", "Choosing files", "Fetching files", "Counting")
"""What a run does, in order; an active one fetches, a passive one passes over that step."""
READING, CHOOSING, FETCHING, COUNTING = range(1, len(STEPS) + 1)


@dataclass(frozen=True, slots=True)
class Progress:
    """`step` counts from 1 (0: not begun), `percentage` is that of the step."""

    step: int = 0
    description: str = ""
    percentage: int = 0


@dataclass(frozen=True, slots=True)
class Tally:
    """What a run has done so far: files, and `transferred` in bytes."""

    added: int = 0
    removed: int = 0
    changed: int = 0
    vanished: int = 0
    refused: int = 0
    failed: int = 0
    transferred: int = 0


@dataclass(frozen=True, slots=True)
class MirrorRun:
    """`planned` files of `planned_bytes` are still to be fetched; `filtered` counts files per reason."""

    id: int
    uuid: str
    mirror_id: int
    event_id: int | None
    trigger: Trigger
    state: MirrorState
    asked_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    holder: str | None
    seen_at: datetime | None
    progress: Progress
    tally: Tally
    planned: int
    planned_bytes: int
    filtered: Mapping[str, int]
    filtered_examples: Mapping[str, list[str]]
    last_ckey: str | None
    last_error: str | None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A file that did not come, and why. A failure was to come; what is refused never will."""

    ckey: str
    reason: str
    is_failure: bool
