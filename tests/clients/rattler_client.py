"""py-rattler, the engine of pixi, as its users drive it: read an index, solve, install.

Run as a program (`python -m tests.clients.rattler_client CHANNEL SPEC PREFIX WAY`) it is a client in a
process of its own: rattler reads its credentials, the file that RATTLER_AUTH_FILE names, once a process.
"""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rattler import Channel, Client, Gateway, RepoDataRecord, SourceConfig, install, solve
from rattler.networking import AuthenticationMiddleware

SHARDS = "shards"
ZST = "zst"
JSON = "json"
WAYS = (SHARDS, ZST, JSON)
"""How an index is read; each switches the others off."""

PLATFORMS = ("linux-64", "noarch")


class Rattler:
    """One client with a cache of its own, which reads every index in one way."""

    def __init__(self, folder: Path, way: str = SHARDS) -> None:
        self._cache = folder / f"rattler-{way}"
        self._client = Client([AuthenticationMiddleware()])
        config = SourceConfig(sharded_enabled=way == SHARDS, zstd_enabled=way == ZST, bz2_enabled=False)
        self._gateway = Gateway(cache_dir=self._cache / "index", default_config=config, client=self._client)

    def records(self, channel: str, names: Sequence[str], platforms: Sequence[str]) -> dict[str, Any]:
        """What the client understood of each file: `subdir/filename` -> record."""
        found = asyncio.run(self._query(channel, names, platforms))
        return {f"{record.subdir}/{record.file_name}": json.loads(record.to_json()) for record in found}

    async def _query(
        self, channel: str, names: Sequence[str], platforms: Sequence[str]
    ) -> list[RepoDataRecord]:
        result = await self._gateway.query([Channel(channel)], platforms, names, recursive=False)
        return [record for records in result for record in records]

    def solve(self, channel: str, *specs: str, platforms: Sequence[str] = PLATFORMS) -> list[RepoDataRecord]:
        """The packages to install; raises `rattler.exceptions.SolverError` when there are none."""
        return self.solve_from([channel], *specs, platforms=platforms)

    def solve_from(
        self, channels: Sequence[str], *specs: str, platforms: Sequence[str] = PLATFORMS
    ) -> list[RepoDataRecord]:
        """From several channels, the first of which is asked first."""
        return asyncio.run(solve(list(channels), specs, gateway=self._gateway, platforms=platforms))

    def install(self, prefix: Path, records: list[RepoDataRecord]) -> None:
        asyncio.run(
            install(
                records,
                target_prefix=prefix,
                cache_dir=self._cache / "packages",
                client=self._client,
                show_progress=False,
            )
        )


def install_elsewhere(
    channel: str, spec: str, prefix: Path, credentials: Any = None, way: str = SHARDS
) -> subprocess.CompletedProcess[str]:
    """Solve and install in a process of its own, with these credentials in rattler's store."""
    prefix.parent.mkdir(parents=True, exist_ok=True)
    store = prefix.parent / "credentials.json"
    store.write_text(json.dumps(credentials or {}))
    command = [sys.executable, "-m", "tests.clients.rattler_client", channel, spec, str(prefix), way]
    environment = {**os.environ, "RATTLER_AUTH_FILE": str(store)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


if __name__ == "__main__":
    asked_channel, asked_spec, asked_prefix, asked_way = sys.argv[1:]
    rattler = Rattler(Path(asked_prefix).parent, asked_way)
    rattler.install(Path(asked_prefix), rattler.solve(asked_channel, asked_spec))
    # Its Rust threads may still hold Python objects when the interpreter takes itself down: one process
    # in 130 then died of a segmentation fault, its work done (github.com/PyO3/pyo3-async-runtimes#40).
    os._exit(0)
