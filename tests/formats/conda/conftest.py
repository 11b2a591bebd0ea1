"""Rows as the writers take them, and a static channel on loopback that a real client reads."""

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import groupby
from pathlib import Path
from threading import Thread
from typing import Any

import orjson
import pytest
from rattler import Gateway, RepoDataRecord, SourceConfig

from packhouse.formats.conda.repodata import IndexRow, compress, summarize_v3, write_repodata
from packhouse.formats.conda.shards import ShardIndex, pack_shard, shard_digest


def _make_row(
    name: str,
    version: str = "1.0",
    build: str = "0",
    extension: str = ".conda",
    run_exports: dict[str, Any] | None = None,
    section: int | None = None,
    **fields: Any,
) -> IndexRow:
    filename = f"{name}-{version}-{build}{extension}"
    record = {
        "build": build,
        "build_number": 0,
        "depends": [],
        "indexed_timestamp": 1_700_000_000_000,
        "md5": hashlib.md5(filename.encode()).hexdigest(),
        "name": name,
        "sha256": hashlib.sha256(filename.encode()).hexdigest(),
        "size": 1234,
        "subdir": "linux-64",
        "version": version,
    } | fields
    body = orjson.dumps(record, option=orjson.OPT_SORT_KEYS)
    return IndexRow(filename, body, orjson.dumps(run_exports or {}), section)


@pytest.fixture(scope="session")
def make_row() -> Callable[..., IndexRow]:
    return _make_row


class StaticChannel:
    """A folder with the indexes of one subdir, an empty `noarch`, and the address where it is served."""

    def __init__(self, folder: Path, url: str, cache: Path) -> None:
        self.folder, self.url, self._cache = folder, url, cache

    def publish(self, rows: Iterable[IndexRow]) -> None:
        rows = list(rows)
        self._write_monolith("noarch", [])
        self._write_monolith("linux-64", rows)
        self._write_shards("linux-64", rows)

    def _write_monolith(self, subdir: str, rows: list[IndexRow]) -> None:
        (self.folder / subdir).mkdir(parents=True)
        plain = self.folder / subdir / "repodata.json"
        with plain.open("wb") as out:
            write_repodata(out, subdir, rows, summarize_v3(rows))
        with plain.open("rb") as source, plain.with_suffix(".json.zst").open("wb") as out:
            compress(source, out, plain.stat().st_size)

    def _write_shards(self, subdir: str, rows: list[IndexRow]) -> None:
        index = ShardIndex(subdir, {}, summarize_v3(rows))
        (self.folder / subdir / "shards").mkdir()
        for name, of_name in groupby(sorted(rows, key=_name), key=_name):
            shard = pack_shard(of_name)
            index.update({name: shard_digest(shard)})
            (self.folder / subdir / "shards" / f"{shard_digest(shard).hex()}.msgpack.zst").write_bytes(shard)
        body = index.pack(datetime(2026, 11, 22, 7, tzinfo=UTC))
        (self.folder / subdir / "repodata_shards.msgpack.zst").write_bytes(body)

    def fetch(self, way: str, *names: str) -> list[RepoDataRecord]:
        """What a real client sees, asked for `shards`, `zst` or `json` alone."""
        config = SourceConfig(zstd_enabled=way == "zst", bz2_enabled=False, sharded_enabled=way == "shards")
        gateway = Gateway(cache_dir=self._cache / way, default_config=config)
        answer = asyncio.run(gateway.query([self.url], ["linux-64", "noarch"], names, recursive=False))
        return sorted((record for records in answer for record in records), key=lambda each: each.file_name)


def _name(row: IndexRow) -> str:
    name: str = orjson.loads(row.record)["name"]
    return name


class _QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def static_channel(tmp_path: Path) -> Iterator[StaticChannel]:
    folder = tmp_path / "channel"
    folder.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_QuietHandler, directory=folder)) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield StaticChannel(folder, f"http://127.0.0.1:{server.server_port}", tmp_path / "cache")
        finally:
            server.shutdown()
            thread.join()
