"""Log lines: one an event, for people or programs, without secrets."""

import base64
import io
import json
import logging
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from packhouse.logs import configure_logs, mask, mask_event


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    logging.captureWarnings(False)
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def _json_lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_is_one_line_with_its_fields() -> None:
    stream = io.StringIO()
    configure_logs("info", "text", stream)

    structlog.get_logger("packhouse.jobs").info("reindexed", channel="a/b", names=3, reason="two words")

    assert stream.getvalue().endswith(
        'info packhouse.jobs: reindexed channel=a/b names=3 reason="two words"\n'
    )
    assert stream.getvalue().count("\n") == 1


def test_json_lines_are_objects() -> None:
    stream = io.StringIO()
    configure_logs("info", "json", stream)

    structlog.get_logger("packhouse.jobs").warning("stale", channel="a")

    [line] = _json_lines(stream)
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "stale", "level": "warning", "logger": "packhouse.jobs", "channel": "a"}


def test_the_standard_library_logs_the_same_way() -> None:
    stream = io.StringIO()
    configure_logs("info", "json", stream)

    logging.getLogger("_granian").warning("kept %s", "going", extra={"port": 8080})

    [line] = _json_lines(stream)
    assert (line["event"], line["logger"], line["port"]) == ("kept going", "_granian", 8080)


def test_lower_levels_are_left_out() -> None:
    stream = io.StringIO()
    configure_logs("warning", "text", stream)

    structlog.get_logger("packhouse").info("news")
    logging.getLogger("packhouse").info("news")

    assert stream.getvalue() == ""


def test_a_second_configuration_replaces_the_first() -> None:
    first, second = io.StringIO(), io.StringIO()
    configure_logs("info", "text", first)
    configure_logs("info", "text", second)

    logging.getLogger("packhouse").info("once")

    assert first.getvalue() == ""
    assert second.getvalue().count("once") == 1


def test_libraries_keep_their_news_and_their_handlers_to_themselves() -> None:
    stream = io.StringIO()
    logging.getLogger("dbos").addHandler(logging.StreamHandler(stream))
    configure_logs("info", "text", stream)

    logging.getLogger("dbos").info("hello")
    logging.getLogger("dbos").warning("careful")

    assert len(stream.getvalue().splitlines()) == 1
    assert "careful" in stream.getvalue()


def test_a_warning_of_python_is_logged() -> None:
    stream = io.StringIO()
    configure_logs("info", "text", stream)

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(True)
        warnings.warn("old ways", stacklevel=1)
        logging.captureWarnings(False)

    assert "old ways" in stream.getvalue()


@pytest.mark.parametrize("format", ["text", "json"])
def test_a_traceback_belongs_to_its_event_and_holds_no_secret(format: Any) -> None:
    stream = io.StringIO()
    configure_logs("info", format, stream)
    try:
        raise ValueError("cannot reach postgresql://packhouse:hunter2@db/house")
    except ValueError:
        structlog.get_logger("packhouse").exception("failed")

    assert "Traceback" in stream.getvalue()
    assert "hunter2" not in stream.getvalue()
    assert "postgresql://packhouse:***@db/house" in stream.getvalue()


@settings(deadline=None)
@given(text=st.text())
def test_no_text_writes_a_line_of_its_own(text: str) -> None:
    stream = io.StringIO()
    configure_logs("info", "text", stream)

    structlog.get_logger("packhouse").info("seen " + text, path=text)

    first, *others = stream.getvalue().splitlines()
    assert " info packhouse: seen" in first
    assert all(line.startswith("    ") for line in others)


HEX = st.text("0123456789abcdef", min_size=48, max_size=48)
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
PASSWORDS = st.text(LETTERS + "!$&()*+;=@:_~.-", min_size=6).filter(lambda text: "***" not in text)
AROUND = st.sampled_from([" ", "\n", "(", '"', "'", ", ", ": "])
JWT_PART = st.binary(min_size=12, max_size=80).map(
    lambda data: base64.urlsafe_b64encode(data).decode().strip("=")
)


@given(token=HEX, before=AROUND, after=AROUND)
def test_a_token_is_masked_wherever_it_stands(token: str, before: str, after: str) -> None:
    assert token not in mask(f"asked{before}{token}{after}")
    assert token not in mask(f"GET /api/repo/t/{token}/main/noarch/repodata.json")


@given(secret=st.text(LETTERS + "-._~", min_size=1).filter(lambda text: text not in "***main"))
def test_whatever_stands_in_a_token_s_place_of_a_path_is_masked(secret: str) -> None:
    assert mask(f"/t/{secret}/main") == "/t/***/main"


@given(payload=JWT_PART, signature=JWT_PART, before=AROUND)
def test_a_json_web_token_is_masked(payload: str, signature: str, before: str) -> None:
    token = f"eyJhbGciOiJIUzI1NiJ9.{payload}.{signature}"

    assert payload not in mask(f"session{before}{token}")
    assert signature not in mask(f"session{before}{token}")


@pytest.mark.parametrize(
    "template",
    [
        "postgresql://packhouse:{}@db.example.org/house",
        "postgresql+psycopg://packhouse:{}@127.0.0.1:5432/house failed",
        "Authorization: Basic {}",
        "authorization={}",
        "X-Auth: {}",
        "(b'x-auth', b'{}')",
        '{{"Authorization": "Bearer {}"}}',
        "password={}",
        '"password": "{}"',
        "secret_access_key={}",
        "'secret_access_key': '{}'",
        "aws_secret_access_key = {}",
    ],
)
@given(secret=PASSWORDS)
def test_a_secret_is_masked_in_the_text_around_it(template: str, secret: str) -> None:
    assert secret not in mask(template.format(secret)).replace(template.format(""), "")


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "admin_password",
        "token",
        "X-Auth",
        "Authorization",
        "secret_access_key",
        "api_key",
        "cookie",
    ],
)
@given(secret=st.text(min_size=4))
def test_a_field_with_a_secret_s_name_is_masked(name: str, secret: str) -> None:
    event = {"event": "x", name: secret, "options": {name: secret}}

    assert mask_event(None, "info", event) == {"event": "x", name: "***", "options": {name: "***"}}


@pytest.mark.parametrize(
    "text",
    [
        "Unknown token in the request, and a password too short",
        "Basic authentication failed",
        "sha256 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "GET /api/repo/main/noarch/repodata.json",
        "https://example.org:8443/t-shirts",
        "postgresql://packhouse@db/house",
    ],
)
def test_what_is_no_secret_is_left_alone(text: str) -> None:
    assert mask(text) == text


def test_names_that_only_speak_of_secrets_are_left_alone() -> None:
    event = {"token_name": "ci", "tokens": 3, "author": "ann", "key": "noarch/x.conda"}

    assert mask_event(None, "info", dict(event)) == event
