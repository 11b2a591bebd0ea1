"""A channel that mirrors an upstream: start its run, wait for the end, and read off what the run did."""

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from house import House, ensure_channel

CHANNEL, MIRROR = "mirrored", "upstream"
SETTINGS = {"PACKHOUSE_ALLOW_PRIVATE_UPSTREAMS": "true"}  # the upstream is on the loopback interface
PATIENCE = 900.0  # seconds for one run
POLL_SECONDS = 0.05


class RunFailed(RuntimeError):
    """A mirror's run did not complete, or brought something else than the upstream has."""


@dataclass(frozen=True)
class Run:
    """One run: seconds from the request that asked for it to the answer that calls it completed."""

    seconds: float
    counts: dict[str, int]


class MirroredChannel:
    """A channel with one mirror, seen through the API of the server under test."""

    def __init__(self, house: House) -> None:
        self._connection = house.log_in()
        self._database = house.data_dir / "packhouse.db"
        ensure_channel(self._connection, CHANNEL)
        self._mirrors = f"/api/channels/{CHANNEL}/mirrors"

    def mirror(self, source: str, mode: str, subdirs: list[str]) -> Run:
        """Make the mirror, and see its first run through; raises RunFailed."""
        wish = {
            "mirror_name": MIRROR,
            "source_root": source,
            "mirror_mode": mode,
            "cron": "",
            "filters": {"subdirs": subdirs},
            "run_now": True,
        }
        return self._run(lambda: self._connection.expect(201, "POST", self._mirrors, wish))

    def run_again(self) -> Run:
        return self._run(lambda: self._connection.expect(202, "POST", f"{self._mirrors}/{MIRROR}/restart"))

    def served(self) -> int:
        """How many files the channel has."""
        answer = self._connection.expect(200, "GET", f"/api/channels/{CHANNEL}")
        number: int = answer.parsed()["artifact_count"]
        return number

    def await_indexed(self) -> None:
        """Until the documents that follow behind are made, and the server is at rest; raises RunFailed."""
        started = time.monotonic()
        while time.monotonic() - started < PATIENCE:
            if not self._is_stale():
                return
            time.sleep(POLL_SECONDS)
        raise RunFailed(f"The documents were not made after {PATIENCE:.0f} s.")

    def _is_stale(self) -> bool:
        with closing(sqlite3.connect(f"file:{self._database}?mode=ro", uri=True)) as database:
            (stale,) = database.execute("select count(*) from revision where content <> indexed").fetchone()
        return bool(stale)

    def _run(self, ask: Callable[[], object]) -> Run:
        started = time.monotonic()
        ask()
        while time.monotonic() - started < PATIENCE:
            shown = self._connection.expect(200, "GET", f"{self._mirrors}/{MIRROR}").parsed()
            if shown["state"] not in ("pending", "running"):
                return self._ended(time.monotonic() - started, shown)
            time.sleep(POLL_SECONDS)
        raise RunFailed(f"The run was not over after {PATIENCE:.0f} s.")

    def _ended(self, seconds: float, shown: dict[str, Any]) -> Run:
        last = self._connection.expect(200, "GET", f"{self._mirrors}/{MIRROR}/runs").parsed()["items"][0]
        if shown["state"] != "completed" or last["counts"]["failed"] or last["counts"]["refused"]:
            raise RunFailed(f"{shown['state']}: {last['counts']}, {last['last_exception']}")
        return Run(seconds, last["counts"])


class Requests:
    """The upstream's access log, a request a line, read from where it was read last."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._position = 0

    def since_last(self) -> list[tuple[int, str]]:
        """Status and path of each request."""
        with self._path.open() as log:
            log.seek(self._position)
            lines = log.read().splitlines()
            self._position = log.tell()
        return [(int(status), path) for status, _, path in (line.split(" ", 2) for line in lines)]
