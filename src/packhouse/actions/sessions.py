"""A session: what a log-in opens, carried by the client as a signed JWT and kept nowhere."""

import binascii
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4, uuid5

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey
from sqlalchemy import Connection

from packhouse.actions.packhouse import Packhouse
from packhouse.domain.users import User
from packhouse.errors import Unauthenticated
from packhouse.storage import secrets as stored_secrets
from packhouse.storage import users

ALGORITHM = "HS256"
KEY_NAME = "session-key"
KEY_BYTES = 32
SESSION_TYPE = "Bearer"


@dataclass(frozen=True, slots=True)
class Session:
    """`token` is the secret that the client sends from now on."""

    token: str = field(repr=False)
    expires_at: datetime


def is_session_shaped(text: str) -> bool:
    """Whether this can only be a JWT: a JSON object in base64url, and three parts."""
    return text.startswith("eyJ") and text.count(".") == 2


def open_session(packhouse: Packhouse, user: User, valid_from: datetime) -> Session:
    """`valid_from` is the user's `sessions_valid_from`, read together with the password's hash."""
    now = packhouse.clock()
    expires_at = now + timedelta(minutes=packhouse.settings.login_minutes)
    claims = {**account_claims(user, now, expires_at), "session_state": generation(user, valid_from)}
    return Session(sign(packhouse, claims), expires_at)


def sign(packhouse: Packhouse, claims: Mapping[str, Any]) -> str:
    key = OctKey.import_key(_session_key(packhouse))
    return jwt.encode({"alg": ALGORITHM}, dict(claims), key, [ALGORITHM])


def read_session(connection: Connection, token: str, now: datetime) -> tuple[User, datetime]:
    """The user of a session and when it expires; Unauthenticated unless it is ours and still open."""
    claims = _verified_claims(connection, token)
    if claims["typ"] != SESSION_TYPE:  # an API key is a token, and one that is there was found by its digest
        raise Unauthenticated("The API key was deleted or refreshed. Log in again: 'anaconda login --force'.")
    expires_at = datetime.fromtimestamp(claims["exp"], UTC)
    if expires_at <= now:
        raise Unauthenticated(f"The session has expired on {expires_at:%Y-%m-%d %H:%M} UTC. Log in again.")
    user = users.by_uuid(connection, claims["sub"])
    if user is None:
        raise Unauthenticated("The user of this session is no longer here. Log in as another.")
    if claims["session_state"] != generation(user, users.sessions_valid_from(connection, user.id)):
        raise Unauthenticated("The session was ended by a log-out or a changed password. Log in again.")
    return user, expires_at


def generation(user: User, valid_from: datetime) -> str:
    """Names the sessions opened since `valid_from`.

    Exact where comparing with `iat` is not: that has whole seconds, and a log-in may follow a changed
    password within one.
    """
    return str(uuid5(UUID(user.uuid), valid_from.isoformat()))


def account_claims(user: User, issued_at: datetime, expires_at: datetime) -> dict[str, Any]:
    """The claims of Keycloak, as `conda repo` reads them: with the standard base64 alphabet.

    So the JSON must hold none of `>`, `?`, `~` (and non-ASCII is escaped by `json`): they alone become the
    `-` and `_` of base64url. User names have none of them.
    """
    roles = {"roles": [user.role.value]}
    return {
        "exp": int(expires_at.timestamp()),
        "iat": int(issued_at.timestamp()),
        "jti": str(uuid4()),
        "iss": "packhouse",
        "aud": "account",
        "sub": user.uuid,
        "typ": SESSION_TYPE,
        "azp": "repo-service",
        "acr": "1",
        "realm_access": roles,
        "resource_access": {"account": roles},
        "scope": "profile email",
        "email_verified": False,
        "user_name": user.username,
        "preferred_username": user.username,
    }


def _verified_claims(connection: Connection, token: str) -> dict[str, Any]:
    key = stored_secrets.find(connection, KEY_NAME)
    if key is None:
        raise _not_ours()
    try:
        return jwt.decode(token, OctKey.import_key(key), [ALGORITHM]).claims
    except (JoseError, ValueError, binascii.Error, RecursionError) as error:
        raise _not_ours() from error


def _not_ours() -> Unauthenticated:
    return Unauthenticated("The session is none of this server's, or was damaged on its way. Log in again.")


def _session_key(packhouse: Packhouse) -> bytes:
    with packhouse.database.reading() as connection:
        found = stored_secrets.find(connection, KEY_NAME)
    if found is not None:
        return found
    with packhouse.database.transaction(quiet=True) as connection:
        return stored_secrets.get_or_create(connection, KEY_NAME, lambda: secrets.token_bytes(KEY_BYTES))
