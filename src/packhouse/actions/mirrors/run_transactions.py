"""What every transaction of a run begins with, and the event that its changes belong to."""

from datetime import datetime

from sqlalchemy import Connection

from packhouse.actions.mirrors.work import Work
from packhouse.domain.access import Actor
from packhouse.domain.channels import Channel
from packhouse.domain.events import EventType
from packhouse.errors import Frozen, NotFound, Stopped
from packhouse.storage import channels, events, mirror_runs


def lock_channel(connection: Connection, work: Work, now: datetime) -> Channel:
    """The mirror's channel, locked, and the run still wanted. Raises Frozen, Stopped."""
    mirror = work.mirror
    try:
        channels.lock(connection, [mirror.channel_id], now)
        channel = channels.get(connection, mirror.channel_path)
    except NotFound as error:
        raise Stopped(f"Channel '{mirror.channel_path}' was deleted while its mirror ran.") from error
    require_wanted(connection, work)
    if channel.is_frozen:
        raise Frozen(f"Channel {channel.path} is frozen. Unfreeze it, then restart the mirror.")
    return channel


def require_wanted(connection: Connection, work: Work) -> None:
    """Raise Stopped for a run that is over: its mirror may mean something else by now."""
    if not mirror_runs.is_under_way(connection, work.run.uuid):
        raise Stopped(f"The run of mirror '{work.mirror.name}' was stopped.")


def run_event(connection: Connection, work: Work, channel: Channel, now: datetime) -> int:
    """The event that all file changes of the run belong to, made with the first of them."""
    run = mirror_runs.find(connection, work.run.uuid)
    assert run is not None, "the run was there a moment ago, in this transaction"
    if run.event_id is not None:
        return run.event_id
    data = {"mirror": work.mirror.name, "run": run.uuid, "source": work.mirror.specification.source}
    actor = Actor(user_id=None, name=f"mirror {work.mirror.name}"[:100])
    event_id = events.record(connection, now, EventType.MIRROR_SYNCED, actor, channel, data)
    mirror_runs.change(connection, run.id, {"event_id": event_id})
    return event_id
