"""API keys: tokens that look like a JWT, so that `anaconda` can read when they expire."""

import base64
import json
from typing import Any

import pytest

from packhouse.actions.api_keys import create_api_key
from packhouse.actions.authenticate import Credential, authenticate, identify
from packhouse.actions.login import log_out
from packhouse.actions.packhouse import Packhouse
from packhouse.actions.sessions import open_session
from packhouse.actions.tokens import delete_token, list_tokens, refresh_token
from packhouse.actions.users import change_password
from packhouse.domain.access import ANONYMOUS, SCOPES, Actor
from packhouse.errors import Forbidden, Unauthenticated
from packhouse.storage import users
from tests.actions.conftest import Clock


def claims_of(secret: str) -> dict[str, Any]:
    part = secret.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return claims


def test_key_acts_as_its_user_within_every_scope(packhouse: Packhouse, ann: Actor) -> None:
    new = create_api_key(packhouse, ann, "laptop")

    actor = authenticate(packhouse, Credential(new.secret))
    assert (actor.user_id, actor.scopes) == (ann.user_id, frozenset(SCOPES))


def test_key_is_a_jwt_that_tells_its_end(packhouse: Packhouse, ann: Actor, clock: Clock) -> None:
    new = create_api_key(packhouse, ann, "laptop")

    claims = claims_of(new.secret)
    assert claims["exp"] - clock.now.timestamp() == pytest.approx(90 * 86400, abs=1)
    assert (claims["jti"], claims["typ"]) == (new.token.uuid, "API-Key")
    assert identify(packhouse, Credential(new.secret)).expires_at == new.token.expires_at


@pytest.mark.parametrize(("host", "name"), [("laptop", "laptop"), (None, "unknown"), ("a\nb", "unknown")])
def test_key_is_listed_under_the_name_of_its_host(
    packhouse: Packhouse, ann: Actor, host: str | None, name: str
) -> None:
    create_api_key(packhouse, ann, host)

    assert [token.name for token in list_tokens(packhouse, ann)] == [f"anaconda-login:{name}"]


def test_deleted_key_is_no_session_either(packhouse: Packhouse, ann: Actor) -> None:
    """Its signature is still good."""
    new = create_api_key(packhouse, ann, "laptop")
    delete_token(packhouse, ann, new.token.uuid)

    with pytest.raises(Unauthenticated, match="API key was deleted"):
        authenticate(packhouse, Credential(new.secret))


def test_refreshed_key_has_another_secret(packhouse: Packhouse, ann: Actor) -> None:
    old = create_api_key(packhouse, ann, "laptop")
    new = refresh_token(packhouse, ann, old.token.uuid)

    with pytest.raises(Unauthenticated):
        authenticate(packhouse, Credential(old.secret))
    assert authenticate(packhouse, Credential(new.secret)).user_id == ann.user_id


def test_expired_key_is_refused_by_its_name(packhouse: Packhouse, ann: Actor, clock: Clock) -> None:
    new = create_api_key(packhouse, ann, "laptop")
    clock.advance(days=91)

    with pytest.raises(Unauthenticated, match="anaconda-login:laptop' has expired"):
        authenticate(packhouse, Credential(new.secret))


@pytest.mark.parametrize("is_changed", [True, False])
def test_key_outlives_sessions(packhouse: Packhouse, ann: Actor, is_changed: bool) -> None:
    new = create_api_key(packhouse, ann, "laptop")

    if is_changed:
        change_password(packhouse, ann, "ann", "another password")
    else:
        log_out(packhouse, ann)

    assert authenticate(packhouse, Credential(new.secret)).user_id == ann.user_id


def test_key_cannot_change_the_password_or_make_keys(packhouse: Packhouse, ann: Actor) -> None:
    actor = authenticate(packhouse, Credential(create_api_key(packhouse, ann, "laptop").secret))

    with pytest.raises(Forbidden):
        change_password(packhouse, actor, "ann", "another password")
    with pytest.raises(Forbidden):
        create_api_key(packhouse, actor, "laptop")


def test_nobody_gets_no_key(packhouse: Packhouse) -> None:
    with pytest.raises(Unauthenticated):
        create_api_key(packhouse, ANONYMOUS, "laptop")


def test_session_is_a_session_still(packhouse: Packhouse, ann: Actor) -> None:
    with packhouse.database.reading() as connection:
        user = users.by_username(connection, "ann")
        assert user is not None
        valid_from = users.sessions_valid_from(connection, user.id)

    session = open_session(packhouse, user, valid_from)
    assert claims_of(session.token)["typ"] == "Bearer"
    assert authenticate(packhouse, Credential(session.token)) == ann
