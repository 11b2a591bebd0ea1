"""Killed at any moment and started again: nothing acknowledged is lost, nothing is half there, all agrees.

A property test with a die of its own: what fails here will hardly fail twice, so there is nothing for
Hypothesis to shrink, and it would try the dullest story first. `PACKHOUSE_CRASH_KILLS` says how often each
kind of server is killed (4 unless set), `PACKHOUSE_CRASH_SEED` repeats an earlier run as far as threads do.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from random import Random

import httpx
import pytest

from tests.builders import build_conda_package
from tests.crash.conftest import KILLS
from tests.crash.operations import SHARED, THREADS, Owned, build_packages, work_until_killed
from tests.crash.world import World, observed
from tests.live import LiveServer

LONGEST_LIFE = 1.5
"""Seconds between the first operation and the kill."""

Possible = list[tuple[Owned, ...]]
"""For each thread, what there may be: see `work_until_killed`."""


def furnish(server: LiveServer) -> Possible:
    for channel in (SHARED, *(f"c{thread}" for thread in range(THREADS))):
        server.create_channel(channel)
    return [(Owned(thread),) for thread in range(THREADS)]


def work_and_kill(
    server: LiveServer, states: list[Owned], packages: list[list[Path]], chance: Random
) -> Possible:
    """All threads work until the server is killed; answers what each may find afterwards."""
    token = server.log_in()
    with ExitStack() as stack, ThreadPoolExecutor(THREADS) as threads:
        running = [
            threads.submit(
                work_until_killed,
                stack.enter_context(server.client(token)),
                owned,
                packages[owned.thread],
                Random(chance.random()),
            )
            for owned in states
        ]
        time.sleep(chance.uniform(0.0, LONGEST_LIFE))
        server.kill()
        return [future.result() for future in running]


def agreed(client: httpx.Client, possible: Possible) -> list[Owned]:
    """What is there now, which must be one of what may be there for each thread."""
    found = [observed(client, thread) for thread in range(len(possible))]
    for now, allowed in zip(found, possible, strict=True):
        assert now in allowed
    return found


@pytest.mark.slow
def test_whatever_is_killed_when_all_agrees_after_the_next_start(
    world: World, tmp_path: Path, chance: Random
) -> None:
    packages = [build_packages(tmp_path, thread) for thread in range(THREADS)]
    possible: Possible = []
    for _ in range(KILLS):
        with world.server() as server:
            possible = possible or furnish(server)
            with server.client() as client:
                states = agreed(client, possible)
                world.assert_all_agrees(client, states)
            possible = work_and_kill(server, states, packages, chance)
    with world.server() as server, server.client() as client:
        world.assert_all_agrees(client, agreed(client, possible))


def test_killed_during_its_very_first_start_it_starts_the_next_time(
    world: World, tmp_path: Path, chance: Random
) -> None:
    for _ in range(5):
        world.start_and_kill(chance.uniform(0.3, 2.5))
    with world.server() as server, server.client() as client:
        server.create_channel("data")
        assert server.upload("data", build_conda_package(tmp_path, "demo")).status_code == 201
        server.wait_until_indexed("data", "noarch", "demo-1.0-0.conda")
        world.assert_all_agrees(client, [])


def test_killed_at_every_start_it_still_closes_the_gap(world: World, tmp_path: Path, chance: Random) -> None:
    """A job that is begun at each start, and never ended, must not be lost or run for ever."""
    with world.server() as server:
        server.create_channel("data")
        assert server.upload("data", build_conda_package(tmp_path, "demo")).status_code == 201
        server.kill()
    for _ in range(4):
        with world.server() as server:
            time.sleep(chance.uniform(0.0, 0.2))
            server.kill()
    with world.server() as server, server.client() as client:
        server.wait_until_indexed("data", "noarch", "demo-1.0-0.conda")
        world.assert_all_agrees(client, [])
