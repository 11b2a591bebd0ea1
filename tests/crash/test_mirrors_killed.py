"""Mirrors killed at any moment: the result is exact, and nothing is fetched again that was here already.

`PACKHOUSE_CRASH_KILLS` says how often (4 unless set), `PACKHOUSE_CRASH_SEED` repeats an earlier run as far
as processes do.
"""

import hashlib
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from random import Random

import httpx
import pytest

from tests.crash.conftest import KILLS
from tests.crash.many_files import CHANNEL, PATIENCE_SECONDS, KilledMirror, build_channel, killed_mirror
from tests.crash.world import World
from tests.listed_channel import PLAIN, SHARDS, ListedChannel
from tests.live import LiveServer, wait_until
from tests.upstream import Upstream, slow, status

FILES, SMALL_BYTES = 2_000, 2_000
LARGE_FILES, LARGE_BYTES = 6, 400_000


@pytest.fixture(scope="session")
def many_files(tmp_path_factory: pytest.TempPathFactory) -> ListedChannel:
    return build_channel(tmp_path_factory.mktemp("many"), FILES, SMALL_BYTES)


@pytest.mark.slow
def test_active_mirror_killed_all_the_way_fetches_no_file_twice(
    world: World, many_files: ListedChannel, chance: Random
) -> None:
    with killed_mirror(world, many_files, upstream_connections=32) as mirror:
        upstream = mirror.upstream
        upstream.misbehave("*.conda", slow(30_000))  # about 0.1 s, in several pieces
        requests = len(mirror.digests) + sum(1 for _ in many_files.folder.glob("*/shards/*"))
        for number in range(KILLS):
            moment = requests * (number + chance.random()) / KILLS
            with world.server() as server:
                if number == 0:
                    mirror.create(server, "active")
                wait_until(partial(_has_asked_for, upstream, moment), PATIENCE_SECONDS)
                mirror.kill(server)
        with world.server() as server, server.client() as client:
            mirror.assert_complete(client, "active")
        mirror.assert_nothing_asked_twice()


def _has_asked_for(upstream: Upstream, requests: float) -> bool:
    return upstream.count() >= requests


@pytest.mark.slow
@pytest.mark.parametrize("way", [SHARDS, PLAIN])
def test_passive_mirror_killed_while_it_reads_indexes_lists_every_file_once(
    world: World, many_files: ListedChannel, way: str, chance: Random
) -> None:
    with killed_mirror(world, many_files) as mirror:
        upstream = mirror.upstream
        if way == PLAIN:
            upstream.misbehave("*/repodata_shards.msgpack.zst", status(404))
            upstream.misbehave("*/repodata.json", slow(300_000))
        else:
            upstream.misbehave("*/shards/*", slow(15_000))
        for number in range(max(2, KILLS // 2)):
            with world.server() as server, server.client() as client:
                if number == 0:
                    mirror.create(server, "passive")
                before = upstream.count()
                wait_until(partial(_is_asked_or_over, mirror, before, client), PATIENCE_SECONDS)
                time.sleep(chance.uniform(0, 2))
                mirror.kill(server)
        upstream.misbehave("*/shards/*")  # fast again
        upstream.misbehave("*/repodata.json")
        with world.server() as server, server.client() as client:
            mirror.assert_complete(client, "passive")
        assert upstream.count("*.conda") == 0


def _is_asked_or_over(mirror: KilledMirror, before: int, client: httpx.Client) -> bool:
    return mirror.upstream.count() > before or _is_over(mirror, client)


def _is_over(mirror: KilledMirror, client: httpx.Client) -> bool:
    return not mirror.is_under_way(client)


@pytest.mark.slow
def test_files_of_a_passive_mirror_killed_on_their_way_go_on_where_they_were(
    world: World, tmp_path: Path, chance: Random
) -> None:
    with killed_mirror(world, build_channel(tmp_path, LARGE_FILES, LARGE_BYTES)) as mirror:
        mirror.upstream.misbehave("*.conda", slow(LARGE_BYTES / 2))
        for number in range(KILLS):
            with world.server() as server, server.client() as client:
                if number == 0:
                    mirror.create(server, "passive")
                    wait_until(partial(_is_over, mirror, client), PATIENCE_SECONDS)
                _download_until_killed(mirror, server, seconds=chance.uniform(0.1, 3 / KILLS))
        with world.server() as server, server.client() as client:
            for path, digest in mirror.digests.items():
                body = client.get(f"/api/repo/{CHANNEL}{path}").content
                assert hashlib.sha256(body).hexdigest() == digest
            mirror.assert_complete(client, "active")
        mirror.assert_nothing_asked_twice()


def _download_until_killed(mirror: KilledMirror, server: LiveServer, seconds: float) -> None:
    """All files at once, each by two clients."""
    paths = [path for path in mirror.digests for _ in range(2)]

    def download(path: str) -> None:
        with suppress(httpx.TransportError):
            httpx.get(f"{server.url}/api/repo/{CHANNEL}{path}", timeout=60, verify=False)

    with ThreadPoolExecutor(len(paths)) as threads:
        downloads = [threads.submit(download, path) for path in paths]
        time.sleep(seconds)
        mirror.kill(server)
    for one in downloads:
        one.result()
