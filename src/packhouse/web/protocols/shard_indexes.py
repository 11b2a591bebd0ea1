"""The shard indexes that are asked for, kept packed in memory and brought up to date by what changed."""

import hashlib
import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from time import monotonic

from sqlalchemy import Connection

from packhouse.formats.conda.shards import ShardIndex
from packhouse.formats.conda.v3_summary import V3Summary
from packhouse.storage import entries, revisions, shards

KEPT = 64
RENEWED_SECONDS = 3_600
"""Well below `shard_days`: replaced shards tell of names that are gone, but not for ever."""


@dataclass(slots=True)
class PackedIndex:
    body: bytes
    etag: str
    changed_at: datetime


class _Subdir:
    """One subdir's index with the revision it shows."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.revision = -1
        self.renewed = 0.0
        self.index: ShardIndex | None = None
        self.packed: PackedIndex | None = None


class ShardIndexes:
    """The database holds name -> digest; the document is made here, once a change, in the time of the change."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._lock = threading.Lock()
        self._subdirs: OrderedDict[tuple[int, str], _Subdir] = OrderedDict()

    def get(self, connection: Connection, channel_id: int, subdir: str) -> PackedIndex | None:
        """The index as this connection's snapshot has it; None where the channel never had the subdir."""
        revision = revisions.find(connection, channel_id, subdir)
        if revision is None:
            return None
        state = self._state(channel_id, subdir)
        with state.lock:
            if state.packed is None or state.revision < revision.content:
                _refresh(state, connection, channel_id, subdir, revision)
            assert state.packed is not None
            return state.packed

    def _state(self, channel_id: int, subdir: str) -> _Subdir:
        key = (channel_id, subdir)
        with self._lock:
            state = self._subdirs.setdefault(key, _Subdir())
            self._subdirs.move_to_end(key)
            while len(self._subdirs) > self._kept:
                self._subdirs.popitem(last=False)
            return state


def _refresh(
    state: _Subdir, connection: Connection, channel_id: int, subdir: str, revision: revisions.Revision
) -> None:
    if state.index is None or monotonic() - state.renewed > RENEWED_SECONDS:
        state.index = ShardIndex(subdir, shards.current(connection, channel_id, subdir))
    else:
        state.index.update(shards.changes(connection, channel_id, subdir, since=state.revision))
    span = entries.v3_span(connection, channel_id, subdir)
    state.index.v3 = None if span is None else V3Summary(*span)
    body = state.index.pack(revision.changed_at)
    state.renewed = monotonic()
    state.packed = PackedIndex(body, hashlib.sha256(body).hexdigest(), revision.changed_at)
    state.revision = revision.content
