"""A file that a mirror fetched is here: keep its bytes, and what the package tells of itself."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from sqlalchemy import Connection

from packhouse.actions.packhouse import Packhouse
from packhouse.actions.settle import Change, count_up, settle, sum_up
from packhouse.domain.artifacts import Digests
from packhouse.domain.families import CONDA
from packhouse.errors import NotFound
from packhouse.formats.conda.told import Told, read_told
from packhouse.storage import blob_rows, channels, mirror_bytes, mirrors, revisions
from packhouse.storage.blobs.partial import PartialFile

KEPT_AT_ONCE = 8
"""Each waits for the disk, and the disk takes several together."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file whose digest was checked while it came."""

    artifact_id: int
    filename: str
    digests: Digests
    partial: PartialFile


@dataclass(frozen=True, slots=True)
class Arrival:
    artifact_id: int
    sha256: str
    told: Told | None


def partial_key(channel_id: int, sha256: str) -> str:
    """What a partial file is called: what one channel's upstream has sent is not for another's to go on with."""
    return f"{sha256}-{channel_id}"


def keep_bytes(packhouse: Packhouse, fetched: Sequence[Fetched]) -> list[Arrival]:
    """Make the files blobs, which nothing refers to yet; their partial files may go afterwards."""
    now = packhouse.clock()
    with packhouse.database.transaction(quiet=True) as connection:
        blob_rows.claim_all(connection, {one.digests.sha256: one.digests.size for one in fetched}, now)
    with ThreadPoolExecutor(KEPT_AT_ONCE, thread_name_prefix="keep") as threads:
        packhouse.blobs.keep_files([(one.digests, one.partial.path) for one in fetched], threads)
    return [_arrival(one) for one in fetched]


def _arrival(one: Fetched) -> Arrival:
    with one.partial.path.open("rb") as file:
        return Arrival(one.artifact_id, one.digests.sha256, read_told(file, one.filename))


def arrive(connection: Connection, channel_id: int, arrivals: Sequence[Arrival], now: datetime) -> None:
    """Write that a channel has the bytes, in the caller's transaction, and what changes where they are listed."""
    lock_where_listed(connection, arrivals, now, [channel_id])
    confirm(connection, channel_id, [one.sha256 for one in arrivals], now)
    describe(connection, arrivals, now)


def lock_where_listed(
    connection: Connection, arrivals: Sequence[Arrival], now: datetime, channel_ids: Iterable[int] = ()
) -> None:
    """Lock the channels that serve the files, and those named, before anything else is locked.

    All who change a channel take it first, then bytes, then mirrors; whoever has it the other way round
    would wait for them, and they for him.
    """
    artifact_ids = [one.artifact_id for one in arrivals]
    locked: set[int] = set()
    missing = {*channel_ids, *_channels_of(connection, artifact_ids)}
    while missing:
        for channel_id in sorted(missing):
            with suppress(NotFound):  # deleted meanwhile, and its entries with it
                channels.lock(connection, [channel_id], now)
        locked |= missing
        missing = _channels_of(connection, artifact_ids) - locked  # added while we waited


def _channels_of(connection: Connection, artifact_ids: Sequence[int]) -> set[int]:
    return {place.channel_id for place in mirror_bytes.places(connection, artifact_ids)}


def confirm(connection: Connection, channel_id: int, digests: Sequence[str], now: datetime) -> None:
    """Rows may refer to the bytes; the channel that had them fetched has them, and its mirrors count them."""
    blob_rows.confirm_all(connection, digests)
    mirrors.count_arrivals(connection, channel_id, digests)
    mirror_bytes.bring(connection, channel_id, digests)
    blob_rows.release(connection, digests, now)  # if nobody lists the file any more


def describe(
    connection: Connection,
    arrivals: Sequence[Arrival],
    now: datetime,
    served: Mapping[int, Sequence[Change]] = MappingProxyType({}),
    *,
    summaries_later: bool = False,
) -> None:
    """Settle what the files tell of themselves, together with what is `served` from now on, by channel.

    The summary of a package is made from its files' own words; an index only where it lacked run exports.
    The channels must be locked (`lock_where_listed`).
    """
    told = {one.artifact_id: one.told for one in arrivals if one.told is not None}
    unknown = mirror_bytes.without_run_exports(connection, list(told))
    columns = [
        {
            "about": dict(one.about),
            "flags": one.flags,
            "details": one.details,
            **({"run_exports": one.run_exports} if artifact_id in unknown else {}),
        }
        for artifact_id, one in told.items()
    ]
    mirror_bytes.describe(connection, list(told), columns)
    changes = defaultdict(list, {channel_id: list(some) for channel_id, some in served.items()})
    names: defaultdict[int, set[str]] = defaultdict(set)
    for place in mirror_bytes.places(connection, list(told)):
        names[place.channel_id].add(place.name)
        if place.artifact_id in unknown:
            changes[place.channel_id].append(Change(CONDA, place.name, place.subdir, 0))
    for channel_id in sorted({*changes, *names}):
        settle(connection, channel_id, changes[channel_id], now, summaries_later=summaries_later)
        unsettled = names[channel_id] - {one.name for one in changes[channel_id]}
        if unsettled:
            sum_again = count_up if summaries_later else sum_up
            sum_again(connection, channel_id, CONDA, sorted(unsettled), now)
            revisions.bump(connection, channel_id, revisions.ROOT, 0, now)
