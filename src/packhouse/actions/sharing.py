"""Share a channel with a user, and stop sharing it."""

from sqlalchemy import Connection

from packhouse.actions.packhouse import Packhouse
from packhouse.domain.access import Actor, Level, Permission, require
from packhouse.domain.channels import Channel
from packhouse.domain.events import EventType
from packhouse.domain.users import User
from packhouse.errors import Conflict, Invalid, NotFound
from packhouse.storage import channels, events, grants, users
from packhouse.storage.database import retried


@retried
def share(packhouse: Packhouse, actor: Actor, channel_path: str, user: str, level: Level) -> None:
    """Grant `level` to a user, named by UUID, user name or e-mail address; it replaces an earlier grant.

    Raises NotFound for an unknown user, Conflict for the owner, who has every right already.
    """
    if level is Level.NONE:
        raise Invalid("Share a channel for reading, writing or managing; to take a grant back, unshare it.")
    with packhouse.database.transaction() as connection:
        channel = _own_channel(connection, actor, channel_path)
        guest = _user(connection, user)
        if guest.id == channel.owner_id:
            raise Conflict(f"'{guest.username}' owns channel '{channel.path}' and has every right on it.")
        now = packhouse.clock()
        channels.lock(connection, [channel.id], now)
        grants.give(connection, channel.id, guest.id, level)
        data = {"username": guest.username, "level": level.name.lower()}
        events.record(connection, now, EventType.CHANNEL_SHARED, actor, channel, data)


@retried
def unshare(packhouse: Packhouse, actor: Actor, channel_path: str, user: str) -> None:
    """Take a grant back. Raises NotFound where there is none."""
    with packhouse.database.transaction() as connection:
        channel = _own_channel(connection, actor, channel_path)
        guest = _user(connection, user)
        if not grants.remove(connection, channel.id, guest.id):
            raise NotFound(f"Channel '{channel.path}' is not shared with '{guest.username}'.")
        data = {"username": guest.username}
        events.record(connection, packhouse.clock(), EventType.CHANNEL_UNSHARED, actor, channel, data)


def _own_channel(connection: Connection, actor: Actor, channel_path: str) -> Channel:
    channel = channels.get(connection, channel_path)
    require(actor, Permission.CHANNEL_GROUP_EDIT, channel)
    return channel


def _user(connection: Connection, text: str) -> User:
    found = users.meant_by(connection, text) if text.isprintable() else []
    if not found:
        raise NotFound(f"No user has '{text[:100]}' as user name, e-mail address or id.")
    if len(found) > 1:
        raise Conflict(f"'{text}' is the e-mail address of several users; name one by user name.")
    return found[0]
