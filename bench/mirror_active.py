"""How fast an active mirror fetches and serves real packages, beside curl and wget that only fetch them."""

import argparse
import asyncio
import math
import os
import random
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path
from statistics import median

import report
import synth
from house import House
from mirrored import SETTINGS, MirroredChannel, RunFailed
from peers import Nginx, nginx_program
from rattler.index import index_fs

AT_ONCE = 16
"""As many connections as the server opens to one host by itself."""
BAR = 0.5  # of curl's throughput
SPREAD = 1.0  # sigma of the log-normal sizes: the largest of 2,000 is some thirty times the middle one


@dataclass
class Workload:
    """Some packages behind nginx, and the seconds that each program took for all of them."""

    title: str
    mean_bytes: int
    folder: Path
    files: list[str] = field(default_factory=list)
    total_bytes: int = 0
    seconds: dict[str, list[float]] = field(default_factory=dict)

    def megabytes_a_second(self, program: str) -> float:
        return self.total_bytes / 1e6 / median(self.seconds[program])


def make_packages(workload: Workload, count: int) -> None:
    """The same files for the same count and size; those of an earlier run are kept, with their indexes."""
    subdir = workload.folder / synth.SUBDIR
    if not (workload.folder / "ready.txt").exists():
        shutil.rmtree(workload.folder, ignore_errors=True)
        subdir.mkdir(parents=True)
        with ProcessPoolExecutor() as pool:
            list(
                pool.map(
                    synth.write_package, recipes(count, workload.mean_bytes), repeat(subdir), chunksize=20
                )
            )
        asyncio.run(index_fs(workload.folder, write_zst=True, write_shards=True))
        (workload.folder / "ready.txt").write_text("ready")
    packages = sorted(subdir.glob("*.conda"))
    workload.files = [f"{synth.SUBDIR}/{path.name}" for path in packages]
    workload.total_bytes = sum(path.stat().st_size for path in packages)


def recipes(count: int, mean_bytes: int) -> list[synth.Recipe]:
    """Payloads are noise, which does not compress, and so nearly the size of their files."""
    dice = random.Random(count)
    middle = math.log(mean_bytes) - SPREAD**2 / 2
    sizes = [int(dice.lognormvariate(middle, SPREAD)) for _ in range(count)]
    return [
        synth.Recipe(f"large-{number // 20:04d}", f"1.{number % 20}", payload_bytes=size)
        for number, size in enumerate(sizes)
    ]


def mirror_once(workload: Workload, source: str, work: Path) -> float:
    """From the request for the mirror until its run is completed and every file is served."""
    with (
        tempfile.TemporaryDirectory(prefix="packhouse-", dir=work) as data_dir,
        House(Path(data_dir), work / "packhouse.log", SETTINGS) as house,
    ):
        channel = MirroredChannel(house)
        settle_disk()
        seconds = channel.mirror(source, "active", [synth.SUBDIR]).seconds
        if channel.served() != len(workload.files):
            raise RunFailed(f"{channel.served()} of {len(workload.files)} files are served.")
        return seconds


def curl_once(workload: Workload, source: str, work: Path) -> float:
    urls = "".join(f'url = "{source}/{path}"\noutput = "{Path(path).name}"\n' for path in workload.files)
    command = ["curl", "--silent", "--fail", "--parallel", "--parallel-max", str(AT_ONCE), "--config", "-"]
    return fetched(command, urls, workload, work)


def wget_once(workload: Workload, source: str, work: Path) -> float:
    urls = "".join(f"{source}/{path}\n" for path in workload.files)
    return fetched(["xargs", "-P", str(AT_ONCE), "-n", "25", "wget", "--quiet"], urls, workload, work)


def fetched(command: list[str], told: str, workload: Workload, work: Path) -> float:
    """Seconds of a program that fetches all files into an empty folder."""
    with tempfile.TemporaryDirectory(prefix="fetched-", dir=work) as folder:
        settle_disk()
        started = time.monotonic()
        subprocess.run(command, input=told.encode(), cwd=folder, check=True)
        seconds = time.monotonic() - started
        found = sum(path.stat().st_size for path in Path(folder).iterdir())
        if found != workload.total_bytes:
            raise RunFailed(f"{command[0]} fetched {found} bytes of {workload.total_bytes}.")
        return seconds


def settle_disk() -> None:
    """What was written before is not to be written while a clock runs."""
    os.sync()


PROGRAMS: dict[str, Callable[[Workload, str, Path], float]] = {
    "packhouse": mirror_once,
    "curl": curl_once,
    "wget": wget_once,
}


def measure(workload: Workload, rounds: int, work: Path) -> None:
    """The programs take turns, so that a slow moment of the machine touches them alike."""
    program = nginx_program()
    if program is None:
        raise SystemExit("nginx is not installed: it is the upstream here.")
    with Nginx(program, workload.folder, work / "nginx") as upstream:
        curl_once(workload, upstream.base, work)  # so that the files are in memory for all of them
        for _ in range(rounds):
            for name, once in PROGRAMS.items():
                seconds = once(workload, upstream.base, work)
                workload.seconds.setdefault(name, []).append(seconds)
                print(f"{workload.title}, {name}: {seconds:.2f} s", flush=True)


def main() -> None:
    arguments = parse()
    arguments.work.mkdir(parents=True, exist_ok=True)
    workloads = []
    for size in arguments.bytes:
        title = f"{arguments.files:,} files of {size / 1000:,.0f} kB"
        folder = arguments.work / f"upstream-{arguments.files}-{size}"
        workload = Workload(title, size, folder)
        make_packages(workload, arguments.files)
        measure(workload, arguments.rounds, arguments.work)
        workloads.append(workload)
    if not arguments.no_page:
        report.write_page("mirror_active", page(workloads, arguments.rounds))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "packhouse-bench")
    parser.add_argument("--files", type=int, default=2_000)
    parser.add_argument("--bytes", type=int, nargs="+", default=[1_000_000, 2_000], help="mean of a file")
    parser.add_argument("--rounds", type=int, default=3, help="times that each program fetches all files")
    parser.add_argument("--no-page", action="store_true", help="only print the seconds")
    return parser.parse_args()


RULES = """\
nginx on the same machine serves the same files to all, from memory; {rounds} rounds, the programs in turns, each
into an empty folder on the same disk; seconds for all files: median / slowest. Sizes are log-normal, contents
do not compress. Packhouse: `packhouse serve` with a new data directory, from the request that makes an active
mirror until its run is completed: its index is read, every file is checked against its SHA-256, its own
metadata are read, it is flushed to the disk (fsync), recorded, and served. curl (`--parallel --parallel-max
{at_once}`) and wget (`xargs -P {at_once}`, 25 files a process) only write the files."""


def page(workloads: list[Workload], rounds: int) -> list[str]:
    columns = ["files", "MB", *(f"{name}, s" for name in PROGRAMS), *(f"{name}, MB/s" for name in PROGRAMS)]
    goals = "\n".join(_goal(workload) for workload in workloads)
    rules = RULES.format(rounds=rounds, at_once=AT_ONCE)
    return ["# Active mirror", report.conditions(), rules, report.table(columns, map(_row, workloads)), goals]


def _row(workload: Workload) -> list[str]:
    spreads = [f"{median(found):.2f} / {max(found):.2f}" for found in workload.seconds.values()]
    speeds = [f"{workload.megabytes_a_second(name):,.1f}" for name in PROGRAMS]
    return [workload.title, f"{workload.total_bytes / 1e6:,.1f}", *spreads, *speeds]


def _goal(workload: Workload) -> str:
    share = workload.megabytes_a_second("packhouse") / workload.megabytes_a_second("curl")
    reached = report.verdict(share >= BAR)
    return f"- {workload.title}: at least {BAR} of the throughput of curl: {share:.2f}, {reached}"


if __name__ == "__main__":
    main()
