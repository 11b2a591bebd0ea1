"""Queries about channels and their counts."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, Table, and_, delete, false, func, insert, or_, select, update

from packhouse.domain.access import Actor, Level, Permission, has_scope
from packhouse.domain.channels import Channel, ChannelCounts, ChannelPath, Indexing, Privacy
from packhouse.errors import NotFound
from packhouse.storage.tables import channel, entry, grant, mirror, package, revision, user

_COLUMNS = (channel, user.c.username.label("owner_name"))


def _select() -> Select[Any]:
    return select(*_COLUMNS).join(user, user.c.id == channel.c.owner_id)


def _from_row(row: Row[Any]) -> Channel:
    return Channel(
        id=row.id,
        uuid=row.uuid,
        path=row.path,
        parent_id=row.parent_id,
        description=row.description,
        privacy=Privacy(row.privacy),
        indexing=Indexing(row.indexing),
        owner_id=row.owner_id,
        owner_name=row.owner_name,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def find(connection: Connection, path: str) -> Channel | None:
    row = connection.execute(_select().where(channel.c.path == path)).one_or_none()
    return None if row is None else _from_row(row)


def get(connection: Connection, path: str) -> Channel:
    """Raise NotFound where there is no such channel."""
    found = find(connection, path)
    if found is None:
        raise NotFound(f"Channel '{path}' was not found.")
    return found


def lock(connection: Connection, ids: Sequence[int], now: datetime) -> None:
    """Make other writers of these channels wait for this transaction, in an order that cannot deadlock.

    Raise NotFound when one of them was deleted meanwhile.
    """
    for channel_id in sorted(set(ids)):
        changed = connection.execute(update(channel).where(channel.c.id == channel_id).values(updated_at=now))
        if changed.rowcount == 0:
            raise NotFound("The channel was deleted in the meantime.")


def add(connection: Connection, path: ChannelPath, uuid: str, values: Mapping[str, Any]) -> int:
    statement = insert(channel).values(path=str(path), uuid=uuid, **values).returning(channel.c.id)
    return int(connection.execute(statement).scalar_one())


def change(connection: Connection, channel_id: int, values: Mapping[str, Any]) -> None:
    connection.execute(update(channel).where(channel.c.id == channel_id).values(**values))


def remove(connection: Connection, channel_id: int) -> None:
    """Remove the row; entries must be gone, what is made from them goes along."""
    connection.execute(
        update(user).where(user.c.default_channel_id == channel_id).values(default_channel_id=None)
    )
    connection.execute(delete(channel).where(channel.c.id == channel_id))


def everywhere(connection: Connection) -> list[tuple[int, str]]:
    """Id and path of every channel, by path."""
    rows = connection.execute(select(channel.c.id, channel.c.path).order_by(channel.c.path))
    return [(row.id, row.path) for row in rows]


def children(connection: Connection, channel_id: int) -> list[Channel]:
    rows = connection.execute(_select().where(channel.c.parent_id == channel_id).order_by(channel.c.path))
    return [_from_row(row) for row in rows]


def visible_to(actor: Actor) -> Any:
    """The SQL twin of `access.is_visible`, for listings; a test compares the two."""
    if actor.is_admin:
        return _in_resources(actor)
    public = channel.c.privacy == Privacy.PUBLIC
    if actor.is_anonymous:
        return public
    granted = [channel_id for channel_id, level in actor.grants.items() if level >= Level.READ]
    return and_(
        or_(
            channel.c.privacy != Privacy.PRIVATE,
            channel.c.owner_id == actor.user_id,
            channel.c.id.in_(granted),
            channel.c.parent_id.in_(granted),
        ),
        _in_resources(actor),
    )


def readable_by(actor: Actor) -> Any:
    """Channels whose packages the actor may list: scopes narrow what is done, not what is known."""
    scoped = [
        kind
        for kind, is_subchannel in (
            (channel.c.parent_id.is_(None), False),
            (channel.c.parent_id.is_not(None), True),
        )
        if has_scope(actor, Permission.CHANNEL_VIEW_ARTIFACTS, is_subchannel)
    ]
    return and_(visible_to(actor), or_(false(), *scoped))


def _in_resources(actor: Actor) -> Any:
    if actor.resources is None:
        return channel.c.id.is_not(None)
    paths, parent = list(actor.resources), channel.alias("parent")
    parents = select(parent.c.id).where(parent.c.path.in_(paths))
    return or_(channel.c.path.in_(paths), channel.c.parent_id.in_(parents))


def belonging_to(actor: Actor) -> Any:
    """Channels that are the actor's own or were shared with them."""
    return and_(
        or_(channel.c.owner_id == actor.user_id, channel.c.id.in_(list(actor.grants))), visible_to(actor)
    )


def is_child_of(channel_id: int) -> Any:
    return channel.c.parent_id == channel_id


def is_channel(channel_id: int) -> Any:
    return channel.c.id == channel_id


def is_among(ids: Sequence[int]) -> Any:
    return channel.c.id.in_(ids)


def default_of(connection: Connection, user_id: int | None) -> str | None:
    """Path of the channel that a user's commands mean when they name none."""
    statement = select(channel.c.path).join(user, user.c.default_channel_id == channel.c.id)
    return connection.execute(statement.where(user.c.id == user_id)).scalar_one_or_none()


def listing(
    connection: Connection,
    condition: Any,
    *,
    subchannels: bool,
    offset: int = 0,
    limit: int | None = None,
) -> tuple[int, list[Channel]]:
    """Total and one page of the channels that `condition` selects, by path."""
    if not subchannels:
        condition = and_(condition, channel.c.parent_id.is_(None))
    total = connection.execute(select(func.count()).select_from(channel).where(condition)).scalar_one()
    rows = connection.execute(_select().where(condition).order_by(channel.c.path).offset(offset).limit(limit))
    return total, [_from_row(row) for row in rows]


def counts(connection: Connection, ids: Sequence[int]) -> dict[int, ChannelCounts]:
    """True counts for a page of channels, a query a kind; none counts artifacts one by one."""
    artifacts = _sums(connection, revision.c.channel_id, func.sum(revision.c.artifact_count), ids)
    children = _sums(connection, channel.c.parent_id, func.count(), ids)
    grants = _sums(connection, grant.c.channel_id, func.count(), ids)
    mirrors = _sums(connection, mirror.c.channel_id, func.count(), ids)
    downloads = _sums(connection, channel.c.id, func.sum(channel.c.download_count), ids)
    return {
        key: ChannelCounts(
            artifacts=artifacts.get(key, 0),
            downloads=downloads.get(key, 0),
            subchannels=children.get(key, 0),
            grants=grants.get(key, 0),
            mirrors=mirrors.get(key, 0),
        )
        for key in ids
    }


def _sums(connection: Connection, key: Any, value: Any, ids: Sequence[int]) -> dict[int, int]:
    rows = connection.execute(select(key, value).where(key.in_(ids)).group_by(key))
    return {row[0]: int(row[1]) for row in rows}


def add_downloads(connection: Connection, per_entry: Mapping[int, int]) -> None:
    """Add to the counters of channels, packages and entries; entries removed meanwhile are passed over.

    Channels first, by id, as in `lock`: what else changes their entries waits, and nobody deadlocks.
    """
    per_channel: Counter[int] = Counter()
    for row in _downloaded(connection, per_entry):
        per_channel[row.channel_id] += per_entry[row.id]
    for channel_id, number in sorted(per_channel.items()):
        _add(connection, channel, channel.c.id == channel_id, number)
    for row in _downloaded(connection, per_entry):
        _add(connection, entry, entry.c.id == row.id, per_entry[row.id])
        of_entry = (package.c.channel_id == row.channel_id) & (package.c.family == row.family)
        _add(connection, package, of_entry & (package.c.name == row.name), per_entry[row.id])


def _downloaded(connection: Connection, ids: Iterable[int]) -> list[Row[Any]]:
    wanted, found = sorted(ids), list[Row[Any]]()
    columns = select(entry.c.id, entry.c.channel_id, entry.c.family, entry.c.name)
    for start in range(0, len(wanted), 500):
        found += connection.execute(columns.where(entry.c.id.in_(wanted[start : start + 500])))
    return found


def _add(connection: Connection, table: Table, where: Any, number: int) -> None:
    connection.execute(update(table).where(where).values(download_count=table.c.download_count + number))
