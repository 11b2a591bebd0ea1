"""Remove files from a channel."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from packhouse.actions.packhouse import Packhouse
from packhouse.actions.publish import require_thawed
from packhouse.actions.settle import Change, drop_unused, settle
from packhouse.domain.access import Actor, Permission, require
from packhouse.domain.artifacts import Entry, Selection
from packhouse.domain.channels import Channel
from packhouse.domain.events import EventType, FileAction
from packhouse.errors import NotFound
from packhouse.storage import channels, entries, events, file_changes, mirrors
from packhouse.storage.database import retried


@retried
def remove(
    packhouse: Packhouse, actor: Actor, channel_path: str, selections: Sequence[Selection]
) -> list[Entry]:
    """Remove all files that the selections name, or none: a selection without files is NotFound."""
    with packhouse.database.transaction() as connection:
        now = packhouse.clock()
        channel = lock_thawed(connection, actor, Permission.ARTIFACT_DELETE, channel_path, now)
        chosen = select(connection, channel, selections)
        take_out(connection, channel, chosen, now)
        data = described(chosen)
        event_id = events.record(connection, now, EventType.ARTIFACTS_DELETED, actor, channel, data)
        files = [entry.artifact for entry in chosen]
        file_changes.record(connection, event_id, channel.id, FileAction.REMOVED, files)
        return chosen


def lock_thawed(
    connection: Connection, actor: Actor, permission: Permission, channel_path: str, now: datetime
) -> Channel:
    """The channel as it is once no other writer can change it; raises if it may not be changed."""
    found = channels.get(connection, channel_path)
    require(actor, permission, found)
    channels.lock(connection, [found.id], now)
    channel = channels.get(connection, channel_path)
    require(actor, permission, channel)
    require_thawed(channel)
    return channel


def select(connection: Connection, channel: Channel, selections: Sequence[Selection]) -> list[Entry]:
    """The files that the selections name, each once. Raise NotFound for the first that names none."""
    chosen: dict[int, Entry] = {}
    for selection in selections:
        found = entries.selected(connection, channel.id, selection)
        if not found:
            raise NotFound(f"'{selection}' ({selection.family}) was not found in channel '{channel.path}'.")
        chosen.update((entry.id, entry) for entry in found)
    return list(chosen.values())


def take_out(connection: Connection, channel: Channel, chosen: Sequence[Entry], now: datetime) -> None:
    """Remove entries, and the artifacts that are in no other channel. The channel must be locked."""
    mirrors.count_removals(connection, [entry.id for entry in chosen])
    entries.remove(connection, chosen)
    changes = [
        Change(entry.artifact.family, entry.artifact.name, entry.artifact.subdir, -1) for entry in chosen
    ]
    settle(connection, channel.id, changes, now)
    drop_unused(connection, {entry.artifact.id for entry in chosen}, now)


def described(chosen: Sequence[Entry]) -> dict[str, object]:
    """What the history says of a bulk change; the keys `ckey` and `artifact_family` are what clients show."""
    return {
        "ckey": ", ".join(entry.artifact.ckey for entry in chosen[:20]),
        "artifact_family": ", ".join(sorted({entry.artifact.family for entry in chosen})),
        "count": len(chosen),
    }
