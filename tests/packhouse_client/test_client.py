"""The client against a small server that speaks the wire contract and remembers what it was asked."""

import json
import threading
import tracemalloc
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from packhouse_client import errors
from packhouse_client.client import PackhouseClient

MEGABYTE = 1024 * 1024


class Recorder(BaseHTTPRequestHandler):
    """Answers with what a test put into `answers`, else with an empty object."""

    asked: ClassVar[list[dict[str, Any]]]
    answers: ClassVar[dict[str, tuple[int, bytes]]]

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body, rest = b"", length
        while rest:
            part = self.rfile.read(min(rest, MEGABYTE))
            rest -= len(part)
            body = (body + part)[: 2 * MEGABYTE]
        self.asked.append(
            {
                "request": f"{self.command} {self.path}",
                "headers": self.headers,
                "body": body,
                "length": length,
            }
        )
        status, answer = self.answers.get(self.path, (200, b"{}"))
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815  # http.server's names

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[type[Recorder]]:
    handler = type("Fresh", (Recorder,), {"asked": [], "answers": {}})
    house = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=house.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    handler.url = f"http://127.0.0.1:{house.server_port}"
    yield handler
    house.shutdown()
    thread.join()
    house.server_close()


@pytest.fixture
def client(server: Any) -> Iterator[PackhouseClient]:
    with PackhouseClient(server.url, token="a-token") as opened:
        yield opened


def _asked(server: type[Recorder]) -> str:
    [only] = server.asked
    return str(only["request"])


def _sent(server: type[Recorder]) -> Any:
    return json.loads(server.asked[-1]["body"])


def _refuse(server: type[Recorder], path: str, status: int, code: str, message: str) -> None:
    body = {"error": {"code": code, "message": message}, "code": code, "message": message}
    server.answers[path] = (status, json.dumps(body).encode())


def test_the_token_is_sent_as_bearer(server: type[Recorder], client: PackhouseClient) -> None:
    client.account()

    assert _asked(server) == "GET /api/account"
    assert server.asked[0]["headers"]["Authorization"] == "Bearer a-token"


def test_without_a_token_no_credential_is_sent_not_even_netrc_s(
    server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login someone password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))

    with PackhouseClient(server.url) as client:
        client.list_channels()

    assert server.asked[0]["headers"]["Authorization"] is None


def test_log_in_uses_the_session_from_then_on(server: type[Recorder], client: PackhouseClient) -> None:
    server.answers["/api/auth/login"] = (200, b'{"token": "a-session"}')

    assert client.log_in("ann", "secret") == "a-session"
    assert _sent(server) == {"username": "ann", "password": "secret"}
    client.account()
    assert server.asked[-1]["headers"]["Authorization"] == "Bearer a-session"


@pytest.mark.parametrize("written", ["{}", "{}/", "{}/api", "{}/api/"])
def test_the_url_may_be_written_with_or_without_api(server: Any, written: str) -> None:
    with PackhouseClient(written.format(server.url)) as client:
        client.list_channels(offset=10, limit=5)

    assert _asked(server) == "GET /api/channels?offset=10&limit=5"


def test_a_channel_and_a_subchannel_have_their_own_addresses(
    server: type[Recorder], client: PackhouseClient
) -> None:
    client.show_channel("main")
    client.show_channel("main/dev")
    client.create_channel("main", privacy="private")
    client.create_channel("main/dev")
    client.delete_channel("main/dev")

    assert [one["request"] for one in server.asked] == [
        "GET /api/channels/main",
        "GET /api/channels/main/subchannels/dev",
        "POST /api/channels",
        "POST /api/channels/main/subchannels",
        "DELETE /api/channels/main/subchannels/dev",
    ]
    assert json.loads(server.asked[2]["body"]) == {"name": "main", "privacy": "private"}
    assert json.loads(server.asked[3]["body"]) == {"name": "dev"}


def test_a_name_cannot_leave_its_place_in_the_address(
    server: type[Recorder], client: PackhouseClient
) -> None:
    client.list_files("main", "../../account?x=")

    assert _asked(server) == "GET /api/channels/main/artifacts/conda/..%2F..%2Faccount%3Fx%3D/files"


def test_a_token_is_narrowed_only_by_what_is_given(server: type[Recorder], client: PackhouseClient) -> None:
    client.create_token("ci", expires_at="2030-01-01", scopes=["channel:view"])

    assert _sent(server) == {"name": "ci", "expires_at": "2030-01-01", "scopes": ["channel:view"]}


def test_copy_names_both_ends(server: type[Recorder], client: PackhouseClient) -> None:
    artifact = {"name": "numpy", "family": "conda", "ckey": "noarch/numpy-1-0.conda"}
    client.copy_artifacts("main/dev", [artifact], "main/stage")

    assert _asked(server) == "PUT /api/channels/main/subchannels/dev/artifacts/bulk"
    assert _sent(server) == {
        "action": "copy",
        "items": [artifact],
        "target_channel": "main",
        "target_subchannel": "stage",
    }


def test_delete_names_no_target(server: type[Recorder], client: PackhouseClient) -> None:
    client.delete_artifacts("main", [{"name": "numpy", "family": "conda"}])

    assert _sent(server) == {"action": "delete", "items": [{"name": "numpy", "family": "conda"}]}


def test_an_upload_sends_the_fields_before_the_file(
    server: type[Recorder], client: PackhouseClient, tmp_path: Path
) -> None:
    file = tmp_path / "numpy-1-0.conda"
    file.write_bytes(b"the package")
    client.upload("main/dev", file)

    assert _asked(server) == "POST /api/channels/main/dev/artifacts"
    body = server.asked[0]["body"]
    places = [
        body.index(word)
        for word in (b'"filetype"', b"\r\nconda1\r\n", b'"size"', b"\r\n11\r\n", b'"content"', b"the package")
    ]
    assert places == sorted(places)
    assert b'filename="numpy-1-0.conda"' in body


def test_an_upload_tells_how_far_it_is(client: PackhouseClient, tmp_path: Path) -> None:
    file = tmp_path / "a.conda"
    file.write_bytes(bytes(MEGABYTE))
    seen: list[tuple[int, int]] = []
    client.upload("main", file, progress=lambda sent, size: seen.append((sent, size)))

    assert seen == sorted(seen)
    assert seen[-1] == (MEGABYTE, MEGABYTE)


def test_a_large_file_is_never_held_in_memory(
    server: type[Recorder], client: PackhouseClient, tmp_path: Path
) -> None:
    file = tmp_path / "large.conda"
    with file.open("wb") as stream:
        stream.truncate(64 * MEGABYTE)
    tracemalloc.start()
    try:
        client.upload("main", file)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert server.asked[0]["length"] > 64 * MEGABYTE
    assert peak < 16 * MEGABYTE


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "invalid", errors.Invalid),
        (413, "too_large", errors.TooLarge),
        (401, "auth_required", errors.Unauthenticated),
        (403, "forbidden", errors.Forbidden),
        (404, "not_found", errors.NotFound),
        (409, "conflict", errors.Conflict),
        (400, "frozen", errors.Frozen),
        (507, "storage_full", errors.StorageFull),
        (418, "new_in_a_later_version", errors.ClientError),
    ],
)
def test_a_refusal_is_the_exception_of_its_code(
    server: type[Recorder], client: PackhouseClient, status: int, code: str, kind: type[errors.ClientError]
) -> None:
    _refuse(server, "/api/channels/main", status, code, "Because.")

    with pytest.raises(errors.ClientError, match=r"^Because\.$") as refused:
        client.show_channel("main")
    assert type(refused.value) is kind
    assert refused.value.status == status


@pytest.mark.parametrize("body", [b"<html>Bad gateway</html>", b"[]", b"", b'{"code": 3}'])
def test_an_answer_of_something_else_in_between_names_address_and_status(
    server: type[Recorder], client: PackhouseClient, body: bytes
) -> None:
    server.answers["/api/channels/main"] = (502, body)

    with pytest.raises(errors.ClientError, match=r"/api/channels/main answered 502"):
        client.show_channel("main")


def test_a_success_that_is_not_json_is_no_packhouse_server(
    server: type[Recorder], client: PackhouseClient
) -> None:
    server.answers["/api/account"] = (200, b"<html>Log in to the hotel's network</html>")

    with pytest.raises(errors.ClientError, match="is it a Packhouse server"):
        client.account()


def test_an_empty_answer_is_an_empty_object(server: type[Recorder], client: PackhouseClient) -> None:
    server.answers["/api/account"] = (204, b"")

    assert client.account() == {}


def test_nobody_there_is_unreachable(server: Any) -> None:
    with (
        PackhouseClient("http://127.0.0.1:1") as client,
        pytest.raises(errors.Unreachable, match=r"Cannot reach http://127\.0\.0\.1:1"),
    ):
        client.account()
