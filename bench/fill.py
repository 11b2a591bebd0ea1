"""Fills a channel with tiny packages before anything is measured, over many connections at once."""

import concurrent.futures
import json
import threading
import time
from pathlib import Path

import synth
from house import Connection, House, upload

CONNECTIONS = 8
PATIENCE = 600.0  # seconds for the index to follow the last upload


class NeverIndexed(RuntimeError):
    """The index did not take up what was uploaded."""


def fill(house: House, channel: str, packages: list[Path]) -> None:
    """Bring an existing channel to hold `packages`, and return when repodata.json.zst lists them."""
    connection = house.log_in()
    known = indexed_files(connection, channel)
    missing = [path for path in packages if path.name not in known]
    started = time.monotonic()
    _upload_all(house, channel, missing)
    if missing:
        seconds = time.monotonic() - started
        print(
            f"{channel}: {len(missing)} uploads in {seconds:.1f} s, {len(missing) / seconds:.0f}/s",
            flush=True,
        )
    await_indexed(connection, channel, {path.name for path in packages})


def _upload_all(house: House, channel: str, packages: list[Path]) -> None:
    """Threads with one connection each; the work is the server's, so that Python threads do."""
    own = threading.local()

    def upload_one(path: Path) -> None:
        if not hasattr(own, "connection"):
            own.connection = house.log_in()
        upload(own.connection, channel, path)

    with concurrent.futures.ThreadPoolExecutor(CONNECTIONS) as pool:
        for _ in pool.map(upload_one, packages):
            pass


def await_indexed(connection: Connection, channel: str, expected: set[str]) -> None:
    """Return when the compressed index lists every expected file; raises NeverIndexed."""
    deadline = time.monotonic() + PATIENCE
    while absent := expected - indexed_files(connection, channel):
        if time.monotonic() > deadline:
            raise NeverIndexed(f"{channel}: {len(absent)} files, for one {min(absent)}, are in no index")
        time.sleep(0.5)


def indexed_files(connection: Connection, channel: str) -> set[str]:
    """The .conda files that the channel's repodata.json.zst lists; none while there is no such index."""
    answer = connection.get(f"/api/repo/{channel}/{synth.SUBDIR}/repodata.json.zst")
    if answer.status != 200:
        return set()
    return set(json.loads(answer.decompressed())["packages.conda"])
