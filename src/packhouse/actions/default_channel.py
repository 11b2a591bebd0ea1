"""Choose the channel that a user's commands mean when they name none."""

from packhouse.actions.packhouse import Packhouse
from packhouse.domain.access import (
    Actor,
    Level,
    Permission,
    has_scope,
    level_on,
    require_user,
    require_visible,
)
from packhouse.domain.channels import Channel
from packhouse.domain.events import EventType
from packhouse.errors import Forbidden
from packhouse.storage import channels, events, users


def choose_default_channel(packhouse: Packhouse, actor: Actor, channel_path: str | None) -> None:
    """Make it the actor's default; None for none. The user must be able to write to it."""
    user_id = require_user(actor)
    _require_right(actor)
    with packhouse.database.transaction() as connection:
        channel = None if channel_path is None else channels.get(connection, channel_path)
        if channel is not None:
            _require_writable(actor, channel)
        users.set_default_channel(connection, user_id, None if channel is None else channel.id)
        data = {"default_channel_name": channel_path}
        now = packhouse.clock()
        events.record(connection, now, EventType.DEFAULT_CHANNEL_CHOSEN, actor, None, data)


def _require_right(actor: Actor) -> None:
    """It belongs to the user: a token must have been made for it, and one for certain channels was not."""
    scope = Permission.CHANNEL_DEFAULT_EDIT
    if actor.resources is not None or not has_scope(actor, scope, is_subchannel=False):
        raise Forbidden(
            f"This token cannot choose the default channel; one with the scope '{scope.value}' can."
        )


def _require_writable(actor: Actor, channel: Channel) -> None:
    require_visible(actor, channel)
    if level_on(actor, channel) < Level.WRITE:
        raise Forbidden(
            f"'{actor.name}' may not write to channel '{channel.path}', so it cannot be the default channel."
        )
