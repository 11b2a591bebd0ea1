"""Targets that take their time: they hold up neither other files nor are they closed under a writer."""

import threading

from packhouse.domain.artifacts import Digests
from packhouse.remotes import InMemory, Outcome, Remotes, Request
from tests.remotes.asking import put, request
from tests.upstream import Upstream

LARGE = bytes(range(256)) * 4 * 1024  # 1 MiB: it comes in pieces that are written in another thread
PATIENCE_SECONDS = 10


class Slow(InMemory):
    """Does not finish its first write before it may; notes whether it was closed meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.is_writing, self.may_go_on = threading.Event(), threading.Event()
        self.was_closed_under_a_writer = False
        self._is_busy = False

    def write(self, chunk: bytes) -> None:
        self._is_busy = True
        self.is_writing.set()
        self.may_go_on.wait(PATIENCE_SECONDS)
        super().write(chunk)
        self._is_busy = False

    def close(self) -> None:
        self.was_closed_under_a_writer = self._is_busy


class SlowWhenLarge(Slow):
    def finish(self) -> Digests:
        assert not self._is_busy
        return super().finish()


def test_disk_that_hangs_under_one_file_does_not_hold_up_another(
    remotes: Remotes, upstream: Upstream
) -> None:
    slow = SlowWhenLarge()
    large = request(put(upstream, "/noarch/large.conda", LARGE), LARGE, target=slow)
    small = request(put(upstream, "/noarch/small.conda"))
    told: list[Request] = []

    def done(one: Request, outcome: Outcome) -> None:
        assert outcome.is_ok
        told.append(one)
        if one is small:
            slow.may_go_on.set()

    remotes.fetch_many([large, small], done=done, at_once=2)

    assert told == [small, large]


def test_file_that_is_cut_off_is_closed_once_its_writer_is_done(remotes: Remotes, upstream: Upstream) -> None:
    slow, stop = Slow(), threading.Event()
    asked = request(put(upstream, "/noarch/large.conda", LARGE), LARGE, target=slow)

    def cut_off() -> None:
        slow.is_writing.wait(PATIENCE_SECONDS)
        stop.set()
        threading.Timer(0.5, slow.may_go_on.set).start()

    threading.Thread(target=cut_off).start()
    remotes.fetch_many([asked], done=lambda _, __: None, at_once=1, stop=stop)

    assert slow.may_go_on.is_set()
    assert not slow.was_closed_under_a_writer
