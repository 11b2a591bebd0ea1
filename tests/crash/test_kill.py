"""Killed at any moment and started again: nothing acknowledged is lost, nothing is half there, all agrees.

`PACKHOUSE_CRASH_KILLS` says how often each kind of server is killed (6 unless set), and
`PACKHOUSE_CRASH_SEED` repeats the story of an earlier run; each prints its own.
"""

import os
import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.builders import build_conda_package
from tests.crash.operations import SHARED, THREADS, Owned, Round, build_packages, rounds, work_until_killed
from tests.crash.world import World, observed
from tests.live import LiveServer

KILLS = int(os.environ.get("PACKHOUSE_CRASH_KILLS", "6"))
SEED = int(os.environ.get("PACKHOUSE_CRASH_SEED") or random.SystemRandom().randrange(2**32))
KILLS_A_STORY = 6


@pytest.fixture(params=["embedded", "large"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    if request.param == "embedded":
        yield World(tmp_path / "data")
        return
    settings = {
        "database_url": request.getfixturevalue("postgres_url"),
        "blob_url": request.getfixturevalue("s3_url"),
        "blob_options": dict(request.getfixturevalue("s3_options")),
    }
    yield World(tmp_path / "data", settings)


def furnish(server: LiveServer) -> list[Owned]:
    for channel in (SHARED, *(f"c{thread}" for thread in range(THREADS))):
        server.create_channel(channel)
    return [Owned(thread) for thread in range(THREADS)]


def play(
    server: LiveServer, states: list[Owned], packages: list[list[Path]], one: Round
) -> list[tuple[Owned, ...]]:
    """All threads work until the server is killed; what each may find afterwards."""
    is_killed = threading.Event()
    token = server.log_in()
    with ExitStack() as open_clients, ThreadPoolExecutor(THREADS) as threads:
        clients = [open_clients.enter_context(server.client(token)) for _ in states]
        running = [
            threads.submit(work_until_killed, client, owned, files, work, is_killed.is_set)
            for client, owned, files, work in zip(clients, states, packages, one.work, strict=True)
        ]
        time.sleep(one.seconds)
        server.kill()
        is_killed.set()
        return [future.result() for future in running]


def agreed(client: httpx.Client, possible: list[tuple[Owned, ...]]) -> list[Owned]:
    """What is there now, which must be one of what may be there for each thread."""
    found = [observed(client, thread) for thread in range(len(possible))]
    for now, allowed in zip(found, possible, strict=True):
        assert now in allowed
    return found


def live_through(world: World, packages: list[list[Path]], story: list[Round]) -> None:
    possible: list[tuple[Owned, ...]] = []
    for one in story:
        with world.server() as server:
            if not possible:
                possible = [(owned,) for owned in furnish(server)]
            with server.client() as client:
                states = agreed(client, possible)
                world.assert_all_agrees(client, states)
            possible = play(server, states, packages, one)
    with world.server() as server, server.client() as client:
        world.assert_all_agrees(client, agreed(client, possible))


def test_whatever_is_killed_when_all_agrees_after_the_next_start(world: World, tmp_path: Path) -> None:
    print(f"to repeat this run: PACKHOUSE_CRASH_SEED={SEED} PACKHOUSE_CRASH_KILLS={KILLS}")
    packages = [build_packages(tmp_path, thread) for thread in range(THREADS)]
    stories = max(1, KILLS // KILLS_A_STORY)
    number = iter(range(10_000))

    @seed(SEED)
    @settings(
        max_examples=stories,
        deadline=None,
        database=None,
        phases=[Phase.generate],  # to shrink a story would take an hour, and it may not fail again
        suppress_health_check=list(HealthCheck),
    )
    @given(story=rounds(min(KILLS, KILLS_A_STORY)))
    def live(story: list[Round]) -> None:
        here = World(world.data_dir / str(next(number)), world.settings)
        live_through(here, packages, story)

    live()


def test_killed_during_its_very_first_start_it_starts_the_next_time(world: World, tmp_path: Path) -> None:
    chance = random.Random(SEED)
    print(f"to repeat this run: PACKHOUSE_CRASH_SEED={SEED}")
    for _ in range(5):
        world.start_and_kill(chance.uniform(0.3, 2.5))
    with world.server() as server, server.client() as client:
        server.create_channel("data")
        assert server.upload("data", build_conda_package(tmp_path, "demo")).status_code == 201
        server.wait_until_indexed("data", "noarch", "demo-1.0-0.conda")
        world.assert_all_agrees(client, [])


def test_killed_at_every_start_it_still_closes_the_gap(world: World, tmp_path: Path) -> None:
    """A job that is begun at each start, and never ended, must not be lost or run for ever."""
    with world.server() as server:
        server.create_channel("data")
        assert server.upload("data", build_conda_package(tmp_path, "demo")).status_code == 201
        server.kill()
    chance = random.Random(SEED)
    for _ in range(4):
        with world.server() as server:
            time.sleep(chance.uniform(0.0, 0.2))
            server.kill()
    with world.server() as server, server.client() as client:
        server.wait_until_indexed("data", "noarch", "demo-1.0-0.conda")
        world.assert_all_agrees(client, [])
