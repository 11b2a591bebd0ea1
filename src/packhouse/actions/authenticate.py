"""Find out who is behind a credential."""

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection

from packhouse.actions.login import check_password
from packhouse.actions.packhouse import Packhouse
from packhouse.actions.sessions import is_session_shaped, read_session
from packhouse.domain.access import ANONYMOUS, Actor
from packhouse.domain.tokens import Token, secret_digest
from packhouse.domain.users import User
from packhouse.errors import StorageFull, Unauthenticated
from packhouse.storage import grants, tokens, users

USE_NOTED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Credential:
    """What a request carries: a token or a session; with a user name, perhaps that user's password."""

    secret: str = field(repr=False)
    username: str | None = None


@dataclass(frozen=True, slots=True)
class Identity:
    """Who it is, by which token (None: by session or password), and until when that holds."""

    actor: Actor
    token: Token | None = None
    expires_at: datetime | None = None


def authenticate(packhouse: Packhouse, credential: Credential | None) -> Actor:
    """Raises Unauthenticated, each time saying why, for a credential that opens nothing (any longer)."""
    return identify(packhouse, credential).actor


def identify(packhouse: Packhouse, credential: Credential | None) -> Identity:
    """As `authenticate`, and tells about the credential too."""
    if credential is None:
        return Identity(ANONYMOUS)
    identity = _by_token(packhouse, credential.secret)  # first: the secret of an API key is a JWT too
    if identity is not None:
        return identity
    if is_session_shaped(credential.secret):
        return _by_session(packhouse, credential.secret)
    if credential.username is not None:
        return _by_password(packhouse, credential.username, credential.secret)
    raise Unauthenticated(
        "The token is unknown here: it was deleted or refreshed, or belongs to another server. "
        "Make a new one, or log in again."
    )


def _by_session(packhouse: Packhouse, secret: str) -> Identity:
    with packhouse.database.reading() as connection:
        user, expires_at = read_session(connection, secret, packhouse.clock())
        return Identity(_actor(connection, user), expires_at=expires_at)


def _by_token(packhouse: Packhouse, secret: str) -> Identity | None:
    now = packhouse.clock()
    with packhouse.database.reading() as connection:
        token = tokens.by_digest(connection, secret_digest(secret))
        user = None if token is None else users.by_id(connection, token.user_id)
        if token is None or user is None:
            return None
        _require_unexpired(token, now)
        identity = Identity(_actor(connection, user, token), token, token.expires_at)
    _note_use(packhouse, token, now)
    return identity


def _by_password(packhouse: Packhouse, username: str, password: str) -> Identity:
    try:
        user, _ = check_password(packhouse, username, password)
    except Unauthenticated as error:
        raise Unauthenticated(
            "What came as the password is no token of this server (any longer), nor that user's password. "
            "Make a new token, or log in again."
        ) from error
    with packhouse.database.reading() as connection:
        return Identity(_actor(connection, user))


def _actor(connection: Connection, user: User, token: Token | None = None) -> Actor:
    granted = grants.of_user(connection, user.id)
    if token is None:
        return Actor(user.id, user.username, user.role, granted)
    scopes = None if token.scopes is None else frozenset(token.scopes)
    resources = None if token.resources is None else {item.path: item.level for item in token.resources}
    return Actor(user.id, user.username, user.role, granted, scopes, resources)


def _require_unexpired(token: Token, now: datetime) -> None:
    if token.expires_at is not None and token.expires_at <= now:
        raise Unauthenticated(
            f"The token '{token.name}' has expired on {token.expires_at:%Y-%m-%d %H:%M} UTC. "
            "Make a new one, or log in again."
        )


def _note_use(packhouse: Packhouse, token: Token, now: datetime) -> None:
    due = now - USE_NOTED_EVERY
    if token.last_used_at is not None and token.last_used_at > due:
        return
    # a full disk must not lock the readers out
    with suppress(StorageFull), packhouse.database.transaction(quiet=True) as connection:
        tokens.note_use(connection, token.id, now, due)
