"""Mirrors in a house: an upstream in a folder, and runs that are worked on at once, in this process."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from packhouse.actions.mirrors.fetch_files import fetch_some
from packhouse.actions.mirrors.on_demand import OnDemand
from packhouse.actions.mirrors.read_indexes import read_indexes
from packhouse.actions.mirrors.runs import ask_for_run, end_run, take_run
from packhouse.actions.mirrors.specify import create_mirror
from packhouse.actions.mirrors.work import working
from packhouse.actions.packhouse import Packhouse
from packhouse.domain.artifacts import Artifact, Entry
from packhouse.domain.mirror_runs import Trigger
from packhouse.domain.mirrors import Mirror, MirrorMode, MirrorState, Specification
from packhouse.storage import channels, entries, mirror_runs, mirrors
from tests.house import House

NAME = "twin"


@dataclass(frozen=True)
class Upstream:
    """A conda channel in a folder; what is listed under `v3` is for newer clients only."""

    folder: Path

    def add(self, package: Path, subdir: str = "noarch", is_v3: bool = False, **facts: Any) -> None:
        (self.folder / subdir).mkdir(parents=True, exist_ok=True)
        content = package.read_bytes()
        (self.folder / subdir / package.name).write_bytes(content)
        extension = ".conda" if package.name.endswith(".conda") else ".tar.bz2"
        stem = package.name.removesuffix(extension)
        name, version, build = stem.rsplit("-", 2)
        record = {
            "name": name,
            "version": version,
            "build": build,
            "build_number": 0,
            "depends": [],
            "subdir": subdir,
            "size": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            **facts,
        }
        document = self._document(subdir)
        if is_v3:
            document["v3"][extension[1:]][stem] = record
        else:
            document["packages.conda" if extension == ".conda" else "packages"][package.name] = record
        (self.folder / subdir / "repodata.json").write_text(json.dumps(document))

    def _document(self, subdir: str) -> dict[str, Any]:
        path = self.folder / subdir / "repodata.json"
        if path.exists():
            found: dict[str, Any] = json.loads(path.read_text())
            return found
        v3: dict[str, Any] = {"conda": {}, "tar.bz2": {}}
        return {"info": {"subdir": subdir}, "packages": {}, "packages.conda": {}, "v3": v3}


@contextmanager
def mirroring(house: House) -> Iterator[Upstream]:
    """The house may mirror what is in the upstream's folder."""
    upstream = Upstream(house.folder / "upstream")
    upstream.folder.mkdir()
    before = house.packhouse
    settings = before.settings.model_copy(update={"file_upstreams": [upstream.folder]})
    house.packhouse = replace(before, settings=settings)
    try:
        yield upstream
    finally:
        house.packhouse.remotes.close()
        house.packhouse = before


def add_mirror(house: House, upstream: Upstream, channel: str, mode: MirrorMode, name: str = NAME) -> Mirror:
    specification = Specification(name=name, source=f"file://{upstream.folder}", mode=mode)
    return create_mirror(house.packhouse, house.admin, channel, specification)


def run_mirror(
    house: House, channel: str, name: str = NAME, is_fetching: bool = True, by: Packhouse | None = None
) -> None:
    """A whole run; without fetching, what is listed stays awaited, as while a run is under way."""
    packhouse = by or house.packhouse
    mirror = the_mirror(house, channel, name)
    with packhouse.database.transaction() as connection:
        ask_for_run(connection, mirror.id, Trigger.RESTART, packhouse.clock())
        uuid = mirror_runs.last(connection, [mirror.id])[mirror.id].uuid
    assert take_run(packhouse, uuid)
    with working(packhouse, uuid) as work:
        read_indexes(work)
        while is_fetching and fetch_some(work):
            pass
    if is_fetching:
        end_run(packhouse, uuid, MirrorState.COMPLETED)


def the_mirror(house: House, channel: str, name: str = NAME) -> Mirror:
    with house.packhouse.database.reading() as connection:
        return mirrors.get(connection, channels.get(connection, channel).id, channel, name)


def counts(house: House, channel: str) -> tuple[int, int]:
    """How many files of its mirror a channel has here, and how many are to come."""
    mirror = the_mirror(house, channel)
    return mirror.active, mirror.passive


def entry_of(house: House, channel: str, ckey: str) -> Entry:
    with house.packhouse.database.reading() as connection:
        entry = entries.find(connection, channels.get(connection, channel).id, ckey)
    assert entry is not None, f"{ckey} is not in {channel}"
    return entry


def artifact_of(house: House, channel: str, ckey: str) -> Artifact:
    return entry_of(house, channel, ckey).artifact


def ask_for_file(house: House, channel: str, ckey: str, by: Packhouse | None = None) -> Artifact:
    """What the first client that asks for a passive file sets off; the artifact, whose bytes are here now."""
    entry = entry_of(house, channel, ckey)
    fetching = OnDemand(by or house.packhouse).fetch(entry)
    assert fetching is not None, f"{ckey} is here already"
    told = threading.Event()
    fetching.listen(lambda: told.set() if fetching.is_done or fetching.error else None)
    assert told.wait(20), f"{ckey} did not come"
    assert fetching.error is None, fetching.error
    return entry.artifact
