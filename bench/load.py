"""Drives wrk, and reads back what it measured."""

import json
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

SCRIPT = Path(__file__).with_name("wrk_summary.lua")
MARK = "summary "


class LoadFailed(RuntimeError):
    """wrk met errors, so that its figures mean nothing."""


@dataclass(frozen=True)
class Load:
    """How hard to press: the same for every server in a run."""

    seconds: int = 8
    connections: int = 16
    threads: int = 1


@dataclass(frozen=True)
class Measured:
    """One run of wrk, or the median of several."""

    requests_per_second: float
    p95_milliseconds: float
    megabytes_per_second: float


def wrk_program() -> str | None:
    return shutil.which("wrk")


def press(url: str, headers: Mapping[str, str], load: Load) -> Measured:
    """Ask for `url` again and again; raises LoadFailed when an answer is missing or is an error."""
    if not url.startswith("http://127.0.0.1:"):
        raise LoadFailed(f"{url} is not on the loopback interface")
    sizes = [f"-t{load.threads}", f"-c{load.connections}", f"-d{load.seconds}s", "--timeout", "30s"]
    wishes = [word for name, value in headers.items() for word in ("-H", f"{name}: {value}")]
    done = subprocess.run(
        ["wrk", *sizes, "-s", str(SCRIPT), *wishes, url], check=True, capture_output=True, text=True
    )
    return _measured(url, json.loads(_marked_line(done.stdout)))


def _marked_line(output: str) -> str:
    return next(line.removeprefix(MARK) for line in output.splitlines() if line.startswith(MARK))


def _measured(url: str, summary: Mapping[str, float]) -> Measured:
    if summary["errors"] or not summary["requests"]:
        raise LoadFailed(f"{url}: {summary['errors']:.0f} of {summary['requests']:.0f} requests failed")
    seconds = summary["microseconds"] / 1e6
    return Measured(summary["requests"] / seconds, summary["p95"] / 1e3, summary["bytes"] / seconds / 1e6)


def middle(runs: Iterable[Measured]) -> Measured:
    """The median of each figure."""
    known = list(runs)
    return Measured(
        median(run.requests_per_second for run in known),
        median(run.p95_milliseconds for run in known),
        median(run.megabytes_per_second for run in known),
    )
