"""The mirror that is meant: by name or id, in a channel or in all that one may see."""

from collections.abc import Sequence
from dataclasses import dataclass

from packhouse_client.commands.mirror.request import Request
from packhouse_client.errors import NotFound, WrongUsage
from packhouse_client.listings import read_listing
from packhouse_client.session import Session
from packhouse_client.specifications import check_channel
from packhouse_client.suggestions import channel_suggested, did_you_mean
from packhouse_client.wire.connection import Document

MISSING = {
    "--stop": "Mirror {name} not found",
    "--restart": "Mirror {name} not found",
    "--sync-state": "No mirror named {name}",
}
"""What `conda repo` always said; of all other actions, that the mirror is not found."""


@dataclass(frozen=True, slots=True)
class Found:
    """A mirror, and the path of the channel that it fills."""

    channel: str
    mirror: Document

    @property
    def id(self) -> str:
        return str(self.mirror["mirror_id"])

    @property
    def name(self) -> str:
        return str(self.mirror["mirror_name"])

    @property
    def state(self) -> str:
        return str(self.mirror["state"])


def find_mirror(session: Session, request: Request) -> Found:
    """Raises NotFound; WrongUsage if several channels have one of that name."""
    if request.channel:
        return _find_in(session, request, check_channel(request.channel))
    mirrors = list(read_listing(session.client.list_all_mirrors).items)
    meant = [one for one in mirrors if request.name in (one["name"], one["id"])]
    if not meant:
        raise _missing(request, "you see none of that name", [one["name"] for one in mirrors])
    if len(meant) > 1:
        channels = ", ".join(sorted(map(mirrored_channel, meant)))
        raise WrongUsage(
            f"Several channels have a mirror {request.name}: {channels}. Say which with -c CHANNEL."
        )
    [mirror] = meant
    channel = mirrored_channel(mirror)
    return Found(channel, session.client.show_mirror(channel, mirror["id"]))


def _find_in(session: Session, request: Request, channel: str) -> Found:
    with channel_suggested(session.client, channel):
        mirrors = session.client.list_mirrors(channel)
    for mirror in mirrors:
        if request.name in (mirror["mirror_name"], mirror["mirror_id"]):
            return Found(channel, mirror)
    known = [mirror["mirror_name"] for mirror in mirrors]
    raise _missing(request, f"channel {channel} has none of that name", known)


def _missing(request: Request, reason: str, known: Sequence[str]) -> NotFound:
    said = MISSING.get(request.action, "Mirror not found").format(name=request.name)
    return NotFound(f"{said}: {reason}.{did_you_mean(request.name, known)}")


def mirrored_channel(item: Document) -> str:
    """The path of the channel that a mirror in the list of all mirrors fills."""
    subchannel = item.get("subchannel")
    return str(item["channel"]["name"]) + (f"/{subchannel['name']}" if subchannel else "")
