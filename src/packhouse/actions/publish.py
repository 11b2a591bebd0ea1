"""Add a file to a channel."""

from sqlalchemy import Connection

from packhouse.actions.packhouse import Packhouse
from packhouse.actions.settle import Change, drop_unused, settle
from packhouse.domain.access import Actor, Permission, require
from packhouse.domain.artifacts import Digests, Entry, FileFacts, IndexRecord, PackageFacts
from packhouse.domain.channels import Channel
from packhouse.domain.events import EventType, FileAction
from packhouse.domain.families import Declared
from packhouse.errors import Conflict, Frozen
from packhouse.formats.conda.records import make_record
from packhouse.formats.reading import read_file
from packhouse.storage import (
    artifacts,
    blob_rows,
    channels,
    entries,
    events,
    file_changes,
    mirror_bytes,
    mirrors,
)
from packhouse.storage.blobs import Spool
from packhouse.storage.database import retried

CONDA_PACKAGE = Declared()


def require_publish(actor: Actor, channel: Channel) -> None:
    """What is asked before the first byte of an upload is read, and again in its transaction."""
    require(actor, Permission.ARTIFACT_CREATE, channel)
    require_thawed(channel)


def require_thawed(channel: Channel) -> None:
    if channel.is_frozen:
        raise Frozen(f"Channel {channel.path} is frozen. Unfreeze it to change what is in it.")


def publish(
    packhouse: Packhouse,
    actor: Actor,
    channel_path: str,
    filename: str,
    spool: Spool,
    digests: Digests,
    declared: Declared = CONDA_PACKAGE,
) -> tuple[Entry, bool]:
    """Add the spooled file to the channel; answer its entry, and whether it is new there.

    The blob goes first: it is named by its digest, so if what follows fails, it harms nobody and `sweep`
    removes it. The rest is one transaction. The same bytes again are answered as existing; raises
    Conflict for other bytes under the same name, InvalidPackage for a file that is not what was declared.
    """
    with packhouse.database.reading() as connection:
        channel = channels.get(connection, channel_path)
        require_publish(actor, channel)
    facts = read_file(spool.file, filename, declared)
    with packhouse.database.reading() as connection:
        existing = _existing(connection, channel, facts, digests)
    if existing is not None:
        _bring_back(packhouse, existing, digests, spool)
        return existing, False
    _keep(packhouse, digests, spool)
    return _record(packhouse, actor, channel_path, facts, digests)


def _bring_back(packhouse: Packhouse, existing: Entry, digests: Digests, spool: Spool) -> None:
    """Keep bytes that were lost, or that a mirror has listed and not fetched yet."""
    if existing.has_bytes:
        packhouse.blobs.keep_file(digests, spool.path)
        return
    _keep(packhouse, digests, spool)
    _confirm(packhouse, existing, digests)


@retried
def _confirm(packhouse: Packhouse, existing: Entry, digests: Digests) -> None:
    with packhouse.database.transaction() as connection:
        channels.lock(connection, [existing.channel_id], packhouse.clock())
        blob_rows.confirm(connection, digests.sha256)
        mirrors.count_arrivals(connection, existing.channel_id, [digests.sha256])
        mirror_bytes.bring(connection, existing.channel_id, [digests.sha256])
        blob_rows.release(connection, [digests.sha256], packhouse.clock())  # if it was removed meanwhile


def _keep(packhouse: Packhouse, digests: Digests, spool: Spool) -> None:
    with packhouse.database.transaction(quiet=True) as connection:
        blob_rows.claim(connection, digests.sha256, digests.size, packhouse.clock())
    packhouse.blobs.keep_file(digests, spool.path)


@retried
def _record(
    packhouse: Packhouse, actor: Actor, channel_path: str, facts: FileFacts, digests: Digests
) -> tuple[Entry, bool]:
    with packhouse.database.transaction() as connection:
        now = packhouse.clock()
        channel = channels.get(connection, channel_path)
        channels.lock(connection, [channel.id], now)
        require_publish(actor, channels.get(connection, channel_path))
        if existing := _existing(connection, channel, facts, digests):
            return existing, False
        replaced = entries.make_way(connection, channel.id, [facts.ckey])
        artifact_id = _artifact(packhouse, connection, facts, digests)
        new = entries.addition(artifact_id, facts, actor.user_id)
        entries.add(connection, channel.id, [new], now)
        drop_unused(connection, replaced, now)
        # Artifact, then blob: the order in which `remove` takes them, so that the two cannot deadlock.
        blob_rows.confirm(connection, digests.sha256)
        settle(connection, channel.id, [Change(facts.family, facts.name, facts.subdir, +1)], now)
        data = {"ckey": facts.ckey, "artifact_family": facts.family, "sha256": digests.sha256}
        event_id = events.record(connection, now, EventType.ARTIFACT_PUBLISHED, actor, channel, data)
        entry = entries.find(connection, channel.id, facts.ckey)
        assert entry is not None
        file_changes.record(connection, event_id, channel.id, FileAction.ADDED, [entry.artifact])
        return entry, True


def _existing(connection: Connection, channel: Channel, facts: FileFacts, digests: Digests) -> Entry | None:
    entry = entries.find(connection, channel.id, facts.ckey)
    if entry is None or not entry.is_served:  # a file that a mirror only awaits makes way (see `_record`)
        return None
    if entry.artifact.digests.sha256 == digests.sha256:
        return entry
    raise Conflict(
        f"'{facts.ckey}' is already in channel '{channel.path}' with SHA-256 {entry.artifact.digests.sha256}; "
        f"the file sent has {digests.sha256}. Give the new build another build number, or remove the old one."
    )


def _artifact(packhouse: Packhouse, connection: Connection, facts: FileFacts, digests: Digests) -> int:
    existing = artifacts.find(connection, digests.sha256, facts.ckey)
    if existing is not None:
        return existing
    record = make_record(facts, digests) if isinstance(facts, PackageFacts) else IndexRecord()
    return artifacts.add(connection, facts, digests, record, packhouse.clock())
