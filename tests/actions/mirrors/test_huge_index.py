"""An index of 300 MB in one document: read in bounded memory."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.live import LiveServer, running_server
from tests.upstream import Upstream

MEGABYTE = 1024**2
SIZE = 300 * MEGABYTE
FILES_A_NAME = 20
MOST_MEMORY = 250 * MEGABYTE
"""Beyond what the server takes at rest: less than the document, whatever its length."""


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[Upstream]:
    folder = tmp_path / "upstream"
    (folder / "noarch").mkdir(parents=True)
    write_index(folder / "noarch/repodata.json")
    with Upstream(folder) as upstream:
        yield upstream


def write_index(path: Path) -> None:
    with path.open("w") as out:
        out.write('{"info": {"subdir": "noarch"}, "packages": {}, "packages.conda": {')
        number = 0
        while out.tell() < SIZE:
            out.write("".join(record(number + offset) for offset in range(1_000)))
            number += 1_000
        out.write('"end-1.0-0.conda": ' + json.dumps(facts("end", "1.0", 0)) + "}}")


def record(number: int) -> str:
    name, version = f"name{number // FILES_A_NAME}", f"{number % FILES_A_NAME}.0"
    return f'"{name}-{version}-0.conda": {json.dumps(facts(name, version, number))},'


def facts(name: str, version: str, number: int) -> dict[str, object]:
    return {
        "name": name,
        "version": version,
        "build": "0",
        "build_number": 0,
        "depends": [f"dependency-{number % 97}-{place} >={place}.0,<{place + 1}.0a0" for place in range(8)],
        "license": "BSD-3-Clause",
        "sha256": f"{number:064x}",
        "size": 1_000 + number,
        "subdir": "noarch",
        "timestamp": 1_700_000_000_000 + number,
    }


def most_memory(server: LiveServer) -> int:
    """The most that the process ever had in memory, in bytes."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) * 1024


@pytest.mark.slow
def test_index_of_300_megabytes_is_read_in_bounded_memory(upstream: Upstream, tmp_path: Path) -> None:
    settings = {"PACKHOUSE_ALLOW_PRIVATE_UPSTREAMS": "true"}
    with running_server(tmp_path / "live", environment=settings) as server, server.client() as client:
        server.create_channel("data")
        at_rest = most_memory(server)
        body = {
            "mirror_name": "twin",
            "source_root": upstream.url,
            "filters": {"subdirs": ["linux-64"], "only_specs": ["end", "name7"]},
            "run_now": True,
        }
        client.post("/api/channels/data/mirrors", json=body).raise_for_status()
        mirror = wait_until_run(client)
        assert mirror["state"] == "completed", mirror
        assert mirror["sync_state"]["count"]["passive"] == FILES_A_NAME + 1
        assert most_memory(server) - at_rest < MOST_MEMORY


def wait_until_run(client: httpx.Client) -> dict[str, Any]:
    end = time.monotonic() + 300
    while True:
        mirror: dict[str, Any] = client.get("/api/channels/data/mirrors/twin").json()
        if mirror["state"] in ("completed", "failed"):
            return mirror
        assert time.monotonic() < end, mirror
        time.sleep(0.2)
