"""Every refusal of the application looks alike, wherever it comes from, and never is a 500."""

import re
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from packhouse.domain.channels import Privacy
from packhouse.storage import channels
from packhouse.storage.tables import grant
from tests.asgi import request
from tests.house import House
from tests.web.conftest import People, session
from tests.web.forms import assert_refused

ROUTES = [
    ("GET", "/channels"),
    ("POST", "/channels"),
    ("GET", "/account/channels"),
    ("GET", "/channels/{c}"),
    ("PUT", "/channels/{c}"),
    ("DELETE", "/channels/{c}"),
    ("GET", "/channels/{c}/history"),
    ("GET", "/channels/{c}/package-changes"),
    ("GET", "/channels/{c}/files"),
    ("GET", "/channels/{c}/artifacts"),
    ("POST", "/channels/{c}/artifacts"),
    ("PUT", "/channels/{c}/artifacts/bulk"),
    ("GET", "/channels/{c}/artifacts/conda/{c}/files"),
    ("GET", "/channels/{c}/subchannels"),
    ("POST", "/channels/{c}/subchannels"),
    ("GET", "/channels/{c}/subchannels/{c}"),
    ("PUT", "/channels/{c}/subchannels/{c}"),
    ("DELETE", "/channels/{c}/subchannels/{c}"),
    ("GET", "/channels/{c}/subchannels/{c}/history"),
    ("GET", "/channels/{c}/subchannels/{c}/package-changes"),
    ("GET", "/channels/{c}/subchannels/{c}/files"),
    ("GET", "/channels/{c}/subchannels/{c}/artifacts"),
    ("PUT", "/channels/{c}/subchannels/{c}/artifacts/bulk"),
    ("POST", "/channels/{c}/{c}/artifacts"),
    ("POST", "/namespace-channels"),
    ("POST", "/namespaces/{c}/channels/{c}/sharing"),
    ("GET", "/artifacts"),
    ("OPTIONS", "/uploads"),
    ("POST", "/uploads"),
    ("HEAD", "/uploads/{c}"),
    ("PATCH", "/uploads/{c}"),
    ("DELETE", "/uploads/{c}"),
    ("POST", "/auth/login"),
    ("GET", "/account"),
    ("PUT", "/account"),
    ("GET", "/account/me"),
    ("GET", "/account/tokens"),
    ("POST", "/account/tokens"),
    ("PUT", "/account/tokens/{c}"),
    ("DELETE", "/account/tokens/{c}"),
    ("GET", "/account/scopes"),
    ("GET", "/account/token-info"),
    ("GET", "/auth/organizations/my"),
    ("GET", "/auth/oauth2/userinfo"),
    ("POST", "/auth/api-keys"),
    ("GET", "/mirrors"),
    *(
        (method, f"{channel}/mirrors{rest}")
        for channel in ("/channels/{c}", "/channels/{c}/subchannels/{c}")
        for method, rest in (
            ("GET", ""),
            ("POST", ""),
            ("GET", "/{c}"),
            ("PUT", "/{c}"),
            ("DELETE", "/{c}"),
            ("POST", "/{c}/stop_mirror_sync"),
            ("POST", "/{c}/restart"),
            ("GET", "/{c}/runs"),
            ("GET", "/{c}/runs/{c}/changes"),
        )
    ),
]
ROOTS = ("/api", "/api/repo")


def test_every_route_of_the_api_is_in_the_list_that_is_fuzzed(house: House) -> None:
    described = house.request("GET", "/api/openapi.json").json()["paths"]
    known = {(method, re.sub(r"{\w+}|conda(?=/)", "*", path)) for method, path in ROUTES}
    aliases = {"/api/organizations/my", "/api/auth/account/profile", "/api/auth/account/me", "/api/logout"}
    aliases |= {
        "/api/auth/device",
        "/api/auth/token",
        "/api/system",
    }  # read no credential; fuzzed in `test_oauth.py`
    for path, operations in described.items():
        for method in operations:
            if (
                path.startswith("/api/")
                and path not in aliases
                and "/subchannels/{subchannel}/artifacts" not in path
            ):
                assert (method.upper(), re.sub(r"{\w+}", "*", path.removeprefix("/api"))) in known


@pytest.mark.parametrize("root", ROOTS)
def test_unknown_credential_is_refused_by_every_route(house: House, root: str) -> None:
    for method, path in ROUTES:
        if path == "/auth/login":
            continue
        answer = house.request(method, root + path.replace("{c}", "tools"), "unheard-of", json={})
        assert_refused(answer, 401, "auth_required")
        assert "Bearer" in answer.headers["www-authenticate"]


def test_refusal_is_an_object_for_whoever_is_refused(house: House, people: People) -> None:
    people.channel("tools", Privacy.PRIVATE)
    for method, path in ROUTES:
        for who in ("anonymous", "stranger", "viewer", "reader"):
            answer = house.request(method, f"/api{path.replace('{c}', 'tools')}", people[who], json={})
            if answer.status >= 400:
                assert_refused(answer, answer.status, answer.json()["code"])
            if answer.status == 401:
                assert "www-authenticate" in answer.headers


@pytest.mark.parametrize("root", ROOTS)
@pytest.mark.parametrize("path", ["/channel", "/channels/tools/nothing", "/mirror", "/system/x", "/v2/x"])
def test_address_of_nothing_is_404(house: House, root: str, path: str) -> None:
    assert_refused(house.request("GET", root + path), 404, "not_found")


@pytest.mark.parametrize("path", ["/", "/api", "/api/", "/favicon.ico", "/repo", "/t/x/y", "//", "/%00"])
def test_address_outside_the_api_is_404(house: House, path: str) -> None:
    assert_refused(house.request("GET", path), 404, "not_found")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PATCH", "/channels"),
        ("DELETE", "/channels"),
        ("POST", "/artifacts"),
        ("GET", "/auth/login"),
        ("POST", "/channels/tools"),
        ("GET", "/channels/tools/artifacts/bulk"),
        ("DELETE", "/account"),
    ],
)
def test_wrong_method_is_405_and_says_which_are_right(house: House, method: str, path: str) -> None:
    answer = house.request(method, f"/api{path}")
    if answer.status == 405:
        assert_refused(answer, 405, "method_not_allowed", f"does not take {method} requests")
        assert answer.headers["allow"]
    else:  # `bulk` may be read as something else's name
        assert_refused(answer, 404, "not_found")


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"{", "not valid JSON"),
        (b"", "body"),
        (b"null", "body"),
        (b"\xff\xfe", "body"),
        (b"[" * 50_000, ""),
        (b'{"name": ' + b"9" * 10_000 + b"}", ""),
        (b'{"name": "a", "name": 5}', "name"),
        (b'{"name": "\\ud800"}', ""),
        (b'{"name": "' + b"a" * 1_000_000 + b'"}', "longer than"),
    ],
)
def test_body_that_cannot_be_read_is_refused(house: House, admin: str, body: bytes, says: str) -> None:
    headers = {"content-type": "application/json"}
    answer = house.request("POST", "/api/channels", admin, headers, body=body)
    assert_refused(answer, 400, "invalid", says)
    assert len(answer.body) < 1_000


def test_body_is_read_as_json_though_its_type_is_not_told(house: House, admin: str) -> None:
    """Clients of years ago do not say that they send JSON."""
    answer = house.request("POST", "/api/channels", admin, body=b'{"name": "tools"}')
    assert answer.status == 201


class Swallowed:
    """The framework raises an error again once it is answered, for the server's log."""

    def __init__(self, application: Any) -> None:
        self.application = application

    async def __call__(self, *given: Any) -> None:
        with suppress(Exception):
            await self.application(*given)


def test_what_goes_wrong_inside_is_for_the_log_alone(house: House) -> None:
    grant.drop(house.packhouse.database.engine)
    house.application.api.state.packhouse = house.packhouse
    headers = {"authorization": f"Bearer {session(house, 'admin')}"}
    with capture_logs() as logs:
        answer = request(Swallowed(house.application), "GET", "/api/channels", headers)
    assert_refused(answer, 500, "internal", "its log says what")
    assert logs[0]["event"] == "internal_error"
    assert "grant" in str(logs[0]["exc_info"])


# --- fuzz -------------------------------------------------------------------------------------

TEXTS = st.text(max_size=12) | st.sampled_from(
    ["tools", "demo", "a\0b", "..", "%00", "a/b", "\ud800", "x" * 300]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
FIELDS = (
    *("name", "privacy", "description", "indexing_behavior", "channel_name", "namespace", "action", "user"),
    *("grant", "items", "target_channel", "target_subchannel", "scopes", "resources", "expires_at"),
    *("username", "password"),
)
WORDS = st.sampled_from(
    [
        "public",
        "private",
        "frozen",
        "default",
        "delete",
        "copy",
        "move",
        "share",
        "unshare",
        "read",
        "tools",
        "tools/stage",
        "admin",
        "conda",
        "2030-01-01",
        "0000-00-00",
        "channel:view",
    ]
)
ITEMS = st.lists(st.dictionaries(st.sampled_from(["name", "family", "ckey"]), WORDS | VALUES), max_size=2)
BODIES = VALUES | st.dictionaries(st.sampled_from(FIELDS), WORDS | ITEMS | VALUES, max_size=6)
SEGMENTS = WORDS | st.text(max_size=8).map(lambda text: "".join(f"%{byte:02x}" for byte in text.encode()))
QUERIES = st.lists(
    st.tuples(
        st.sampled_from(["offset", "limit", "sort", "q", "platform", "family", "include_subchannels"]),
        st.integers().map(str) | SEGMENTS | st.sampled_from(["-name", "name", "true", "%00", "%ff"]),
    ),
    max_size=3,
).map(lambda pairs: "&".join(f"{name}={value}" for name, value in pairs))


@dataclass
class Fuzzed:
    house: House
    token: str

    def refill(self) -> None:
        """What an example before this one may have deleted."""
        with self.house.packhouse.database.reading() as connection:
            if channels.find(connection, "tools/stage") is not None:
                return
            is_there = channels.find(connection, "tools") is not None
        for path in ("tools/stage",) if is_there else ("tools", "tools/stage"):
            self.house.channel(path)
        self.house.publish("tools", "demo")


@pytest.fixture
def fuzzed(any_house: House) -> Fuzzed:
    return Fuzzed(any_house, session(any_house, "admin"))


@given(st.sampled_from(ROUTES), st.lists(SEGMENTS, min_size=2, max_size=2), QUERIES, BODIES, st.booleans())
@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_nothing_that_is_sent_breaks_the_api(
    fuzzed: Fuzzed, route: tuple[str, str], segments: list[str], query: str, body: Any, is_known: bool
) -> None:
    method, path = route
    fuzzed.refill()
    for segment in ["tools", "stage"] if is_known else segments:
        path = path.replace("{c}", segment or "x", 1)
    sent = None if method in ("GET", "DELETE") else body
    answer = fuzzed.house.request(method, f"/api{path}?{query}", fuzzed.token, json=sent)
    assert answer.status < 500, answer.body
    if answer.status >= 400:
        assert_refused(answer, answer.status, answer.json()["code"])
