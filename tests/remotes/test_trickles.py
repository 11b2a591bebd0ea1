"""Upstreams that send something again and again, but never enough: they are as good as silent."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from packhouse.errors import UpstreamUnreachable
from packhouse.remotes import InMemory, Pace, Remotes, exchange
from packhouse.settings import Settings
from tests.remotes.asking import CONTENT, DOCUMENT, FILE, fetch_one, get, put, request
from tests.upstream import Upstream, slow

PATIENCE_SECONDS = 0.3
ANSWER_SECONDS = 0.4
DROP_SECONDS = 0.02
OK = b"HTTP/1.1 200 OK\r\n"


class SlowTarget(InMemory):
    def write(self, chunk: bytes) -> None:
        time.sleep(PATIENCE_SECONDS / 2)
        super().write(chunk)


@pytest.fixture
def impatient(settings: Settings) -> Iterator[Remotes]:
    remotes = Remotes(settings, Pace(tries=2, first_seconds=0.001, patience_seconds=PATIENCE_SECONDS))
    yield remotes
    remotes.close()


@contextmanager
def dripping(begin: bytes, drop: bytes) -> Iterator[str]:
    """A server that answers with `begin` and then with one `drop` after another; its address."""
    listening, is_over = socket.create_server(("127.0.0.1", 0)), threading.Event()

    def serve() -> None:
        while not is_over.is_set():
            try:
                connection = listening.accept()[0]
            except OSError:
                return
            with connection:
                drip(connection)

    def drip(connection: socket.socket) -> None:
        try:
            connection.recv(4096)
            connection.sendall(begin)
            while not is_over.wait(DROP_SECONDS):
                connection.sendall(drop)
        except OSError:
            pass  # the client has had enough

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        is_over.set()
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()


def test_document_that_trickles_is_given_up(impatient: Remotes, upstream: Upstream) -> None:
    url = put(upstream, DOCUMENT)
    upstream.misbehave("*", slow(bytes_per_second=2_000))

    with pytest.raises(UpstreamUnreachable, match="it comes too slowly"):
        get(impatient, url)
    assert upstream.count() == 2


def test_file_that_trickles_is_broken_off_and_continued(impatient: Remotes, upstream: Upstream) -> None:
    asked = request(put(upstream, FILE))
    upstream.misbehave("*", slow(bytes_per_second=2_000), times=1)

    assert fetch_one(impatient, asked).body == CONTENT
    assert [one.range is None for one in upstream.asked(FILE)] == [True, False]


def test_slow_target_is_no_slow_upstream(impatient: Remotes, upstream: Upstream) -> None:
    large = CONTENT * 8
    asked = request(put(upstream, FILE, large), large, target=SlowTarget())

    assert fetch_one(impatient, asked).body == large
    assert upstream.count() == 1


def test_chunks_that_bring_no_byte_of_the_file_are_no_progress(impatient: Remotes) -> None:
    gzip_header = b"1\r\n\x1f\r\n1\r\n\x8b\r\n1\r\n\x08\r\n1\r\n\x08\r\n6\r\n\0\0\0\0\0\0\r\n"
    begin = OK + b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n" + gzip_header

    with (
        dripping(begin, b"1\r\nx\r\n") as address,
        pytest.raises(UpstreamUnreachable, match="it comes too slowly"),
    ):
        get(impatient, address + DOCUMENT)


def test_headers_that_never_end_are_given_up(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "TUNNEL_SECONDS", 0)
    hasty = settings.model_copy(update={"upstream_timeout_seconds": ANSWER_SECONDS})
    remotes = Remotes(hasty, Pace(tries=1))

    with (
        dripping(OK, b"X: y\r\n") as address,
        pytest.raises(UpstreamUnreachable, match="nothing came in time"),
    ):
        get(remotes, address + DOCUMENT)
    remotes.close()
