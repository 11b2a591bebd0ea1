"""The process: its doors, its logs, and how it stops."""

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

SCRIPT = Path(__file__).with_name("small_server.py")
REQUEST = b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Running:
    def __init__(self, folder: Path, stop_seconds: float = 5, **settings: Any) -> None:
        options = {"data_dir": str(folder), "port": 0, "tls_port": 0, "log_level": "warning"} | settings
        self._log = folder / "log.txt"
        with self._log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, SCRIPT, json.dumps(options), str(stop_seconds)],
                stdout=subprocess.PIPE,
                stderr=log,
                env={name: value for name, value in os.environ.items() if not name.startswith("PACKHOUSE_")},
                cwd=folder,
            )
        assert self.process.stdout is not None
        self._first_line = self.process.stdout.readline()

    @property
    def addresses(self) -> dict[str, str]:
        found: dict[str, str] = json.loads(self._first_line)
        return found

    @property
    def log(self) -> str:
        return self._log.read_text()

    def ends_with(self, signals: int = 1) -> int:
        for _ in range(signals):
            self.process.send_signal(signal.SIGTERM)
            time.sleep(0.2)
        return self.process.wait(timeout=20)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", urlsplit(self.addresses["http"]).port or 0), timeout=10)


Start = Callable[..., Running]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[Running] = []

    def one(**settings: Any) -> Running:
        started.append(Running(tmp_path, **settings))
        return started[-1]

    yield one
    for running in started:
        running.process.kill()
        running.process.wait()
        assert running.process.stdout is not None
        running.process.stdout.close()


def test_both_doors_answer_with_the_same_application(start: Start) -> None:
    addresses = start().addresses
    trusted = ssl.create_default_context(cafile=addresses["ca"])

    assert httpx.get(addresses["http"]).text == "http 1.1"
    assert httpx.get(addresses["https"], verify=trusted).text == "https 1.1"


def test_without_tls_there_is_one_door_and_no_certificate(start: Start, tmp_path: Path) -> None:
    addresses = start(tls=False).addresses

    assert addresses["https"] is None
    assert addresses["ca"] is None
    assert not (tmp_path / "tls").exists()


def test_tls_1_2_is_accepted_and_http_2_is_offered(start: Start) -> None:
    addresses = start().addresses
    context = ssl.create_default_context(cafile=addresses["ca"])
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["h2"])
    port = urlsplit(addresses["https"]).port or 0

    with (
        socket.create_connection(("127.0.0.1", port)) as raw,
        context.wrap_socket(raw, server_hostname="localhost") as secured,
    ):
        assert secured.version() == "TLSv1.2"
        assert secured.selected_alpn_protocol() == "h2"


def test_a_second_server_on_the_same_port_is_refused(start: Start) -> None:
    first = start(tls=False)
    second = start(tls=False, port=urlsplit(first.addresses["http"]).port)

    assert second.process.wait(timeout=20) == 1
    assert "address already in use" in second.log
    assert "Traceback" not in second.log
    assert httpx.get(first.addresses["http"]).status_code == 200


def test_an_unknown_host_is_refused_in_one_sentence(start: Start) -> None:
    running = start(tls=False, host="no-such-host.invalid")

    assert running.process.wait(timeout=20) == 1
    assert (
        running.log == "Cannot listen on 'no-such-host.invalid': no such host or address on this machine.\n"
    )


def test_a_bad_certificate_is_refused_in_one_sentence(start: Start, tmp_path: Path) -> None:
    bad = tmp_path / "bad.pem"
    bad.write_text("not a certificate")
    running = start(tls_cert=str(bad), tls_key=str(bad))

    assert running.process.wait(timeout=20) == 1
    assert len(running.log.splitlines()) == 1
    assert str(bad) in running.log


def test_a_quiet_server_logs_nothing_of_its_own(start: Start) -> None:
    running = start()
    httpx.get(running.addresses["http"])

    assert running.ends_with() == 0
    assert running.log == ""


def test_a_failure_of_the_application_is_logged_and_answered_500(start: Start) -> None:
    running = start(tls=False)

    assert httpx.get(running.addresses["http"] + "/fails").status_code == 500
    assert running.ends_with() == 0
    assert "failing on purpose" in running.log
    assert "RuntimeError: on purpose" in running.log


def test_requests_are_logged_with_the_token_masked(start: Start) -> None:
    running = start(tls=False, log_level="info")
    httpx.get(running.addresses["http"] + "/t/0123456789/main?token=0123456789")

    assert running.ends_with() == 0
    assert "GET /t/***/main 200" in running.log
    assert "0123456789" not in running.log


def test_more_connections_than_a_usual_backlog_may_stay_open(start: Start) -> None:
    running = start(tls=False)
    idle = [running.connect() for _ in range(100)]
    try:
        for connection in idle:
            connection.sendall(REQUEST % b"/")
            assert connection.recv(1024)
        assert httpx.get(running.addresses["http"], timeout=5).status_code == 200
    finally:
        for connection in idle:
            connection.close()


def test_a_stop_takes_no_more_requests_and_finishes_those_under_way(start: Start) -> None:
    running = start(tls=False)
    with closing(running.connect()) as slow, closing(running.connect()) as idle:
        slow.sendall(REQUEST % b"/slow")
        time.sleep(0.3)
        running.process.send_signal(signal.SIGTERM)
        assert idle.recv(1) == b""  # closed by the server
        with pytest.raises(OSError, match=r"refused"):
            running.connect()
        assert slow.recv(1024).startswith(b"HTTP/1.1 200")
    assert running.process.wait(timeout=20) == 0


def test_a_request_that_outlasts_the_stop_is_cut_off(start: Start) -> None:
    running = start(tls=False, stop_seconds=0.5)
    with closing(running.connect()) as endless:
        endless.sendall(REQUEST % b"/forever")
        time.sleep(0.3)
        began = time.monotonic()
        assert running.ends_with() == 0
        assert 0.4 < time.monotonic() - began < 5


def test_a_second_signal_ends_at_once(start: Start) -> None:
    running = start(tls=False, stop_seconds=30)
    with closing(running.connect()) as endless:
        endless.sendall(REQUEST % b"/forever")
        time.sleep(0.3)
        began = time.monotonic()
        assert running.ends_with(signals=2) == 0
        assert time.monotonic() - began < 5
