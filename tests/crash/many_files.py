"""An upstream of many small packages, a mirror of it that is killed, and what there must be in the end.

No file may be asked for again once its digest was checked. So at every kill it is noted what was here by
then, and in the end the upstream's log is read: nothing of that was asked for after the kill, what was half
here was asked for from where it ended, and between two kills nothing was asked for twice.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from random import Random
from typing import Any

import httpx

from packhouse.storage import blob_rows
from tests.builders import build_conda_package
from tests.crash.world import SUBDIRS, World, read_document, sharded
from tests.listed_channel import PLAIN, SHARDS, ListedChannel, as_served
from tests.live import LiveServer, wait_until
from tests.upstream import Upstream

CHANNEL, MIRROR = "data", "twin"
OF_A_NAME = 5
PATIENCE_SECONDS = 120


def build_channel(folder: Path, files: int, size: int) -> ListedChannel:
    """Packages with `size` bytes that cannot be compressed, half of them in each subdir; in shards and as JSON."""
    channel = ListedChannel(folder / "upstream")
    for number in range(files):
        subdir = SUBDIRS[number % len(SUBDIRS)]
        package = build_conda_package(
            folder,
            f"package-{number // OF_A_NAME}",
            version=f"{number}.0",
            subdir=subdir,
            files={"share/noise.bin": Random(number).randbytes(size)},
        )
        channel.add(package, subdir)
        package.unlink()
    for way in (SHARDS, PLAIN):
        channel.way = way
        channel.write()
    return channel


@dataclass(frozen=True)
class Kill:
    """What was asked for before it, and what was here at that moment: by SHA-256, and how many bytes of others."""

    asked: int
    here: set[str]
    partly_here: Mapping[str, int]


@dataclass
class KilledMirror:
    """A mirror in `world` of `channel`, as `upstream` serves it."""

    world: World
    channel: ListedChannel
    upstream: Upstream
    kills: list[Kill] = field(default_factory=list)

    @cached_property
    def digests(self) -> dict[str, str]:
        """Path at the upstream -> SHA-256."""
        return {
            f"/{subdir}/{filename}": record["sha256"]
            for subdir, records in self.channel.records.items()
            for filename, record in records.items()
        }

    def create(self, server: LiveServer, mode: str) -> None:
        """Make channel and mirror, and have it run."""
        server.create_channel(CHANNEL)
        body = {
            "mirror_name": MIRROR,
            "source_root": self.upstream.url,
            "mirror_mode": mode,
            "cron": "",
            "filters": {"subdirs": list(SUBDIRS)},
            "run_now": True,
        }
        with server.client() as client:
            client.post(f"/api/channels/{CHANNEL}/mirrors", json=body).raise_for_status()

    def kill(self, server: LiveServer) -> None:
        server.kill()
        here, partly = self._here(), {}
        for path in self.world.data_dir.joinpath("spool").glob("*.part"):
            content = path.read_bytes()
            expected = path.stem.partition("-")[0]
            if hashlib.sha256(content).hexdigest() == expected:
                here.add(expected)
            elif content:
                partly[expected] = len(content)
        self.kills.append(Kill(len(self.upstream.log), here, partly))

    def _here(self) -> set[str]:
        with self.world.packhouse() as packhouse, packhouse.database.reading() as connection:
            digests = list(self.digests.values())
            some = [
                blob_rows.confirmed(connection, digests[at : at + 500]) for at in range(0, len(digests), 500)
            ]
            return set().union(*some)

    def state(self, client: httpx.Client) -> dict[str, Any]:
        answer = client.get(f"/api/channels/{CHANNEL}/mirrors/{MIRROR}")
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    def is_under_way(self, client: httpx.Client) -> bool:
        return self.state(client)["state"] in ("pending", "running")

    # --- in the end

    def assert_complete(self, client: httpx.Client, mode: str) -> None:
        """One run brought every file once, every index lists it as the upstream does, and nothing is left over."""
        wait_until(lambda: not self.is_under_way(client), PATIENCE_SECONDS)
        shown = self.state(client)
        number = len(self.digests)
        count = shown["sync_state"]["count"]
        assert (shown["state"], count[mode], count["failed"], count["refused"]) == ("completed", number, 0, 0)
        [run] = client.get(f"/api/channels/{CHANNEL}/mirrors/{MIRROR}/runs").json()["items"]
        assert (run["counts"]["added"], run["counts"]["changed"]) == (number, 0)
        changes = client.get(f"/api/channels/{CHANNEL}/mirrors/{MIRROR}/runs/{run['run_id']}/changes?limit=1")
        assert changes.json()["total_count"] == number
        self.world.assert_all_agrees(client, [])
        self.assert_listed(client)
        assert not list(self.world.data_dir.joinpath("spool").glob("*.part"))
        assert "Traceback" not in self.world.data_dir.joinpath("server.log").read_text()

    def assert_listed(self, client: httpx.Client) -> None:
        for subdir in SUBDIRS:
            listed = self.channel.records[subdir]
            expected = {filename: as_served(record, subdir) for filename, record in listed.items()}
            assert _as_told(sharded(client, CHANNEL, subdir)) == expected
            for name in ("repodata.json", "repodata.json.zst"):
                document = read_document(client, CHANNEL, subdir, name)
                assert document is not None, name
                assert _as_told({**document["packages"], **document["packages.conda"]}) == expected, name

    def assert_nothing_asked_twice(self) -> None:
        ends = [*(kill.asked for kill in self.kills), len(self.upstream.log)]
        for start, end in zip([0, *ends], ends, strict=False):
            asked = Counter(one.path for one in self.upstream.log[start:end] if one.path in self.digests)
            assert {path: number for path, number in asked.items() if number > 1} == {}
        for kill in self.kills:
            self._assert_respected(kill)

    def _assert_respected(self, kill: Kill) -> None:
        begun: dict[str, str | None] = {}
        for one in self.upstream.log[kill.asked :]:
            if one.path in self.digests:
                begun.setdefault(self.digests[one.path], one.range)
        assert begun.keys() & kill.here == set()
        expected = {key: f"bytes={size}-" for key, size in kill.partly_here.items() if key in begun}
        assert {key: begun[key] for key in expected} == expected


def _as_told(records: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Without what the channel says itself: since when it lists a file, and what the file told of run exports."""
    own = ("indexed_timestamp", "run_exports")
    return {
        name: {key: value for key, value in record.items() if key not in own}
        for name, record in records.items()
    }


@contextmanager
def killed_mirror(world: World, channel: ListedChannel, **settings: Any) -> Iterator[KilledMirror]:
    world.settings = {**world.settings, "allow_private_upstreams": True, **settings}
    with Upstream(channel.folder) as upstream:
        yield KilledMirror(world, channel, upstream)
