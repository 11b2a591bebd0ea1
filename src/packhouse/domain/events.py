"""An event: who did what to which channel, and when; one per action, in its transaction."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class EventType(StrEnum):
    CHANNEL_CREATED = "channel.created"
    CHANNEL_UPDATED = "channel.updated"
    CHANNEL_DELETED = "channel.deleted"
    CHANNEL_SHARED = "channel.shared"
    CHANNEL_UNSHARED = "channel.unshared"
    ARTIFACT_PUBLISHED = "artifact.published"
    ARTIFACTS_DELETED = "artifacts.deleted"
    ARTIFACTS_COPIED = "artifacts.copied"
    ARTIFACTS_MOVED = "artifacts.moved"
    MIRROR_CREATED = "mirror.created"
    MIRROR_UPDATED = "mirror.updated"
    MIRROR_DELETED = "mirror.deleted"
    MIRROR_SYNCED = "mirror.synced"
    MIRROR_STOPPED = "mirror.stopped"
    USER_CREATED = "user.created"
    PASSWORD_CHANGED = "user.password-changed"
    DEFAULT_CHANNEL_CHOSEN = "user.default-channel-chosen"
    TOKEN_CREATED = "token.created"
    TOKEN_REFRESHED = "token.refreshed"
    TOKEN_DELETED = "token.deleted"


class FileAction(StrEnum):
    """What an event did to one file, seen from one channel."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    COPIED = "copied"
    MOVED_IN = "moved-in"
    MOVED_OUT = "moved-out"


@dataclass(frozen=True, slots=True)
class Event:
    uuid: str
    type: EventType
    actor_name: str
    channel_path: str | None
    created_at: datetime
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class FileChange:
    """One file that an event put into a channel or took out of it."""

    event_uuid: str
    action: FileAction
    family: str
    name: str
    version: str
    ckey: str
    actor_name: str
    created_at: datetime
