"""A file that a mirror fetched is here: keep its bytes, and what the package tells of itself."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from sqlalchemy import Connection

from packhouse.actions.packhouse import Packhouse
from packhouse.actions.settle import Change, count_up, settle, sum_up
from packhouse.domain.artifacts import Digests
from packhouse.domain.families import CONDA
from packhouse.formats.conda.told import Told, read_told
from packhouse.storage import blob_rows, channels, mirror_entries, mirrors, revisions
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


def arrive(connection: Connection, arrivals: Sequence[Arrival], now: datetime) -> None:
    """Write that the bytes are here, in the caller's transaction, and what changes where they are listed."""
    confirm(connection, arrivals, now)
    describe(connection, arrivals, now)


def confirm(connection: Connection, arrivals: Sequence[Arrival], now: datetime) -> None:
    """Rows may refer to the bytes, and mirrors that list them count them as fetched."""
    digests = [one.sha256 for one in arrivals]
    mirrors.count_arrivals(connection, sorted(blob_rows.confirm_all(connection, digests)))
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
    """
    told = {one.artifact_id: one.told for one in arrivals if one.told is not None}
    unknown = mirror_entries.without_run_exports(connection, list(told))
    columns = [
        {
            "about": dict(one.about),
            "flags": one.flags,
            "details": one.details,
            **({"run_exports": one.run_exports} if artifact_id in unknown else {}),
        }
        for artifact_id, one in told.items()
    ]
    mirror_entries.describe(connection, list(told), columns)
    changes = defaultdict(list, {channel_id: list(some) for channel_id, some in served.items()})
    names: defaultdict[int, set[str]] = defaultdict(set)
    for place in mirror_entries.places(connection, list(told)):
        names[place.channel_id].add(place.name)
        if place.artifact_id in unknown:
            changes[place.channel_id].append(Change(CONDA, place.name, place.subdir, 0))
    channels.lock(connection, sorted(names), now)
    for channel_id in sorted({*changes, *names}):
        settle(connection, channel_id, changes[channel_id], now, summaries_later=summaries_later)
        unsettled = names[channel_id] - {one.name for one in changes[channel_id]}
        if unsettled:
            sum_again = count_up if summaries_later else sum_up
            sum_again(connection, channel_id, CONDA, sorted(unsettled), now)
            revisions.bump(connection, channel_id, revisions.ROOT, 0, now)
