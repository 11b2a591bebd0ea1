"""Sending files through bad weather: broken connections, a busy server, one that is killed."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

import httpx
import pytest

from packhouse_client import errors
from packhouse_client.client import PackhouseClient
from packhouse_client.publishing import sending
from packhouse_client.publishing.backoff import Backoff
from packhouse_client.publishing.resumption import Resumption
from packhouse_client.publishing.sending import Outcome, send_file
from tests.live import LiveServer, running_server
from tests.packhouse_client.proxy import CuttingProxy, cutting_proxy
from tests.web.test_upload import large_package

MIB = 1024**2
CONDA = {"filetype": "conda1"}


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with running_server(tmp_path_factory.mktemp("live")) as server:
        for channel in ("tools", "other", "frozen"):
            server.create_channel(channel)
        with server.client() as client:
            client.put("/api/channels/frozen", json={"indexing_behavior": "frozen"}).raise_for_status()
        yield server


@pytest.fixture(scope="module")
def token(live: LiveServer) -> str:
    return live.log_in()


@pytest.fixture
def proxy(live: LiveServer) -> Iterator[CuttingProxy]:
    with cutting_proxy(live.url) as running:
        yield running


@pytest.fixture
def client(proxy: CuttingProxy, token: str) -> Iterator[PackhouseClient]:
    with PackhouseClient(proxy.url, token) as opened:
        yield opened


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of a few MiB go in parts of one."""
    monkeypatch.setattr(sending, "IN_PARTS_FROM_BYTES", MIB)
    monkeypatch.setattr(sending, "PART_BYTES", MIB)


class Weather:
    """A backoff that does not sleep and remembers what it was told."""

    def __init__(self, then: Callable[[], object] = lambda: None) -> None:
        self.reasons: list[str] = []
        self.waits: list[float] = []
        self._then = then
        self.backoff = Backoff(lambda reason, _: self.reasons.append(reason), sleep=self._sleep)

    def _sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self._then()


def asked(client: PackhouseClient) -> list[str]:
    """Fills up with the requests that are answered from here on."""
    requests: list[str] = []
    client.on_answer = lambda method, url, status, _: requests.append(
        f"{method} {urlsplit(url).path.split('/')[2]} {status}"
    )
    return requests


def is_served(live: LiveServer, channel: str, file: Path) -> bool:
    return httpx.get(f"{live.url}/api/repo/{channel}/noarch/{file.name}").content == file.read_bytes()


def only(outcomes: list[Outcome]) -> Outcome:
    [outcome] = outcomes
    return outcome


def new(outcomes: list[Outcome]) -> list[bool]:
    assert [one.error for one in outcomes] == [None] * len(outcomes)
    return [one.published.is_new for one in outcomes if one.published is not None]


# --- fair weather -----------------------------------------------------------------------------


def test_small_file_goes_in_one_request(live: LiveServer, client: PackhouseClient, tmp_path: Path) -> None:
    file, requests, seen = large_package(tmp_path, "small", 1), asked(client), list[tuple[int, int]]()

    outcomes = send_file(client, ["tools", "other"], file, CONDA, lambda *sent: seen.append(sent))
    again = send_file(client, ["tools"], file, CONDA)

    assert (new(outcomes), new(again)) == ([True, True], [False])
    assert requests == ["POST channels 201", "POST channels 201", "POST channels 200"]
    assert seen[-1] == (file.stat().st_size, file.stat().st_size)
    assert is_served(live, "other", file)


@pytest.mark.usefixtures("small_parts")
def test_large_file_is_sent_once_for_all_channels(
    live: LiveServer, client: PackhouseClient, proxy: CuttingProxy, tmp_path: Path
) -> None:
    file, requests, seen = large_package(tmp_path, "large", 3), asked(client), list[tuple[int, int]]()
    size = file.stat().st_size

    outcomes = send_file(client, ["tools", "other"], file, CONDA, lambda *sent: seen.append(sent))

    assert new(outcomes) == [True, True]
    assert [one.published.file["channel"] for one in outcomes if one.published] == ["tools", "other"]
    parts = ["PATCH uploads 204"] * 4
    published = ["POST channels 201"] * 2
    assert requests == ["POST uploads 201", *parts, *published, "DELETE uploads 204"]
    assert size < proxy.sent < size + 20_000
    assert seen == sorted(seen)
    assert seen[-1] == (size, size)
    assert is_served(live, "tools", file)


@pytest.mark.usefixtures("small_parts")
def test_each_channel_has_its_own_outcome(
    live: LiveServer, client: PackhouseClient, proxy: CuttingProxy, tmp_path: Path
) -> None:
    file, weather = large_package(tmp_path, "outcomes", 2), Weather()

    outcomes = send_file(
        client, ["frozen", "tools", "nowhere", "other"], file, CONDA, backoff=weather.backoff
    )

    assert [one.channel for one in outcomes] == ["frozen", "tools", "nowhere", "other"]
    assert [type(one.error) for one in outcomes] == [
        errors.Frozen,
        type(None),
        errors.NotFound,
        type(None),
    ]
    assert weather.waits == []
    assert proxy.sent < file.stat().st_size + 20_000


@pytest.mark.usefixtures("small_parts")
def test_digest_that_is_not_the_file_s_is_refused(client: PackhouseClient, tmp_path: Path) -> None:
    file, requests = large_package(tmp_path, "digest", 2), asked(client)
    outcome = only(send_file(client, ["tools"], file, CONDA, sha256="0" * 64))
    assert type(outcome.error) is errors.ChecksumMismatch
    assert requests[-1] == "DELETE uploads 204"


@pytest.mark.usefixtures("small_parts")
def test_file_that_becomes_shorter_is_told(client: PackhouseClient, tmp_path: Path) -> None:
    file = tmp_path / "shrinking-1.0-0.conda"
    file.write_bytes(bytes(3 * MIB))

    def shrink(sent: int, _size: int) -> None:
        if sent >= MIB:
            with file.open("r+b") as content:
                content.truncate(MIB)

    outcome = only(send_file(client, ["tools"], file, CONDA, shrink))

    assert type(outcome.error) is errors.Invalid
    assert "became shorter" in outcome.error.message


# --- bad weather ------------------------------------------------------------------------------


@pytest.mark.usefixtures("small_parts")
def test_large_file_goes_on_where_its_connection_broke(
    live: LiveServer, client: PackhouseClient, proxy: CuttingProxy, tmp_path: Path
) -> None:
    # A moment, in which the server sees for itself that the connection broke.
    file, weather = large_package(tmp_path, "cut", 5), Weather(then=lambda: time.sleep(0.2))
    size = file.stat().st_size
    # Connections end: while the upload is announced, in the first part, in the third, and once more.
    proxy.cuts = [100, MIB // 2, 2 * MIB + MIB // 3, 5_000]

    outcomes = send_file(client, ["tools"], file, CONDA, backoff=weather.backoff)

    assert new(outcomes) == [True]
    assert proxy.cuts == []
    assert len(weather.waits) >= 4
    assert all("127.0.0.1" in reason or "goes on at byte" in reason for reason in weather.reasons)
    assert proxy.sent < size + 2 * MIB
    assert is_served(live, "tools", file)


def test_small_file_is_sent_again_when_its_connection_broke(
    live: LiveServer, client: PackhouseClient, proxy: CuttingProxy, tmp_path: Path
) -> None:
    file, weather = large_package(tmp_path, "cutsmall", 1), Weather()
    proxy.cuts = [50_000, 700_000]

    outcomes = send_file(client, ["tools"], file, CONDA, backoff=weather.backoff)

    assert new(outcomes) == [True]
    assert len(weather.waits) == 2
    assert is_served(live, "tools", file)


@pytest.mark.usefixtures("small_parts")
def test_upload_that_the_server_has_lost_begins_again(
    live: LiveServer, client: PackhouseClient, token: str, tmp_path: Path
) -> None:
    file, requests, ids = large_package(tmp_path, "lost", 3), asked(client), list[str]()
    create = client.create_upload
    client.create_upload = lambda *told: ids.append(create(*told) or "") or ids[-1]  # type: ignore[method-assign]  # to know the id

    def lose(sent: int, _size: int) -> None:
        if sent == 2 * MIB and len(ids) == 1:
            with PackhouseClient(live.url, token) as other:
                other.delete_upload(ids[0])

    outcomes = send_file(client, ["tools"], file, CONDA, lose, Weather().backoff)

    assert new(outcomes) == [True]
    assert len(ids) == 2
    assert "PATCH uploads 404" in requests
    assert is_served(live, "tools", file)


def test_nobody_there_ends_after_some_tries_for_all_channels(tmp_path: Path) -> None:
    file, weather = large_package(tmp_path, "nobody", 1), Weather()
    with PackhouseClient("http://127.0.0.1:1") as client:
        outcomes = send_file(client, ["tools", "other"], file, CONDA, backoff=weather.backoff)

    assert [type(one.error) for one in outcomes] == [errors.Unreachable] * 2
    assert len(weather.waits) == 7


@pytest.mark.slow
def test_server_that_is_killed_in_mid_upload_and_comes_back_has_all_but_one_part(tmp_path: Path) -> None:
    file, seen = large_package(tmp_path, "killed", 40), list[int]()
    size = file.stat().st_size
    with running_server(tmp_path / "live") as first:
        first.create_channel("tools")
        port, token = urlsplit(first.url).port, first.log_in()
        restarted: list[Any] = []

        def kill(sent: int, _size: int) -> None:
            seen.append(sent)
            if sent > 24 * MIB and first.process.poll() is None:
                first.kill()

        def restart() -> None:
            if not restarted:
                restarted.append(running_server(tmp_path / "live", "--port", str(port)))
                restarted[0].__enter__()

        weather = Weather(then=restart)
        try:
            with PackhouseClient(first.url, token) as client:
                outcomes = send_file(client, ["tools"], file, CONDA, kill, weather.backoff)
            assert new(outcomes) == [True]
            assert is_served(first, "tools", file)
        finally:
            for server in restarted:
                server.__exit__(None, None, None)

    sent_again = sum(before - after for before, after in pairwise(seen) if after < before)
    assert 0 < sent_again <= sending.PART_BYTES
    assert seen[-1] == size


# --- from one run to the next -----------------------------------------------------------------


@pytest.mark.usefixtures("small_parts")
def test_next_run_goes_on_where_the_last_was_interrupted(
    live: LiveServer, client: PackhouseClient, proxy: CuttingProxy, tmp_path: Path
) -> None:
    file, resumption = large_package(tmp_path, "interrupted", 4), Resumption(tmp_path / "state")

    def interrupt(sent: int, _size: int) -> None:
        if sent > 3 * MIB:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        send_file(client, ["tools"], file, CONDA, interrupt, resumption=resumption)
    proxy.sent, requests = 0, asked(client)
    outcomes = send_file(client, ["tools"], file, CONDA, resumption=resumption)

    assert new(outcomes) == [True]
    assert (requests[0], requests[-1]) == ("HEAD uploads 200", "DELETE uploads 204")
    assert proxy.sent < 1.5 * MIB + MIB
    assert is_served(live, "tools", file)
    assert list((tmp_path / "state").iterdir()) == []


@pytest.mark.usefixtures("small_parts")
def test_changed_file_begins_anew(client: PackhouseClient, tmp_path: Path) -> None:
    file, resumption = large_package(tmp_path, "changed", 2), Resumption(tmp_path / "state")
    resumption.remember(client.url, file, "of-the-old-bytes")
    large_package(tmp_path, "changed", 3)
    requests = asked(client)

    assert new(send_file(client, ["tools"], file, CONDA, resumption=resumption)) == [True]
    assert requests[0] == "POST uploads 201"


@pytest.mark.usefixtures("small_parts")
def test_upload_that_expired_between_two_runs_begins_anew(client: PackhouseClient, tmp_path: Path) -> None:
    file, resumption = large_package(tmp_path, "expired", 2), Resumption(tmp_path / "state")
    resumption.remember(client.url, file, "long-gone")
    requests = asked(client)

    assert new(send_file(client, ["tools"], file, CONDA, resumption=resumption)) == [True]
    assert requests[:2] == ["HEAD uploads 404", "POST uploads 201"]


@pytest.mark.usefixtures("small_parts")
def test_refused_file_is_not_remembered(client: PackhouseClient, tmp_path: Path) -> None:
    file, resumption = tmp_path / "bad-1-0.conda", Resumption(tmp_path / "state")
    file.write_bytes(bytes(2 * MIB))
    requests = asked(client)

    outcome = only(send_file(client, ["tools"], file, CONDA, resumption=resumption))

    assert type(outcome.error) is errors.Invalid
    assert requests[-1] == "DELETE uploads 204"
    assert resumption.find(client.url, file) is None


@pytest.mark.usefixtures("small_parts")
def test_place_where_nothing_can_be_written_does_not_matter(client: PackhouseClient, tmp_path: Path) -> None:
    (tmp_path / "state").write_text("no folder")
    file = large_package(tmp_path, "stateless", 2)
    outcomes = send_file(client, ["tools"], file, CONDA, resumption=Resumption(tmp_path / "state"))
    assert new(outcomes) == [True]


# --- other servers ----------------------------------------------------------------------------


class Scripted(BaseHTTPRequestHandler):
    """Answers one request after the other as its script says."""

    script: ClassVar[list[tuple[int, dict[str, str], bytes]]]
    asked: ClassVar[list[str]]

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.asked.append(f"{self.command} {self.path}")
        status, headers, body = self.script.pop(0)
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_PATCH = do_HEAD = do_DELETE = _answer  # noqa: N815  # http.server's names

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def scripted() -> Iterator[Any]:
    handler = type("Fresh", (Scripted,), {"script": [], "asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    handler.url = f"http://127.0.0.1:{server.server_port}"
    yield handler
    server.shutdown()
    thread.join()
    server.server_close()


FILE = json.dumps({"ckey": "noarch/a-1-0.conda"}).encode()


@pytest.fixture
def large(tmp_path: Path) -> Path:
    file = tmp_path / "a-1-0.conda"
    file.write_bytes(bytes(2 * MIB))
    return file


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("status", [404, 405, 501])
def test_server_that_takes_no_parts_gets_one_request(scripted: Any, large: Path, status: int) -> None:
    scripted.script += [(status, {}, b"<html>"), (201, {}, FILE), (200, {}, FILE)]
    with PackhouseClient(scripted.url) as client:
        outcomes = send_file(client, ["main", "main/dev"], large, CONDA, backoff=Weather().backoff)

    assert new(outcomes) == [True, False]
    assert scripted.asked == [
        "POST /api/uploads",
        "POST /api/channels/main/artifacts",
        "POST /api/channels/main/dev/artifacts",
    ]


@pytest.mark.parametrize("status", [429, 503])
def test_busy_server_is_waited_for_as_long_as_it_asks(scripted: Any, tmp_path: Path, status: int) -> None:
    file, weather = tmp_path / "a-1-0.conda", Weather()
    file.write_bytes(b"x")
    scripted.script += [(status, {"Retry-After": "17"}, b""), (201, {}, FILE)]
    with PackhouseClient(scripted.url) as client:
        outcomes = send_file(client, ["main"], file, CONDA, backoff=weather.backoff)

    assert new(outcomes) == [True]
    assert weather.waits == [17]


@pytest.mark.usefixtures("small_parts")
def test_failures_of_every_kind_of_request_are_tried_again(scripted: Any, large: Path) -> None:
    tus = {"Tus-Resumable": "1.0.0"}
    busy = (503, {}, b"")
    scripted.script += [busy, (201, {**tus, "Location": "/api/uploads/u1"}, b"")]
    scripted.script += [(502, {}, b""), busy, (200, {**tus, "Upload-Offset": "1000"}, b"")]
    scripted.script += [(204, {**tus, "Upload-Offset": str(MIB + 1000)}, b"")]
    scripted.script += [(409, tus, b""), (200, {**tus, "Upload-Offset": str(2 * MIB)}, b"")]
    scripted.script += [busy, (200, {}, FILE), busy]
    with PackhouseClient(scripted.url) as client:
        outcomes = send_file(client, ["main"], large, CONDA, backoff=Weather().backoff)

    assert new(outcomes) == [False]
    assert scripted.asked == [
        *["POST /api/uploads"] * 2,
        "PATCH /api/uploads/u1",
        *["HEAD /api/uploads/u1"] * 2,
        *["PATCH /api/uploads/u1"] * 2,
        "HEAD /api/uploads/u1",
        *["POST /api/channels/main/artifacts"] * 2,
        "DELETE /api/uploads/u1",
    ]


@pytest.mark.usefixtures("small_parts")
def test_server_that_loses_every_upload_is_given_up(scripted: Any, large: Path) -> None:
    created = (201, {"Tus-Resumable": "1.0.0", "Location": "/api/uploads/u1"}, b"")
    scripted.script += [created, (404, {}, b""), created, (404, {}, b""), (404, {}, b"")]
    with PackhouseClient(scripted.url) as client:
        outcome = only(send_file(client, ["main"], large, CONDA, backoff=Weather().backoff))

    assert type(outcome.error) is errors.NotFound
    assert "twice" in outcome.error.message


@pytest.mark.usefixtures("small_parts")
def test_server_that_never_gets_on_is_given_up(scripted: Any, large: Path) -> None:
    weather = Weather()
    created = (201, {"Tus-Resumable": "1.0.0", "Location": "/api/uploads/u1"}, b"")
    scripted.script += [created]
    scripted.script += [(500, {}, b""), (200, {"Upload-Offset": "0"}, b"")] * 10
    with PackhouseClient(scripted.url) as client:
        outcome = only(send_file(client, ["main"], large, CONDA, backoff=weather.backoff))

    assert outcome.error is not None
    assert outcome.error.status == 500
    assert len(weather.waits) == 7


def test_log_in_that_expired_is_told_for_every_channel_and_asked_once(scripted: Any, tmp_path: Path) -> None:
    file = tmp_path / "a-1-0.conda"
    file.write_bytes(b"x")
    scripted.script += [(401, {}, b"")]
    with PackhouseClient(scripted.url) as client:
        outcomes = send_file(client, ["main", "other"], file, CONDA, backoff=Weather().backoff)

    assert [type(one.error) for one in outcomes] == [errors.Unauthenticated] * 2
    assert len(scripted.asked) == 1
