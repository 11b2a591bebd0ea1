"""How long `packhouse serve` takes to be ready, and how much memory it holds when nobody asks."""

import argparse
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import report
from house import serve_command, serve_variables
from processes import Server, free_port, resident_bytes

READY_BAR = 2.0  # seconds
MEMORY_BAR = 200  # megabytes


@dataclass(frozen=True)
class Start:
    """One start: seconds to the first 200 of /readyz, and megabytes after the rest that followed."""

    ready: float
    megabytes: float


def start_once(data_dir: Path, log: Path, idle_seconds: float) -> Start:
    base = f"http://127.0.0.1:{free_port()}"
    started = time.monotonic()
    server = Server(serve_command(data_dir, base), log, serve_variables())
    try:
        ready = server.await_ready(f"{base}/readyz") - started
        time.sleep(idle_seconds)
        return Start(ready, resident_bytes(server.pid) / 1e6)
    finally:
        server.stop()


def main() -> None:
    arguments = parse()
    arguments.work.mkdir(parents=True, exist_ok=True)
    starts: dict[str, list[Start]] = {"new data directory": [], "existing data directory": []}
    for _ in range(arguments.runs):
        with tempfile.TemporaryDirectory(prefix="packhouse-", dir=arguments.work) as data_dir:
            for found in starts.values():
                found.append(start_once(Path(data_dir), arguments.work / "packhouse.log", arguments.idle))
    report.write_page("start", page(starts, arguments))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "packhouse-bench")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--idle", type=float, default=10.0, help="seconds of rest before memory is read")
    return parser.parse_args()


def page(starts: dict[str, list[Start]], arguments: argparse.Namespace) -> list[str]:
    rules = (
        f"{arguments.runs} starts each, from the command to the first 200 of `/readyz`: median / slowest.\n"
        "Memory: proportional set size of the process and its children, "
        f"{arguments.idle:.0f} s after that: median / largest."
    )
    columns = ["start with", "ready, s", "idle, MB"]
    every = [start for found in starts.values() for start in found]
    slowest, largest = max(start.ready for start in every), max(start.megabytes for start in every)
    goals = (
        f"- Ready in less than {READY_BAR:.0f} s: slowest {slowest:.2f} s, "
        f"{report.verdict(slowest < READY_BAR)}\n"
        f"- Idle below {MEMORY_BAR} MB: largest {largest:.0f} MB, {report.verdict(largest < MEMORY_BAR)}"
    )
    rows = [_row(name, found) for name, found in starts.items()]
    return ["# Start and idle memory", report.conditions(), rules, report.table(columns, rows), goals]


def _row(name: str, starts: list[Start]) -> list[str]:
    ready, memory = [start.ready for start in starts], [start.megabytes for start in starts]
    return [name, f"{median(ready):.2f} / {max(ready):.2f}", f"{median(memory):.0f} / {max(memory):.0f}"]


if __name__ == "__main__":
    main()
