"""How long until a published package is found, in channels of growing size, beside py-rattler's indexer."""

import argparse
import tempfile
import time
from pathlib import Path

import msgpack  # type: ignore[import-untyped]  # it has no stubs
import publish_page
import report
import synth
from fill import fill
from house import Answer, Connection, House, ensure_channel, upload
from peers import RattlerFolder
from sizes import Channel, Publication

PATIENCE = 120.0  # seconds to wait for one publish
REPODATA_POLL = 0.010  # seconds between two questions
SHARD_POLL = 0.001


class NeverVisible(RuntimeError):
    """A published package did not appear in an index."""


def new_release(channel: Channel, run: int, number: int) -> synth.Recipe:
    """One more version of a package of the channel; each channel gets bytes of its own."""
    names = max(1, channel.records // synth.VERSIONS_PER_NAME)
    return synth.Recipe(synth.package_name(number * 37 % names), f"2.{run}.{number}.{channel.records}")


def publish_and_watch(
    connection: Connection, channel: Channel, recipe: synth.Recipe, package: Path
) -> Publication:
    """Upload, then ask until both indexes tell of the file."""
    shards_before, repodata_before = connection.get(channel.shard_index), connection.get(channel.repodata)
    started = time.monotonic()
    upload(connection, channel.name, package)
    answered = time.monotonic()
    in_shards = _await_shard(connection, channel, recipe, shards_before)
    in_repodata = _await_repodata(connection, channel, recipe, repodata_before)
    return Publication(answered - started, in_shards - started, in_repodata - started)


def _await_shard(connection: Connection, channel: Channel, recipe: synth.Recipe, before: Answer) -> float:
    etag, deadline = before.headers["ETag"], time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        index = _get_unless_same(connection, channel.shard_index, etag)
        if index.status == 200 and _shard_lists(connection, channel, recipe, index):
            return time.monotonic()
        etag = index.headers["ETag"] or etag
        time.sleep(SHARD_POLL)
    raise NeverVisible(f"{recipe.file_name} is not in {channel.shard_index} after {PATIENCE:.0f} s")


def _shard_lists(connection: Connection, channel: Channel, recipe: synth.Recipe, index: Answer) -> bool:
    digest = msgpack.unpackb(index.decompressed())["shards"].get(recipe.name)
    if digest is None:
        return False
    shard = connection.get(f"{channel.subdir}/shards/{digest.hex()}.msgpack.zst")
    return recipe.file_name in msgpack.unpackb(shard.decompressed())["packages.conda"]


def _await_repodata(connection: Connection, channel: Channel, recipe: synth.Recipe, before: Answer) -> float:
    etag, deadline = before.headers["ETag"], time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        index = _get_unless_same(connection, channel.repodata, etag)
        seen = time.monotonic()
        if index.status == 200 and recipe.file_name.encode() in index.decompressed():
            channel.zst_bytes = len(index.body)
            return seen
        etag = index.headers["ETag"] or etag
        time.sleep(REPODATA_POLL)
    raise NeverVisible(f"{recipe.file_name} is not in {channel.repodata} after {PATIENCE:.0f} s")


def _get_unless_same(connection: Connection, path: str, etag: str | None) -> Answer:
    return connection.get(path, {"If-None-Match": etag} if etag else {})


def measure_house(
    channels: list[Channel], releases: "Releases", data_dir: Path, arguments: argparse.Namespace
) -> None:
    """Sizes take turns within a round, so that a slow moment of the machine touches them alike."""
    packages = synth.write_packages(max(arguments.sizes), arguments.work / "packages")
    with House(data_dir, arguments.work / "packhouse.log") as house:
        for channel in channels:
            ensure_channel(house.log_in(), channel.name)
            fill(house, channel.name, packages[: channel.records])
        connection = house.log_in()
        for number in range(arguments.rounds):
            for channel in channels:
                time.sleep(arguments.pause)
                recipe, path = releases.get(channel, number)
                channel.publications.append(publish_and_watch(connection, channel, recipe, path))


def measure_rattler(channels: list[Channel], releases: "Releases", arguments: argparse.Namespace) -> None:
    """The same files, the same new releases, on a folder."""
    packages = synth.write_packages(max(arguments.sizes), arguments.work / "packages")
    for channel in channels:
        peer = RattlerFolder(
            arguments.work / "rattler" / channel.name, synth.SUBDIR, packages[: channel.records]
        )
        channel.rattler_first_index = peer.first_index_seconds
        for number in range(arguments.rival_rounds):
            if number < 2 or sum(channel.rattler_seconds) < arguments.rival_minutes * 60:
                channel.rattler_seconds.append(peer.publish(releases.get(channel, number)[1]))
        channel.rattler_zst_bytes = peer.zst_bytes
        print(
            f"rattler.index, {channel.records}: {peer.first_index_seconds:.2f}",
            channel.rattler_seconds,
            flush=True,
        )


class Releases:
    """The packages to publish, built before any clock runs."""

    def __init__(self, channels: list[Channel], rounds: int, folder: Path) -> None:
        run = int(time.time())
        folder.mkdir(parents=True, exist_ok=True)
        self._made = {
            (channel.records, number): (recipe, synth.write_package(recipe, folder))
            for channel in channels
            for number in range(rounds)
            for recipe in [new_release(channel, run, number)]
        }

    def get(self, channel: Channel, number: int) -> tuple[synth.Recipe, Path]:
        return self._made[channel.records, number]


def main() -> None:
    arguments = parse()
    channels = [Channel(records) for records in arguments.sizes]
    releases = Releases(channels, max(arguments.rounds, arguments.rival_rounds), arguments.work / "releases")
    if not arguments.rival_only:
        with tempfile.TemporaryDirectory(prefix="packhouse-", dir=arguments.work) as fresh:
            measure_house(channels, releases, arguments.data_dir or Path(fresh), arguments)
    measure_rattler(channels, releases, arguments)
    if not arguments.rival_only:
        page = publish_page.page(channels, arguments.rounds, arguments.rival_rounds)
        report.write_page("publish", page)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--work",
        type=Path,
        default=Path(tempfile.gettempdir()) / "packhouse-bench",
        help="cache of made packages",
    )
    parser.add_argument(
        "--data-dir",
        type=Path,
        help="keep the filled channels here for another run (default: fresh, thrown away)",
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[0, 1_000, 20_000, 100_000])
    parser.add_argument("--rounds", type=int, default=9, help="publishes into each channel")
    parser.add_argument("--rival-rounds", type=int, default=5, help="publishes with rattler.index")
    parser.add_argument(
        "--rival-minutes", type=float, default=10, help="for each size, after which it gets no more rounds"
    )
    parser.add_argument("--pause", type=float, default=1.0, help="seconds of rest before each publish")
    parser.add_argument(
        "--rival-only", action="store_true", help="measure rattler.index alone; writes no page"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
