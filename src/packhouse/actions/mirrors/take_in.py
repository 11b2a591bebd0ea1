"""Bring a channel up to what a batch wants: one transaction."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from packhouse.actions.mirrors.batch import Batch
from packhouse.actions.mirrors.compare import Comparison, Difference
from packhouse.actions.mirrors.run_transactions import lock_channel, run_event
from packhouse.actions.mirrors.work import Work
from packhouse.actions.settle import Change, settle
from packhouse.domain.channels import Channel
from packhouse.domain.events import FileAction
from packhouse.domain.families import CONDA
from packhouse.domain.mirror_runs import Refusal, Tally
from packhouse.formats.conda.upstream.files import UpstreamFile
from packhouse.storage import (
    artifacts,
    blob_rows,
    file_changes,
    mirror_bytes,
    mirror_entries,
    mirror_runs,
    mirror_upstreams,
    mirrors,
)
from packhouse.storage.database import retried
from packhouse.storage.file_changes import CondaFile
from packhouse.storage.mirror_entries import Present, Replacement
from packhouse.storage.mirror_upstreams import UNSETTLED, KnownName


@retried
def take_in(work: Work, batch: Batch) -> None:
    """Add, change, flag and remove files as the batch wants it. Raises Frozen, Stopped."""
    packhouse = work.packhouse
    with packhouse.database.transaction(quiet=True) as connection:
        now = packhouse.clock()
        channel = lock_channel(connection, work, now)
        _TakingIn(work, connection, batch, now).carry_out(channel)


class _TakingIn:
    """The statements that follow from the difference between what a batch wants and what the channel has."""

    def __init__(self, work: Work, connection: Connection, batch: Batch, now: datetime) -> None:
        self._run, self._mirror = work.run, work.mirror
        self._work, self._connection, self._batch, self._now = work, connection, batch, now
        present = mirror_entries.present(
            connection, work.mirror.channel_id, batch.subdir, list(batch.digests)
        )
        wanted = sorted({file.sha256 for file in batch.wanted.values()})
        here = mirror_bytes.shareable(connection, work.mirror.channel_id, wanted)
        batch.refuse_wrong_sizes(here)
        self._comparison = Comparison(work.mirror, here)
        self._difference: Difference = self._comparison.compare(batch, present)
        self._changes: list[Change] = []
        self._served: list[UpstreamFile] = []

    def carry_out(self, channel: Channel) -> None:
        difference = self._difference
        self._remove()
        added = self._add()
        self._replace()
        mirror_entries.flag(self._connection, [one.entry_id for one in difference.flagged], self._now)
        mirror_entries.flag(self._connection, [one.entry_id for one in difference.unflagged], None)
        settle(self._connection, self._mirror.channel_id, self._changes, self._now, summaries_later=True)
        self._tell(channel, added)
        self._remember()
        self._count(added)

    def _remove(self) -> None:
        mirror_entries.remove(self._connection, [one.entry_id for one in self._difference.removed])
        names = sorted({one.name for one in self._difference.removed})
        mirror_upstreams.unsettle(
            self._connection, self._mirror.id, self._mirror.channel_id, self._batch.subdir, names
        )
        self._changes += [self._change(one.name, -1) for one in self._served_before()]

    def _served_before(self) -> list[Present]:
        """Of the removed files, those that people saw."""
        return [one for one in self._difference.removed if one.is_served]

    def _withdrawn(self) -> list[Present]:
        """Files whose bytes the upstream has changed: they come back with the new ones."""
        return [one.before for one in self._difference.replaced if one.before.is_served and not one.is_served]

    def _change(self, name: str, added: int) -> Change:
        return Change(CONDA, name, self._batch.subdir, added)

    def _add(self) -> list[UpstreamFile]:
        """Answer those that are served from now on."""
        files = self._difference.new
        awaited = [self._comparison.is_awaited(file) for file in files]
        rows = [
            (*_entry_row(key, file), not waits, waits, self._comparison.has_bytes(file))
            for key, file, waits in zip(self._artifact_ids(files), files, awaited, strict=True)
        ]
        mirror_entries.add_entries(
            self._connection, self._mirror.channel_id, self._mirror.id, rows, self._now
        )
        served = [file for file, waits in zip(files, awaited, strict=True) if not waits]
        self._served += served
        self._changes += [self._change(file.name, +1) for file in served]
        return served

    def _replace(self) -> None:
        replaced = self._difference.replaced
        ids = self._artifact_ids([one.after for one in replaced])
        for one in replaced:
            if one.is_served:
                self._served.append(one.after)
            if one.is_served or one.before.is_served:
                number = int(one.is_served) - int(one.before.is_served)
                self._changes.append(self._change(one.after.name, number))
        replacements = [
            Replacement(
                one.before.entry_id,
                artifact_id,
                one.after.section,
                one.is_served,
                one.is_awaited,
                one.has_bytes,
            )
            for one, artifact_id in zip(replaced, ids, strict=True)
        ]
        mirror_entries.replace(self._connection, replacements)

    def _artifact_ids(self, files: Sequence[UpstreamFile]) -> list[int]:
        """Of artifacts that are there, of another channel perhaps, or are added."""
        known = mirror_entries.known_artifacts(self._connection, [file.sha256 for file in files])
        missing = [file for file in files if _key(file) not in known]
        rows = [_artifact_row(file) for file in missing]
        ids = mirror_entries.add_artifacts(self._connection, self._mirror.id, rows, self._now)
        by_bytes = {(sha256, ckey): artifact_id for (sha256, ckey, _), artifact_id in known.items()}
        pairs = [  # what a file tells of itself is for those alone who may have its bytes
            (new, by_bytes.get((file.sha256, file.ckey)))
            for new, file in zip(ids, missing, strict=True)
            if self._comparison.has_bytes(file)
        ]
        mirror_bytes.inherit(self._connection, [(new, old) for new, old in pairs if old is not None])
        known.update(zip(map(_key, missing), ids, strict=True))
        return [known[_key(file)] for file in files]

    def _tell(self, channel: Channel, added: Sequence[UpstreamFile]) -> None:
        """The history of the channel, and what nobody refers to any more."""
        difference = self._difference
        by_action: Mapping[FileAction, Sequence[CondaFile]] = {
            FileAction.ADDED: added,
            FileAction.CHANGED: [one.after for one in difference.replaced if one.is_shown_otherwise],
            FileAction.REMOVED: [*self._served_before(), *self._withdrawn()],
        }
        if any(by_action.values()):
            event_id = run_event(self._connection, self._work, channel, self._now)
            for action, files in by_action.items():
                file_changes.record_conda(self._connection, event_id, channel.id, action, files)
        before = {one.artifact_id for one in difference.removed}
        before |= {one.before.artifact_id for one in difference.replaced}
        unused = artifacts.remove_unused(self._connection, before)
        blob_rows.release(self._connection, unused, self._now)

    def _remember(self) -> None:
        """What was seen of each name. One whose file found no place is looked at again by every run."""
        batch, retry = self._batch, {file.name for file, _ in self._difference.clashes}
        known = [
            KnownName(name, UNSETTLED if name in retry else digest, dict(batch.filtered[name]) or None)
            for name, digest in batch.digests.items()
            if digest is not None
        ]
        mirror_upstreams.put_names(self._connection, self._mirror.id, batch.subdir, known)
        gone = [name for name, digest in batch.digests.items() if digest is None]
        mirror_upstreams.remove_names(self._connection, self._mirror.id, batch.subdir, gone)

    def _count(self, added: Sequence[UpstreamFile]) -> None:
        difference = self._difference
        refused = [*self._batch.refused, *(self._clash(*clash) for clash in difference.clashes)]
        tally = Tally(
            added=len(added),
            changed=sum(one.is_shown_otherwise for one in difference.replaced),
            removed=len(self._served_before()) + len(self._withdrawn()),
            vanished=difference.vanished,
            refused=mirror_runs.refuse(self._connection, self._run.id, refused),
        )
        mirror_runs.count(self._connection, self._run.id, tally)
        self._count_files()

    def _clash(self, file: UpstreamFile, there: Present) -> Refusal:
        other = None if there.mirror_id is None else mirrors.by_id(self._connection, there.mirror_id)
        whose = "published there" if other is None else f"brought by mirror '{other.name}'"
        reason = f"the channel has a file of this name with other bytes, {whose} (SHA-256 {there.sha256})"
        return Refusal(file.ckey, reason, is_failure=False)

    def _count_files(self) -> None:
        """How many of the mirror's files are here (True), and how many come when they are asked for (False)."""
        more: Counter[bool] = Counter(self._comparison.has_bytes(file) for file in self._served)
        before = [*self._difference.removed, *(one.before for one in self._difference.replaced)]
        more.subtract(one.has_bytes for one in before if one.is_served)
        mirrors.add_counts(self._connection, self._mirror.id, active=more[True], passive=more[False])


def _key(file: UpstreamFile) -> tuple[str, str, str]:
    return file.sha256, file.ckey, file.variant


def _entry_row(artifact_id: int, file: UpstreamFile) -> tuple[Any, ...]:
    """The first of ENTRY_COLUMNS."""
    return artifact_id, file.name, file.subdir, file.section, file.filename, file.ckey


def _artifact_row(file: UpstreamFile) -> tuple[Any, ...]:
    """In the order of ARTIFACT_COLUMNS."""
    return (
        file.name,
        file.version,
        file.build,
        file.build_number,
        file.subdir,
        file.filename,
        file.ckey,
        file.md5,
        file.sha256,
        file.size,
        file.body,
        file.splice,
        file.run_exports,
        file.variant,
    )
