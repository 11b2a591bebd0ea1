"""What the indexes of a large upstream cost a passive mirror: the first time, unchanged, and after a small change."""

import argparse
import asyncio
import shutil
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import big_upstream
import report
from house import House
from mirrored import SETTINGS, MirroredChannel, Requests, Run, RunFailed
from peers import Nginx, nginx_program
from processes import forget_peak, peak_bytes
from rattler import Channel, Gateway, Subdir
from rattler.repo_data import SourceConfig

SUBDIRS = list(big_upstream.SUBDIRS)
CHANGED_NAMES = 100
FIRST_BAR = 90.0  # seconds
MEMORY_BAR = 400  # megabytes
UNCHANGED_BAR = 1.0
CHANGED_BAR = 5.0


@dataclass
class Step:
    """One kind of run: seconds of each time, and what nginx was asked for the last time."""

    seconds: list[float] = field(default_factory=list)
    asked: list[tuple[int, str]] = field(default_factory=list)

    def add(self, run: Run, asked: list[tuple[int, str]]) -> None:
        self.seconds.append(run.seconds)
        self.asked = asked

    @property
    def shards(self) -> int:
        return sum("/shards/" in path for _, path in self.asked)

    @property
    def unmodified(self) -> int:
        return sum(status == 304 for status, _ in self.asked)


@dataclass
class Upstream:
    """One form of the upstream, and what was found of it."""

    title: str
    is_sharded: bool
    folder: Path
    records: int
    first: Step = field(default_factory=Step)
    unchanged: Step = field(default_factory=Step)
    changed: Step = field(default_factory=Step)
    extra_megabytes: float = 0.0
    rival_seconds: float = 0.0


def measure(upstream: Upstream, repeats: int, work: Path) -> None:
    upstream.records = write(upstream)
    program = nginx_program()
    if program is None:
        raise SystemExit("nginx is not installed: it is the upstream here.")
    log = work / "upstream.log"
    log.unlink(missing_ok=True)
    with Nginx(program, upstream.folder, work / "nginx", log) as nginx:
        upstream.rival_seconds = rival_once(upstream, nginx.base, work)
        print(f"{upstream.title}: py-rattler {upstream.rival_seconds:.1f} s", flush=True)
        with tempfile.TemporaryDirectory(prefix="packhouse-", dir=work) as data_dir:
            house = House(Path(data_dir), work / "packhouse.log", SETTINGS)
            with house:
                mirror(upstream, house, nginx.base, Requests(log), repeats)


def write(upstream: Upstream) -> int:
    """Anew each time, since the changes stay; answer how many records it has."""
    shutil.rmtree(upstream.folder, ignore_errors=True)
    names = big_upstream.write_channel(upstream.folder, upstream.records, upstream.is_sharded)
    (upstream.folder / "ready.txt").write_text("ready")
    return sum(names.values()) * big_upstream.RECORDS_A_NAME


def mirror(upstream: Upstream, house: House, source: str, requests: Requests, repeats: int) -> None:
    channel = MirroredChannel(house)
    requests.since_last()
    forget_peak(house.server.pid)
    before = peak_bytes(house.server.pid)
    upstream.first.add(channel.mirror(source, "passive", SUBDIRS), requests.since_last())
    upstream.extra_megabytes = (peak_bytes(house.server.pid) - before) / 1e6
    expect_served(channel, upstream.records)
    print(
        f"{upstream.title}: {upstream.first.seconds[0]:.1f} s, {upstream.extra_megabytes:.0f} MB", flush=True
    )
    channel.await_indexed()
    for _ in range(repeats):
        upstream.unchanged.add(channel.run_again(), requests.since_last())
    if upstream.is_sharded:
        for number in range(1, repeats + 1):
            big_upstream.change_names(upstream.folder / SUBDIRS[0], CHANGED_NAMES, number)
            upstream.changed.add(channel.run_again(), requests.since_last())
            expect_served(channel, upstream.records + number * CHANGED_NAMES)
            channel.await_indexed()
    print(f"{upstream.title}: {upstream.unchanged.seconds}, {upstream.changed.seconds}", flush=True)


def expect_served(channel: MirroredChannel, records: int) -> None:
    if channel.served() != records:
        raise RunFailed(f"{channel.served()} records are served, and the upstream has {records}.")


def rival_once(upstream: Upstream, source: str, work: Path) -> float:
    """py-rattler fetches and reads the same records into memory."""
    with tempfile.TemporaryDirectory(prefix="rattler-", dir=work) as cache:
        started = time.monotonic()
        found = asyncio.run(_query(upstream, source, Path(cache)))
        seconds = time.monotonic() - started
    if found != upstream.records:
        raise RunFailed(f"py-rattler found {found} records of {upstream.records}.")
    return seconds


async def _query(upstream: Upstream, source: str, cache: Path) -> int:
    gateway = Gateway(cache, SourceConfig(sharded_enabled=upstream.is_sharded))
    channel = Channel(f"{source}/")
    subdirs = list(map(Subdir, SUBDIRS))
    names = await gateway.names([channel], subdirs)
    found = await gateway.query([channel], subdirs, [name.normalized for name in names], recursive=False)
    return sum(map(len, found))


def main() -> None:
    arguments = parse()
    arguments.work.mkdir(parents=True, exist_ok=True)
    upstreams = [
        Upstream("sharded", True, arguments.work / "upstream-sharded", arguments.records),
        Upstream("repodata.json.zst", False, arguments.work / "upstream-whole", arguments.records),
    ]
    for upstream in upstreams:
        measure(upstream, arguments.repeats, arguments.work)
    if not arguments.no_page:
        report.write_page("mirror_metadata", page(upstreams, arguments.repeats))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "packhouse-bench")
    parser.add_argument("--records", type=int, default=500_000)
    parser.add_argument("--repeats", type=int, default=3, help="unchanged and changed runs")
    parser.add_argument("--no-page", action="store_true", help="only print what was measured")
    return parser.parse_args()


RULES = """\
nginx on the same machine serves the indexes; `packhouse serve` with a new data directory takes in all records of
{subdirs} as a passive mirror. Seconds from the request that asks for the run until the API calls it completed:
every record is then in the shards of the channel, and its files can be installed. Unchanged and changed runs:
{repeats} times, median / slowest, each after the documents of the channel were made. Requests are those in nginx's
log. Extra memory: the highest resident size during the first run, above that before it; pages of the database's
files that the process maps or reads count. py-rattler: `Gateway` fetches the same indexes into an empty cache and
reads all records into memory; it keeps, checks and serves nothing, so it is a lower bound more than a rival."""

COLUMNS = (
    "upstream",
    "records",
    "first, s",
    "its requests",
    "extra, MB",
    "unchanged, s",
    "its requests",
    f"{CHANGED_NAMES} names changed, s",
    "its shards",
    "py-rattler, s",
)


def page(upstreams: list[Upstream], repeats: int) -> list[str]:
    rules = RULES.format(subdirs=" and ".join(SUBDIRS), repeats=repeats)
    goals = "\n".join(goal for upstream in upstreams for goal in _goals(upstream))
    figures = report.table(COLUMNS, map(_row, upstreams))
    return ["# Metadata of a mirror", report.conditions(), rules, figures, goals]


def _row(upstream: Upstream) -> list[str]:
    return [
        upstream.title,
        f"{upstream.records:,}",
        f"{upstream.first.seconds[0]:.1f}",
        f"{len(upstream.first.asked):,}",
        f"{upstream.extra_megabytes:.0f}",
        _spread(upstream.unchanged),
        str(len(upstream.unchanged.asked)),
        _spread(upstream.changed) if upstream.is_sharded else "",
        str(upstream.changed.shards) if upstream.is_sharded else "",
        f"{upstream.rival_seconds:.1f}",
    ]


def _spread(step: Step) -> str:
    return f"{median(step.seconds):.2f} / {max(step.seconds):.2f}"


def _goals(upstream: Upstream) -> list[str]:
    first, unchanged, changed = upstream.first.seconds[0], upstream.unchanged, upstream.changed
    is_one_each = unchanged.unmodified == len(unchanged.asked) == len(SUBDIRS)
    goals = [
        f"first under {FIRST_BAR:.0f} s: {first:.1f} s, {report.verdict(first < FIRST_BAR)}",
        f"extra memory under {MEMORY_BAR} MB: {upstream.extra_megabytes:.0f} MB, "
        f"{report.verdict(upstream.extra_megabytes < MEMORY_BAR)}",
        f"unchanged under {UNCHANGED_BAR:.0f} s: {median(unchanged.seconds):.2f} s, "
        f"{report.verdict(median(unchanged.seconds) < UNCHANGED_BAR)}",
        f"unchanged with one conditional request a subdir: {len(unchanged.asked)} requests, "
        f"{unchanged.unmodified} answered with 304, {report.verdict(is_one_each)}",
    ]
    if upstream.is_sharded:
        goals += [
            f"{CHANGED_NAMES} names changed under {CHANGED_BAR:.0f} s: {median(changed.seconds):.2f} s, "
            f"{report.verdict(median(changed.seconds) < CHANGED_BAR)}",
            f"{CHANGED_NAMES} names changed with as many shards: {changed.shards}, "
            f"{report.verdict(changed.shards == CHANGED_NAMES)}",
        ]
    return [f"- {upstream.title}: {goal}" for goal in goals]


if __name__ == "__main__":
    main()
