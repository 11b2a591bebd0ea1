"""What a house's books say: rows in a form that tests compare, and whether all that is made from them agrees."""

import io
import json
import tarfile
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Barrier
from typing import Any, TypeVar

from backports import zstd
from sqlalchemy import func, select

from packhouse.actions.packhouse import Packhouse
from packhouse.actions.publish import publish
from packhouse.domain.access import Actor
from packhouse.domain.artifacts import Entry
from packhouse.domain.channels import ChannelCounts
from packhouse.domain.events import Event
from packhouse.storage import channels, events, revisions, shards, tables
from packhouse.storage.blobs import Blobs, Spool
from tests.house import House, decompressed

T = TypeVar("T")
Rows = dict[str, list[tuple[Any, ...]]]


class Interrupted:
    """A blob store where something else happens just before (`is_before`) or after files are kept."""

    def __init__(self, blobs: Blobs, happens: Callable[[], object], is_before: bool = False) -> None:
        self._blobs, self._happens, self._is_before = blobs, happens, is_before

    def keep_file(self, *arguments: Any) -> None:
        with self._interrupted():
            self._blobs.keep_file(*arguments)

    def keep_files(self, *arguments: Any) -> None:
        with self._interrupted():
            self._blobs.keep_files(*arguments)

    @contextmanager
    def _interrupted(self) -> Iterator[None]:
        if self._is_before:
            self._happens()
        yield
        if not self._is_before:
            self._happens()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._blobs, name)


def once(action: Callable[[], object]) -> Callable[[], None]:
    """Does it the first time only."""
    left = [action]
    return lambda: left.pop()() if left else None  # type: ignore[return-value]  # what it answers is not used


def publish_bytes(
    packhouse: Packhouse, actor: Actor, channel: str, filename: str, content: bytes
) -> tuple[Entry, bool]:
    """What an upload does, with the answer whether the file is new."""
    with Spool(packhouse.spool_dir) as spool:
        spool.write(content)
        return publish(packhouse, actor, channel, filename, spool, spool.finish())


def at_once(actions: Iterable[Callable[[], T]]) -> list[T | Exception]:
    """Each in a thread of its own, let go together; what they answer or raise, in their order."""
    actions = list(actions)
    barrier = Barrier(len(actions))

    def run(action: Callable[[], T]) -> T | Exception:
        barrier.wait(timeout=30)
        try:
            return action()
        except Exception as error:  # for the test to look at
            return error

    with ThreadPoolExecutor(len(actions)) as threads:
        return list(threads.map(run, actions))


def rows(house: House, *, without: Iterable[str] = ()) -> Rows:
    """The whole database, to say that nothing changed in it."""
    found: Rows = {}
    with house.packhouse.database.reading() as connection:
        for table in tables.metadata.sorted_tables:
            if table.name not in without:
                of_table = connection.execute(select(table).order_by(*table.primary_key)).all()
                found[table.name] = [tuple(row) for row in of_table]
    return found


def count(house: House, table: str) -> int:
    with house.packhouse.database.reading() as connection:
        statement = select(func.count()).select_from(tables.metadata.tables[table])
        return int(connection.execute(statement).scalar_one())


def files(house: House, channel: str) -> dict[str, str]:
    """ckey -> SHA-256 of what is in a channel."""
    entry, artifact = tables.entry, tables.artifact
    with house.packhouse.database.reading() as connection:
        found = connection.execute(
            select(entry.c.ckey, artifact.c.sha256)
            .join(artifact, artifact.c.id == entry.c.artifact_id)
            .where(entry.c.channel_id == channels.get(connection, channel).id)
        )
        return {row.ckey: row.sha256 for row in found}


def blobs(house: House) -> dict[str, bool]:
    """SHA-256 -> whether something refers to it."""
    with house.packhouse.database.reading() as connection:
        return {row.sha256: row.unreferenced_since is None for row in connection.execute(select(tables.blob))}


def kept(house: House) -> set[str]:
    """What lies in the blob store."""
    return {sha256 for sha256, _, _ in house.packhouse.blobs.walk()}


def spooled(house: House) -> list[str]:
    folder = house.packhouse.spool_dir
    return [path.name for path in folder.iterdir()] if folder.exists() else []


def history(house: House, channel: str) -> list[Event]:
    """Newest first."""
    with house.packhouse.database.reading() as connection:
        return events.of_channel(connection, channels.get(connection, channel).id)[1]


def event_types(house: House, channel: str) -> list[str]:
    """Oldest first."""
    return [event.type.value for event in reversed(history(house, channel))]


def counts(house: House, channel: str) -> ChannelCounts:
    with house.packhouse.database.reading() as connection:
        channel_id = channels.get(connection, channel).id
        return channels.counts(connection, [channel_id])[channel_id]


def package_sums(house: House, channel: str) -> dict[str, tuple[int, list[str], list[str], str]]:
    """name -> number of files, versions (newest first), subdirs, ckey of the newest."""
    package, artifact = tables.package, tables.artifact
    with house.packhouse.database.reading() as connection:
        found = connection.execute(
            select(package, artifact.c.ckey)
            .join(artifact, artifact.c.id == package.c.latest_artifact_id)
            .where(package.c.channel_id == channels.get(connection, channel).id)
        )
        return {row.name: (row.file_count, row.versions, row.subdirs, row.ckey) for row in found}


def revision(house: House, channel: str, subdir: str = "noarch") -> revisions.Revision:
    with house.packhouse.database.reading() as connection:
        found = revisions.find(connection, channels.get(connection, channel).id, subdir)
    assert found is not None, f"{channel} has no {subdir}"
    return found


def shard_names(house: House, channel: str, subdir: str = "noarch") -> set[str]:
    with house.packhouse.database.reading() as connection:
        return set(shards.current(connection, channels.get(connection, channel).id, subdir))


def own_index(path: Path) -> dict[str, Any]:
    """`info/index.json` as the package has it, read by other code than the server's."""
    return dict(json.loads(own_document(path, "info/index.json") or b"{}"))


def own_document(path: Path, wanted: str) -> bytes | None:
    if path.name.endswith(".tar.bz2"):
        archive = path.read_bytes()
    else:
        with zipfile.ZipFile(path) as whole:
            [inner] = [name for name in whole.namelist() if name.startswith("info-")]
            archive = zstd.decompress(whole.read(inner))
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        for member in opened:
            if member.name.removeprefix("./") == wanted:
                file = opened.extractfile(member)
                return file.read() if file else None
    return None


def assert_in_order(house: House) -> None:
    """Everything that is made from the entries says what they say: sums, counts, shards, all documents."""
    house.reindex_all()
    with house.packhouse.database.reading() as connection:
        _, there = channels.listing(connection, True, subchannels=True)
    for channel in there:
        assert_channel_in_order(house, channel.path)


def assert_channel_in_order(house: House, channel: str) -> None:
    by_subdir: defaultdict[str, set[str]] = defaultdict(set)
    for ckey in files(house, channel):
        subdir, _, filename = ckey.partition("/")
        by_subdir[subdir].add(filename)
    with house.packhouse.database.reading() as connection:
        known = revisions.of_channel(connection, channels.get(connection, channel).id)
    assert known.keys() >= {revisions.ROOT, "noarch", *by_subdir}
    for subdir, found in known.items():
        assert not found.is_stale
        if subdir != revisions.ROOT:
            assert found.artifact_count == len(by_subdir[subdir])
            _assert_documents_agree(house, channel, subdir, by_subdir[subdir])
    _assert_sums_agree(house, channel, by_subdir)


def _assert_documents_agree(house: House, channel: str, subdir: str, filenames: set[str]) -> None:
    sharded = house.sharded(channel, subdir)
    assert sharded.keys() == filenames
    assert shard_names(house, channel, subdir) == {record["name"] for record in sharded.values()}
    repodata = house.repodata(channel, subdir)
    listed = repodata["packages"] | repodata["packages.conda"]
    run_exports = json.loads(house.document(channel, subdir, "run_exports.json"))
    exported = run_exports["packages"] | run_exports["packages.conda"]
    assert listed == {name: without_run_exports(record) for name, record in sharded.items()}
    assert exported == {name: {"run_exports": record["run_exports"]} for name, record in sharded.items()}
    current = json.loads(house.document(channel, subdir, "current_repodata.json"))
    for section in ("packages", "packages.conda"):
        assert current[section].items() <= repodata[section].items()
        assert all(name.endswith(".conda") == (section == "packages.conda") for name in repodata[section])
    for name in ("repodata.json", "run_exports.json", "current_repodata.json"):
        plain = house.document(channel, subdir, name)
        assert decompressed(house.document(channel, subdir, f"{name}.zst")) == plain


def without_run_exports(record: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key != "run_exports"}


def _assert_sums_agree(house: House, channel: str, by_subdir: dict[str, set[str]]) -> None:
    expected: dict[str, tuple[int, set[str], set[str]]] = {}
    for subdir, filenames in by_subdir.items():
        for filename in filenames:
            name, version, _ = filename.rsplit("-", 2)
            number, versions, subdirs = expected.get(name, (0, set(), set()))
            expected[name] = (number + 1, versions | {version}, subdirs | {subdir})
    sums = package_sums(house, channel)
    assert {name: (each[0], set(each[1]), set(each[2])) for name, each in sums.items()} == expected
    assert all(each[1][0] == each[3].rsplit("-", 2)[1] for each in sums.values())
    assert counts(house, channel).artifacts == sum(map(len, by_subdir.values()))
    channeldata = json.loads(house.document(channel, revisions.ROOT, "channeldata.json"))
    told = channeldata["packages"]
    assert {name: set(each["subdirs"]) for name, each in told.items()} == {
        name: each[2] for name, each in expected.items()
    }
    assert {name: each["version"] for name, each in told.items()} == {
        name: each[1][0] for name, each in sums.items()
    }
