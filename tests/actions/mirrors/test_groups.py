"""What is handed over is worked on in groups, in another thread, to the last piece or the first failure."""

import threading
from itertools import chain

import pytest

from packhouse.actions.mirrors.groups import InGroups

MOST = 4
PATIENCE_SECONDS = 10


class Refused(Exception):
    pass


class Worker:
    """Notes what it was given; refuses the group that holds `refused`."""

    def __init__(self, refused: int | None = None) -> None:
        self.refused = refused
        self.groups: list[list[int]] = []
        self.abandoned: list[int] = []
        self.threads: set[threading.Thread] = set()

    def work(self, group: list[int]) -> None:
        self.threads.add(threading.current_thread())
        self.groups.append(group)
        if self.refused in group:
            raise Refused

    def in_groups(self) -> InGroups[int]:
        return InGroups(self.work, self.abandoned.extend, MOST)


def test_all_are_worked_on_in_their_order_and_no_group_is_too_large() -> None:
    worker = Worker()
    groups = worker.in_groups()
    for number in range(50):
        groups.put(number)
    groups.close()
    assert list(chain(*worker.groups)) == list(range(50))
    assert max(map(len, worker.groups)) <= MOST


def test_work_is_done_in_one_thread_that_is_not_the_callers() -> None:
    worker = Worker()
    groups = worker.in_groups()
    for number in range(2 * MOST):
        groups.put(number)
    groups.close()
    assert len(worker.threads) == 1
    assert threading.current_thread() not in worker.threads


def test_nothing_put_is_nothing_worked_on() -> None:
    worker = Worker()
    worker.in_groups().close()
    assert worker.groups == []


def test_single_one_does_not_wait_for_others_that_never_come() -> None:
    done = threading.Event()
    groups: InGroups[int] = InGroups(lambda _: done.set(), lambda _: None, MOST)
    groups.put(1)
    assert done.wait(PATIENCE_SECONDS)
    groups.close()


def put_until_refused(groups: InGroups[int], put: list[int]) -> None:
    for number in range(1000):
        groups.put(number)
        put.append(number)


def test_failure_is_raised_where_the_next_is_put() -> None:
    worker = Worker(refused=0)
    groups = worker.in_groups()
    with pytest.raises(Refused):
        put_until_refused(groups, [])
    with pytest.raises(Refused):
        groups.close()


def test_what_waits_behind_a_failure_is_abandoned() -> None:
    worker = Worker(refused=0)
    groups = worker.in_groups()
    put: list[int] = []
    with pytest.raises(Refused):
        put_until_refused(groups, put)
    with pytest.raises(Refused):
        groups.close()
    assert [*worker.groups[0], *worker.abandoned] == put
    assert len(worker.groups) == 1
