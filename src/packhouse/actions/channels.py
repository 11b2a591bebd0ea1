"""Create, change and delete channels."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection

from packhouse.actions.packhouse import Packhouse
from packhouse.domain.access import Actor, Permission, may, require
from packhouse.domain.channels import Channel, ChannelPath, Indexing, Privacy
from packhouse.domain.events import EventType
from packhouse.errors import Conflict, Forbidden, Invalid, Unauthenticated
from packhouse.storage import artifacts, blob_rows, channels, documents, entries, events, packages, revisions
from packhouse.storage.database import retried

MAX_DESCRIPTION_LENGTH = 10_000
UNPRINTABLE = re.compile(r"[\0-\x08\x0b\x0c\x0e-\x1f\x7f]")
NOARCH = "noarch"


@retried  # another request may create the channel, or delete its parent, between our look and our insert
def create_channel(
    packhouse: Packhouse, actor: Actor, text: str, privacy: Privacy | None = None, description: str = ""
) -> Channel:
    """Create a channel, or a subchannel of one that the actor manages. Raises Conflict if the name is taken.

    Without a privacy of its own, a subchannel takes its channel's: what is copied into it would otherwise
    become public. A channel is public, as existing clients expect.
    """
    path = ChannelPath.parse(text)
    path.check_free()
    check_description(description)
    with packhouse.database.transaction() as connection:
        return _create(packhouse, connection, actor, path, privacy, description)


@retried
def ensure_namespace_channel(
    packhouse: Packhouse, actor: Actor, namespace: str, name: str, privacy: Privacy
) -> bool:
    """Create `namespace/name` and, where it is missing, the namespace; False when the channel was there."""
    parent, path = ChannelPath.parse(namespace), ChannelPath.parse(f"{namespace}/{name}")
    parent.check_free()
    path.check_free()
    with packhouse.database.transaction() as connection:
        if channels.find(connection, str(parent)) is None:
            _create(packhouse, connection, actor, parent, privacy, "")
        try:
            _create(packhouse, connection, actor, path, privacy, "")
        except Conflict:
            return False
        return True


def _create(
    packhouse: Packhouse,
    connection: Connection,
    actor: Actor,
    path: ChannelPath,
    privacy: Privacy | None,
    description: str,
) -> Channel:
    now = packhouse.clock()
    owner_id, parent = _owner_and_parent(connection, actor, path)
    privacy = privacy or (Privacy.PUBLIC if parent is None else parent.privacy)
    if channels.find(connection, str(path)) is not None:
        raise Conflict(f"Channel '{path}' already exists.")
    values = {
        "parent_id": None if parent is None else parent.id,
        "description": description,
        "privacy": privacy,
        "indexing": Indexing.DEFAULT,
        "owner_id": owner_id,
        "created_at": now,
        "updated_at": now,
    }
    channel_id = channels.add(connection, path, str(uuid4()), values)
    for subdir in (revisions.ROOT, NOARCH):  # conda takes a channel without noarch for one that is missing
        revisions.bump(connection, channel_id, subdir, 0, now)
    channel = channels.get(connection, str(path))
    events.record(connection, now, EventType.CHANNEL_CREATED, actor, channel, {"privacy": privacy.value})
    return channel


def _owner_and_parent(connection: Connection, actor: Actor, path: ChannelPath) -> tuple[int, Channel | None]:
    if actor.user_id is None:
        raise Unauthenticated("Creating a channel needs a log-in.")
    if path.parent is not None:
        parent = channels.get(connection, path.parent)
        require(actor, Permission.SUBCHANNEL_CREATE, parent)
        return parent.owner_id, parent
    if not may(actor, Permission.CHANNEL_CREATE, None):
        if actor.is_narrowed:
            raise Forbidden("This token is not allowed to create channels. Send one that is not narrowed.")
        raise Forbidden(f"'{actor.name}' is not allowed to create channels. An admin or author can.")
    return actor.user_id, None


def update_channel(
    packhouse: Packhouse, actor: Actor, channel_path: str, changes: Mapping[str, Any]
) -> tuple[Channel, bool]:
    """Set any of privacy, indexing, description; answer the channel and whether anything changed."""
    check_description(changes.get("description", ""))
    with packhouse.database.transaction() as connection:
        channel = channels.get(connection, channel_path)
        require(actor, Permission.CHANNEL_EDIT, channel)
        different = {name: value for name, value in changes.items() if getattr(channel, name) != value}
        if not different:
            return channel, False
        now = packhouse.clock()
        channels.change(connection, channel.id, {**different, "updated_at": now})
        data = {name: str(value) for name, value in different.items()}
        events.record(connection, now, EventType.CHANNEL_UPDATED, actor, channel, data)
        return channels.get(connection, channel_path), True


@retried
def delete_channel(packhouse: Packhouse, actor: Actor, channel_path: str) -> None:
    """Delete a channel with everything in it, its subchannels too; bytes go when nobody else refers to them."""
    with packhouse.database.transaction() as connection:
        channel = channels.get(connection, channel_path)
        require(actor, Permission.CHANNEL_DELETE, channel)
        now = packhouse.clock()
        children = channels.children(connection, channel.id)
        channels.lock(connection, [channel.id, *(child.id for child in children)], now)
        for one in (*children, channel):
            _delete(connection, actor, one, now)


def _delete(connection: Connection, actor: Actor, channel: Channel, now: datetime) -> None:
    """Delete one channel, which must be locked and have no subchannels any more."""
    packages.remove_all(connection, channel.id)
    unused = artifacts.remove_unused(connection, entries.remove_all(connection, channel.id))
    revisions.remove_all(connection, channel.id)  # waits for a reindex that is putting documents in place
    replaced = documents.remove_all(connection, channel.id)
    channels.remove(connection, channel.id)
    blob_rows.release(connection, unused | replaced, now)
    events.record(connection, now, EventType.CHANNEL_DELETED, actor, channel, {})


def check_description(description: str) -> None:
    if len(description) > MAX_DESCRIPTION_LENGTH:
        raise Invalid(f"The description is longer than {MAX_DESCRIPTION_LENGTH} characters.")
    if UNPRINTABLE.search(description):
        raise Invalid("The description holds control characters; write plain text, in lines.")
