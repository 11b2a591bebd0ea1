"""Channels and subchannels: list, create, show, change, delete, history, share."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response, status
from pydantic import BaseModel, Field

from packhouse.actions import channels as actions
from packhouse.actions import sharing
from packhouse.actions.packhouse import Packhouse
from packhouse.domain.access import Actor, Level, Permission, require, require_visible
from packhouse.domain.channels import Channel, Indexing, Privacy
from packhouse.domain.events import Event, FileChange
from packhouse.errors import Invalid, Unauthenticated
from packhouse.storage import channels, events, file_changes
from packhouse.web.api.channel_routes import ChannelAt, at_channel
from packhouse.web.api.paging import BoundedPaging, Paging, page_of
from packhouse.web.api.shapes import channel_json
from packhouse.web.credentials import CurrentActor, House
from packhouse.web.errors import ERROR_RESPONSES

router = APIRouter(tags=["channels"], responses=ERROR_RESPONSES, strict_content_type=False)


class NewChannel(BaseModel):
    name: str
    privacy: Privacy | None = Field(None, description="Left out: public, and for a subchannel its channel's.")
    description: str = ""


class ChannelChanges(BaseModel):
    privacy: Privacy | None = None
    indexing_behavior: Indexing | None = None
    description: str | None = None


class NewNamespaceChannel(BaseModel):
    channel_name: str
    privacy: Privacy = Privacy.PRIVATE
    namespace: str | None = None


class Sharing(BaseModel):
    action: Literal["share", "unshare"]
    user: str = Field(description="Id, user name or e-mail address.")
    grant: Literal["read", "write"] = "read"


@router.get("/channels")
def list_channels(
    packhouse: House, actor: CurrentActor, page: Paging, include_subchannels: Annotated[bool, Query()] = False
) -> dict[str, Any]:
    """Every channel that the caller may see."""
    with packhouse.database.reading() as connection:
        return _listing(connection, actor, channels.visible_to(actor), page, include_subchannels)


@router.get("/account/channels")
def list_own_channels(
    packhouse: House, actor: CurrentActor, page: Paging, include_subchannels: Annotated[bool, Query()] = False
) -> dict[str, Any]:
    """The caller's own channels and those shared with them."""
    if actor.is_anonymous:
        raise Unauthenticated("Listing your channels needs a log-in.")
    with packhouse.database.reading() as connection:
        return _listing(connection, actor, channels.belonging_to(actor), page, include_subchannels)


@router.post("/channels", status_code=status.HTTP_201_CREATED)
def create_channel(packhouse: House, actor: CurrentActor, body: NewChannel) -> dict[str, Any]:
    """Create a channel; `name` may be `channel/subchannel`."""
    created = actions.create_channel(packhouse, actor, body.name, body.privacy, body.description)
    return _shown(packhouse, actor, created)


@router.post("/channels/{channel}/subchannels", status_code=status.HTTP_201_CREATED)
def create_subchannel(
    packhouse: House, actor: CurrentActor, channel: str, body: NewChannel
) -> dict[str, Any]:
    """Create a channel inside a channel."""
    if "/" in body.name:
        raise Invalid(f"'{body.name}' has a '/': channels are two levels deep at most.")
    path = f"{channel}/{body.name}"
    created = actions.create_channel(packhouse, actor, path, body.privacy, body.description)
    return _shown(packhouse, actor, created)


@router.get("/channels/{channel}/subchannels")
def list_subchannels(packhouse: House, actor: CurrentActor, channel: str, page: Paging) -> dict[str, Any]:
    """The subchannels of one channel that the caller may see."""
    with packhouse.database.reading() as connection:
        parent = channels.get(connection, channel)
        require_visible(actor, parent)
        condition = channels.visible_to(actor) & channels.is_child_of(parent.id)
        return _listing(connection, actor, condition, page, include_subchannels=True)


@router.post("/namespace-channels", status_code=status.HTTP_201_CREATED)
def create_namespace_channel(
    packhouse: House, actor: CurrentActor, body: NewNamespaceChannel, response: Response
) -> dict[str, Any]:
    """`anaconda channel create`: a namespace is a top-level channel, made when it is missing.

    Answers 200 for a channel that is there already, as that client expects.
    """
    namespace = body.namespace or actor.name
    path = f"{namespace}/{body.channel_name}"
    is_new = actions.ensure_namespace_channel(packhouse, actor, namespace, body.channel_name, body.privacy)
    response.status_code = status.HTTP_201_CREATED if is_new else status.HTTP_200_OK
    return {"channel_path": path}


@router.post("/namespaces/{channel}/channels/{subchannel}/sharing")
def share_channel(
    packhouse: House, actor: CurrentActor, channel: str, subchannel: str, body: Sharing
) -> dict[str, Any]:
    """Let another user read or write a channel, or take that back."""
    path = f"{channel}/{subchannel}"
    if body.action == "share":
        level = Level.WRITE if body.grant == "write" else Level.READ
        sharing.share(packhouse, actor, path, body.user, level)
    else:
        sharing.unshare(packhouse, actor, path, body.user)
    return {"channel_path": path}


@at_channel(router.get)
def show_channel(packhouse: House, actor: CurrentActor, path: ChannelAt) -> dict[str, Any]:
    """One channel, with counts of what is in it."""
    with packhouse.database.reading() as connection:
        channel = channels.get(connection, path)
        require(actor, Permission.CHANNEL_VIEW, channel)
    return _shown(packhouse, actor, channel)


@at_channel(router.put)
def change_channel(
    packhouse: House, actor: CurrentActor, path: ChannelAt, body: ChannelChanges
) -> dict[str, Any]:
    """Set privacy, indexing behaviour or description; `changed` says whether that made a difference."""
    changes = body.model_dump(exclude_none=True)
    if "indexing_behavior" in changes:
        changes["indexing"] = changes.pop("indexing_behavior")
    channel, changed = actions.update_channel(packhouse, actor, path, changes)
    return {**_shown(packhouse, actor, channel), "changed": changed}


@at_channel(router.delete, status_code=status.HTTP_202_ACCEPTED)
def delete_channel(packhouse: House, actor: CurrentActor, path: ChannelAt) -> dict[str, Any]:
    """Delete a channel and everything in it; answered when it is gone."""
    actions.delete_channel(packhouse, actor, path)
    return {}


@at_channel(router.get, "/history")
def channel_history(packhouse: House, actor: CurrentActor, path: ChannelAt, page: Paging) -> dict[str, Any]:
    """Who did what to the channel, the newest first."""
    with packhouse.database.reading() as connection:
        channel = channels.get(connection, path)
        require(actor, Permission.CHANNEL_HISTORY, channel)
        total, found = events.of_channel(connection, channel.id, page.offset, page.limit)
    return page_of(total, [_event_json(event) for event in found])


@at_channel(router.get, "/package-changes")
def package_changes(
    packhouse: House, actor: CurrentActor, path: ChannelAt, page: BoundedPaging
) -> dict[str, Any]:
    """Which files came into the channel or left it, a file an item, the newest first."""
    with packhouse.database.reading() as connection:
        channel = channels.get(connection, path)
        require(actor, Permission.CHANNEL_HISTORY, channel)
        total, found = file_changes.of_channel(connection, channel.id, page.offset, page.limit)
    return page_of(total, [_change_json(change) for change in found])


def _shown(packhouse: Packhouse, actor: Actor, channel: Channel) -> dict[str, Any]:
    with packhouse.database.reading() as connection:
        return channel_json(channel, channels.counts(connection, [channel.id])[channel.id], actor)


def _listing(
    connection: Any, actor: Actor, condition: Any, page: Any, include_subchannels: bool
) -> dict[str, Any]:
    total, found = channels.listing(
        connection, condition, subchannels=include_subchannels, offset=page.offset, limit=page.limit
    )
    counts = channels.counts(connection, [channel.id for channel in found])
    return page_of(total, [channel_json(channel, counts[channel.id], actor) for channel in found])


def _event_json(event: Event) -> dict[str, Any]:
    return {
        "event_id": event.uuid,
        "event_type": event.type.value,
        "created": event.created_at.isoformat(),
        "data": event.data,
        "meta": {"user": event.actor_name},
    }


def _change_json(change: FileChange) -> dict[str, Any]:
    return {
        "created": change.created_at.isoformat(),
        "action": change.action.value,
        "family": change.family,
        "name": change.name,
        "version": change.version,
        "ckey": change.ckey,
        "user": change.actor_name,
        "event_id": change.event_uuid,
    }
