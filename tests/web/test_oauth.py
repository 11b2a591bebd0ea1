"""The addresses that `anaconda login` asks, and OAuth's own refusals."""

from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from packhouse.domain.oauth import CLIENTS
from tests.asgi import Response
from tests.house import House
from tests.web.forms import assert_refused

[CLIENT] = CLIENTS
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
FORM = {"content-type": "application/x-www-form-urlencoded"}
WELL_KNOWN = "/.well-known/openid-configuration"


def post(house: House, path: str, headers: dict[str, str] | None = None, **fields: str) -> Response:
    return house.request("POST", path, headers={**FORM, **(headers or {})}, body=urlencode(fields).encode())


def begin(house: House, **headers: str) -> Any:
    answer = post(house, "/api/auth/device", headers, client_id=CLIENT, scope="openid")
    assert answer.status == 200
    return answer.json()


def ask(house: House, **fields: str) -> Response:
    return post(house, "/api/auth/token", **fields)


def assert_grant_refused(answer: Response, error: str) -> None:
    """400 whatever it is: anaconda-auth crashes on a 401 or 403 whose `error` is text."""
    assert answer.status == 400
    body = answer.json()
    assert set(body) == {"error", "error_description"}
    assert body["error"] == error
    description = body["error_description"]
    assert description.isascii()
    assert not {*'"\\'} & {*description}  # RFC 6749, 5.2
    assert answer.headers["cache-control"] == "no-store"


def allow(house: House, user_code: str) -> None:
    form = {"user_code": user_code, "username": "admin", "password": "correct horse", "answer": "allow"}
    assert post(house, "/app/device", **form).status == 200


def access_token(house: House) -> str:
    begun = begin(house)
    allow(house, begun["user_code"])
    answer = ask(house, grant_type=DEVICE_GRANT, device_code=begun["device_code"], client_id=CLIENT)
    assert answer.status == 200
    return str(answer.json()["access_token"])


def behind_proxy(house: House, public_url: str) -> None:
    settings = house.packhouse.settings.model_copy(update={"public_url": public_url})
    house.packhouse = replace(house.packhouse, settings=settings)


def odd_form(**fields: str) -> tuple[dict[str, str], bytes]:
    """A form whose `charset` makes a lone surrogate of `\\ud800`."""
    parts = (
        f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    )
    kind = "multipart/form-data; boundary=x; charset=unicode_escape"
    return {"content-type": kind}, "".join([*parts, "--x--\r\n"]).encode()


# --- discovery --------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [WELL_KNOWN, "/.well-known/oauth-authorization-server"])
def test_discovery_names_addresses_of_the_host_that_was_asked(house: House, path: str) -> None:
    found = house.request("GET", path, headers={"host": "packages.test:8443"}).json()

    endpoints = {name: url for name, url in found.items() if name.endswith("_endpoint")}
    assert set(endpoints) == {
        *("authorization_endpoint", "token_endpoint", "device_authorization_endpoint", "userinfo_endpoint")
    }
    assert all(url.startswith("http://packages.test:8443/") for url in endpoints.values())
    assert found["code_challenge_methods_supported"] == ["S256"]


def test_discovery_names_the_public_address_where_there_is_one(house: House) -> None:
    behind_proxy(house, "https://packages.example.org/")
    found = house.request("GET", WELL_KNOWN).json()
    begun = begin(house)

    assert found["issuer"] == "https://packages.example.org"
    assert found["token_endpoint"] == "https://packages.example.org/api/auth/token"
    assert begun["verification_uri"] == "https://packages.example.org/app/device"


# --- devices ----------------------------------------------------------------------------------


def test_device_is_told_where_to_send_its_person_and_how_often_to_ask(house: House) -> None:
    begun = begin(house)

    assert begun["verification_uri"] == "http://packhouse.test/app/device"
    assert begun["verification_uri_complete"].endswith(f"/app/device?user_code={begun['user_code']}")
    assert (begun["expires_in"], begun["interval"]) == (600, 2)


def test_device_with_an_old_key_begins_a_log_in_all_the_same(house: House) -> None:
    begin(house, authorization="Bearer expired-or-deleted")


@pytest.mark.parametrize(
    "fields",
    [
        {"grant_type": DEVICE_GRANT, "device_code": r"\ud800"},
        {"grant_type": "authorization_code", "code": "x", "code_verifier": r"\ud800"},
    ],
    ids=["device code", "verifier"],
)
def test_secret_that_is_no_text_is_refused(house: House, fields: dict[str, str]) -> None:
    headers, body = odd_form(client_id=CLIENT, **fields)

    assert_grant_refused(
        house.request("POST", "/api/auth/token", headers=headers, body=body), "invalid_grant"
    )


def test_access_token_is_a_session(house: House) -> None:
    token = access_token(house)

    assert house.request("GET", "/api/account", token).json()["username"] == "admin"
    facts = house.request("GET", "/api/account/token-info", token).json()
    assert (facts["name"], facts["type"]) == (None, "session")


def test_token_is_answered_as_oauth_has_it(house: House) -> None:
    begun = begin(house)
    allow(house, begun["user_code"])
    answer = ask(house, grant_type=DEVICE_GRANT, device_code=begun["device_code"], client_id=CLIENT)

    assert answer.json()["token_type"] == "Bearer"
    assert 3590 <= answer.json()["expires_in"] <= 3600
    assert answer.headers["cache-control"] == "no-store"


def test_device_that_nobody_has_answered_is_asked_to_wait(house: House) -> None:
    code = begin(house)["device_code"]

    answer = ask(house, grant_type=DEVICE_GRANT, device_code=code, client_id=CLIENT)
    assert_grant_refused(answer, "authorization_pending")


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({}, "invalid_request"),
        ({"grant_type": "password", "username": "admin", "password": "x"}, "unsupported_grant_type"),
        ({"grant_type": "refresh_token", "client_id": CLIENT}, "unsupported_grant_type"),
        ({"grant_type": DEVICE_GRANT, "device_code": "x"}, "invalid_request"),
        ({"grant_type": DEVICE_GRANT, "device_code": "x", "client_id": "another"}, "invalid_client"),
        ({"grant_type": DEVICE_GRANT, "device_code": "x", "client_id": CLIENT}, "invalid_grant"),
        ({"grant_type": DEVICE_GRANT, "client_id": CLIENT}, "invalid_grant"),
        ({"grant_type": "authorization_code", "client_id": CLIENT}, "invalid_grant"),
        (
            {"grant_type": "authorization_code", "client_id": CLIENT, "code": "\ud83d\ude00\0"},
            "invalid_grant",
        ),
    ],
)
def test_grant_that_cannot_be_given_is_refused_in_oauth_s_words(
    house: House, fields: dict[str, str], error: str
) -> None:
    fields = {
        name: value.encode("utf-16", "surrogatepass").decode("utf-16") for name, value in fields.items()
    }
    assert_grant_refused(ask(house, **fields), error)


@pytest.mark.parametrize("path", ["/api/auth/device", "/api/auth/token"])
@pytest.mark.parametrize(
    ("headers", "body"),
    [({}, b""), ({"content-type": "application/json"}, b'{"client_id": "x"}'), (FORM, b"client_id=%ff%00")],
)
def test_body_that_is_no_such_form_is_refused_in_oauth_s_words(
    house: House, path: str, headers: dict[str, str], body: bytes
) -> None:
    answer = house.request("POST", path, headers=headers, body=body)

    assert answer.status == 400
    assert answer.json()["error"] in ("invalid_request", "invalid_client")


NAMES = (
    "grant_type",
    "client_id",
    "device_code",
    "code",
    "redirect_uri",
    "code_verifier",
    "user_code",
    "answer",
)
WORDS = st.sampled_from([DEVICE_GRANT, "authorization_code", CLIENT, "allow", "admin", "\0", "BBBB-BBBB"])
FORMS = st.dictionaries(
    st.sampled_from(NAMES), WORDS | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
)


@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    st.sampled_from(["/api/auth/device", "/api/auth/token", "/app/device", "/app/authorize?client_id=x"]),
    FORMS,
)
def test_nothing_that_is_sent_breaks_a_log_in(house: House, path: str, form: dict[str, str]) -> None:
    assert post(house, path, **form).status < 500


# --- keys -------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/api/auth/api-keys", "/api/iam/api-keys"])
def test_session_gets_a_key_that_is_listed_and_can_be_deleted(house: House, path: str) -> None:
    body = {"scopes": ["cloud:read", "cloud:write", "repo:read"], "tags": ["anaconda-auth/v0.15.3"]}
    answer = house.request("POST", path, access_token(house), {"x-client-hostname": "kT9x"}, body)

    assert answer.status == 201
    key = answer.json()["api_key"]
    [listed] = house.request("GET", "/api/account/tokens", key).json()["items"]
    assert (listed["name"], listed["id"]) == ("anaconda-login:kT9x", answer.json()["id"])
    assert house.request("DELETE", f"/api/account/tokens/{listed['id']}", key).status == 204
    assert_refused(house.request("GET", "/api/account", key), 401, "auth_required", "API key was deleted")


@pytest.mark.parametrize("header", ["authorization", "x-auth"])
def test_key_is_a_credential_wherever_one_is(house: House, admin: str, header: str) -> None:
    house.channel("tools")
    key = house.request("POST", "/api/auth/api-keys", admin).json()["api_key"]
    sent = {header: f"Bearer {key}" if header == "authorization" else key}

    assert house.request("GET", "/api/channels/tools/history", headers=sent).status == 200
    assert house.request("POST", "/api/channels", headers=sent, json={"name": "more"}).status == 201


def test_key_opens_a_private_channel(house: House, admin: str) -> None:
    house.request("POST", "/api/channels", admin, json={"name": "closed", "privacy": "private"})
    key = house.request("POST", "/api/auth/api-keys", admin).json()["api_key"]
    path = "/api/repo/closed/noarch/repodata_shards.msgpack.zst"

    assert house.request("GET", path).status == 401
    assert house.request("GET", path, key).status == 200
    assert house.request("GET", path.replace("/repo/", f"/repo/t/{key}/")).status == 200


def test_token_gets_no_key(house: House, admin: str) -> None:
    order = {"name": "ci", "scopes": ["channel:view"]}
    token = house.request("POST", "/api/account/tokens", admin, json=order).json()["token"]

    assert_refused(house.request("POST", "/api/auth/api-keys", token), 403, "forbidden", "Log in")


def test_user_info_is_that_of_the_credential(house: House, admin: str) -> None:
    found = house.request("GET", "/api/auth/oauth2/userinfo", admin).json()

    assert (found["preferred_username"], found["organization_features"]) == ("admin", [])
    assert_refused(house.request("GET", "/api/auth/oauth2/userinfo"), 401, "auth_required")
