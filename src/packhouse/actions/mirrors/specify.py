"""Create, change and delete mirrors."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, Row

from packhouse.actions.mirrors.runs import ask_for_run, end_open_run
from packhouse.actions.mirrors.schedule import next_run
from packhouse.actions.packhouse import Packhouse
from packhouse.actions.settle import Change, settle
from packhouse.domain.access import Actor, Permission, require
from packhouse.domain.channels import Channel
from packhouse.domain.events import EventType, FileAction
from packhouse.domain.families import CONDA
from packhouse.domain.mirror_runs import Trigger
from packhouse.domain.mirrors import Mirror, MirrorState, MirrorType, Specification
from packhouse.errors import Conflict, Invalid
from packhouse.formats.conda.mirror_filter import MirrorFilter
from packhouse.storage import (
    artifacts,
    blob_rows,
    channels,
    events,
    file_changes,
    mirror_entries,
    mirror_upstreams,
    mirrors,
)
from packhouse.storage.database import retried

ENTRIES_AT_ONCE = 2_000


class Contents(StrEnum):
    """What becomes of the files of a mirror that is deleted; what was not fetched cannot be kept."""

    KEEP = "keep"
    DROP = "drop"


def check_specification(packhouse: Packhouse, specification: Specification) -> None:
    """Raise Invalid for what no run could work with: a spec, a cron line, a source that may not be asked."""
    from packhouse.remotes.rules import check_proxy, check_source  # with aiohttp, which takes its time

    if specification.type is not MirrorType.CONDA:
        raise Invalid(f"Mirrors of type {specification.type} are not there yet; conda is.")
    check_source(packhouse.settings, specification.source)
    if specification.proxy is not None:
        check_proxy(packhouse.settings, specification.proxy)
    MirrorFilter(specification.filters)
    next_run(specification.cron, specification.timezone, packhouse.clock())


def require_edit(packhouse: Packhouse, actor: Actor, channel_path: str) -> None:
    with packhouse.database.reading() as connection:
        require(actor, Permission.CHANNEL_MIRROR_EDIT, channels.get(connection, channel_path))


@retried
def create_mirror(
    packhouse: Packhouse, actor: Actor, channel_path: str, specification: Specification, run_now: bool = False
) -> Mirror:
    """Add a mirror to a channel. Raises Conflict if the channel has one of that name."""
    require_edit(packhouse, actor, channel_path)  # what the settings allow is not for everybody to find out
    check_specification(packhouse, specification)
    with packhouse.database.transaction() as connection:
        channel = channels.get(connection, channel_path)
        require(actor, Permission.CHANNEL_MIRROR_EDIT, channel)
        _require_free(connection, channel, specification.name)
        now = packhouse.clock()
        mirror_id = mirrors.add(connection, _new_row(channel, specification, now))
        data = {"mirror": specification.name, "source": specification.source, "mode": specification.mode}
        events.record(connection, now, EventType.MIRROR_CREATED, actor, channel, data)
        if run_now:
            ask_for_run(connection, mirror_id, Trigger.RUN_NOW, now)
        return mirrors.get(connection, channel.id, channel_path, specification.name)


def _new_row(channel: Channel, specification: Specification, now: datetime) -> dict[str, Any]:
    return {
        **mirrors.columns_of(specification),
        "uuid": str(uuid4()),
        "channel_id": channel.id,
        "state": MirrorState.PENDING,
        "active": 0,
        "passive": 0,
        "next_run_at": next_run(specification.cron, specification.timezone, now),
        "created_at": now,
        "updated_at": now,
    }


def _require_free(connection: Connection, channel: Channel, name: str, mirror_id: int | None = None) -> None:
    there = mirrors.find(connection, channel.id, name)
    if there is not None and there.id != mirror_id:
        raise Conflict(f"Mirror with the name '{name}' already exists.")


@retried
def update_mirror(
    packhouse: Packhouse,
    actor: Actor,
    channel_path: str,
    key: str,
    specification: Specification,
    run_now: bool = False,
) -> Mirror:
    """Replace what is said of a mirror; the next run replaces its contents by what the new words allow.

    A run that is under way works by the old ones, so it is stopped, and another begins.
    """
    with packhouse.database.transaction() as connection:
        channel = channels.get(connection, channel_path)
        require(actor, Permission.CHANNEL_MIRROR_EDIT, channel)
        mirror = mirrors.get(connection, channel.id, channel_path, key)
        mirrors.lock(connection, mirror.id)
        specification = _with_password(specification, mirror.specification)
        check_specification(packhouse, specification)
        _require_free(connection, channel, specification.name, mirror.id)
        _write(packhouse, connection, mirror, specification, run_now)
        data = {"mirror": specification.name, "source": specification.source, "mode": specification.mode}
        events.record(connection, packhouse.clock(), EventType.MIRROR_UPDATED, actor, channel, data)
        return mirrors.get(connection, channel.id, channel_path, mirror.uuid)


def _write(
    packhouse: Packhouse, connection: Connection, mirror: Mirror, specification: Specification, run_now: bool
) -> None:
    now = packhouse.clock()
    following = next_run(specification.cron, specification.timezone, now)
    values = {**mirrors.columns_of(specification), "next_run_at": following, "updated_at": now}
    mirrors.change(connection, mirror.id, values)
    if specification.source.rstrip("/") != mirror.specification.source.rstrip("/"):
        mirror_upstreams.forget(connection, mirror.id)
    was_under_way = end_open_run(connection, mirror, now)
    if run_now or was_under_way:
        ask_for_run(connection, mirror.id, Trigger.UPDATE, now)


def _with_password(specification: Specification, before: Specification) -> Specification:
    """A proxy that comes back as it was shown, its password hidden, is the one that is known."""
    if specification.proxy is not None and specification.proxy == before.shown_proxy:
        return replace(specification, proxy=before.proxy)
    return specification


def delete_mirror(
    packhouse: Packhouse, actor: Actor, channel_path: str, key: str, contents: Contents
) -> None:
    """Stop and delete a mirror, and drop what it brought, or keep what is here of it.

    Many files go in several transactions; if it is cut off, deleting the mirror again does the rest.
    """
    mirror = _stop_for_good(packhouse, actor, channel_path, key)
    while not _remove_if_empty(packhouse, actor, mirror, contents):
        last: int | None = 0
        while last is not None:
            last = _let_go(packhouse, actor, mirror, contents, last)


@retried
def _remove_if_empty(packhouse: Packhouse, actor: Actor, mirror: Mirror, contents: Contents) -> bool:
    """Nobody may have started it again, and had it bring more, since its files were let go of."""
    with packhouse.database.transaction() as connection:
        now = packhouse.clock()
        channels.lock(connection, [mirror.channel_id], now)
        end_open_run(connection, mirror, now)
        if mirror_entries.page_of_mirror(connection, mirror.id, 0, 1):
            return False
        channel = channels.get(connection, mirror.channel_path)
        mirrors.remove(connection, mirror.id)
        data = {"mirror": mirror.name, "contents": contents.value}
        events.record(connection, now, EventType.MIRROR_DELETED, actor, channel, data)
        return True


@retried
def _stop_for_good(packhouse: Packhouse, actor: Actor, channel_path: str, key: str) -> Mirror:
    with packhouse.database.transaction() as connection:
        channel = channels.get(connection, channel_path)
        require(actor, Permission.CHANNEL_MIRROR_EDIT, channel)
        mirror = mirrors.get(connection, channel.id, channel_path, key)
        end_open_run(connection, mirror, packhouse.clock())
        mirrors.change(connection, mirror.id, {"next_run_at": None, "state": MirrorState.STOPPED})
        return mirror


@retried
def _let_go(packhouse: Packhouse, actor: Actor, mirror: Mirror, contents: Contents, after: int) -> int | None:
    """Of the next entries; answer the last of them, None when there were none."""
    with packhouse.database.transaction(quiet=True) as connection:
        now = packhouse.clock()
        channels.lock(connection, [mirror.channel_id], now)
        channel = channels.get(connection, mirror.channel_path)
        rows = mirror_entries.page_of_mirror(connection, mirror.id, after, ENTRIES_AT_ONCE)
        kept, gone = _sorted_out(rows, contents)
        mirror_entries.release(connection, [row.id for row in kept])
        mirror_entries.remove(connection, [row.id for row in gone])
        _tell_other_mirrors(connection, mirror, gone)
        served = [row for row in gone if row.is_served]
        settle(connection, channel.id, [Change(CONDA, row.name, row.subdir, -1) for row in served], now)
        unused = artifacts.remove_unused(connection, {row.artifact_id for row in gone})
        blob_rows.release(connection, unused, now)
        if served:
            data = {"mirror": mirror.name, "count": len(served)}
            event_id = events.record(connection, now, EventType.ARTIFACTS_DELETED, actor, channel, data)
            file_changes.record_conda(connection, event_id, channel.id, FileAction.REMOVED, served)
        return rows[-1].id if rows else None


def _sorted_out(rows: Sequence[Row[Any]], contents: Contents) -> tuple[list[Row[Any]], list[Row[Any]]]:
    """Those that stay, and those that go."""
    kept: list[Row[Any]] = []
    gone: list[Row[Any]] = []
    for row in rows:
        stays = contents is Contents.KEEP and row.has_bytes and row.is_served
        (kept if stays else gone).append(row)
    return kept, gone


def _tell_other_mirrors(connection: Connection, mirror: Mirror, gone: Sequence[Row[Any]]) -> None:
    """Those that list the same files have left them to this one so far."""
    names: defaultdict[str, set[str]] = defaultdict(set)
    for row in gone:
        names[row.subdir].add(row.name)
    for subdir in sorted(names):
        mirror_upstreams.unsettle(connection, mirror.id, mirror.channel_id, subdir, sorted(names[subdir]))
