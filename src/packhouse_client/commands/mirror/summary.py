"""What became of a run, in a few lines."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from packhouse_client.terminal.sizes import as_size
from packhouse_client.wire.connection import Document

COUNTS = ("added", "removed", "changed", "refused", "failed")


def summary(name: str, mirror: Document, run: Document) -> Iterator[str]:
    counts = run["counts"]
    vanished = [f"{counts['vanished']:,} vanished"] if counts.get("vanished") else []
    figures = ", ".join([*(f"{counts[word]:,} {word}" for word in COUNTS), *vanished])
    took = duration(run)
    transferred = as_size(run["bytes_transfered"])
    yield f"Mirror {name} {run['state']}: {figures}; {transferred}{f' in {took}' if took else ''}."
    for label, key in (("the mirror's filters", "mirror_filtered"), ("the channel", "channel_filtered")):
        if left_out := filtered(mirror["sync_state"]["count"][key]):
            yield f"Left out by {label}: {left_out}."
    if counts["refused"]:
        yield f"Why: conda repo mirror --changes {name} --action refused"


def trouble(name: str, run: Document) -> str:
    """What went wrong in a run, in a sentence; nothing if all went well."""
    failed = run["counts"]["failed"]
    if run["state"] == "stopped":
        return f"The run of mirror {name} was stopped."
    if run["state"] != "completed":
        return f"Mirror {name} {run['state']}: {run['last_exception'] or 'the server does not say why.'}"
    if failed:
        files = f"{failed:,} file{'' if failed == 1 else 's'}"
        return f"{files} did not come. Why: conda repo mirror --changes {name} --action failed"
    return ""


def filtered(counts: Document) -> str:
    """As `license 12, only_specs 3`; nothing where nothing was left out."""
    return ", ".join(f"{reason} {count:,}" for reason, count in counts.items() if count)


def duration(run: Document) -> str:
    """How long it took, as `1:02:03` or `12 s`; nothing while it is not over."""
    if not run["started_at"] or not run["ended_at"]:
        return ""
    took = datetime.fromisoformat(run["ended_at"]) - datetime.fromisoformat(run["started_at"])
    seconds = round(took / timedelta(seconds=1))
    return f"{seconds} s" if seconds < 60 else str(timedelta(seconds=seconds))
