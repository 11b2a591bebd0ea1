"""A channel of one size under test, and what was measured on it."""

from dataclasses import dataclass, field

import synth


@dataclass(frozen=True)
class Publication:
    """Seconds from the first byte of the upload."""

    answered: float
    in_shards: float
    in_repodata: float


@dataclass
class Channel:
    """So many records before the first publish; filled in while the benchmark runs."""

    records: int
    publications: list[Publication] = field(default_factory=list)
    rattler_seconds: list[float] = field(default_factory=list)
    rattler_first_index: float = 0.0
    zst_bytes: int = 0
    rattler_zst_bytes: int = 0

    @property
    def name(self) -> str:
        return f"records-{self.records}"

    @property
    def subdir(self) -> str:
        return f"/api/repo/{self.name}/{synth.SUBDIR}"

    @property
    def shard_index(self) -> str:
        return f"{self.subdir}/repodata_shards.msgpack.zst"

    @property
    def repodata(self) -> str:
        return f"{self.subdir}/repodata.json.zst"
