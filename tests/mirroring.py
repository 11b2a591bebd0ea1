"""A house with mirrors, for tests: runs that are worked on at once in this process, and what clients see of them.

    with mirroring(house) as mirrors:
        mirrors.mirror("data", upstream.url, mode="active", only_specs=["zlib"])
        run = mirrors.run("data")
        mirrors.served("data", "linux-64")  # file name -> record, the same in every form of the index

The upstream is a `ListedChannel`, served by `tests.upstream`.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import msgpack
import zstandard

from packhouse.actions.check import check
from packhouse.actions.downloads import Downloads
from packhouse.actions.mirrors.fetch_files import fetch_some
from packhouse.actions.mirrors.read_indexes import read_indexes
from packhouse.actions.mirrors.runs import ask_for_run, end_run, let_go_of_run, take_run
from packhouse.actions.mirrors.specify import create_mirror, update_mirror
from packhouse.actions.mirrors.work import working
from packhouse.actions.packhouse import Packhouse
from packhouse.domain.mirror_runs import MirrorRun, Trigger
from packhouse.domain.mirrors import Filters, Mirror, MirrorMode, MirrorState, OnVanished, Specification
from packhouse.errors import NotFound, PackhouseError, Stopped
from packhouse.remotes import Pace, Remotes
from packhouse.storage import channels, mirror_runs, mirrors
from packhouse.web.application import Application
from tests.asgi import Response
from tests.house import House

NAME = "twin"
WITHOUT_SCHEDULE = ""
EXTENSIONS = {"tar.bz2": ".tar.bz2", "conda": ".conda"}


@dataclass
class MirrorHouse:
    house: House
    downloads: Downloads

    @property
    def packhouse(self) -> Packhouse:
        return self.house.packhouse

    @cached_property
    def session(self) -> str:
        return self.house.session("admin")

    # --- what people say

    def mirror(
        self,
        channel: str,
        source: str,
        mode: str = "passive",
        name: str = NAME,
        on_vanished: str = "keep",
        proxy: str | None = None,
        **filters: Any,
    ) -> Mirror:
        """A mirror of linux-64 and noarch, unless `subdirs` say otherwise; its channel is made if it is missing."""
        specification = Specification(
            name=name,
            source=source,
            mode=MirrorMode(mode),
            cron=WITHOUT_SCHEDULE,
            proxy=proxy,
            on_vanished=OnVanished(on_vanished),
            filters=_filters(filters),
        )
        with self.packhouse.database.reading() as connection:
            is_missing = channels.find(connection, channel) is None
        if is_missing:
            self.house.channel(channel)
        return create_mirror(self.packhouse, self.house.admin, channel, specification)

    def update(self, channel: str, name: str = NAME, **changes: Any) -> Mirror:
        """Say other things of a mirror; those that are not named stay. `filters` are replaced as a whole."""
        if "filters" in changes:
            changes["filters"] = _filters(changes["filters"])
        for key, kind in (("mode", MirrorMode), ("on_vanished", OnVanished)):
            if key in changes:
                changes[key] = kind(changes[key])
        specification = replace(self.the(channel, name).specification, **changes)
        return update_mirror(self.packhouse, self.house.admin, channel, name, specification)

    def the(self, channel: str, name: str = NAME) -> Mirror:
        with self.packhouse.database.reading() as connection:
            return mirrors.get(connection, channels.get(connection, channel).id, channel, name)

    # --- runs

    def ask(self, channel: str, name: str = NAME) -> MirrorRun:
        """A run that waits for a worker."""
        mirror = self.the(channel, name)
        with self.packhouse.database.transaction() as connection:
            ask_for_run(connection, mirror.id, Trigger.RUN_NOW, self.packhouse.clock())
            return mirror_runs.last(connection, [mirror.id])[mirror.id]

    def run(self, channel: str, name: str = NAME) -> MirrorRun:
        """A whole run."""
        return self.work_on(self.ask(channel, name))

    def work_on(self, run: MirrorRun) -> MirrorRun:
        """What the job does with a run, but for what makes it durable."""
        assert take_run(self.packhouse, run.uuid)
        try:
            with working(self.packhouse, run.uuid) as work:
                read_indexes(work)
            is_left = True
            while is_left:
                with working(self.packhouse, run.uuid) as work:
                    is_left = fetch_some(work)
        except Stopped:
            let_go_of_run(self.packhouse, run.uuid)
        except PackhouseError as error:
            end_run(self.packhouse, run.uuid, MirrorState.FAILED, error.message)
        else:
            end_run(self.packhouse, run.uuid, MirrorState.COMPLETED)
        return self.as_it_is(run)

    def as_it_is(self, run: MirrorRun) -> MirrorRun:
        with self.packhouse.database.reading() as connection:
            found = mirror_runs.find(connection, run.uuid)
        if found is None:
            raise NotFound("The run is gone, with its mirror or its channel.")
        return found

    # --- what is told of them

    def get(self, path: str, **headers: str) -> Response:
        return self.house.request("GET", path, headers=headers)

    def api(self, path: str) -> Any:
        answer = self.house.request("GET", path, self.session)
        assert answer.status == 200, answer.body
        return answer.json()

    def counts(self, channel: str, name: str = NAME) -> dict[str, Any]:
        """The counts of the sync state, without those that are null or nothing."""
        counts = self.api(f"/api/channels/{channel}/mirrors/{name}")["sync_state"]["count"]
        filtered = {reason: number for reason, number in counts["mirror_filtered"].items() if number}
        del counts["channel_filtered"]
        found = {**counts, "mirror_filtered": filtered}
        return {key: value for key, value in found.items() if value}

    def changes(self, run: MirrorRun, channel: str, name: str = NAME) -> dict[str, dict[str, str | None]]:
        """What the history says that a run did: action -> ckey -> reason."""
        path = f"/api/channels/{channel}/mirrors/{name}/runs/{run.uuid}/changes?limit=1000"
        found: dict[str, dict[str, str | None]] = {}
        for item in self.api(path)["items"]:
            found.setdefault(item["action"], {})[item["ckey"]] = item["reason"]
        return found

    def faults(self) -> list[str]:
        """What `packhouse check` finds once the jobs that wait have run."""
        self.house.reindex_all()
        report = check(self.packhouse, repair=False, deep=True)
        return [str(one) for one in report.differences]

    # --- what clients see

    def listed(self, channel: str) -> dict[str, int]:
        """The channel's listing: package -> how many files it has."""
        items = self.api(f"/api/channels/{channel}/artifacts?limit=1000")["items"]
        return {item["name"]: item["file_count"] for item in items}

    def served(self, channel: str, subdir: str) -> dict[str, dict[str, Any]]:
        """File name -> record in the index, without the time of indexing; the same in each of its forms."""
        self.house.reindex_all()
        base = f"/api/repo/{channel}/{subdir}"
        plain = records_of(_body(self.get(f"{base}/repodata.json")) or b"{}")
        packed = _body(self.get(f"{base}/repodata.json.zst"))
        assert records_of(_unpacked(packed or zstandard.compress(b"{}"))) == plain
        sharded, _ = self.sharded(channel, subdir)
        assert sharded == plain
        for record in plain.values():
            assert isinstance(record.pop("indexed_timestamp"), int)
        return plain

    def sharded(self, channel: str, subdir: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """Records and run exports as the shards have them (CEP 16), by file name."""
        index = _body(self.get(f"/api/repo/{channel}/{subdir}/repodata_shards.msgpack.zst"))
        if index is None:
            return {}, {}
        records: dict[str, Any] = {}
        run_exports: dict[str, Any] = {}
        for digest in msgpack.unpackb(_unpacked(index))["shards"].values():
            shard = _body(self.get(f"/api/repo/{channel}/{subdir}/shards/{digest.hex()}.msgpack.zst"))
            assert shard is not None
            for filename, record in _named(msgpack.unpackb(_unpacked(shard))):
                told = {key: value.hex() for key, value in record.items() if isinstance(value, bytes)}
                records[filename] = {**record, **told}
                run_exports[filename] = records[filename].pop("run_exports", None)
        return records, run_exports

    def file(self, channel: str, ckey: str) -> bytes | None:
        """The bytes that a client gets; None where there is nothing."""
        return _body(self.get(f"/api/repo/{channel}/{ckey}"))


def _filters(filters: Mapping[str, Any]) -> Filters:
    return Filters.parse({"subdirs": ["linux-64"], **filters})


def _body(answer: Response) -> bytes | None:
    assert answer.status in (200, 404), (answer.status, answer.body[:300])
    return answer.body if answer.status == 200 else None


def _unpacked(body: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompressobj().decompress(body)


def records_of(document: bytes) -> dict[str, dict[str, Any]]:
    """File name -> record of a `repodata.json`, those of `v3` too (CEP 48)."""
    return dict(_named(json.loads(document)))


def _named(document: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for section in ("packages", "packages.conda"):
        yield from document.get(section, {}).items()
    for key, extension in EXTENSIONS.items():
        for stem, record in document.get("v3", {}).get(key, {}).items():
            yield stem + extension, record


@contextmanager
def mirroring(house: House, **settings: Any) -> Iterator[MirrorHouse]:
    """The house may ask upstreams on this machine, and loses no time between tries."""
    before, application = house.packhouse, house.application
    chosen = before.settings.model_copy(update={"allow_private_upstreams": True, **settings})
    house.packhouse = replace(before, settings=chosen)
    house.packhouse.__dict__["remotes"] = Remotes(chosen, Pace(first_seconds=0.001))
    downloads = Downloads(house.packhouse)
    house.application = Application(house.packhouse, downloads)
    house.application.api = application.api
    try:
        yield MirrorHouse(house, downloads)
    finally:
        house.packhouse.remotes.close()
        house.packhouse, house.application = before, application
