"""A line for every request."""

import asyncio
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packhouse.web.request_log import ACTOR, Application, RequestLog


async def _ignored(*_: Any) -> Any:
    return {}


async def _plain(scope: Any, receive: Any, send: Any) -> None:
    scope[ACTOR] = "ann"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"12345", "more_body": True})
    await send({"type": "http.response.body", "body": b"678"})


async def _file(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 206, "headers": [(b"content-length", b"77")]})
    await send({"type": "http.response.pathsend", "path": str(Path(__file__))})


async def _failing(scope: Any, receive: Any, send: Any) -> None:
    raise ValueError("on purpose")


def _logged(application: Application, format: Any, path: str = "/a") -> str:
    stream = io.StringIO()
    log = RequestLog(application, format, stream)
    scope = {"type": "http", "method": "GET", "path": path, "client": ("127.0.0.1", "1234")}

    async def ask() -> None:
        await log(scope, _ignored, _ignored)

    try:
        asyncio.run(ask())
    finally:
        log.flush()
    return stream.getvalue()


def test_a_request_is_one_line_of_text() -> None:
    line = _logged(_plain, "text")

    assert " info request: GET /a 200 " in line
    assert line.endswith("ms 8B actor=ann client=127.0.0.1\n")


def test_a_request_is_one_json_object() -> None:
    line = json.loads(_logged(_plain, "json"))

    assert line.pop("timestamp").endswith("Z")
    assert line.pop("milliseconds") >= 0
    assert line == {
        "level": "info",
        "logger": "request",
        "method": "GET",
        "path": "/a",
        "status": 200,
        "bytes": 8,
        "actor": "ann",
        "client": "127.0.0.1",
    }


def test_a_file_that_the_server_sends_counts_with_its_length() -> None:
    assert " 206 " in _logged(_file, "text")
    assert " 77B " in _logged(_file, "text")


def test_a_failure_is_logged_as_the_500_that_the_server_answers() -> None:
    stream = io.StringIO()
    log = RequestLog(_failing, "text", stream)

    async def ask() -> None:
        await log({"type": "http", "method": "GET", "path": "/"}, _ignored, _ignored)

    with pytest.raises(ValueError, match="on purpose"):
        asyncio.run(ask())
    log.flush()
    assert " GET / 500 " in stream.getvalue()


def test_an_answer_that_never_began_is_499() -> None:
    assert " 499 " in _logged(_ignored, "text")


def test_lines_are_written_without_being_asked_for() -> None:
    stream = io.StringIO()
    log = RequestLog(_plain, "text", stream)

    async def ask() -> None:
        await log({"type": "http", "method": "GET", "path": "/"}, _ignored, _ignored)
        await asyncio.sleep(0.3)

    asyncio.run(ask())
    assert stream.getvalue().count("\n") == 1


@settings(deadline=None)
@given(token=st.text("abcdef0123456789-", min_size=1).filter(lambda text: text not in "***main"))
def test_the_token_in_a_path_is_masked(token: str) -> None:
    assert "GET /api/repo/t/***/main 200" in _logged(_plain, "text", f"/api/repo/t/{token}/main")


@settings(deadline=None)  # an event loop a try, which a busy machine slows
@given(path=st.text())
def test_no_path_makes_a_second_line(path: str) -> None:
    assert len(_logged(_plain, "text", path).splitlines()) == 1
    assert len(_logged(_plain, "json", path).splitlines()) == 1
