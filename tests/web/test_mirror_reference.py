"""The page on the JSON of mirrors shows what is answered: every field, and no other."""

import json
import re
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from packhouse.actions.mirrors.preview import Preview
from packhouse.domain.mirror_runs import MirrorRun, Progress, Tally, Trigger
from packhouse.domain.mirrors import Mirror, MirrorState, Specification
from packhouse.formats.conda.solvability import Unsolvable
from packhouse.web.api.mirror_shapes import channel_mirror_json, run_json

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "mirrors.md"
MOMENT = datetime(2026, 1, 31, 2, tzinfo=UTC)
MIRROR = Mirror(
    id=1,
    uuid="7c2e1f0a",
    channel_id=1,
    channel_path="tools",
    specification=Specification(name="forge", source="https://example.org/forge"),
    state=MirrorState.RUNNING,
    active=1,
    passive=0,
    last_run_at=MOMENT,
    next_run_at=None,
    created_at=MOMENT,
    updated_at=MOMENT,
)
RUN = MirrorRun(
    id=1,
    uuid="0b8f7f3e",
    mirror_id=1,
    event_id=None,
    trigger=Trigger.SCHEDULE,
    state=MirrorState.RUNNING,
    asked_at=MOMENT,
    started_at=MOMENT,
    ended_at=None,
    holder=None,
    seen_at=None,
    progress=Progress(),
    tally=Tally(),
    planned=0,
    planned_bytes=0,
    filtered={},
    filtered_examples={},
    last_ckey=None,
    last_error=None,
)


def shown(heading: str) -> dict[str, Any]:
    """The example of that section."""
    section = PAGE.read_text().partition(f"\n## {heading}\n")[2]
    found = re.search(r"```json\n(.*?)```", section, re.DOTALL)
    assert found is not None
    example: dict[str, Any] = json.loads(found[1])
    return example


def keys(document: Any, *data: str) -> Any:
    """The names in it, at every depth, but not those below a field whose names are data."""
    if isinstance(document, list):
        return [keys(one) for one in document]
    if not isinstance(document, dict):
        return None
    return {name: None if name in data else keys(value, *data) for name, value in document.items()}


def test_a_mirror_is_shown_with_all_its_fields() -> None:
    data = ("filters", "logs")

    assert keys(shown("A mirror"), *data) == keys(channel_mirror_json(MIRROR, RUN), *data)


def test_the_lists_of_filtered_files_are_shown_with_all_their_reasons() -> None:
    logs = channel_mirror_json(MIRROR, RUN)["sync_state"]["logs"]
    example = shown("A mirror")["sync_state"]["logs"]

    assert {name: list(lists) for name, lists in example.items()} == {
        name: list(lists) for name, lists in logs.items()
    }


def test_a_run_is_shown_with_all_its_fields() -> None:
    assert keys(shown("A run"), "filtered") == keys(run_json(RUN), "filtered")


def test_a_preview_is_shown_with_all_its_fields() -> None:
    preview = Preview(unsolvable=[Unsolvable("numpy", "linux-64", "why")])
    preview.names["numpy"] = Counter(files=1, bytes=1)
    data = ("subdirs", "filtered", "missing", "notes")

    assert keys(shown("A preview"), *data) == keys(preview.to_json(), *data)


@pytest.mark.parametrize("trigger", Trigger)
def test_every_trigger_is_named(trigger: Trigger) -> None:
    assert f"`{trigger}`" in PAGE.read_text()


@pytest.mark.parametrize("state", MirrorState)
def test_every_state_is_named(state: MirrorState) -> None:
    assert f"`{state}`" in PAGE.read_text()
