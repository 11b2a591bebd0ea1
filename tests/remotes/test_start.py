"""One file that somebody reads along while it comes."""

import time
from concurrent.futures import CancelledError
from pathlib import Path

import pytest

from packhouse.remotes import InMemory, Remotes
from packhouse.settings import Settings
from packhouse.storage.blobs import PartialFile
from tests.remotes.asking import CONTENT, FILE, put, request
from tests.upstream import Upstream, hang_after, other_bytes, slow, status


def wait_for(path: Path, size: int) -> None:
    end = time.monotonic() + 5
    while not path.exists() or path.stat().st_size < size:
        assert time.monotonic() < end, f"{path.name} did not reach {size} bytes"
        time.sleep(0.01)


def test_progress_tells_bytes_that_are_there_to_be_read(
    remotes: Remotes, upstream: Upstream, tmp_path: Path
) -> None:
    url = put(upstream, FILE)
    upstream.misbehave("*", slow(len(CONTENT) / 0.2))
    read: list[tuple[int, bytes]] = []

    with PartialFile(tmp_path, "reading-along") as target:
        future = remotes.start(
            request(url, target=target), lambda size: read.append((size, target.path.read_bytes()))
        )
        outcome = future.result(10)

    assert outcome.is_ok
    assert len(read) > 3
    assert all(content == CONTENT[:size] for size, content in read)
    assert read[-1][0] == len(CONTENT)


def test_wrong_bytes_are_taken_back_in_the_progress(remotes: Remotes, upstream: Upstream) -> None:
    url = put(upstream, FILE)
    upstream.misbehave("*", other_bytes(), times=1)
    told: list[int] = []

    assert remotes.start(request(url), told.append).result(10).body == CONTENT
    assert 0 in told
    assert told[-1] == len(CONTENT)


def test_failure_is_an_outcome(remotes: Remotes, upstream: Upstream) -> None:
    outcome = remotes.start(request(upstream.url + FILE)).result(10)

    assert not outcome.is_ok


def test_file_that_somebody_waits_for_is_tried_as_often_as_was_said(
    remotes: Remotes, upstream: Upstream
) -> None:
    url = put(upstream, FILE)
    upstream.misbehave("*", status(503))

    outcome = remotes.start(request(url, tries=2)).result(10)

    assert not outcome.is_ok
    assert upstream.count(FILE) == 2


def test_error_of_the_target_is_the_futures(remotes: Remotes, upstream: Upstream) -> None:
    class Broken(InMemory):
        def write(self, chunk: bytes) -> None:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        remotes.start(request(put(upstream, FILE), target=Broken())).result(10)


def test_cancelled_download_lets_go_of_its_file_and_keeps_the_bytes(
    settings: Settings, upstream: Upstream, tmp_path: Path
) -> None:
    remotes = Remotes(settings.model_copy(update={"upstream_timeout_seconds": 60.0}))
    url = put(upstream, FILE)
    upstream.misbehave("*", hang_after(1000))
    target = PartialFile(tmp_path, "cancelled")
    future = remotes.start(request(url, target=target))
    wait_for(target.path, 1000)

    assert future.cancel()
    remotes.close()

    with PartialFile(tmp_path, "cancelled") as left:
        assert (left.is_shared, left.position) == (True, 1000)


def test_close_cancels_what_was_started(settings: Settings, upstream: Upstream, tmp_path: Path) -> None:
    remotes = Remotes(settings.model_copy(update={"upstream_timeout_seconds": 60.0}))
    url = put(upstream, FILE)
    upstream.misbehave("*", hang_after(1000))
    target = PartialFile(tmp_path, "closed")
    future = remotes.start(request(url, target=target))
    wait_for(target.path, 1000)

    remotes.close()

    with pytest.raises(CancelledError):
        future.result(5)
    with PartialFile(tmp_path, "closed") as left:
        assert left.is_shared
