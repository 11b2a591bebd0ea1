"""Make, list, refresh and delete the tokens of a user."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection

from packhouse.actions.packhouse import Packhouse
from packhouse.domain.access import SCOPES, Actor, Level, reach, require_user
from packhouse.domain.events import EventType
from packhouse.domain.tokens import (
    Resource,
    Token,
    check_resources,
    check_scopes,
    check_token_name,
    is_within,
    new_secret,
    secret_digest,
)
from packhouse.errors import Forbidden, Invalid, NotFound
from packhouse.storage import channels, events, tokens

END_OF_TIME = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token and its secret, which is shown this once and known to nobody afterwards."""

    token: Token
    secret: str = field(repr=False)


def create_token(
    packhouse: Packhouse,
    actor: Actor,
    name: str,
    expires_at: datetime | None,
    scopes: Sequence[str] | None = None,
    resources: Sequence[Mapping[str, Any]] | None = None,
) -> NewToken:
    """Make a token with either scopes or resources; it reaches no further than the actor does.

    Raises Invalid for what no token can be, Forbidden for one that is wider than the actor's own rights,
    NotFound for a channel that the actor may not know of.
    """
    token = _read(packhouse, actor, name, expires_at, scopes, resources)
    secret = new_secret()
    with packhouse.database.transaction() as connection:
        _require_reach(connection, actor, token.resources or ())
        tokens.add(connection, token, secret_digest(secret))
        _record(packhouse, connection, EventType.TOKEN_CREATED, actor, token)
    return NewToken(token, secret)


def _read(
    packhouse: Packhouse,
    actor: Actor,
    name: str,
    expires_at: datetime | None,
    scopes: Sequence[str] | None,
    resources: Sequence[Mapping[str, Any]] | None,
) -> Token:
    user_id, now = require_user(actor), packhouse.clock()
    check_token_name(name)
    if expires_at is not None and expires_at <= now:
        raise Invalid(f"{expires_at:%Y-%m-%d %H:%M} UTC is in the past; a token expires in the future.")
    if bool(scopes) == bool(resources):
        raise Invalid("A token needs either 'scopes' or 'resources': one of them, and not both.")
    chosen = check_scopes(scopes) if scopes else None
    named = check_resources(resources) if resources else None
    token = Token(0, str(uuid4()), user_id, name, chosen, named, now, expires_at, None)
    _require_within(actor, token)
    return token


def _require_within(actor: Actor, token: Token) -> None:
    if not is_within(actor, token.scopes, token.resources):
        raise Forbidden(f"Token '{token.name}' reaches further than yours. Log in with the password first.")


def _require_reach(connection: Connection, actor: Actor, resources: Sequence[Resource]) -> None:
    for resource in resources:
        channel = channels.find(connection, resource.path)
        level = Level.NONE if channel is None else reach(actor, channel)
        if level is Level.NONE:
            raise NotFound(f"Channel '{resource.path}' was not found.")
        if level < resource.level:
            raise Forbidden(f"You have no '{resource.permission}' permission on '{resource.path}' to give.")


def grantable_scopes(actor: Actor) -> list[str]:
    """What a token that the actor makes can be given."""
    require_user(actor)
    return [scope for scope in SCOPES if is_within(actor, [scope], None)]


def list_tokens(packhouse: Packhouse, actor: Actor) -> list[Token]:
    """The actor's own, oldest first."""
    user_id = require_user(actor)
    with packhouse.database.reading() as connection:
        return tokens.of_user(connection, user_id)


def refresh_token(packhouse: Packhouse, actor: Actor, uuid: str) -> NewToken:
    """Give the token a new secret and its whole life again; the old secret is dead at once."""
    secret = new_secret()
    with packhouse.database.transaction() as connection:
        refreshed = _renewed(_own(connection, actor, uuid), packhouse.clock())
        values = {
            "digest": secret_digest(secret),
            "created_at": refreshed.created_at,
            "expires_at": refreshed.expires_at,
            "last_used_at": None,
        }
        tokens.change(connection, refreshed.id, values)
        _record(packhouse, connection, EventType.TOKEN_REFRESHED, actor, refreshed)
    return NewToken(refreshed, secret)


def _renewed(token: Token, now: datetime) -> Token:
    if token.expires_at is None:
        return replace(token, created_at=now, last_used_at=None)
    life: timedelta = min(token.expires_at - token.created_at, END_OF_TIME - now)
    return replace(token, created_at=now, expires_at=now + life, last_used_at=None)


def delete_token(packhouse: Packhouse, actor: Actor, uuid: str) -> None:
    with packhouse.database.transaction() as connection:
        token = _own(connection, actor, uuid)
        tokens.remove(connection, token.id)
        _record(packhouse, connection, EventType.TOKEN_DELETED, actor, token)


def _own(connection: Connection, actor: Actor, uuid: str) -> Token:
    """A token of the actor; Forbidden for one that is wider than the token the actor came with."""
    token = tokens.by_uuid(connection, require_user(actor), uuid)
    if token is None:
        raise NotFound("There is no such token among yours.")
    _require_within(actor, token)
    return token


def _record(
    packhouse: Packhouse, connection: Connection, type: EventType, actor: Actor, token: Token
) -> None:
    data = {"token_id": token.uuid, "name": token.name}
    events.record(connection, packhouse.clock(), type, actor, None, data)
