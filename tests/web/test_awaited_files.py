"""Files of a passive mirror, as a client gets them over a real connection while they are fetched."""

import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import httpx
import pytest

from tests.builders import build_conda_package
from tests.listed_channel import ListedChannel
from tests.live import LiveServer, running_server, wait_until
from tests.upstream import Upstream, other_bytes, slow

SIZE = 400_000
NOISE = {"share/noise.bin": Random(1).randbytes(SIZE)}


@pytest.fixture
def package(tmp_path: Path) -> Path:
    return build_conda_package(tmp_path, "demo", files=NOISE)


@pytest.fixture
def upstream(tmp_path: Path, package: Path) -> Iterator[Upstream]:
    channel = ListedChannel(tmp_path / "upstream")
    channel.add(package)
    channel.write()
    with Upstream(channel.folder) as serving:
        yield serving


@pytest.fixture
def server(tmp_path: Path, upstream: Upstream) -> Iterator[LiveServer]:
    environment = {"PACKHOUSE_ALLOW_PRIVATE_UPSTREAMS": "true"}
    with running_server(tmp_path / "live", environment=environment) as started:
        started.create_channel("data")
        body = {"mirror_name": "twin", "source_root": upstream.url, "mirror_mode": "passive", "run_now": True}
        with started.client() as client:
            client.post("/api/channels/data/mirrors", json=body).raise_for_status()
            wait_until(lambda: is_completed(client), seconds=60)
        yield started


def is_completed(client: httpx.Client) -> bool:
    shown = client.get("/api/channels/data/mirrors/twin").raise_for_status().json()
    return bool(shown["state"] == "completed")


def test_upstream_that_lies_costs_the_client_its_connection_and_the_log_one_line(
    server: LiveServer, upstream: Upstream, package: Path
) -> None:
    upstream.misbehave("*.conda", other_bytes(), slow(SIZE))  # so that much is passed on before it is noticed
    address = f"{server.url}/api/repo/data/noarch/{package.name}"
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
        httpx.get(address, verify=False)
    time.sleep(0.2)  # the log is written by then
    said = (server.data_dir / "server.log").read_text()
    assert (said.count("file_broken_off"), "Traceback" in said) == (1, False)

    upstream.behave()
    assert httpx.get(address, verify=False).content == package.read_bytes()
