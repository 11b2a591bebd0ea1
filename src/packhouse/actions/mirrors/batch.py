"""What an upstream lists under some names of one subdir, sorted by what the filters say of each file."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from packhouse.actions.mirrors.selection import Selection
from packhouse.actions.mirrors.work import EXAMPLES
from packhouse.domain.mirror_runs import Refusal
from packhouse.formats.conda.upstream.files import UpstreamFile
from packhouse.formats.conda.upstream.shards import UpstreamShard

ONLY_MD5 = "the upstream tells only its MD5, which protects nobody from other bytes"


@dataclass(slots=True)
class Batch:
    """`digests` has the names; `wanted` the files to take, by ckey; `listed` all ckeys that the upstream has.

    A name that the upstream does not list any more has no digest, and nothing wanted; neither has one that
    is out of the mirror's scope, whose files go whatever the upstream says of them.
    """

    subdir: str
    digests: dict[str, bytes | None] = field(default_factory=dict)
    wanted: dict[str, UpstreamFile] = field(default_factory=dict)
    listed: set[str] = field(default_factory=set)
    filtered: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    examples: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    refused: list[Refusal] = field(default_factory=list)
    is_out_of_scope: bool = False

    @classmethod
    def of_gone(cls, subdir: str, names: Iterable[str], *, is_out_of_scope: bool) -> "Batch":
        return cls(subdir, dict.fromkeys(names), is_out_of_scope=is_out_of_scope)

    def __len__(self) -> int:
        """Names count too: a million of empty ones would be one transaction."""
        return len(self.listed) + len(self.digests)

    def add(self, shard: UpstreamShard, digest: bytes, selection: Selection) -> None:
        self.digests[shard.name] = digest
        removed = set(shard.removed)
        for file in shard.files:
            if file.filename not in removed:
                self.listed.add(file.ckey)
                self._judge(file, selection)
        for refusal in shard.refused:
            ckey = f"{self.subdir}/{refusal.filename}"
            self.listed.add(ckey)
            self.refused.append(Refusal(ckey, refusal.reason, is_failure=False))

    def refuse_wrong_sizes(self, here: Mapping[str, int]) -> None:
        """Bytes that are here tell the size that a client would be promised: digest -> size."""
        wrong = [file for file in self.wanted.values() if here.get(file.sha256, file.size) != file.size]
        for file in wrong:
            del self.wanted[file.ckey]
            reason = (
                f"its size is {file.size} by the index, and the file of this digest has {here[file.sha256]}"
            )
            self.refused.append(Refusal(file.ckey, reason, is_failure=False))

    def _judge(self, file: UpstreamFile, selection: Selection) -> None:
        reason = selection.verdict(file)
        if reason is not None:
            self.filtered[file.name][reason] += 1
            if len(self.examples[reason]) < EXAMPLES:
                self.examples[reason].append(file.ckey)
        elif not file.sha256:
            self.refused.append(Refusal(file.ckey, ONLY_MD5, is_failure=False))
        else:
            self.wanted[file.ckey] = file
