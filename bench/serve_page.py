"""The page of `serve.py`: figures of every server, and what the goals of the project make of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import report
from load import Load, Measured, middle
from targets import OURS

Results = dict[str, dict[str, "Row"]]  # document -> server -> runs

QUETZ_BAR = 20.0
NGINX_BARS = {"304": 0.4, "shard": 0.4, "1 MB package": 0.9}
NGINX, QUETZ = "nginx", "quetz"

RULES = """\
wrk, {load.threads} thread(s), {load.connections} connections, {load.seconds} s a run, {repeats} runs each
in turns (A, B, C, A, B, C ...), one server loaded at a time, loopback, wrk on the same processors. Medians
of the runs; in brackets the slowest and the fastest. nginx: two workers, sendfile, the same bytes as files,
open to all. quetz 0.10 makes no `.zst` and no shards: the same bytes were put in its package store by hand;
it answers `If-None-Match` with the whole file. Private rows of ours stand against the private row of quetz,
and against the same nginx."""


@dataclass(frozen=True)
class Row:
    """What one server answered for one document, and how fast in each run."""

    status: int
    runs: list[Measured]

    @property
    def rate(self) -> float:
        return middle(self.runs).requests_per_second


def page(results: Results, sizes: Mapping[str, int], load: Load, repeats: int) -> list[str]:
    rules = RULES.format(load=load, repeats=repeats)
    parts = ["# Serving", report.conditions(), rules]
    for document, rows in results.items():
        parts += [f"## {document} ({sizes[document]:,} bytes)", figures(rows)]
    return [*parts, "## Goals", goals(results), *_left_out(results)]


def figures(rows: Mapping[str, Row]) -> str:
    columns = ["server", "status", "requests/s", "p95, ms", "MB/s", "times nginx", "times quetz"]
    return report.table(columns, [_cells(name, row, rows) for name, row in rows.items()])


def _cells(name: str, row: Row, rows: Mapping[str, Row]) -> list[str]:
    rates, found = [run.requests_per_second for run in row.runs], middle(row.runs)
    return [
        name,
        str(row.status),
        f"{found.requests_per_second:,.0f} ({min(rates):,.0f}-{max(rates):,.0f})",
        f"{found.p95_milliseconds:.2f}",
        f"{found.megabytes_per_second:,.1f}",
        _times(row, _peer(rows, NGINX)),
        _times(row, _peer(rows, f"{QUETZ}, private" if "private" in name else QUETZ)),
    ]


def _peer(rows: Mapping[str, Row], beginning: str) -> Row | None:
    """The first server so named; the private rows of ours stand beside the private row of quetz."""
    return next((row for name, row in rows.items() if name.startswith(beginning)), None)


def _times(row: Row, peer: Row | None) -> str:
    return "" if peer is None else f"{row.rate / peer.rate:.3g}"


def goals(results: Results) -> str:
    columns = ["document", "channel", "against", "goal", "found", ""]
    return report.table(columns, [line for item in results.items() for line in _goal_lines(*item)])


def _goal_lines(document: str, rows: Mapping[str, Row]) -> Iterator[list[str]]:
    for name, row in rows.items():
        if name.startswith(OURS):
            quetz = _peer(rows, f"{QUETZ}, private" if "private" in name else QUETZ)
            for peer_name, peer, bar in (
                (NGINX, _peer(rows, NGINX), NGINX_BARS.get(document)),
                (QUETZ, quetz, QUETZ_BAR),
            ):
                if peer is not None and bar is not None:
                    found = row.rate / peer.rate
                    access = name.partition(", ")[2]
                    yield [
                        document,
                        access,
                        peer_name,
                        f"{bar:g}",
                        f"{found:.2f}",
                        report.verdict(found >= bar),
                    ]


def _left_out(results: Results) -> list[str]:
    present = next(iter(results.values()))
    absent = [peer for peer in (NGINX, QUETZ) if _peer(present, peer) is None]
    return [f"Not installed, so left out of this run: {', '.join(absent)}."] if absent else []
