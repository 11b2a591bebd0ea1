"""The account routes as clients call them, and the one shape of every refusal."""

import asyncio
import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from packhouse import errors
from packhouse.actions.authenticate import Credential
from packhouse.actions.packhouse import Packhouse
from packhouse.actions.users import create_user
from packhouse.domain.access import SCOPES, Role
from packhouse.errors import PackhouseError, TooManyRequests, Unauthenticated
from packhouse.settings import load_settings
from packhouse.storage.blobs import open_blobs
from packhouse.storage.database import Database
from packhouse.storage.tables import metadata
from packhouse.web.api import account, auth
from packhouse.web.credentials import find_credential
from packhouse.web.errors import error_body, install_error_handlers, status_of

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
PASSWORD = "a good password"


class InProcess(httpx.BaseTransport):
    """Sends requests to an application of this process, as a server would: a crash becomes a 500."""

    def __init__(self, app: FastAPI) -> None:
        self.inner = httpx.ASGITransport(app, raise_app_exceptions=False)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return asyncio.run(self._answer(request))

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        answer = await self.inner.handle_async_request(request)
        return httpx.Response(answer.status_code, headers=answer.headers, content=await answer.aread())


def calling(app: FastAPI) -> httpx.Client:
    return httpx.Client(transport=InProcess(app), base_url="http://packhouse.test")


@pytest.fixture
def packhouse(tmp_path: Path) -> Iterator[Packhouse]:
    settings = load_settings(data_dir=tmp_path)
    database = Database(settings.effective_database_url)
    with database.transaction() as connection:
        metadata.create_all(connection)
    yield Packhouse(settings, database, open_blobs(str(tmp_path / "blobs"), {}), lambda: NOW)
    database.close()


@pytest.fixture
def app(packhouse: Packhouse) -> FastAPI:
    app = FastAPI()
    app.state.packhouse = packhouse
    install_error_handlers(app)
    for prefix in ("/api", "/api/repo"):
        for router in (account.router, auth.router):
            app.include_router(router, prefix=prefix)
    return app


@pytest.fixture
def client(app: FastAPI, packhouse: Packhouse) -> Iterator[httpx.Client]:
    """Anonymous; there is a user `ann`."""
    create_user(packhouse, None, "ann", PASSWORD, Role.AUTHOR, "ann@example.org")
    with calling(app) as client:
        yield client


@pytest.fixture
def session(client: httpx.Client) -> dict[str, str]:
    answer = client.post("/api/auth/login", json={"username": "ann", "password": PASSWORD})
    return {"Authorization": f"Bearer {answer.json()['token']}"}


def basic(username: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


def order(client: httpx.Client, session: dict[str, str], **body: Any) -> Any:
    return client.post("/api/account/tokens", headers=session, json={"name": "ci", **body})


def assert_envelope(answer: Any, status: int, code: str) -> str:
    """`error` an object, never text or a list: anaconda-auth reads `body.error.code` of every refusal."""
    body = answer.json()
    assert answer.status_code == status
    assert set(body) == {"error", "code", "message"}
    assert body["error"] == {"code": code, "message": body["message"]}
    assert body["code"] == code
    message: str = body["message"]
    return message


# --- log in and out ---------------------------------------------------------------------------


def test_log_in_answers_a_token_with_the_roles_that_the_old_client_reads(client: httpx.Client) -> None:
    answer = client.post("/api/auth/login", json={"username": "ann", "password": PASSWORD})

    payload = answer.json()["token"].split(".")[1]
    claims = json.loads(base64.b64decode(payload + "=" * (-len(payload) % 4), validate=True))
    assert answer.status_code == 200
    assert claims["realm_access"]["roles"] == ["author"]
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("username", ["ann", "bob"])
def test_failed_log_in_does_not_tell_who_is_here(client: httpx.Client, username: str) -> None:
    answer = client.post("/api/auth/login", json={"username": username, "password": "wrong password"})

    message = assert_envelope(answer, 401, "auth_required")
    assert message == "The user name or the password is wrong."


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "body is missing"),
        (b"{", "not valid JSON"),
        (b"[]", "JSON object"),
        (b'"ann"', "JSON object"),
        (b"\xff\xfe", "not valid JSON"),
        (b'{"username": "ann"}', "Field 'password' of the body: Field required"),
        (b'{"username": "ann", "password": 12345678}', "Field 'password' of the body"),
        (b"[" * 100_000, ""),
    ],
)
def test_log_in_with_a_body_of_another_shape_is_refused_and_says_why(
    client: httpx.Client, body: bytes, problem: str
) -> None:
    answer = client.post("/api/auth/login", content=body)

    assert problem in assert_envelope(answer, 400, "invalid")


@pytest.mark.parametrize("body", [{"name": "\ud800"}, {"scopes": ["\ud800"]}, {"expires_at": "\ud800"}])
def test_lone_surrogate_is_refused_in_an_answer_that_can_be_sent(
    client: httpx.Client, session: dict[str, str], body: dict[str, Any]
) -> None:
    complete = json.dumps({"name": "ci", "scopes": ["channel:view"], **body})
    answer = client.post("/api/account/tokens", headers=session, content=complete)

    assert_envelope(answer, 400, "invalid")


def test_refused_body_is_not_repeated(client: httpx.Client) -> None:
    answer = client.post("/api/auth/login", json={"username": 1, "password": ["hunter2-hunter2"]})

    assert "hunter2" not in answer.text


def test_log_in_needs_no_content_type(client: httpx.Client) -> None:
    body = json.dumps({"username": "ann", "password": PASSWORD}).encode()

    assert client.post("/api/auth/login", content=body).status_code == 200


def test_too_many_failures_are_429_with_the_time_to_wait(client: httpx.Client) -> None:
    wrong = {"username": "ann", "password": "wrong password"}
    for _ in range(10):
        client.post("/api/auth/login", json=wrong)

    answer = client.post("/api/auth/login", json=wrong)
    assert_envelope(answer, 429, "too_many_requests")
    assert answer.headers["retry-after"] == "300"


def test_log_out_ends_the_session(client: httpx.Client, session: dict[str, str]) -> None:
    answer = client.post("/api/logout", headers=session)

    assert (answer.status_code, answer.content) == (204, b"")
    assert client.get("/api/account", headers=session).status_code == 401


# --- account ----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/account", "/account/me", "/auth/account/profile", "/auth/account/me"])
@pytest.mark.parametrize("mount", ["/api", "/api/repo"])
def test_account_suits_both_kinds_of_clients(
    client: httpx.Client, session: dict[str, str], mount: str, path: str
) -> None:
    body = client.get(mount + path, headers=session).json()

    user_id = body["user_id"]
    assert body == {
        "user_id": user_id,
        "username": "ann",
        "email": "ann@example.org",
        "roles": ["author"],
        "dbroles": ["author"],
        "default_channel_name": None,
        "user": {
            "id": user_id,
            "username": "ann",
            "email": "ann@example.org",
            "first_name": "",
            "last_name": "",
        },
        "profile": {"is_confirmed": True, "is_disabled": False, "is_consented": True},
        "subscriptions": [],
    }


@pytest.mark.parametrize("path", ["/api/auth/organizations/my", "/api/repo/organizations/my"])
def test_there_are_no_organizations(client: httpx.Client, session: dict[str, str], path: str) -> None:
    assert client.get(path, headers=session).json() == []


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/account"),
        ("PUT", "/account"),
        ("GET", "/account/me"),
        ("GET", "/account/token-info"),
        ("GET", "/account/tokens"),
        ("PUT", "/account/tokens/1"),
        ("DELETE", "/account/tokens/1"),
        ("GET", "/account/scopes"),
        ("POST", "/logout"),
        ("GET", "/auth/account/profile"),
        ("GET", "/auth/account/me"),
        ("GET", "/auth/organizations/my"),
    ],
)
def test_anonymous_request_is_asked_to_log_in(client: httpx.Client, method: str, path: str) -> None:
    answer = client.request(method, f"/api{path}")

    assert_envelope(answer, 401, "auth_required")
    assert answer.headers["www-authenticate"] == 'Basic realm="packhouse", Bearer realm="packhouse"'


def test_anonymous_order_of_a_token_is_asked_to_log_in(client: httpx.Client) -> None:
    assert_envelope(order(client, {}, scopes=["channel:view"]), 401, "auth_required")


# --- tokens -----------------------------------------------------------------------------------


def test_log_in_sequence_of_conda_repo_ends_with_a_token_that_works(
    client: httpx.Client, session: dict[str, str]
) -> None:
    assert client.get("/api/account/tokens", headers=session).json()["items"] == []
    scopes = client.get("/api/account/scopes", headers=session).json()["scopes"]
    made = order(client, session, name="repo-cli-token-host", expires_at="2030-01-31", scopes=scopes)
    item = client.get("/api/account/tokens", headers=session).json()["items"][0]
    refreshed = client.put(f"/api/account/tokens/{item['id']}", headers=session, json={})

    assert scopes == list(SCOPES)
    assert (made.status_code, made.json()["id"]) == (200, item["id"])
    assert (refreshed.status_code, refreshed.json()["id"]) == (200, item["id"])
    x_auth = {"X-Auth": refreshed.json()["token"]}
    assert client.get("/api/account", headers=x_auth).json()["username"] == "ann"
    assert client.get("/api/account", headers={"X-Auth": made.json()["token"]}).status_code == 401


def test_listed_token_has_what_clients_read(client: httpx.Client, session: dict[str, str]) -> None:
    made = order(client, session, expires_at="2030-01-31", scopes=["channel:view"]).json()
    body = client.get("/api/account/tokens", headers=session).json()

    assert body["total_count"] == 1
    assert body["items"] == [
        {
            "id": made["id"],
            "name": "ci",
            "metadata": None,
            "type": "scope",
            "created_at": "2030-01-01T12:00:00+00:00",
            "expires_at": "2030-01-31T23:59:59+00:00",
            "last_used_at": None,
            "scopes": ["channel:view"],
            "resources": [],
        }
    ]


def test_secret_of_a_token_is_in_no_other_answer(client: httpx.Client, session: dict[str, str]) -> None:
    made = order(client, session, scopes=["channel:view"])

    assert made.headers["cache-control"] == "no-store"
    for path in ("/account/tokens", "/account/token-info", "/account"):
        assert made.json()["token"] not in client.get(f"/api{path}", headers=session).text


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("2030-01-01", "2030-01-01T23:59:59+00:00"),
        ("2031-06-30T08:00:00Z", "2031-06-30T08:00:00+00:00"),
        ("2031-06-30T08:00:00+02:00", "2031-06-30T06:00:00+00:00"),
        ("2031-06-30T08:00:00", "2031-06-30T08:00:00+00:00"),
        (None, None),
    ],
)
def test_expiry_is_a_whole_day_or_a_time(
    client: httpx.Client, session: dict[str, str], sent: str | None, kept: str | None
) -> None:
    order(client, session, expires_at=sent, scopes=["channel:view"])

    item = client.get("/api/account/tokens", headers=session).json()["items"][0]
    assert item["expires_at"] == kept


@pytest.mark.parametrize(
    "expires_at", ["tomorrow", "2030-02-30", "9999-12-31T23:59:59-14:00", "", [], {}, True, "2030-1-1"]
)
def test_expiry_that_is_no_date_is_refused_by_name(
    client: httpx.Client, session: dict[str, str], expires_at: Any
) -> None:
    answer = order(client, session, expires_at=expires_at, scopes=["channel:view"])

    assert "'expires_at'" in assert_envelope(answer, 400, "invalid")


def test_expiry_in_the_past_is_refused(client: httpx.Client, session: dict[str, str]) -> None:
    answer = order(client, session, expires_at="2029-12-31", scopes=["channel:view"])

    assert "2029-12-31 23:59 UTC is in the past" in assert_envelope(answer, 400, "invalid")


@pytest.mark.parametrize(
    "resource",
    [
        {"resource_type": "channel", "resource_id": "lab", "permission": "own"},
        {"resource_type": "planet", "resource_id": "lab", "permission": "read"},
        {"resource_type": "channel", "permission": "read"},
        "lab",
    ],
)
def test_resource_of_wrong_shape_is_refused_by_name(
    client: httpx.Client, session: dict[str, str], resource: Any
) -> None:
    answer = order(client, session, resources=[resource])

    assert "'resources.0" in assert_envelope(answer, 400, "invalid")


def test_scopes_and_resources_together_are_refused(client: httpx.Client, session: dict[str, str]) -> None:
    resource = {"resource_type": "channel", "resource_id": "lab", "permission": "read"}
    answer = order(client, session, scopes=["channel:view"], resources=[resource])

    assert_envelope(answer, 400, "invalid")


def test_token_info_tells_when_the_presented_token_expires(
    client: httpx.Client, session: dict[str, str]
) -> None:
    secret = order(client, session, expires_at="2030-01-31", scopes=["channel:view"]).json()["token"]

    by_token = client.get("/api/account/token-info", headers={"X-Auth": secret}).json()
    by_session = client.get("/api/account/token-info", headers=session).json()
    assert by_token == {"name": "ci", "type": "scope", "expires_at": "2030-01-31T23:59:59+00:00"}
    assert by_session == {"name": None, "type": "session", "expires_at": "2030-01-01T13:00:00+00:00"}


def test_deleted_token_is_gone(client: httpx.Client, session: dict[str, str]) -> None:
    made = order(client, session, scopes=["channel:view"]).json()

    first, second = (client.delete(f"/api/account/tokens/{made['id']}", headers=session) for _ in range(2))
    assert (first.status_code, first.content) == (204, b"")
    assert_envelope(second, 404, "not_found")
    assert_envelope(client.get("/api/account", headers={"X-Auth": made["token"]}), 401, "auth_required")


def test_token_cannot_make_a_wider_one(client: httpx.Client, session: dict[str, str]) -> None:
    secret = order(client, session, scopes=["channel:view"]).json()["token"]

    assert_envelope(order(client, {"X-Auth": secret}, scopes=["channel:edit"]), 403, "forbidden")


# --- credentials ------------------------------------------------------------------------------


def test_every_way_to_send_a_token_works(client: httpx.Client, session: dict[str, str]) -> None:
    secret = order(client, session, scopes=["channel:view"]).json()["token"]
    for headers in (
        {"X-Auth": secret},
        {"Authorization": f"Bearer {secret}"},
        {"Authorization": f"bearer  {secret} "},
        {"Authorization": f"token {secret}"},
        {"Authorization": basic("anybody", secret)},
        {"Authorization": basic("", secret)},
        {"Authorization": basic(secret, "")},
    ):
        assert client.get("/api/account", headers=headers).json()["username"] == "ann", headers


def test_session_is_accepted_as_x_auth(client: httpx.Client, session: dict[str, str]) -> None:
    token = session["Authorization"].removeprefix("Bearer ")

    assert client.get("/api/account", headers={"X-Auth": token}).status_code == 200


def test_user_name_and_password_are_accepted(client: httpx.Client) -> None:
    answer = client.get("/api/account", headers={"Authorization": basic("ann", PASSWORD)})

    assert answer.json()["username"] == "ann"


def test_unknown_token_is_refused_and_not_repeated(client: httpx.Client) -> None:
    secret = "0123456789abcdef" * 3
    for headers in ({"X-Auth": secret}, {"Authorization": basic("ann", secret)}):
        answer = client.get("/api/account", headers=headers)
        assert secret not in assert_envelope(answer, 401, "auth_required")


@pytest.mark.parametrize(
    "headers",
    [
        [(b"x-auth", b"")],
        [(b"x-auth", b"two words")],
        [(b"x-auth", b"caf\xe9")],
        [(b"x-auth", b"x" * 4097)],
        [(b"authorization", b"")],
        [(b"authorization", b"Bearer")],
        [(b"authorization", b"Bearer ")],
        [(b"authorization", b"Digest username=ann")],
        [(b"authorization", b"secret-without-scheme")],
        [(b"authorization", b"Basic")],
        [(b"authorization", b"Basic ***")],
        [(b"authorization", b"Basic \xe9")],
        [(b"authorization", b"Basic " + base64.b64encode(b"no colon"))],
        [(b"authorization", b"Basic " + base64.b64encode(b":"))],
    ],
)
def test_malformed_credential_is_refused_and_not_taken_for_nobody(headers: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(Unauthenticated) as refused:
        find_credential(headers, None)

    assert "secret-without-scheme" not in refused.value.message


def test_malformed_token_in_the_path_is_refused() -> None:
    with pytest.raises(Unauthenticated, match="token in the address"):
        find_credential([], "a b")


def test_no_credential_is_none() -> None:
    assert find_credential([(b"accept", b"*/*")], None) is None


def test_header_wins_over_the_path_and_x_auth_over_authorization() -> None:
    authorization, x_auth = (b"authorization", b"Bearer two"), (b"x-auth", b"one")

    assert find_credential([authorization, x_auth], "three") == Credential("one")
    assert find_credential([authorization], "three") == Credential("two")
    assert find_credential([], "three") == Credential("three")


@given(st.text().filter(lambda text: ":" not in text), st.text(min_size=1))
def test_basic_credential_is_read_whatever_it_holds(username: str, password: str) -> None:
    header = basic(username, password).encode()

    assert find_credential([(b"authorization", header)], None) == Credential(password, username or None)


@given(st.sampled_from([b"x-auth", b"authorization"]), st.binary())
def test_any_bytes_are_a_credential_or_refused(name: bytes, value: bytes) -> None:
    try:
        found = find_credential([(name, value)], None)
    except Unauthenticated:
        return
    assert found is not None
    assert found.secret


# --- errors -----------------------------------------------------------------------------------


def every_error() -> list[type[PackhouseError]]:
    return [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, PackhouseError) and kind is not PackhouseError
    ]


EXPECTED_STATUSES = {
    "Invalid": 400,
    "InvalidPackage": 400,
    "TooLarge": 413,
    "GrantRefused": 400,
    "Unauthenticated": 401,
    "TooManyRequests": 429,
    "Busy": 503,
    "Forbidden": 403,
    "NotFound": 404,
    "Conflict": 409,
    "Frozen": 400,
    "Interrupted": 400,
    "ChecksumMismatch": 460,
    "StorageFull": 507,
    "Corrupt": 500,
    "UpstreamError": 502,
    "UpstreamRefused": 502,
    "UpstreamUnreachable": 502,
    "UpstreamAnswered": 502,
    "UpstreamLied": 502,
    "Stopped": 503,
}


def test_every_error_has_a_status() -> None:
    assert {kind.__name__ for kind in every_error()} == set(EXPECTED_STATUSES)


# OAuth's own body, in place of the envelope, is in `test_oauth.py`
@pytest.mark.parametrize("kind", [kind for kind in every_error() if kind is not errors.GrantRefused])
def test_error_becomes_its_status_and_the_envelope(app: FastAPI, kind: type[PackhouseError]) -> None:
    takes_a_number = kind in (TooManyRequests, errors.Busy, errors.UpstreamAnswered)
    error = kind("a sentence", 1) if takes_a_number else kind("a sentence")

    @app.get("/fails")
    def fail() -> None:
        raise error

    with calling(app) as client, capture_logs():
        answer = client.get("/fails")
    assert assert_envelope(answer, EXPECTED_STATUSES[kind.__name__], kind.code) == "a sentence"
    assert answer.status_code == status_of(error)
    assert answer.json() == error_body(error)


def test_unknown_address_is_not_found(client: httpx.Client) -> None:
    assert_envelope(client.get("/api/nowhere"), 404, "not_found")


def test_unknown_method_is_refused_with_those_that_are_known(client: httpx.Client) -> None:
    answer = client.delete("/api/auth/login")

    assert "DELETE" in assert_envelope(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "POST"


def test_unexpected_failure_is_logged_and_tells_the_client_nothing(app: FastAPI) -> None:
    @app.get("/fails")
    def fail() -> None:
        raise RuntimeError("the secret is 42")

    with calling(app) as client, capture_logs() as logs:
        answer = client.get("/fails")
    assert "42" not in assert_envelope(answer, 500, "internal")
    assert str(logs[0]["exc_info"]) == "the secret is 42"


# --- the API's description --------------------------------------------------------------------


def test_openapi_shows_the_envelope_as_every_routes_refusal(app: FastAPI) -> None:
    description = app.openapi()

    operations = [
        operation
        for path, methods in description["paths"].items()
        for operation in methods.values()
        if path.startswith("/api")
    ]
    assert len(operations) >= 24
    for operation in operations:
        assert "422" not in operation["responses"]
        schema = operation["responses"]["default"]["content"]["application/json"]["schema"]
        assert schema == {"$ref": "#/components/schemas/ErrorBody"}
        assert operation["description"]


def test_openapi_names_each_operation_once(app: FastAPI) -> None:
    names = [
        operation["operationId"] for path in app.openapi()["paths"].values() for operation in path.values()
    ]

    assert len(names) == len(set(names))
