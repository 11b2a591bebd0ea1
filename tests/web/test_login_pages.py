"""The pages of the log-in: what they ask, whom they refuse, and what a browser is allowed to do with them."""

import hashlib
import re
from base64 import b64encode
from html import unescape
from html.parser import HTMLParser
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from packhouse.actions.passwords import FAILURES_ALLOWED
from packhouse.domain.authorization_codes import challenge_of
from packhouse.domain.oauth import CLIENTS
from tests.asgi import Response
from tests.house import PASSWORD, House
from tests.web.test_oauth import CLIENT, FORM, ask, begin, behind_proxy, odd_form, post

VERIFIER = "v" * 64
ASKED = {
    "client_id": CLIENT,
    "response_type": "code",
    "redirect_uri": "http://127.0.0.1:8000/auth/oidc",
    "state": "a state",
    "code_challenge": challenge_of(VERIFIER),
    "code_challenge_method": "S256",
}
PAGES = (
    *("/app/device", "/app/device?user_code=BBBB-BBBB", f"/app/authorize?{urlencode(ASKED)}"),
    *("/app/authorize", "/app/local-login-success", "/app/local-login-error"),
)


def text(answer: Response) -> str:
    """What a person reads."""
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    return " ".join(
        unescape(re.sub(r"<style>.*?</style>|<[^>]+>", " ", answer.body.decode(), flags=re.S)).split()
    )


def send(
    house: House, user_code: str, answer: str = "allow", password: str = PASSWORD, **headers: str
) -> Response:
    form = {"user_code": user_code, "username": "admin", "password": password, "answer": answer}
    return post(
        house, "/app/device", {name.replace("_", "-"): value for name, value in headers.items()}, **form
    )


def state(house: House, device_code: str) -> str:
    """What the device is told: `ok`, or the word of the refusal."""
    grant = "urn:ietf:params:oauth:grant-type:device_code"
    answer = ask(house, grant_type=grant, device_code=device_code, client_id=CLIENT)
    return "ok" if answer.status == 200 else str(answer.json()["error"])


# --- devices ----------------------------------------------------------------------------------


def test_page_asks_for_the_code_that_the_address_does_not_have(house: House) -> None:
    answer = house.request("GET", "/app/device")

    assert answer.status == 200
    assert "Code that the terminal shows" in text(answer)


def test_page_names_program_host_address_and_code(house: House) -> None:
    code = begin(house, **{"x-client-hostname": "<b>laptop</b>"})["user_code"]
    shown = text(house.request("GET", f"/app/device?user_code={code.lower().replace('-', '')}"))

    assert all(word in shown for word in (code, "Anaconda command line", "<b>laptop</b>", "127.0.0.1"))


def test_allowed_device_is_let_in_once(any_house: House) -> None:
    begun = begin(any_house)
    answer = send(any_house, begun["user_code"])

    assert (answer.status, "You are logged in" in text(answer)) == (200, True)
    assert [state(any_house, begun["device_code"]) for _ in range(2)] == ["ok", "invalid_grant"]


def test_denied_device_is_not_and_no_password_is_needed(house: House) -> None:
    begun = begin(house)
    answer = send(house, begun["user_code"], "deny", "")

    assert (answer.status, "was not let in" in text(answer)) == (200, True)
    assert state(house, begun["device_code"]) == "access_denied"


@pytest.mark.parametrize("answer", ["", "yes", "ALLOW"])
def test_nothing_but_the_one_word_is_leave(house: House, answer: str) -> None:
    begun = begin(house)
    send(house, begun["user_code"], answer)

    assert state(house, begun["device_code"]) == "access_denied"


def test_wrong_password_is_said_and_the_question_stays(house: House) -> None:
    begun = begin(house)
    answer = send(house, begun["user_code"], password="wrong")

    assert answer.status == 403
    assert "www-authenticate" not in answer.headers
    assert "The user name or the password is wrong." in text(answer)
    assert 'value="admin"' in answer.body.decode()
    assert "wrong" not in re.findall(r'value="([^"]*)"', answer.body.decode())
    assert send(house, begun["user_code"]).status == 200


def test_too_many_wrong_passwords_are_refused_with_when_to_come_back(house: House) -> None:
    code = begin(house)["user_code"]
    for _ in range(FAILURES_ALLOWED):
        send(house, code, password="wrong")

    answer = send(house, code, password="wrong")
    assert (answer.status, "Too many failed log-ins" in text(answer)) == (429, True)
    assert int(answer.headers["retry-after"]) > 0


@pytest.mark.parametrize("code", ["BBBB-BBBB", "x", "\0", "'\"><script>alert(1)</script>"])
def test_unknown_code_is_not_found(house: House, code: str) -> None:
    for answer in (house.request("GET", f"/app/device?{urlencode({'user_code': code})}"), send(house, code)):
        assert (answer.status, "unknown" in text(answer)) == (404, True)
        assert b"<script" not in answer.body


def test_guessing_codes_is_stopped(house: House) -> None:
    statuses = [
        house.request("GET", "/app/device?user_code=BBBB-BBBB").status for _ in range(FAILURES_ALLOWED + 1)
    ]

    assert statuses == [404] * FAILURES_ALLOWED + [429]


def test_guessers_behind_a_proxy_are_told_apart(house: House) -> None:
    behind_proxy(house, "https://packages.example.org")
    seen = [{"x-forwarded-for": f"1.2.3.4, 192.0.2.{number // 11}"} for number in range(12)]
    path = "/app/device?user_code=BBBB-BBBB"
    statuses = [house.request("GET", path, headers=headers).status for headers in seen]

    assert statuses == [404] * 10 + [429, 404]


def test_name_that_is_no_text_is_asked_again(house: House) -> None:
    code = begin(house)["user_code"]
    headers, body = odd_form(user_code=code, answer="allow", username=r"\ud800", password="x")
    answer = house.request("POST", "/app/device", headers=headers, body=body)

    assert (answer.status, code in text(answer)) == (403, True)


# --- other sites ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "cross-site", "origin": "http://packhouse.test"},
        {"origin": "https://evil.example"},
        {"origin": "http://packhouse.test.evil.example"},
        {"origin": "null"},
    ],
)
def test_form_of_another_site_is_refused(house: House, headers: dict[str, str]) -> None:
    begun = begin(house)
    answer = send(house, begun["user_code"], **headers)

    assert (answer.status, "another site" in text(answer)) == (403, True)
    assert state(house, begun["device_code"]) == "authorization_pending"
    assert (
        sent_back(house, headers={name.replace("_", "-"): value for name, value in headers.items()}) is None
    )


@pytest.mark.parametrize(
    "headers",
    [{}, {"sec_fetch_site": "same-origin"}, {"sec_fetch_site": "none"}, {"origin": "http://packhouse.test"}],
)
def test_own_form_is_taken(house: House, headers: dict[str, str]) -> None:
    assert send(house, begin(house)["user_code"], **headers).status == 200


# --- programs on the same machine -------------------------------------------------------------


def sent_back(
    house: House, answer: str = "allow", password: str = PASSWORD, headers: dict[str, str] | None = None
) -> dict[str, list[str]] | None:
    """What the program is told by way of the browser; None if the browser stays on the page."""
    form = {"username": "admin", "password": password, "answer": answer}
    found = post(house, f"/app/authorize?{urlencode(ASKED)}", headers, **form)
    if found.status != 303:
        return None
    location = found.headers["location"]
    assert location.startswith("http://127.0.0.1:8000/auth/oidc?")
    return parse_qs(urlsplit(location).query)


def test_allowed_program_gets_a_code_that_opens_a_session(any_house: House) -> None:
    house = any_house
    told = sent_back(house)

    assert told is not None
    assert (set(told), told["state"]) == ({"code", "state"}, ["a state"])
    fields = {"code": told["code"][0], "client_id": CLIENT, "code_verifier": VERIFIER}
    answer = ask(house, grant_type="authorization_code", redirect_uri=ASKED["redirect_uri"], **fields)
    token = answer.json()["access_token"]
    assert house.request("GET", "/api/account", token).json()["username"] == "admin"


def test_denied_program_is_told_so(house: House) -> None:
    told = sent_back(house, "deny", "")

    assert told is not None
    assert (told["error"], told["state"], "code" in told) == (["access_denied"], ["a state"], False)


def test_wrong_password_stays_on_the_page(house: House) -> None:
    assert sent_back(house, password="wrong") is None


@pytest.mark.parametrize(
    "change",
    [
        {"client_id": "another"},
        {"redirect_uri": "https://evil.example/"},
        {"redirect_uri": ""},
        {"client_id": ""},
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_nobody_is_answered_who_may_not_be(house: House, change: dict[str, str], method: str) -> None:
    path = f"/app/authorize?{urlencode({**ASKED, **change})}"
    answer = house.request(method, path, headers=FORM, body=b"answer=allow&username=admin")

    assert answer.status == 400
    assert "location" not in answer.headers
    assert "cannot go on" in text(answer)


def test_program_is_told_what_it_asked_wrongly(house: House) -> None:
    answer = house.request("GET", f"/app/authorize?{urlencode({**ASKED, 'code_challenge': ''})}")

    told = parse_qs(urlsplit(answer.headers["location"]).query)
    assert (answer.status, told["error"], told["state"]) == (303, ["invalid_request"], ["a state"])


# --- what a browser may do --------------------------------------------------------------------


@pytest.mark.parametrize("path", PAGES)
def test_page_allows_no_script_no_frame_and_leaves_no_trace(house: House, path: str) -> None:
    answer = house.request("GET", path)

    policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert policy["form-action"].split(" ")[0] == "'self'"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert "set-cookie" not in answer.headers
    [style] = re.findall(r"<style>(.*?)</style>", answer.body.decode(), re.S)
    digest = b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy["style-src"] == f"'sha256-{digest}'"


def test_only_the_page_that_sends_back_may_lead_to_the_program(house: House) -> None:
    asked = house.request("GET", f"/app/authorize?{urlencode(ASKED)}").headers["content-security-policy"]
    other = house.request("GET", "/app/device").headers["content-security-policy"]

    assert "form-action 'self' http://127.0.0.1:8000;" in asked
    assert "form-action 'self';" in other


class Elements(HTMLParser):
    """The elements of a page with their attributes."""

    def __init__(self, body: bytes) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(body.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


@pytest.mark.parametrize("path", [*PAGES, "a device"])
def test_page_can_be_used_by_everybody(house: House, path: str) -> None:
    if path == "a device":
        path = f"/app/device?user_code={begin(house)['user_code']}"
    page = Elements(house.request("GET", path).body)

    assert page.of("html") == [{"lang": "en"}]
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in page.of("meta")
    assert len(page.of("h1")) == len(page.of("title")) == len(page.of("main")) == 1
    visible = {one["id"] for one in page.of("input") if one.get("type") != "hidden"}
    assert visible == {one["for"] for one in page.of("label")}
    assert not [
        one for _, one in page.found if {name for name in one if name.startswith("on") or name == "style"}
    ]
    assert not page.of("script")


def test_every_known_client_has_a_name_for_people() -> None:
    assert all(name.strip() for name in CLIENTS.values())
