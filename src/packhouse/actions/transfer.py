"""Copy or move files between channels: rows, never bytes; all or nothing."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from packhouse.actions.packhouse import Packhouse
from packhouse.actions.publish import require_publish, require_thawed
from packhouse.actions.remove import described, select, take_out
from packhouse.actions.settle import Change, drop_unused, settle
from packhouse.domain.access import Actor, Permission, require
from packhouse.domain.artifacts import Entry, Selection
from packhouse.domain.channels import Channel
from packhouse.domain.events import EventType, FileAction
from packhouse.errors import Conflict, Invalid
from packhouse.storage import channels, entries, events, file_changes
from packhouse.storage.database import retried


def copy(
    packhouse: Packhouse, actor: Actor, source_path: str, target_path: str, selections: Sequence[Selection]
) -> list[Entry]:
    """Put the selected files into the target too. What is there already, with the same bytes, stays as it is."""
    return _transfer(packhouse, actor, source_path, target_path, selections, is_move=False)


def move(
    packhouse: Packhouse, actor: Actor, source_path: str, target_path: str, selections: Sequence[Selection]
) -> list[Entry]:
    """Put the selected files into the target and take them out of the source, in one transaction."""
    return _transfer(packhouse, actor, source_path, target_path, selections, is_move=True)


@retried
def _transfer(
    packhouse: Packhouse,
    actor: Actor,
    source_path: str,
    target_path: str,
    selections: Sequence[Selection],
    is_move: bool,
) -> list[Entry]:
    if source_path == target_path:
        raise Invalid(f"'{source_path}' is both source and target; name another target channel.")
    with packhouse.database.transaction() as connection:
        now = packhouse.clock()
        source, target = _lock_both(connection, actor, source_path, target_path, is_move, now)
        chosen = select(connection, source, selections)
        new = _put_in(connection, actor, target, chosen, now)
        if is_move:
            take_out(connection, source, chosen, now)
        _tell(connection, actor, (source, target), chosen, new, is_move, now)
        return chosen


def _tell(
    connection: Connection,
    actor: Actor,
    both: tuple[Channel, Channel],
    chosen: Sequence[Entry],
    new: Sequence[Entry],
    is_move: bool,
    now: datetime,
) -> None:
    """An event in either channel, with the files that it changed there: copying changes nothing in the source."""
    source, target = both
    kind = EventType.ARTIFACTS_MOVED if is_move else EventType.ARTIFACTS_COPIED
    data = {**described(chosen), "source": source.path, "target": target.path}
    at_source = events.record(connection, now, kind, actor, source, data)
    at_target = events.record(connection, now, kind, actor, target, data)
    if is_move:
        files = [entry.artifact for entry in chosen]
        file_changes.record(connection, at_source, source.id, FileAction.MOVED_OUT, files)
    action = FileAction.MOVED_IN if is_move else FileAction.COPIED
    file_changes.record(connection, at_target, target.id, action, [entry.artifact for entry in new])


def _lock_both(
    connection: Connection, actor: Actor, source_path: str, target_path: str, is_move: bool, now: datetime
) -> tuple[Channel, Channel]:
    found = [channels.get(connection, path) for path in (source_path, target_path)]
    _require_both(actor, found[0], found[1], is_move)
    channels.lock(connection, [channel.id for channel in found], now)
    source, target = (channels.get(connection, path) for path in (source_path, target_path))
    _require_both(actor, source, target, is_move)
    return source, target


def _require_both(actor: Actor, source: Channel, target: Channel, is_move: bool) -> None:
    require(actor, Permission.ARTIFACT_VIEW, source)
    if is_move:
        require(actor, Permission.ARTIFACT_DELETE, source)
        require_thawed(source)
    require_publish(actor, target)


def _put_in(
    connection: Connection, actor: Actor, target: Channel, chosen: Sequence[Entry], now: datetime
) -> list[Entry]:
    """Answer those that were not there already."""
    new = [entry for entry in chosen if _is_new(connection, target, entry)]
    if not new:
        return new
    replaced = entries.make_way(connection, target.id, [entry.artifact.ckey for entry in new])
    additions = [
        entries.addition(entry.artifact.id, entry.artifact, actor.user_id, entry.section, entry.has_bytes)
        for entry in new
    ]
    entries.add(connection, target.id, additions, now)
    drop_unused(connection, replaced, now)
    changes = [Change(entry.artifact.family, entry.artifact.name, entry.artifact.subdir, +1) for entry in new]
    settle(connection, target.id, changes, now)
    return new


def _is_new(connection: Connection, target: Channel, entry: Entry) -> bool:
    there = entries.find(connection, target.id, entry.artifact.ckey)
    if there is None or not there.is_served:
        return True
    if there.artifact.digests.sha256 == entry.artifact.digests.sha256:
        return False
    raise Conflict(
        f"'{entry.artifact.ckey}' is already in channel '{target.path}' with SHA-256 "
        f"{there.artifact.digests.sha256}; the one to transfer has {entry.artifact.digests.sha256}. "
        "Nothing was changed."
    )
