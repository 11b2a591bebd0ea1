"""A server that is killed and started again on the same data, and what its clients read of it."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from packhouse.actions.check import check
from packhouse.actions.packhouse import Packhouse
from packhouse.app import build
from packhouse.formats.conda.shards import read_shard, read_shard_index
from packhouse.settings import load_settings
from packhouse.storage import revisions
from tests.crash.operations import Owned
from tests.house import decompressed, in_hex
from tests.live import PASSWORD, LiveServer, running_server

SETTLE_SECONDS = 60
SUBDIRS = ("noarch", "linux-64")

Records = dict[str, dict[str, Any]]


@dataclass
class World:
    data_dir: Path
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Beside the defaults; for PostgreSQL and S3."""

    @property
    def environment(self) -> dict[str, str]:
        return {
            f"PACKHOUSE_{name.upper()}": value if isinstance(value, str) else json.dumps(value)
            for name, value in self.settings.items()
        }

    @contextmanager
    def server(self) -> Iterator[LiveServer]:
        with running_server(self.data_dir, environment=self.environment) as server:
            yield server

    def start_and_kill(self, seconds: float) -> None:
        """Start a server and kill it after a while, wherever it is then."""
        command = [sys.executable, "-m", "packhouse", "serve", "--data-dir", str(self.data_dir)]
        environment = {**os.environ, "PACKHOUSE_ADMIN_PASSWORD": PASSWORD, **self.environment}
        self.data_dir.mkdir(parents=True, exist_ok=True)
        with (self.data_dir / "server.log").open("a") as log:
            process = subprocess.Popen([*command, "--port", "0", "--no-tls"], stderr=log, env=environment)
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def assert_all_agrees(self, client: httpx.Client, states: list[Owned]) -> None:
        """Once settled: every index and file that a client reads says what `states` says; so does `check`."""
        with self.packhouse() as packhouse:
            self._wait_until_settled(packhouse)
            assert_clients_see(client, states)
            report = check(packhouse, repair=False, deep=True)
            assert (report.differences, report.due) == ([], [])

    @contextmanager
    def packhouse(self) -> Iterator[Packhouse]:
        """Its parts, in this process."""
        packhouse = build(load_settings(data_dir=self.data_dir, **self.settings))
        try:
            yield packhouse
        finally:
            packhouse.close()

    def _wait_until_settled(self, packhouse: Packhouse) -> None:
        end = time.monotonic() + SETTLE_SECONDS
        while True:
            with packhouse.database.reading() as connection:
                stale = revisions.stale(connection)
            if not stale:
                return
            log = (self.data_dir / "server.log").read_text()
            assert time.monotonic() < end, f"still stale: {stale}\n{log[-4000:]}"
            time.sleep(0.05)


def observed(client: httpx.Client, thread: int) -> Owned:
    """What one thread owns, as its shards have it."""
    privacy = client.get(f"/api/channels/c{thread}").json()["privacy"]
    has_subchannel = client.get(f"/api/channels/c{thread}/subchannels/sub").status_code == 200
    found = Owned(thread, frozenset(), privacy, has_subchannel)
    for channel in found.channels:
        for subdir in SUBDIRS:
            names = [
                name
                for name, record in sharded(client, channel, subdir).items()
                if record["name"] == found.name
            ]
            found = found.plus(channel, {f"{subdir}/{name}" for name in names})
    return found


def assert_clients_see(client: httpx.Client, states: list[Owned]) -> None:
    for channel in sorted({channel for owned in states for channel in owned.channels}):
        ckeys = {ckey for owned in states for place, ckey in owned.files if place == channel}
        for subdir in SUBDIRS:
            _assert_subdir(client, channel, subdir, {ckey for ckey in ckeys if ckey.startswith(f"{subdir}/")})
        url = channel.replace("/", "/subchannels/")
        assert client.get(f"/api/channels/{url}").json()["artifact_count"] == len(ckeys)


def _assert_subdir(client: httpx.Client, channel: str, subdir: str, ckeys: set[str]) -> None:
    """All ways to read the subdir tell the same records, those of the expected files; and the files are there."""
    shown = sharded(client, channel, subdir)
    assert {f"{subdir}/{name}" for name in shown} == ckeys, f"{channel}/{subdir}: shards"
    without_exports = {name: {**record, "run_exports": None} for name, record in shown.items()}
    for name in ("repodata.json", "repodata.json.zst"):
        document = read_document(client, channel, subdir, name)
        records = {} if document is None else {**document["packages"], **document["packages.conda"]}
        assert {key: {**one, "run_exports": None} for key, one in records.items()} == without_exports, name
    for name in ("run_exports.json", "run_exports.json.zst"):
        document = read_document(client, channel, subdir, name)
        exports = {} if document is None else {**document["packages"], **document["packages.conda"]}
        assert exports == {key: {"run_exports": one["run_exports"]} for key, one in shown.items()}, name
    for name, record in shown.items():
        body = client.get(f"/api/repo/{channel}/{subdir}/{name}").content
        assert hashlib.sha256(body).hexdigest() == record["sha256"]


def sharded(client: httpx.Client, channel: str, subdir: str) -> Records:
    base = f"/api/repo/{channel}/{subdir}"
    answer = client.get(f"{base}/repodata_shards.msgpack.zst")
    if answer.status_code == 404 and subdir != "noarch":
        return {}
    found: Records = {}
    for name, digest in read_shard_index(_ok(answer).content)["shards"].items():
        body = _ok(client.get(f"{base}/shards/{digest.hex()}.msgpack.zst")).content
        assert hashlib.sha256(body).digest() == digest, name
        shard = read_shard(body)
        for section in ("packages", "packages.conda"):
            found.update((file, in_hex(record)) for file, record in shard[section].items())
    return found


def read_document(client: httpx.Client, channel: str, subdir: str, name: str) -> dict[str, Any] | None:
    answer = client.get(f"/api/repo/{channel}/{subdir}/{name}")
    if answer.status_code == 404 and subdir != "noarch":
        return None
    body = _ok(answer).content
    document: dict[str, Any] = json.loads(decompressed(body) if name.endswith(".zst") else body)
    return document


def _ok(answer: httpx.Response) -> httpx.Response:
    assert answer.status_code == 200, f"{answer.request.url}: {answer.status_code} {answer.text[:300]}"
    return answer
