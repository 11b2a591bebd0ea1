"""Who may do what: one pure question, `may(actor, permission, channel)`, and nothing else decides."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

from packhouse.domain.channels import Channel, Privacy
from packhouse.errors import Forbidden, NotFound, Unauthenticated


class Role(StrEnum):
    ADMIN = "admin"
    AUTHOR = "author"
    VIEWER = "viewer"


class Level(IntEnum):
    """How far somebody's rights on one channel reach; each includes those below it."""

    NONE = 0
    READ = 1
    WRITE = 2
    MANAGE = 3


class Permission(StrEnum):
    """Each is also the scope that a token needs for it (on a subchannel, its `subchannel` twin)."""

    ARTIFACT_VIEW = "artifact:view"
    ARTIFACT_DOWNLOAD = "artifact:download"
    ARTIFACT_CREATE = "artifact:create"
    ARTIFACT_EDIT = "artifact:edit"
    ARTIFACT_DELETE = "artifact:delete"
    CHANNEL_VIEW = "channel:view"
    CHANNEL_VIEW_ARTIFACTS = "channel:view-artifacts"
    CHANNEL_HISTORY = "channel:history"
    CHANNEL_CREATE = "channel:create"
    CHANNEL_EDIT = "channel:edit"
    CHANNEL_DELETE = "channel:delete"
    CHANNEL_GROUP_EDIT = "channel.group:edit"
    CHANNEL_DEFAULT_EDIT = "channel.default-channel:edit"
    CHANNEL_MIRROR_VIEW = "channel.mirror:view"
    CHANNEL_MIRROR_EDIT = "channel.mirror:edit"
    SUBCHANNEL_CREATE = "subchannel:create"


REQUIRED_LEVEL: Mapping[Permission, Level] = {
    Permission.ARTIFACT_VIEW: Level.READ,
    Permission.ARTIFACT_DOWNLOAD: Level.READ,
    Permission.ARTIFACT_CREATE: Level.WRITE,
    Permission.ARTIFACT_EDIT: Level.MANAGE,
    Permission.ARTIFACT_DELETE: Level.MANAGE,
    Permission.CHANNEL_VIEW: Level.READ,
    Permission.CHANNEL_VIEW_ARTIFACTS: Level.READ,
    Permission.CHANNEL_HISTORY: Level.MANAGE,
    Permission.CHANNEL_CREATE: Level.WRITE,
    Permission.CHANNEL_EDIT: Level.MANAGE,
    Permission.CHANNEL_DELETE: Level.MANAGE,
    Permission.CHANNEL_GROUP_EDIT: Level.MANAGE,
    Permission.CHANNEL_DEFAULT_EDIT: Level.MANAGE,
    Permission.CHANNEL_MIRROR_VIEW: Level.MANAGE,
    Permission.CHANNEL_MIRROR_EDIT: Level.MANAGE,
    Permission.SUBCHANNEL_CREATE: Level.MANAGE,
}
"""The table of the existing server's documentation (contract: vocabularies)."""

SUBCHANNEL_TWINS: Mapping[Permission, str] = {
    permission: permission.value.replace("channel", "subchannel", 1)
    for permission in (
        Permission.CHANNEL_VIEW,
        Permission.CHANNEL_VIEW_ARTIFACTS,
        Permission.CHANNEL_HISTORY,
        Permission.CHANNEL_EDIT,
        Permission.CHANNEL_DELETE,
        Permission.CHANNEL_GROUP_EDIT,
        Permission.CHANNEL_MIRROR_VIEW,
        Permission.CHANNEL_MIRROR_EDIT,
    )
}

SCOPES: tuple[str, ...] = tuple(sorted({*(p.value for p in Permission), *SUBCHANNEL_TWINS.values()}))
"""Every scope that a token can hold."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Whoever asks: a user as themselves, a user limited by a token, or nobody (`ANONYMOUS`).

    `grants` maps channel id to what was shared with the user. A token holds either `scopes` or
    `resources` (channel path -> level), never both; None means that nothing is narrowed.
    """

    user_id: int | None
    name: str
    role: Role = Role.VIEWER
    grants: Mapping[int, Level] = field(default_factory=dict)
    scopes: frozenset[str] | None = None
    resources: Mapping[str, Level] | None = None

    @property
    def is_anonymous(self) -> bool:
        return self.user_id is None

    @property
    def is_admin(self) -> bool:
        return self.role is Role.ADMIN

    @property
    def is_narrowed(self) -> bool:
        """Whether a token stands between the user and their own rights."""
        return self.scopes is not None or self.resources is not None


ANONYMOUS = Actor(user_id=None, name="anonymous")


def may(actor: Actor, permission: Permission, channel: Channel | None) -> bool:
    """Whether `actor` may do this to `channel`; None stands for the house itself (a new channel)."""
    if not has_scope(actor, permission, channel is not None and channel.parent_id is not None):
        return False
    if channel is None:
        return actor.resources is None and actor.role is not Role.VIEWER
    return reach(actor, channel) >= REQUIRED_LEVEL[permission]


def reach(actor: Actor, channel: Channel) -> Level:
    """The level on a channel after a resource token narrowed it; scopes are asked about in `may` alone."""
    return min(level_on(actor, channel), _resource_level(actor, channel))


def level_on(actor: Actor, channel: Channel) -> Level:
    """What the person behind the request may do on a channel, before any token narrows it."""
    if actor.is_admin:
        return Level.MANAGE
    if actor.is_anonymous:
        return Level.READ if channel.privacy is Privacy.PUBLIC else Level.NONE
    level = _own_level(actor, channel)
    return min(level, Level.READ) if actor.role is Role.VIEWER else level


def _own_level(actor: Actor, channel: Channel) -> Level:
    if channel.owner_id == actor.user_id:
        return Level.MANAGE
    granted = actor.grants.get(channel.id, Level.NONE)
    inherited = actor.grants.get(channel.parent_id or 0, Level.NONE)
    general = Level.NONE if channel.privacy is Privacy.PRIVATE else Level.READ
    return max(granted, inherited, general)


def has_scope(actor: Actor, permission: Permission, is_subchannel: bool) -> bool:
    """Whether the actor's token, if there is one, was made for this."""
    if actor.scopes is None:
        return True
    twin = SUBCHANNEL_TWINS.get(permission, permission.value)
    return (twin if is_subchannel else permission.value) in actor.scopes


def _resource_level(actor: Actor, channel: Channel) -> Level:
    """A resource token reaches the channels it names and their subchannels."""
    if actor.resources is None:
        return Level.MANAGE
    own = actor.resources.get(channel.path, Level.NONE)
    return max(own, actor.resources.get(channel.parent or "", Level.NONE))


def require(actor: Actor, permission: Permission, channel: Channel) -> None:
    """Raise what the refusal should look like: 404 hides a channel, 401 asks to log in, 403 says no.

    Nobody at all is asked to log in even for a private channel: clients look for stored
    credentials only on a 401. A known actor who may not see the channel learns nothing of it.
    """
    if may(actor, permission, channel):
        return
    require_visible(actor, channel)
    if actor.is_anonymous:
        raise _log_in_first(channel)
    who = f"This token of '{actor.name}'" if actor.is_narrowed else f"'{actor.name}'"
    raise Forbidden(f"{who} is not allowed '{permission.value}' on channel '{channel.path}'.")


def require_visible(actor: Actor, channel: Channel) -> None:
    """Raise where the actor may not know that the channel is there, as `require` does."""
    if is_visible(actor, channel):
        return
    raise (
        _log_in_first(channel) if actor.is_anonymous else NotFound(f"Channel '{channel.path}' was not found.")
    )


def _log_in_first(channel: Channel) -> Unauthenticated:
    return Unauthenticated(f"Channel '{channel.path}' needs a log-in. Send a token, or log in first.")


def is_visible(actor: Actor, channel: Channel) -> bool:
    """Whether the actor may know that the channel is there; scopes narrow what is done, not what is known."""
    return reach(actor, channel) >= Level.READ


def require_user(actor: Actor) -> int:
    """The id of the user behind the request; Unauthenticated for nobody."""
    if actor.user_id is None:
        raise Unauthenticated("This needs a log-in. Send a token, or log in first.")
    return actor.user_id


def require_self(actor: Actor) -> int:
    """As `require_user`, and Forbidden for a token: what concerns the user's own log-in is not for tokens."""
    user_id = require_user(actor)
    if actor.is_narrowed:
        raise Forbidden("A token cannot do this. Log in with the password first.")
    return user_id


def require_admin(actor: Actor) -> None:
    """Managing users is for administrators in person, not for their tokens."""
    require_self(actor)
    if not actor.is_admin:
        raise Forbidden(f"'{actor.name}' is no administrator. Ask one to do this.")
