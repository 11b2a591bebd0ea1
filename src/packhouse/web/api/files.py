"""Files of a channel, whatever package they belong to."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request

from packhouse.domain.access import Permission, require
from packhouse.storage import channels, entries
from packhouse.storage.entries import FileFilter
from packhouse.web.api.channel_routes import ChannelAt, at_channel
from packhouse.web.api.paging import BoundedPaging, Text, page_of
from packhouse.web.api.shapes import file_json
from packhouse.web.credentials import CurrentActor, House
from packhouse.web.errors import ERROR_RESPONSES
from packhouse.web.request import base_url

router = APIRouter(tags=["artifacts"], responses=ERROR_RESPONSES)


def wanted_files(
    artifact_family: Annotated[Text, Query(description="Only this family.", max_length=20)] = None,
    name: Annotated[Text, Query(description="Only the package of this name.", max_length=64)] = None,
    version: Annotated[Text, Query(description="Only this version, exactly.", max_length=128)] = None,
    filename: Annotated[Text, Query(description="Only files of this name.", max_length=260)] = None,
    platform: Annotated[Text, Query(description="Only this platform.", max_length=32)] = None,
) -> FileFilter:
    return FileFilter(artifact_family, name, version, filename, platform)


WantedFiles = Annotated[FileFilter, Depends(wanted_files)]


@at_channel(router.get, "/files")
def list_channel_files(
    packhouse: House,
    actor: CurrentActor,
    path: ChannelAt,
    wanted: WantedFiles,
    page: BoundedPaging,
    request: Request,
) -> dict[str, Any]:
    """The files of one channel, by family, package and address."""
    with packhouse.database.reading() as connection:
        channel = channels.get(connection, path)
        require(actor, Permission.ARTIFACT_VIEW, channel)
        require(actor, Permission.CHANNEL_VIEW_ARTIFACTS, channel)
        total, found = entries.listing(connection, channel.id, wanted, page.offset, page.limit)
    base = base_url(request)
    return page_of(total, [file_json(entry, channel, base) for entry in found])
