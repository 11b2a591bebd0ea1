"""How long `conda-repo --help` and `--version` take, beside `anaconda`, with anaconda-client as its plugin."""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import report

BAR = 0.2  # seconds
PROGRAMS = Path(sys.executable).parent
OURS = {
    "conda-repo --help": ("conda-repo", "--help"),
    "conda-repo --version": ("conda-repo", "--version"),
}
OTHERS = {
    "anaconda --help": ("anaconda", "--help"),
    "anaconda versions": ("anaconda", "versions"),  # its --version fails with the Typer of today
    "python -c pass": ("python", "-c", "pass"),
}


def run_once(command: Sequence[str], home: str) -> float:
    """Seconds from the start of the process to its end."""
    program, *words = command
    variables = {"PATH": os.environ["PATH"], "HOME": home, "ANACONDA_TELEMETRY_ENABLED": "false"}
    started = time.perf_counter()
    subprocess.run([PROGRAMS / program, *words], env=variables, check=True, capture_output=True)
    return time.perf_counter() - started


def main() -> None:
    arguments = parse()
    commands = OURS | OTHERS
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    with tempfile.TemporaryDirectory() as home:
        for number in range(arguments.runs + 1):
            for name, command in commands.items():
                taken = run_once(command, home)
                if number > 0:  # the first fills the caches of the file system and of byte code
                    seconds[name].append(taken)
    report.write_page("cli_start", page(seconds, arguments.runs))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    return parser.parse_args()


def page(seconds: dict[str, list[float]], runs: int) -> list[str]:
    rules = (
        f"{runs} runs each, taking turns, from the start of the process to its end; the first is not counted."
    )
    columns = ["command", "median, ms", "fastest, ms", "slowest, ms"]
    rows = [[f"`{name}`", *(_ms(one) for one in _summary(found))] for name, found in seconds.items()]
    slowest = max(median(seconds[name]) for name in OURS)
    goals = (
        f"- `--help` and `--version` in less than {_ms(BAR)} ms: median {_ms(slowest)} ms, "
        f"{report.verdict(slowest < BAR)}"
    )
    return ["# Start of the command line", report.conditions(), rules, report.table(columns, rows), goals]


def _summary(found: list[float]) -> tuple[float, float, float]:
    return median(found), min(found), max(found)


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.0f}"


if __name__ == "__main__":
    main()
