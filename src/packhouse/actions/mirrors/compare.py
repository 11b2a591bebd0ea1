"""What has to be done so that a channel has what a batch wants: a comparison, and nothing else."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from packhouse.actions.mirrors.batch import Batch
from packhouse.domain.mirrors import Mirror, MirrorMode, OnVanished
from packhouse.formats.conda.upstream.files import UpstreamFile
from packhouse.storage.mirror_entries import Present


@dataclass(frozen=True, slots=True)
class Replaced:
    """A file of the mirror that changes: its bytes, its record, or whether its bytes are awaited."""

    before: Present
    after: UpstreamFile
    is_awaited: bool
    has_bytes: bool

    @property
    def is_served(self) -> bool:
        """The same bytes go on being served while they are fetched; of other bytes nobody has any yet."""
        has_same_bytes = self.before.is_served and self.before.sha256 == self.after.sha256
        return not self.is_awaited or has_same_bytes

    @property
    def is_shown_otherwise(self) -> bool:
        return self.is_served and not is_same(self.before, self.after)


@dataclass(slots=True)
class Difference:
    """`clashes` are files whose place another mirror, or a person, has given to other bytes."""

    new: list[UpstreamFile] = field(default_factory=list)
    replaced: list[Replaced] = field(default_factory=list)
    removed: list[Present] = field(default_factory=list)
    flagged: list[Present] = field(default_factory=list)
    unflagged: list[Present] = field(default_factory=list)
    clashes: list[tuple[UpstreamFile, Present]] = field(default_factory=list)
    vanished: int = 0


def is_same(there: Present, file: UpstreamFile) -> bool:
    """Whether clients see the same of both: bytes, record, and the part of the index that has it."""
    return (there.sha256, there.variant, there.section) == (file.sha256, file.variant, file.section)


class Comparison:
    """`here` are the digests whose bytes the channel may serve at once: these are never awaited."""

    def __init__(self, mirror: Mirror, here: Collection[str]) -> None:
        self._mirror_id = mirror.id
        self._is_active = mirror.specification.mode is MirrorMode.ACTIVE
        self._on_vanished = mirror.specification.on_vanished
        self._here = here
        self._found = Difference()

    def is_awaited(self, file: UpstreamFile) -> bool:
        return self._is_active and not self.has_bytes(file)

    def has_bytes(self, file: UpstreamFile) -> bool:
        return file.sha256 in self._here

    def compare(self, batch: Batch, present: Mapping[str, Present]) -> Difference:
        """`present` are the channel's files under the batch's names, whoever brought them."""
        for ckey, file in batch.wanted.items():
            self._place(file, present.get(ckey))
        for ckey, there in present.items():
            if there.mirror_id == self._mirror_id and ckey not in batch.wanted:
                self._let_go(there, has_vanished=not batch.is_out_of_scope and ckey not in batch.listed)
        return self._found

    def _place(self, file: UpstreamFile, there: Present | None) -> None:
        if there is None:
            self._found.new.append(file)
        elif there.mirror_id != self._mirror_id:
            if there.sha256 != file.sha256:
                self._found.clashes.append((file, there))
        elif not is_same(there, file) or self._is_unsettled(file, there):
            self._found.replaced.append(Replaced(there, file, self.is_awaited(file), self.has_bytes(file)))
        elif there.is_flagged:
            self._found.unflagged.append(there)

    def _is_unsettled(self, file: UpstreamFile, there: Present) -> bool:
        """Whether the entry waits, or does not wait, otherwise than the mirror's present mode wants."""
        is_awaited = self.is_awaited(file)
        return there.is_awaited != is_awaited or not (there.is_served or is_awaited)

    def _let_go(self, there: Present, *, has_vanished: bool) -> None:
        """Of a file that the filters do not want any more, or that the upstream lists no longer."""
        if not has_vanished or not there.is_served:
            self._found.removed.append(there)
            return
        self._found.vanished += not there.is_flagged
        if self._on_vanished is OnVanished.DROP:
            self._found.removed.append(there)
        elif self._on_vanished is OnVanished.FLAG and not there.is_flagged:
            self._found.flagged.append(there)
