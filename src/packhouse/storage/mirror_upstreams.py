"""Queries about what mirrors know of their upstreams: which index they read last, and what it said of each name."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, func, select, update

from packhouse.domain.mirrors import Filtered
from packhouse.storage.tables import mirror, mirror_name, mirror_subdir
from packhouse.storage.upsert import upsert, upsert_many


@dataclass(frozen=True, slots=True)
class KnownSubdir:
    """The index document of one subdir that was read last; `is_complete` once all that it lists was looked at."""

    subdir: str
    address: str
    etag: str | None
    last_modified: str | None
    base_url: str
    meaning: str
    unseen: int
    is_complete: bool
    checked_at: datetime


@dataclass(frozen=True, slots=True)
class KnownName:
    """What the upstream said of one name, as a digest, and how many of its files were filtered out, per reason."""

    name: str
    digest: bytes
    filtered: dict[str, int] | None = None


def subdirs(connection: Connection, mirror_id: int) -> dict[str, KnownSubdir]:
    rows = connection.execute(select(mirror_subdir).where(mirror_subdir.c.mirror_id == mirror_id))
    found = {}
    for row in rows:
        values = dict(row._mapping)
        del values["mirror_id"]
        found[row.subdir] = KnownSubdir(**values)
    return found


def base_url(connection: Connection, mirror_id: int, subdir: str) -> str | None:
    """What the file names of a subdir are appended to."""
    here = (mirror_subdir.c.mirror_id == mirror_id) & (mirror_subdir.c.subdir == subdir)
    return connection.execute(select(mirror_subdir.c.base_url).where(here)).scalar_one_or_none()


def put_subdir(connection: Connection, mirror_id: int, known: KnownSubdir) -> None:
    values = asdict(known)
    key = {"mirror_id": mirror_id, "subdir": values.pop("subdir")}
    upsert(connection, mirror_subdir, key, values)


def remove_subdir(connection: Connection, mirror_id: int, subdir: str) -> None:
    for table in (mirror_subdir, mirror_name):
        connection.execute(delete(table).where(table.c.mirror_id == mirror_id, table.c.subdir == subdir))


def digests(connection: Connection, mirror_id: int, subdir: str) -> dict[str, bytes]:
    """What is known of each name of a subdir: name -> digest."""
    statement = select(mirror_name.c.name, mirror_name.c.digest).where(
        mirror_name.c.mirror_id == mirror_id, mirror_name.c.subdir == subdir
    )
    return {row.name: bytes(row.digest) for row in connection.execute(statement)}


UNSETTLED = b""
"""In place of the digest of a name that is to be looked at again, whether it changes or not."""


def has_unsettled(connection: Connection, mirror_id: int, subdir: str) -> bool:
    here = (mirror_name.c.mirror_id == mirror_id) & (mirror_name.c.subdir == subdir)
    unsettled = select(mirror_name.c.name).where(here, mirror_name.c.digest == UNSETTLED).limit(1)
    return connection.execute(unsettled).first() is not None


def unsettle(
    connection: Connection, mirror_id: int, channel_id: int, subdir: str, names: Sequence[str]
) -> None:
    """A mirror's files of these names went: the channel's other mirrors, which may list them too, look again."""
    others = select(mirror.c.id).where(mirror.c.channel_id == channel_id, mirror.c.id != mirror_id)
    theirs = (mirror_name.c.mirror_id.in_(others)) & (mirror_name.c.subdir == subdir)
    found = 0
    for start in range(0, len(names), 500):
        chosen = theirs & mirror_name.c.name.in_(names[start : start + 500])
        found += connection.execute(update(mirror_name).where(chosen).values(digest=UNSETTLED)).rowcount
    if found:
        read = (mirror_subdir.c.mirror_id.in_(others)) & (mirror_subdir.c.subdir == subdir)
        connection.execute(update(mirror_subdir).where(read).values(is_complete=False))


def put_names(connection: Connection, mirror_id: int, subdir: str, known: Iterable[KnownName]) -> None:
    here = {"mirror_id": mirror_id, "subdir": subdir}
    rows = [{**here, "name": one.name, "digest": one.digest, "filtered": one.filtered} for one in known]
    upsert_many(connection, mirror_name, ("mirror_id", "subdir", "name"), rows)


def remove_names(connection: Connection, mirror_id: int, subdir: str, names: Sequence[str]) -> None:
    here = (mirror_name.c.mirror_id == mirror_id) & (mirror_name.c.subdir == subdir)
    for start in range(0, len(names), 500):
        connection.execute(
            delete(mirror_name).where(here, mirror_name.c.name.in_(names[start : start + 500]))
        )


def filtered(connection: Connection, mirror_id: int) -> Counter[str]:
    """How many files the filters keep away, per reason; a name that is not even looked at counts one."""
    sums: Counter[str] = Counter()
    statement = select(mirror_name.c.filtered).where(
        mirror_name.c.mirror_id == mirror_id, mirror_name.c.filtered.is_not(None)
    )
    for (counts,) in connection.execute(statement):
        sums.update(counts or {})
    unseen = select(func.sum(mirror_subdir.c.unseen)).where(mirror_subdir.c.mirror_id == mirror_id)
    if number := connection.execute(unseen).scalar_one_or_none():
        sums[Filtered.ONLY_SPECS] += int(number)
    return sums


def forget(connection: Connection, mirror_id: int) -> None:
    """Look at everything anew at the next run."""
    for table in (mirror_name, mirror_subdir):
        connection.execute(delete(table).where(table.c.mirror_id == mirror_id))
