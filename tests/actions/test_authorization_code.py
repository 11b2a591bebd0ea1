"""Authorization codes: good once, for a minute, for the program that asked, on the machine of the browser."""

from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from packhouse.actions.authenticate import Credential, authenticate
from packhouse.actions.authorization_code import authorize, redeem_authorization_code
from packhouse.actions.login import log_out
from packhouse.actions.packhouse import Packhouse
from packhouse.actions.sweep import sweep
from packhouse.domain.access import Actor
from packhouse.domain.authorization_codes import (
    LIFE,
    AuthorizationRequest,
    challenge_of,
    check_redirect_uri,
)
from packhouse.domain.oauth import CLIENTS
from packhouse.errors import GrantRefused, Unauthenticated
from packhouse.storage import tables
from tests.actions.conftest import Clock

[CLIENT] = CLIENTS
VERIFIER = "v" * 64
URI = "http://127.0.0.1:8000/auth/oidc"


@pytest.fixture
def asked() -> AuthorizationRequest:
    return AuthorizationRequest(CLIENT, URI, "state", "code", challenge_of(VERIFIER), "S256")


@pytest.fixture
def code(packhouse: Packhouse, ann: Actor, asked: AuthorizationRequest) -> str:
    return authorize(packhouse, asked, "ann", "ann-password")


def redeem(packhouse: Packhouse, code: str, uri: str = URI, verifier: str = VERIFIER) -> str:
    return redeem_authorization_code(packhouse, CLIENT, code, uri, verifier).token


def refused(packhouse: Packhouse, code: str, uri: str = URI, verifier: str = VERIFIER) -> str:
    with pytest.raises(GrantRefused) as refusal:
        redeem(packhouse, code, uri, verifier)
    return refusal.value.code


def test_code_gives_a_session_of_the_user(packhouse: Packhouse, ann: Actor, code: str) -> None:
    assert authenticate(packhouse, Credential(redeem(packhouse, code))) == ann


def test_code_is_good_for_one_time(packhouse: Packhouse, code: str) -> None:
    redeem(packhouse, code)

    assert refused(packhouse, code) == "invalid_grant"


@pytest.mark.parametrize(
    "other",
    [{"uri": "http://127.0.0.1:8001/auth/oidc"}, {"verifier": "w" * 64}, {"verifier": ""}, {"code": "x"}],
)
def test_code_with_anything_else_than_it_is_bound_to_is_refused(
    packhouse: Packhouse, code: str, other: dict[str, str]
) -> None:
    assert refused(packhouse, **{"code": code, **other}) == "invalid_grant"
    assert redeem(packhouse, code)


def test_code_expires(packhouse: Packhouse, code: str, clock: Clock) -> None:
    clock.advance(seconds=LIFE.total_seconds())

    assert refused(packhouse, code) == "invalid_grant"


def test_log_out_ends_codes_too(packhouse: Packhouse, ann: Actor, code: str) -> None:
    log_out(packhouse, ann)

    assert refused(packhouse, code) == "invalid_grant"


def test_wrong_password_gives_no_code(packhouse: Packhouse, ann: Actor, asked: AuthorizationRequest) -> None:
    with pytest.raises(Unauthenticated):
        authorize(packhouse, asked, "ann", "wrong")


def test_code_is_stored_as_a_digest_alone(packhouse: Packhouse, code: str) -> None:
    with packhouse.database.reading() as connection:
        [row] = connection.execute(select(tables.authorization_code))

    assert code not in map(str, row)


def test_sweep_forgets_expired_codes(packhouse: Packhouse, code: str, clock: Clock) -> None:
    clock.advance(hours=1)

    assert sweep(packhouse).logins == 1


def test_challenge_is_that_of_the_rfc() -> None:
    """RFC 7636, appendix B."""
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

    assert challenge_of(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


@pytest.mark.parametrize(
    "uri",
    [
        "http://127.0.0.1:8000/auth/oidc",
        "http://localhost:1/",
        "http://localhost",
        "http://127.0.0.1:65535/a?b=c",
    ],
)
def test_loopback_address_is_answered(uri: str) -> None:
    check_redirect_uri(uri)


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "https://127.0.0.1/",
        "http://example.org/",
        "http://127.0.0.1.example.org/",
        "http://127.0.0.1@example.org/",
        "http://localhost:80@example.org/",
        "http://127.0.0.1\\@example.org/",
        "http://127.0.0.1:80\n.example.org/",
        "http://127.0.0.1/#fragment",
        "http://localhostage/",
        "HTTP://LOCALHOST/",
        "javascript:alert(1)//http://localhost/",
        "http://127.0.0.1:8000/a b",
        "http://127.0.0.1/\n",
    ],
)
def test_any_other_address_is_refused(uri: str) -> None:
    with pytest.raises(GrantRefused, match="this machine"):
        check_redirect_uri(uri)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"code_challenge": ""}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": ""}, "invalid_request"),
        ({"state": "x" * 1001}, "invalid_request"),
    ],
)
def test_request_without_what_keeps_the_code_safe_is_refused(
    asked: AuthorizationRequest, change: dict[str, str], error: str
) -> None:
    with pytest.raises(GrantRefused) as refusal:
        replace(asked, **change).check()
    assert refusal.value.code == error


@given(st.text(max_size=50), st.sampled_from([URI, URI + "?a=b"]))
def test_state_comes_back_as_it_was(state: str, uri: str) -> None:
    try:
        state.encode()
    except UnicodeEncodeError:
        return
    answered = AuthorizationRequest(CLIENT, uri, state, "code", "", "").answered(code="x y&z")

    query = parse_qs(urlsplit(answered).query)
    assert answered.startswith(uri)
    assert (query.get("state", [""]), query["code"]) == ([state], ["x y&z"])
