"""The page of `publish.py`: seconds until visible for every size, and what the goals make of them."""

from statistics import median

import report
from sizes import Channel

SHARD_INDEX_BAR = 0.100  # seconds
FLATNESS_BAR = 0.10  # from the smallest filled channel to the largest
REPODATA_BAR = 2.0  # seconds, at the largest size

CONDA_INDEX_NOTE = """\
For comparison, measured apart on another day, 2 processors: conda-index 0.13, one package added, `.zst` and
shards written, took 4.4 to 5.4 s at 20,000 records and 15 to 17 s at 60,000 (7.5 s and 86 s for a first
index of 1,000 and 20,000)."""

RULES = """\
One package into a channel that already has that many records; {rounds} publishes into each, the sizes in
turns; seconds from the first byte of the upload, seen over HTTP: median / slowest. `rattler.index`: up to
{rival_rounds} times one file more in a folder of the same packages: the time of `index_fs` with `.zst` and
shards, after which both are on disk; copying the file there and serving it are not counted. The last two
columns: how large each one's `repodata.json.zst` is, since a smaller file costs more time."""


def page(channels: list[Channel], rounds: int, rival_rounds: int) -> list[str]:
    rules = RULES.format(rounds=rounds, rival_rounds=rival_rounds)
    figures = report.table(COLUMNS, [_row(channel) for channel in channels])
    return ["# Publish to visible", report.conditions(), rules, figures, goals(channels), CONDA_INDEX_NOTE]


COLUMNS = (
    "records",
    "answered",
    "in the shard index",
    "in repodata.json.zst",
    "rattler.index",
    "its publishes",
    "its first index",
    "shards: times faster",
    "zst: times faster",
    "zst, kB",
    "its zst, kB",
)


def _row(channel: Channel) -> list[str]:
    shards = [publication.in_shards for publication in channel.publications]
    repodata = [publication.in_repodata for publication in channel.publications]
    rival = median(channel.rattler_seconds)
    return [
        f"{channel.records:,}",
        _spread([publication.answered for publication in channel.publications]),
        _spread(shards),
        _spread(repodata),
        _spread(channel.rattler_seconds),
        str(len(channel.rattler_seconds)),
        f"{channel.rattler_first_index:.1f}",
        f"{rival / median(shards):.1f}",
        f"{rival / median(repodata):.1f}",
        f"{channel.zst_bytes / 1e3:,.1f}",
        f"{channel.rattler_zst_bytes / 1e3:,.1f}",
    ]


def _spread(seconds: list[float]) -> str:
    return f"{median(seconds):.3f} / {max(seconds):.3f}"


def goals(channels: list[Channel]) -> str:
    """Judged by medians; flatness by the channels that have records."""
    filled = [channel for channel in channels if channel.records] or channels
    smallest, largest = filled[0], filled[-1]
    growth = _shards(largest) / _shards(smallest) - 1
    slowest = max(_shards(channel) for channel in channels)
    repodata = median(publication.in_repodata for publication in largest.publications)
    return "\n".join(
        [
            f"- Shard index flat within {FLATNESS_BAR:.0%} "
            f"from {smallest.records:,} to {largest.records:,} records: "
            f"{growth:+.0%}, {report.verdict(growth <= FLATNESS_BAR)}",
            f"- Shard index under {SHARD_INDEX_BAR * 1e3:.0f} ms at every size: {slowest * 1e3:.0f} ms, "
            f"{report.verdict(slowest < SHARD_INDEX_BAR)}",
            f"- `repodata.json.zst` under {REPODATA_BAR:.0f} s "
            f"at {largest.records:,} records: {repodata:.2f} s, "
            f"{report.verdict(repodata < REPODATA_BAR)}",
        ]
    )


def _shards(channel: Channel) -> float:
    return median(publication.in_shards for publication in channel.publications)
