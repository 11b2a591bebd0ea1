"""Many files at once: how many, in which thread, and what happens when somebody says stop."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from packhouse.errors import Stopped
from packhouse.remotes import InMemory, Outcome, Pace, Remotes, Request
from packhouse.settings import Settings
from packhouse.storage.blobs import PartialFile
from tests.remotes.asking import DOCUMENT, FILE, fetch, get, put, request
from tests.upstream import Misbehaviour, Upstream, cut_after, hang_after, hang_before, redirect, slow, status


def no_matter(_: Request, __: Outcome) -> None:
    pass


def hanging(upstream: Upstream, count: int, size: int = 100) -> Iterator[Request]:
    """Requests that are never answered in full."""
    upstream.misbehave("*", hang_after(size))
    for number in range(count):
        yield request(put(upstream, f"/noarch/f{number}.conda"))


def patient(settings: Settings) -> Settings:
    return settings.model_copy(update={"upstream_timeout_seconds": 60.0})


def test_each_file_is_told_once_with_its_own_outcome(remotes: Remotes, upstream: Upstream) -> None:
    contents = [f"package {number}".encode() for number in range(200)]
    requests = [
        request(put(upstream, f"/noarch/f{number}.conda", content), content, tag=number)
        for number, content in enumerate(contents)
    ]
    told: dict[int, Outcome] = {}

    def done(one: Request, outcome: Outcome) -> None:
        assert one.tag not in told
        told[one.tag] = outcome

    remotes.fetch_many(requests, done=done, at_once=16)

    assert [told[number].body for number in range(200)] == contents


def test_one_failure_does_not_touch_the_others(remotes: Remotes, upstream: Upstream) -> None:
    good = [request(put(upstream, f"/noarch/f{number}.conda")) for number in range(5)]
    bad = request(upstream.url + "/noarch/missing.conda")

    outcomes = fetch(remotes, good[0], bad, *good[1:])

    assert [outcome.is_ok for outcome in outcomes] == [True, False, True, True, True, True]


def test_nothing_to_fetch_is_done_at_once(remotes: Remotes) -> None:
    remotes.fetch_many([], done=no_matter, at_once=4)


def test_done_is_called_in_the_thread_that_asked(remotes: Remotes, upstream: Upstream) -> None:
    threads: list[threading.Thread] = []
    remotes.fetch_many(
        [request(put(upstream, FILE))],
        done=lambda *_: threads.append(threading.current_thread()),
        at_once=1,
    )

    assert threads == [threading.current_thread()]


def test_requests_are_taken_only_when_there_is_a_place(remotes: Remotes, upstream: Upstream) -> None:
    url = put(upstream, FILE)
    taken, told = 0, 0
    most = 0

    def requests() -> Iterator[Request]:
        nonlocal taken, most
        for _ in range(40):
            taken += 1
            most = max(most, taken - told)
            yield request(url)

    def done(*_: object) -> None:
        nonlocal told
        told += 1

    remotes.fetch_many(requests(), done=done, at_once=3)

    assert (told, most) == (40, 3)


def test_one_host_is_asked_so_often_at_once_and_not_more(settings: Settings, upstream: Upstream) -> None:
    remotes = Remotes(settings.model_copy(update={"upstream_connections": 2}))
    upstream.misbehave("*", slow(1_000_000))
    requests = [request(put(upstream, f"/noarch/f{number}.conda")) for number in range(6)]

    remotes.fetch_many(requests, done=no_matter, at_once=6)
    remotes.close()

    assert upstream.most_at_once == 2


def test_connections_are_kept(remotes: Remotes, upstream: Upstream) -> None:
    requests = [request(put(upstream, f"/noarch/f{number}.conda")) for number in range(20)]
    remotes.fetch_many(requests, done=no_matter, at_once=1)

    assert upstream.connections == 1


@pytest.mark.parametrize("way", [redirect("/noarch/there.conda"), status(404)], ids=["redirect", "missing"])
def test_connections_are_kept_whatever_the_answer(
    remotes: Remotes, upstream: Upstream, way: Misbehaviour
) -> None:
    put(upstream, "/noarch/there.conda")
    upstream.misbehave("/noarch/f*.conda", way)
    requests = [request(f"{upstream.url}/noarch/f{number}.conda") for number in range(20)]
    remotes.fetch_many(requests, done=no_matter, at_once=1)

    assert upstream.count("/noarch/f*.conda") == 20
    assert upstream.connections == 1


def test_stop_cuts_off_what_hangs_and_partial_files_stay(
    settings: Settings, upstream: Upstream, tmp_path: Path
) -> None:
    remotes = Remotes(patient(settings))
    stop = threading.Event()
    told: list[Outcome] = []

    def requests() -> Iterator[Request]:
        for number, one in enumerate(hanging(upstream, 3)):
            yield request(one.url, target=PartialFile(tmp_path, f"f{number}"))

    threading.Timer(0.3, stop.set).start()
    started = time.monotonic()
    remotes.fetch_many(requests(), done=lambda _, outcome: told.append(outcome), stop=stop, at_once=3)
    took = time.monotonic() - started
    remotes.close()

    assert took < 3  # a busy machine's second
    assert told == []
    for number in range(3):
        with PartialFile(tmp_path, f"f{number}") as left:  # let go of by those who were cut off
            assert (left.is_shared, left.position) == (True, 100)


def test_stop_is_heard_while_waiting_for_the_next_try(settings: Settings, upstream: Upstream) -> None:
    remotes = Remotes(settings, Pace(first_seconds=60))
    upstream.misbehave("*", status(503))
    stop = threading.Event()
    threading.Timer(0.2, stop.set).start()

    remotes.fetch_many([request(upstream.url + FILE)], done=no_matter, stop=stop, at_once=1)
    remotes.close()

    assert upstream.count() == 1


def test_stop_before_the_start_asks_nothing(remotes: Remotes, upstream: Upstream) -> None:
    stop = threading.Event()
    stop.set()
    remotes.fetch_many([request(upstream.url + FILE)], done=no_matter, stop=stop, at_once=1)

    assert upstream.log == []


def test_document_that_is_stopped_says_so(settings: Settings, upstream: Upstream) -> None:
    remotes = Remotes(patient(settings))
    upstream.misbehave("*", hang_before())
    stop = threading.Event()
    threading.Timer(0.2, stop.set).start()

    with pytest.raises(Stopped):
        get(remotes, upstream.url + DOCUMENT, stop=stop)
    remotes.close()


def test_error_of_done_is_raised_and_the_rest_is_let_go(
    remotes: Remotes, upstream: Upstream, tmp_path: Path
) -> None:
    url = put(upstream, FILE)
    others = list(hanging(upstream, 2))
    targets = [PartialFile(tmp_path, f"f{number}") for number in range(2)]
    upstream.misbehave(FILE)

    def done(_: Request, __: Outcome) -> None:
        raise ValueError("cannot keep it")

    with pytest.raises(ValueError, match="cannot keep it"):
        remotes.fetch_many(
            [
                *(request(one.url, target=target) for one, target in zip(others, targets, strict=True)),
                request(url),
            ],
            done=done,
            at_once=3,
        )
    for number in range(2):
        with PartialFile(tmp_path, f"f{number}") as left:
            assert left.is_shared


def test_error_of_a_target_that_is_none_of_ours_is_raised(remotes: Remotes, upstream: Upstream) -> None:
    class Broken(InMemory):
        def write(self, chunk: bytes) -> None:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fetch(remotes, request(put(upstream, FILE), target=Broken()))


def test_several_threads_share_the_connections(remotes: Remotes, upstream: Upstream) -> None:
    requests = [[request(put(upstream, f"/noarch/{i}-{j}.conda")) for i in range(10)] for j in range(4)]
    outcomes: list[list[Outcome]] = []
    threads = [
        threading.Thread(target=lambda batch=batch: outcomes.append(fetch(remotes, *batch)))
        for batch in requests
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [outcome.is_ok for batch in outcomes for outcome in batch] == [True] * 40
    assert upstream.connections <= 16


def test_close_ends_what_another_thread_waits_for(settings: Settings, upstream: Upstream) -> None:
    remotes = Remotes(patient(settings))
    raised: list[BaseException] = []

    def ask() -> None:
        try:
            fetch(remotes, *hanging(upstream, 2))
        except Stopped as error:
            raised.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    while upstream.count() < 2:
        time.sleep(0.01)
    remotes.close()
    thread.join(5)

    assert not thread.is_alive()
    assert len(raised) == 1


def test_closed_remotes_ask_nothing(settings: Settings, upstream: Upstream) -> None:
    remotes = Remotes(settings)
    remotes.close()
    remotes.close()

    with pytest.raises(Stopped):
        fetch(remotes, request(upstream.url + FILE))


def test_wait_that_a_host_asks_for_holds_for_all_its_files(settings: Settings, upstream: Upstream) -> None:
    now = 1000.0
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        nonlocal now
        waits.append(seconds)
        now += seconds

    remotes = Remotes(settings, Pace(sleep=sleep, clock=lambda: now, first_seconds=0.001))
    first, second = put(upstream, "/noarch/a.conda"), put(upstream, "/noarch/b.conda")
    upstream.misbehave("/noarch/a.conda", status(429, retry_after="30"), times=1)

    outcomes = fetch(remotes, request(first), request(second))
    remotes.close()

    assert [outcome.is_ok for outcome in outcomes] == [True, True]
    assert 29 < max(waits) <= 30


def test_file_after_file_over_a_connection_that_the_upstream_closed(
    remotes: Remotes, upstream: Upstream
) -> None:
    url = put(upstream, FILE)
    assert fetch(remotes, request(url))[0].is_ok
    upstream.stop_listening()
    upstream.listen_again()
    upstream.misbehave("*", cut_after(10), times=1)

    assert fetch(remotes, request(url))[0].is_ok
