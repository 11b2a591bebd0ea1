"""Mirrors of a channel: create, change, run, stop, delete; how far they are and what their runs did."""

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from packhouse.actions.mirrors.preview import preview_mirror
from packhouse.actions.mirrors.runs import restart_mirror, stop_mirror
from packhouse.actions.mirrors.specify import (
    Contents,
    create_mirror,
    delete_mirror,
    require_edit,
    update_mirror,
)
from packhouse.actions.packhouse import Packhouse
from packhouse.domain.access import Actor, Permission, may, require
from packhouse.domain.mirrors import Filters, Mirror, MirrorMode, MirrorType, OnVanished, Specification
from packhouse.errors import NotFound
from packhouse.storage import channels, mirror_history, mirror_runs, mirrors
from packhouse.storage.mirror_history import RunAction
from packhouse.web.api.channel_routes import ChannelAt, at_channel
from packhouse.web.api.mirror_shapes import channel_mirror_json, global_mirror_json, run_json
from packhouse.web.api.paging import MOST_AT_ONCE, BoundedPaging, Paging, page_of
from packhouse.web.credentials import CurrentActor, House
from packhouse.web.errors import ERROR_RESPONSES

router = APIRouter(tags=["mirrors"], responses=ERROR_RESPONSES)

DryRun = Annotated[bool, Query(description="Keep nothing; answer what would come.")]


NEWER_WORDS = ("timezone", "on_vanished", "use_channel_policy", "policy_id")
"""Clients of the original change a mirror by sending back all that they know of it."""


class MirrorBody(BaseModel):
    """What is said of a mirror. Filters: docs/guides/mirrors.md."""

    model_config = ConfigDict(extra="ignore")

    mirror_name: str = Field(description="Its name, once in the channel.")
    source_root: str = Field(description="Address of the upstream channel.")
    mirror_type: MirrorType = Field(MirrorType.CONDA, description="Only `conda` is there yet.")
    mirror_mode: MirrorMode = Field(
        MirrorMode.PASSIVE, description="`active` fetches every file, `passive` each when it is asked for."
    )
    cron: str | None = Field(
        "0 0 * * *", description="When it runs, in five fields; empty: only when told to."
    )
    timezone: str | None = Field(
        "UTC", description="Time zone that `cron` is read in, such as Europe/Berlin."
    )
    proxy: str | None = Field(
        None, description="`http://[USER:PASSWORD@]HOST:PORT`; as it is shown, it keeps its password."
    )
    filters: dict[str, Any] | None = Field(
        None,
        description="What of the upstream is taken, as the guide to mirrors names it; left out, all of it.",
    )
    on_vanished: OnVanished = Field(
        OnVanished.KEEP, description="What becomes of files that the upstream lists no longer."
    )
    use_channel_policy: bool = Field(True, description="Kept until there are policies.")
    policy_id: str | None = Field(None, max_length=36, description="Kept until there are policies.")
    run_now: bool = Field(False, description="Run at once.")

    def specification(self, before: Specification | None = None) -> Specification:
        """What is said; of words that older clients do not know, what was said before."""
        said = Specification(
            name=self.mirror_name,
            source=self.source_root,
            type=self.mirror_type,
            mode=self.mirror_mode,
            cron=(self.cron or "").strip(),
            timezone=self.timezone or "UTC",
            proxy=self.proxy or None,
            filters=Filters.parse(self.filters or {}),
            on_vanished=self.on_vanished,
            use_channel_policy=self.use_channel_policy,
            policy_id=self.policy_id or None,
        )
        if before is None:
            return said
        unknown = {name: getattr(before, name) for name in NEWER_WORDS if name not in self.model_fields_set}
        return replace(said, **unknown)


@router.get("/mirrors")
def list_mirrors(packhouse: House, actor: CurrentActor, page: Paging) -> dict[str, Any]:
    """All mirrors of the channels whose mirrors the caller may see."""
    with packhouse.database.reading() as connection:
        _, visible = channels.listing(connection, channels.visible_to(actor), subchannels=True)
        seen = {one.id: one for one in visible if may(actor, Permission.CHANNEL_MIRROR_VIEW, one)}
        condition = channels.is_among(list(seen))
        total, found = mirrors.listing(connection, condition, page.offset, page.limit)
        runs = mirror_runs.last(connection, [mirror.id for mirror in found])
    by_path = {one.path: one for one in visible}
    items = []
    for one in found:
        channel = seen[one.channel_id]
        parent = None if channel.parent is None else by_path.get(channel.parent)
        items.append(global_mirror_json(one, runs.get(one.id), channel, parent))
    return page_of(total, items)


@at_channel(router.get, "/mirrors")
def list_channel_mirrors(
    packhouse: House, actor: CurrentActor, path: ChannelAt, page: Paging
) -> dict[str, Any]:
    """The mirrors of one channel, by name."""
    with packhouse.database.reading() as connection:
        channel = channels.get(connection, path)
        require(actor, Permission.CHANNEL_MIRROR_VIEW, channel)
        condition = channels.is_channel(channel.id)
        total, found = mirrors.listing(connection, condition, page.offset, page.limit)
        runs = mirror_runs.last(connection, [mirror.id for mirror in found])
    return page_of(total, [channel_mirror_json(one, runs.get(one.id)) for one in found])


@at_channel(router.post, "/mirrors", status_code=201)
def create(
    packhouse: House,
    actor: CurrentActor,
    path: ChannelAt,
    body: MirrorBody,
    response: Response,
    dry_run: DryRun = False,
) -> dict[str, Any]:
    """Add a mirror, or only tell what it would bring."""
    require_edit(packhouse, actor, path)  # who may not is told so, and nothing of what he said
    specification = body.specification()
    if dry_run:
        response.status_code = 200
        return preview_mirror(packhouse, actor, path, specification).to_json()
    mirror = create_mirror(packhouse, actor, path, specification, body.run_now)
    return _shown(packhouse, mirror)


@at_channel(router.get, "/mirrors/{mirror}")
def show(packhouse: House, actor: CurrentActor, path: ChannelAt, mirror: str) -> dict[str, Any]:
    """One mirror, by its id or name."""
    return _shown(packhouse, _visible(packhouse, actor, path, mirror))


@at_channel(router.put, "/mirrors/{mirror}", status_code=202)
def update(
    packhouse: House,
    actor: CurrentActor,
    path: ChannelAt,
    mirror: str,
    body: MirrorBody,
    response: Response,
    dry_run: DryRun = False,
) -> dict[str, Any]:
    """Replace all that is said of a mirror; its next run replaces its contents."""
    before = _visible(packhouse, actor, path, mirror).specification
    specification = body.specification(before)
    if dry_run:
        response.status_code = 200
        if specification.proxy == before.shown_proxy:
            specification = replace(specification, proxy=before.proxy)
        return preview_mirror(packhouse, actor, path, specification).to_json()
    changed = update_mirror(packhouse, actor, path, mirror, specification, body.run_now)
    return _shown(packhouse, changed)


@at_channel(router.delete, "/mirrors/{mirror}", status_code=204)
def delete(
    packhouse: House,
    actor: CurrentActor,
    path: ChannelAt,
    mirror: str,
    contents: Annotated[
        Contents, Query(description="What becomes of its files; what was not fetched cannot be kept.")
    ] = Contents.KEEP,
) -> None:
    """Stop and delete a mirror."""
    delete_mirror(packhouse, actor, path, mirror, contents)


@at_channel(router.post, "/mirrors/{mirror}/stop_mirror_sync")
def stop(packhouse: House, actor: CurrentActor, path: ChannelAt, mirror: str) -> dict[str, Any]:
    """Stop the run that is under way; what it brought stays."""
    return _shown(packhouse, stop_mirror(packhouse, actor, path, mirror))


@at_channel(router.post, "/mirrors/{mirror}/restart", status_code=202)
def restart(packhouse: House, actor: CurrentActor, path: ChannelAt, mirror: str) -> dict[str, Any]:
    """Run a mirror now, as it is."""
    return _shown(packhouse, restart_mirror(packhouse, actor, path, mirror))


@at_channel(router.get, "/mirrors/{mirror}/runs")
def list_runs(
    packhouse: House, actor: CurrentActor, path: ChannelAt, mirror: str, page: BoundedPaging
) -> dict[str, Any]:
    """The runs of a mirror, newest first; the last hundred are kept."""
    shown = _visible(packhouse, actor, path, mirror)
    with packhouse.database.reading() as connection:
        total, found = mirror_runs.of_mirror(connection, shown.id, page.offset, page.limit)
    return page_of(total, [run_json(run) for run in found])


@at_channel(router.get, "/mirrors/{mirror}/runs/{run}/changes")
def list_run_changes(
    packhouse: House,
    actor: CurrentActor,
    path: ChannelAt,
    mirror: str,
    run: str,
    page: BoundedPaging,
    action: Annotated[RunAction | None, Query(description="Only these.")] = None,
) -> dict[str, Any]:
    """What a run did to each file, and what it refused and why: changes first, then refusals."""
    shown = _visible(packhouse, actor, path, mirror)
    with packhouse.database.reading() as connection:
        found = mirror_runs.find(connection, run)
        if found is None or found.mirror_id != shown.id:
            raise NotFound(f"Run '{run[:60]}' was not found; mirror '{shown.name}' may have forgotten it.")
        limit = MOST_AT_ONCE if page.limit is None else page.limit
        total, changes = mirror_history.of_run(connection, found, action, page.offset, limit)
    items = [{"action": one.action, "ckey": one.ckey, "reason": one.reason} for one in changes]
    return page_of(total, items)


def _visible(packhouse: Packhouse, actor: Actor, path: str, key: str) -> Mirror:
    with packhouse.database.reading() as connection:
        channel = channels.get(connection, path)
        require(actor, Permission.CHANNEL_MIRROR_VIEW, channel)
        return mirrors.get(connection, channel.id, path, key)


def _shown(packhouse: Packhouse, mirror: Mirror) -> dict[str, Any]:
    with packhouse.database.reading() as connection:
        run = mirror_runs.last(connection, [mirror.id]).get(mirror.id)
    return channel_mirror_json(mirror, run)
