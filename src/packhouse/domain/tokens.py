"""A token: a secret that acts for somebody, narrowed to scopes or to resources."""

import hashlib
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from packhouse.domain.access import REQUIRED_LEVEL, SCOPES, SUBCHANNEL_TWINS, Actor, Level
from packhouse.domain.channels import ChannelPath
from packhouse.errors import Invalid

LEVEL_WORDS: Mapping[str, Level] = {"read": Level.READ, "write": Level.WRITE, "manage": Level.MANAGE}
MAX_TOKEN_NAME_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Resource:
    """One channel that a resource token reaches, and how far."""

    path: str
    permission: str

    @property
    def level(self) -> Level:
        return LEVEL_WORDS[self.permission]

    @property
    def type(self) -> str:
        return "subchannel" if "/" in self.path else "channel"


@dataclass(frozen=True, slots=True)
class Token:
    id: int
    uuid: str
    user_id: int
    name: str
    scopes: tuple[str, ...] | None
    resources: tuple[Resource, ...] | None
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None

    @property
    def type(self) -> Literal["scope", "resource"]:
        return "scope" if self.resources is None else "resource"


def new_secret() -> str:
    """48 hex digits: conda carries only `[A-Za-z0-9-]` in `/t/<token>/`, and 192 bits cannot be guessed."""
    return secrets.token_hex(24)


def secret_digest(secret: str) -> str:
    """What is stored in place of a token. The secret is random, so one SHA-256 is enough."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()  # JSON and forms carry them


def check_token_name(name: str) -> None:
    if not name.strip() or len(name) > MAX_TOKEN_NAME_LENGTH or not name.isprintable():
        raise Invalid(f"A token's name has 1 to {MAX_TOKEN_NAME_LENGTH} printable characters.")


def check_scopes(scopes: Iterable[str]) -> tuple[str, ...]:
    chosen = tuple(sorted(set(scopes)))
    unknown = [scope for scope in chosen if scope not in SCOPES]
    if unknown:
        raise Invalid(f"Unknown scope '{unknown[0]}'. Known are: {', '.join(SCOPES)}.")
    return chosen


def check_resources(documents: Sequence[Mapping[str, Any]]) -> tuple[Resource, ...]:
    """Read `{"resource_type", "resource_id", "permission"}` objects as clients send them."""
    resources = tuple(_read_resource(document) for document in documents)
    if len({resource.path for resource in resources}) < len(resources):
        raise Invalid("A channel is named twice among the resources; give each one permission.")
    return resources


def _read_resource(document: Mapping[str, Any]) -> Resource:
    path, permission = document.get("resource_id"), document.get("permission")
    if document.get("resource_type") not in ("channel", "subchannel") or not isinstance(path, str):
        raise Invalid(
            "A resource needs 'resource_type' (channel or subchannel) and 'resource_id' (its path)."
        )
    if not isinstance(permission, str) or permission not in LEVEL_WORDS:
        raise Invalid(f"Unknown permission '{permission}'. Known are: {', '.join(LEVEL_WORDS)}.")
    return Resource(str(ChannelPath.parse(path)), permission)


def is_within(actor: Actor, scopes: Iterable[str] | None, resources: Iterable[Resource] | None) -> bool:
    """Whether a token of these scopes or resources opens nothing that the actor's own token keeps shut."""
    if scopes is not None:
        return actor.resources is None and (actor.scopes is None or actor.scopes.issuperset(scopes))
    return all(_resource_is_within(actor, resource) for resource in resources or ())


def _resource_is_within(actor: Actor, resource: Resource) -> bool:
    if actor.scopes is not None:
        return actor.scopes >= scopes_of_level(resource.level)
    if actor.resources is None:
        return True
    parent = resource.path.partition("/")[0]
    held = max(actor.resources.get(path, Level.NONE) for path in (resource.path, parent))
    return held >= resource.level


def scopes_of_level(level: Level) -> frozenset[str]:
    """Every scope that a resource of this level is worth, on a channel and on its subchannels."""
    permissions = [permission for permission, needed in REQUIRED_LEVEL.items() if needed <= level]
    twins = (SUBCHANNEL_TWINS[permission] for permission in permissions if permission in SUBCHANNEL_TWINS)
    return frozenset({*(permission.value for permission in permissions), *twins})
