"""Runs of mirrors in processes of their own: stopped from another one, taken over, ended and killed."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, create_engine, select, update

from packhouse.actions.mirrors.work import LOST_AFTER
from packhouse.actions.packhouse import utc_now
from packhouse.storage.tables import mirror_run
from tests.builders import build_conda_package
from tests.jobs.conftest import worker
from tests.listed_channel import ListedChannel
from tests.live import LiveServer, running_server, wait_until
from tests.upstream import Upstream, slow

FILES = 80
MIRROR = "/api/channels/data/mirrors/twin"
ENVIRONMENT = {"PACKHOUSE_ALLOW_PRIVATE_UPSTREAMS": "true", "PACKHOUSE_UPSTREAM_CONNECTIONS": "4"}


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[Upstream]:
    """Files come slowly: all take about five seconds."""
    channel = ListedChannel(tmp_path / "upstream")
    for number in range(FILES):
        channel.add(build_conda_package(tmp_path, "demo", version=f"{number}.0"))
    channel.write()
    with Upstream(channel.folder) as serving:
        serving.misbehave("*.conda", slow(2_500))
        yield serving


def create_mirror(server: LiveServer, upstream: Upstream) -> None:
    server.create_channel("data")
    body = {
        "mirror_name": "twin",
        "source_root": upstream.url,
        "mirror_mode": "active",
        "cron": "",
        "filters": {"subdirs": ["linux-64"]},
        "run_now": True,
    }
    with server.client() as client:
        client.post("/api/channels/data/mirrors", json=body).raise_for_status()


def shown(client: httpx.Client) -> dict[str, Any]:
    found: dict[str, Any] = client.get(MIRROR).raise_for_status().json()
    return found


def wait_until_completed(server: LiveServer) -> None:
    """One run, which brought each file once."""
    with server.client() as client:
        wait_until(lambda: shown(client)["state"] == "completed", seconds=60)
        [run] = client.get(f"{MIRROR}/runs").raise_for_status().json()["items"]
        assert (run["counts"]["added"], run["counts"]["failed"]) == (FILES, 0)


def sent(upstream: Upstream) -> int:
    return sum(one.sent for one in upstream.asked("*.conda"))


def completed(upstream: Upstream) -> Counter[str]:
    return Counter(one.path for one in upstream.asked("*.conda") if one.completed and one.range is None)


def tracebacks(data_dir: Path, log: str = "server.log") -> list[str]:
    return [line for line in (data_dir / log).read_text().splitlines() if "Traceback" in line]


# --- one server


def test_server_that_ends_in_the_middle_of_a_run_goes_on_at_once_when_it_is_back(
    tmp_path: Path, upstream: Upstream
) -> None:
    data_dir = tmp_path / "live"
    with running_server(data_dir, environment=ENVIRONMENT) as server:
        create_mirror(server, upstream)
        wait_until(lambda: upstream.count("*.conda") > FILES / 4)
        asked = time.monotonic()
        server.process.terminate()
        assert server.process.wait(timeout=20) == 0
        assert time.monotonic() - asked < 10  # about three; the rest is for a busy machine

    before = upstream.count("*.conda")
    with running_server(data_dir, environment=ENVIRONMENT) as server:
        wait_until(lambda: upstream.count("*.conda") > before, seconds=15)
        wait_until_completed(server)
    assert set(completed(upstream).values()) == {1}
    assert tracebacks(data_dir) == []


def test_killed_server_goes_on_at_once_when_it_is_back(tmp_path: Path, upstream: Upstream) -> None:
    data_dir = tmp_path / "live"
    with running_server(data_dir, environment=ENVIRONMENT) as server:
        create_mirror(server, upstream)
        wait_until(lambda: upstream.count("*.conda") > FILES / 4)
        server.kill()

    before = upstream.count("*.conda")
    with running_server(data_dir, environment=ENVIRONMENT) as server:
        wait_until(lambda: upstream.count("*.conda") > before, seconds=15)  # not after LOST_AFTER
        wait_until_completed(server)
    assert tracebacks(data_dir) == []


@pytest.mark.parametrize("address", [MIRROR, f"{MIRROR}?contents=drop", "/api/channels/data"])
def test_deleted_in_the_middle_of_a_run_it_leaves_the_server_in_peace(
    tmp_path: Path, upstream: Upstream, address: str
) -> None:
    data_dir = tmp_path / "live"
    with running_server(data_dir, environment=ENVIRONMENT) as server:
        create_mirror(server, upstream)
        wait_until(lambda: upstream.count("*.conda") > FILES / 2)
        with server.client() as client:
            client.delete(address).raise_for_status()
            wait_until(quiet(upstream), seconds=10)
            assert client.get(MIRROR).status_code == 404
    assert tracebacks(data_dir) == []


def quiet(upstream: Upstream, seconds: float = 1.0) -> Callable[[], bool]:
    """Whether nothing was sent for so long."""
    last = [(time.monotonic(), -1)]

    def is_quiet() -> bool:
        if sent(upstream) != last[0][1]:
            last[0] = time.monotonic(), sent(upstream)
        return time.monotonic() - last[0][0] > seconds

    return is_quiet


# --- a server and workers


@pytest.fixture
def engine(postgres_url: str) -> Iterator[Engine]:
    found = create_engine(postgres_url)
    yield found
    found.dispose()


def holder(engine: Engine) -> str | None:
    with engine.connect() as connection:
        return connection.execute(select(mirror_run.c.holder)).scalar_one()


def test_stop_takes_effect_in_another_process(
    tmp_path: Path, upstream: Upstream, large: Mapping[str, str], engine: Engine
) -> None:
    environment = {**large, **ENVIRONMENT}
    with (
        running_server(tmp_path / "live", "--no-worker", environment=environment) as server,
        worker(server.data_dir, "one", environment),
    ):
        create_mirror(server, upstream)
        wait_until(lambda: upstream.count("*.conda") > 8)
        with server.client() as client:
            stopped = client.post(f"{MIRROR}/stop_mirror_sync").raise_for_status().json()
            assert stopped["state"] == "stopped"
            asked = time.monotonic()
            wait_until(quiet(upstream), seconds=10)
            assert time.monotonic() - asked < 5  # one until it is noticed, one until it is quiet
            assert upstream.count("*.conda") < FILES
            assert shown(client)["state"] == "stopped"
    assert tracebacks(server.data_dir, "one.log") == []


def test_run_is_worked_on_by_one_worker_at_a_time(
    tmp_path: Path, upstream: Upstream, large: Mapping[str, str], engine: Engine
) -> None:
    environment = {**large, **ENVIRONMENT}
    with ExitStack() as running:
        server = running.enter_context(
            running_server(tmp_path / "live", "--no-worker", environment=environment)
        )
        for name in ("one", "two"):
            running.enter_context(worker(server.data_dir, name, environment))
        create_mirror(server, upstream)
        wait_until(lambda: upstream.count("*.conda") > FILES / 4)
        with server.client() as client:
            client.post(f"{MIRROR}/restart").raise_for_status()
        wait_until_completed(server)
    assert completed(upstream) == Counter(one.path for one in upstream.asked("*.conda"))
    assert len(completed(upstream)) == FILES


def test_run_of_a_killed_worker_is_taken_over_by_another(
    tmp_path: Path, upstream: Upstream, large: Mapping[str, str], engine: Engine
) -> None:
    environment = {**large, **ENVIRONMENT}
    with running_server(tmp_path / "live", "--no-worker", environment=environment) as server:
        with worker(server.data_dir, "one", environment) as one:
            create_mirror(server, upstream)
            wait_until(lambda: upstream.count("*.conda") > FILES / 4, seconds=60)
            assert holder(engine) == "one"
            one.kill()
            one.wait()
        with worker(server.data_dir, "two", environment):
            time.sleep(3)
            assert holder(engine) == "one"  # which may only be slow
            make_last_sign_of_life_old(engine)
            wait_until(lambda: holder(engine) == "two")
            wait_until_completed(server)


def make_last_sign_of_life_old(engine: Engine) -> None:
    """As if LOST_AFTER had passed."""
    with engine.begin() as connection:
        connection.execute(update(mirror_run).values(seen_at=utc_now() - LOST_AFTER - timedelta(seconds=1)))


def test_worker_whose_run_was_taken_over_lets_go_of_it(
    tmp_path: Path, upstream: Upstream, large: Mapping[str, str], engine: Engine
) -> None:
    upstream.misbehave("*.conda", slow(100))  # for longer than this test takes
    environment = {**large, **ENVIRONMENT}
    with running_server(tmp_path / "live", "--no-worker", environment=environment) as server:
        with worker(server.data_dir, "one", environment):
            create_mirror(server, upstream)
            wait_until(lambda: upstream.count("*.conda") == 4)
            with engine.begin() as connection:  # by one that goes on for as long as this test
                alive = utc_now() + timedelta(hours=1)
                connection.execute(update(mirror_run).values(holder="other", seen_at=alive))
            wait_until(quiet(upstream), seconds=10)
        assert holder(engine) == "other"
    assert tracebacks(server.data_dir, "one.log") == []
