"""Make the key that `anaconda login` keeps: a token like others, whose secret looks like a JWT.

It is found by its digest, as every token is; nothing is read from the JWT but by the client, which wants
to know `exp`. Why, and what it may do: `docs/decisions/0012-log-in-by-browser.md`.
"""

from datetime import timedelta
from uuid import uuid4

from packhouse.actions.packhouse import Packhouse
from packhouse.actions.sessions import account_claims, sign
from packhouse.actions.tokens import NewToken
from packhouse.actions.users import user_of
from packhouse.domain.access import SCOPES, Actor, require_self
from packhouse.domain.device_logins import read_host
from packhouse.domain.events import EventType
from packhouse.domain.tokens import Token, secret_digest
from packhouse.storage import events, tokens

TYPE = "API-Key"
"""The claim `typ`; that of a session is `Bearer`."""


def create_api_key(packhouse: Packhouse, actor: Actor, host: str | None) -> NewToken:
    """A key of every scope, named after the host that asks. Raises Forbidden for an actor who is no session.

    Otherwise a token could make itself live longer than it was made for.
    """
    require_self(actor)
    user, now = user_of(packhouse, actor), packhouse.clock()
    expires_at = now + timedelta(days=packhouse.settings.api_key_days)
    name = f"anaconda-login:{read_host(host) or 'unknown'}"
    token = Token(0, str(uuid4()), user.id, name, SCOPES, None, now, expires_at, None)
    claims = {**account_claims(user, now, expires_at), "typ": TYPE, "jti": token.uuid}
    secret = sign(packhouse, claims)
    with packhouse.database.transaction() as connection:
        tokens.add(connection, token, secret_digest(secret))
        data = {"token_id": token.uuid, "name": token.name}
        events.record(connection, now, EventType.TOKEN_CREATED, actor, None, data)
    return NewToken(token, secret)
