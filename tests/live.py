"""A real server in its own process, and what a person with an account does with it over HTTP."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx

# `verify=False`: `url` is plain HTTP, yet httpx would read all CA certificates for each client.
PASSWORD = "correct horse"
START_SECONDS = 30


@dataclass
class LiveServer:
    data_dir: Path
    url: str
    tls_url: str | None
    process: subprocess.Popen[str]

    def log_in(self, username: str = "admin", password: str = PASSWORD) -> str:
        body = {"username": username, "password": password}
        answer = httpx.post(f"{self.url}/api/auth/login", json=body, verify=False)
        answer.raise_for_status()
        token: str = answer.json()["token"]
        return token

    @cached_property
    def admin_session(self) -> str:
        """One log-in serves many requests: checking a password is meant to be slow."""
        return self.log_in()

    def client(self, token: str | None = None) -> httpx.Client:
        """Keeps its connection; `token` defaults to the admin's session."""
        headers = {"Authorization": f"Bearer {token or self.admin_session}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=60, verify=False)

    def create_channel(self, path: str, privacy: str = "public") -> None:
        with self.client() as client:
            client.post("/api/channels", json={"name": path, "privacy": privacy}).raise_for_status()

    def upload(self, channel: str, package: Path, token: str | None = None) -> httpx.Response:
        with self.client(token) as client, package.open("rb") as file:
            return client.post(
                f"/api/channels/{channel}/artifacts",
                data={"filetype": "conda1", "size": str(package.stat().st_size)},
                files={"content": (package.name, file)},
            )

    def wait_until_indexed(
        self, channel: str, subdir: str, *filenames: str, seconds: float = 30
    ) -> dict[str, Any]:
        """The subdir's `repodata.json` once it lists exactly these files."""
        end = time.monotonic() + seconds
        while True:
            answer = httpx.get(f"{self.url}/api/repo/{channel}/{subdir}/repodata.json", verify=False)
            if answer.status_code == 200:
                repodata: dict[str, Any] = answer.json()
                if {*repodata["packages"], *repodata["packages.conda"]} == set(filenames):
                    return repodata
            assert time.monotonic() < end, (
                f"{channel}/{subdir} does not list {filenames}: {answer.text[:500]}"
            )
            time.sleep(0.05)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@contextmanager
def running_server(
    data_dir: Path, *options: str, environment: Mapping[str, str] | None = None, tls: bool = False
) -> Iterator[LiveServer]:
    """Started with a free port; stopped with SIGTERM at the end. Its log is `server.log` in the data dir."""
    data_dir.mkdir(parents=True, exist_ok=True)
    ports = ("--port", "0", "--tls-port", "0") if tls else ("--port", "0", "--no-tls")
    command = [sys.executable, "-m", "packhouse", "serve", "--data-dir", str(data_dir), *ports, *options]
    log = data_dir / "server.log"
    with log.open("a") as stderr:
        start = log.stat().st_size
        chosen = {**os.environ, "PACKHOUSE_ADMIN_PASSWORD": PASSWORD, **(environment or {})}
        process = subprocess.Popen(command, stderr=stderr, env=chosen, text=True)
    try:
        yield LiveServer(data_dir, *_addresses(process, log, start, tls), process)
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _addresses(process: subprocess.Popen[str], log: Path, start: int, tls: bool) -> tuple[str, str | None]:
    """What the server says once it listens."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        said = log.read_text()[start:]
        http, https = re.search(r"listens at (http://\S+)", said), re.search(r"TLS at (https://\S+)", said)
        if http and (https or not tls):
            return http[1], https[1] if https else None
        assert process.poll() is None, f"the server ended with {process.returncode}:\n{said}"
        time.sleep(0.02)
    raise AssertionError(f"the server did not start in {START_SECONDS} s:\n{log.read_text()[start:]}")


def wait_until(done: Callable[[], object], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, f"still not so after {seconds} s"
        time.sleep(0.02)
