"""The JSON of mirrors, their state and their runs as existing clients read it (docs/reference/api.md)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from packhouse.domain.channels import Channel
from packhouse.domain.mirror_runs import STEPS, MirrorRun
from packhouse.domain.mirrors import Filtered, Mirror

CHANNEL_REASONS = ("license", "exclude_specs")
"""What filters of a channel would count; a channel has none."""


def channel_mirror_json(mirror: Mirror, run: MirrorRun | None) -> dict[str, Any]:
    """A mirror in the listing of its channel: names with a prefix."""
    facts = _facts(mirror)
    prefixed = {f"mirror_{name}": facts.pop(name) for name in ("id", "name", "type", "mode")}
    return {**prefixed, **facts, "sync_state": {"logs": _logs(run), **_sync_state(mirror, run)}}


def global_mirror_json(
    mirror: Mirror, run: MirrorRun | None, channel: Channel, parent: Channel | None
) -> dict[str, Any]:
    """A mirror in the listing of all: plain names. The mirror of a channel has no key `subchannel` at all."""
    where: dict[str, Any] = {"channel": _place(channel.name, channel)}
    if channel.parent is not None:
        where = {"channel": _place(channel.parent, parent), "subchannel": where["channel"]}
    return {**_facts(mirror), "sync_state": _sync_state(mirror, run), **where}


def _place(name: str, channel: Channel | None) -> dict[str, Any]:
    """A channel that the asker may not see has only its name here, which its subchannel's path tells."""
    return {"name": name, "privacy": None if channel is None else channel.privacy.value}


def _facts(mirror: Mirror) -> dict[str, Any]:
    specification = mirror.specification
    return {
        "id": mirror.uuid,
        "name": specification.name,
        "source_root": specification.source,
        "type": specification.type.value,
        "mode": specification.mode.value,
        "cron": specification.cron,
        "timezone": specification.timezone,
        "proxy": specification.shown_proxy,
        "filters": specification.filters.to_json(),
        "on_vanished": specification.on_vanished.value,
        "use_channel_policy": specification.use_channel_policy,
        "policy_id": specification.policy_id,
        "state": mirror.state.value,
        "last_run_at": _time(mirror.last_run_at),
        "next_run_at": _time(mirror.next_run_at),
        "created_at": _time(mirror.created_at),
        "updated_at": _time(mirror.updated_at),
        "notes": _notes(mirror),
    }


def _notes(mirror: Mirror) -> list[str]:
    """What people should know of words that are kept but do nothing yet."""
    specification = mirror.specification
    notes = [
        f"{name} does nothing until there is vulnerability data." for name in specification.filters.inert
    ]
    if specification.policy_id is not None:
        notes.append("policy_id is kept, and does nothing until there are policies.")
    return notes


def _sync_state(mirror: Mirror, run: MirrorRun | None) -> dict[str, Any]:
    tally = None if run is None else run.tally
    filtered = {} if run is None else run.filtered
    return {
        "count": {
            "active": mirror.active,
            "passive": mirror.passive,
            "failed": 0 if tally is None else tally.failed,
            "removed": 0 if tally is None else tally.removed,
            "refused": 0 if tally is None else tally.refused,
            "vanished": 0 if tally is None else tally.vanished,
            "active_planned": 0 if run is None else run.planned,
            "mirror_filtered": {reason.value: filtered.get(reason, 0) for reason in Filtered},
            "channel_filtered": dict.fromkeys(CHANNEL_REASONS, 0),
        },
        "run_id": None if run is None else run.uuid,
        "last_ckey": None if run is None else run.last_ckey,
        "last_exception": None if run is None else run.last_error,
        "bytes_transfered": 0 if tally is None else tally.transferred,
        "bytes_planned": 0 if run is None else run.planned_bytes,
        "total_steps_count": len(STEPS),
        "current_step_number": 0 if run is None else run.progress.step,
        "current_step_percentage": 0 if run is None else run.progress.percentage,
        "current_step_description": "" if run is None else run.progress.description,
    }


def _logs(run: MirrorRun | None) -> Mapping[str, Any]:
    examples = {} if run is None else run.filtered_examples
    kept = {
        reason.value: examples.get(reason, []) for reason in Filtered if reason is not Filtered.ONLY_SPECS
    }
    return {"mirror_filtered": kept, "channel_filtered": {reason: [] for reason in CHANNEL_REASONS}}


def run_json(run: MirrorRun) -> dict[str, Any]:
    tally = run.tally
    return {
        "run_id": run.uuid,
        "state": run.state.value,
        "trigger": run.trigger.value,
        "asked_at": _time(run.asked_at),
        "started_at": _time(run.started_at),
        "ended_at": _time(run.ended_at),
        "counts": {
            "added": tally.added,
            "removed": tally.removed,
            "changed": tally.changed,
            "vanished": tally.vanished,
            "refused": tally.refused,
            "failed": tally.failed,
        },
        "filtered": dict(run.filtered),
        "bytes_transfered": tally.transferred,
        "last_exception": run.last_error,
    }


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
