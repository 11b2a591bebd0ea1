"""Artifacts: upload, list packages and files, search, and delete, copy or move in bulk."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Response, status
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, Field

from packhouse.actions.packhouse import Packhouse
from packhouse.actions.publish import publish, require_publish
from packhouse.actions.remove import remove
from packhouse.actions.transfer import copy, move
from packhouse.actions.uploads import publish_upload
from packhouse.domain.access import Actor, Permission, require
from packhouse.domain.artifacts import Entry, Selection
from packhouse.domain.families import FILE_TYPES, declared_in
from packhouse.errors import Invalid
from packhouse.storage import channels, entries, packages
from packhouse.storage.blobs import Spool
from packhouse.storage.packages import SORT_KEYS, Filter
from packhouse.web.api.channel_routes import ChannelAt, at_channel
from packhouse.web.api.paging import Paging, Text, check_sort, page_of
from packhouse.web.api.shapes import file_json, package_json
from packhouse.web.api.uploads import CompleteUpload, read_complete_upload
from packhouse.web.body_limit import unbounded_stream
from packhouse.web.credentials import CurrentActor, House
from packhouse.web.errors import ERROR_RESPONSES
from packhouse.web.request import base_url
from packhouse.web.upload import Upload, receive

router = APIRouter(tags=["artifacts"], responses=ERROR_RESPONSES, strict_content_type=False)


class Item(BaseModel):
    name: str
    family: str = "conda"
    ckey: str | None = Field(None, description="One file; left out, all files of the package.")


class BulkAction(BaseModel):
    action: Literal["delete", "copy", "move"]
    items: list[Item] = Field(min_length=1, max_length=10_000)
    target_channel: str | None = None
    target_subchannel: str | None = None


class Wanted:
    """Filters and order that every listing of packages takes."""

    def __init__(
        self,
        q: Annotated[Text, Query(description="Text to find in names.", max_length=200)] = None,
        artifact_family: Annotated[Text, Query(description="Only this family.", max_length=20)] = None,
        family: Annotated[Text, Query(description="The same as artifact_family.", max_length=20)] = None,
        platform: Annotated[Text, Query(description="Only this platform.", max_length=32)] = None,
        sort: Annotated[str | None, Query(description="A field; a leading '-' turns it round.")] = None,
    ) -> None:
        self.filter = Filter(q, artifact_family or family, platform)
        self.sort = None if sort is None else check_sort(sort, SORT_KEYS)


WantedPackages = Annotated[Wanted, Depends(Wanted)]


@router.get("/artifacts")
def search(packhouse: House, actor: CurrentActor, wanted: WantedPackages, page: Paging) -> dict[str, Any]:
    """Packages of all channels that the caller may see."""
    with packhouse.database.reading() as connection:
        total, found = packages.listing(
            connection,
            channels.readable_by(actor),
            wanted.filter,
            wanted.sort or "download_count",
            page.offset,
            page.limit,
        )
    return page_of(total, [package_json(listed) for listed in found])


@at_channel(router.get, "/artifacts")
def list_packages(
    packhouse: House, actor: CurrentActor, path: ChannelAt, wanted: WantedPackages, page: Paging
) -> dict[str, Any]:
    """The packages of one channel."""
    with packhouse.database.reading() as connection:
        channel = channels.get(connection, path)
        require(actor, Permission.CHANNEL_VIEW_ARTIFACTS, channel)
        total, found = packages.listing(
            connection,
            channels.is_channel(channel.id),
            wanted.filter,
            wanted.sort or "name",
            page.offset,
            page.limit,
        )
    return page_of(total, [package_json(listed) for listed in found])


@at_channel(router.get, "/artifacts/{family}/{package}/files")
def list_files(
    packhouse: House,
    actor: CurrentActor,
    path: ChannelAt,
    family: str,
    package: str,
    page: Paging,
    request: Request,
) -> dict[str, Any]:
    """The files of one package."""
    with packhouse.database.reading() as connection:
        channel = channels.get(connection, path)
        require(actor, Permission.ARTIFACT_VIEW, channel)
        total, found = entries.of_package(connection, channel.id, family, package, page.offset, page.limit)
    base = base_url(request)
    return page_of(total, [file_json(entry, channel, base) for entry in found])


UPLOAD_FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["content"],
                    "properties": {
                        "content": {"type": "string", "format": "binary", "description": "The file."},
                        "filetype": {"type": "string", "enum": list(FILE_TYPES)},
                        "size": {"type": "integer", "description": "Bytes of the file, to notice a loss."},
                        "name": {
                            "type": "string",
                            "description": "Name of a general artifact (gra); else that of the file, unless given.",
                        },
                        "version": {"type": "string", "description": "For files that cannot tell their own."},
                    },
                }
            },
            "application/json": {"schema": CompleteUpload.model_json_schema()},
        },
    }
}
"""Told by hand: the handler reads the form as it streams in, so FastAPI sees no parameter."""


# Existing clients put a subchannel into this one address plainly, without the word `subchannels`.
@router.post(
    "/channels/{channel}/{subchannel}/artifacts",
    status_code=status.HTTP_201_CREATED,
    openapi_extra=UPLOAD_FORM,
)
@at_channel(router.post, "/artifacts", status_code=status.HTTP_201_CREATED, openapi_extra=UPLOAD_FORM)
async def upload_artifact(
    packhouse: House, actor: CurrentActor, path: ChannelAt, request: Request, response: Response
) -> dict[str, Any]:
    """Publish one file, sent as multipart/form-data: `content`, `filetype`, `size`, `name`, `version`.

    One that came in parts (see `/api/uploads`) is published by JSON: `upload_id`, and the same fields.
    201 for a new file, 200 when the channel has the same bytes already, 409 when it has others.
    """
    await run_in_threadpool(_require_publish, packhouse, actor, path)
    is_json = request.headers.get("content-type", "").partition(";")[0].strip() == "application/json"
    entry, is_new = await (_publish_parts if is_json else _publish_form)(packhouse, actor, path, request)
    response.status_code = status.HTTP_201_CREATED if is_new else status.HTTP_200_OK
    return await run_in_threadpool(_file_shown, packhouse, path, entry, base_url(request))


async def _publish_form(
    packhouse: Packhouse, actor: Actor, path: str, request: Request
) -> tuple[Entry, bool]:
    with Spool(packhouse.spool_dir, packhouse.settings.max_upload_bytes) as spool:
        upload = Upload(spool, request.headers.get("content-type", ""))
        digests = await receive(upload, unbounded_stream(request), packhouse.settings.max_upload_seconds)
        assert upload.filename is not None
        declared = declared_in(upload.fields)
        return await run_in_threadpool(
            publish, packhouse, actor, path, upload.filename, spool, digests, declared
        )


async def _publish_parts(
    packhouse: Packhouse, actor: Actor, path: str, request: Request
) -> tuple[Entry, bool]:
    body = await read_complete_upload(request, packhouse.settings.max_upload_seconds)
    declared = declared_in(body.fields)
    return await run_in_threadpool(
        publish_upload, packhouse, actor, path, body.upload_id, declared, body.sha256
    )


@at_channel(router.put, "/artifacts/bulk", status_code=status.HTTP_202_ACCEPTED)
def change_in_bulk(
    packhouse: House, actor: CurrentActor, path: ChannelAt, body: BulkAction
) -> dict[str, Any]:
    """Delete, copy or move packages or single files: all of them, or none."""
    selections = [Selection(item.family, item.name, item.ckey) for item in body.items]
    if body.action == "delete":
        changed = remove(packhouse, actor, path, selections)
    else:
        transfer = copy if body.action == "copy" else move
        changed = transfer(packhouse, actor, path, _target(packhouse, actor, body), selections)
    return {"action": body.action, "count": len(changed)}


def _target(packhouse: Packhouse, actor: Actor, body: BulkAction) -> str:
    """Where to copy or move to; left out, the caller's default channel."""
    if body.target_channel is None:
        with packhouse.database.reading() as connection:
            default = channels.default_of(connection, actor.user_id)
        if default is None:
            raise Invalid("No target channel was given and you have no default channel.")
        return default
    parts = [body.target_channel, body.target_subchannel]
    return "/".join(part for part in parts if part)


def _require_publish(packhouse: Packhouse, actor: Actor, path: str) -> None:
    with packhouse.database.reading() as connection:
        require_publish(actor, channels.get(connection, path))


def _file_shown(packhouse: Packhouse, path: str, entry: Entry, base: str) -> dict[str, Any]:
    with packhouse.database.reading() as connection:
        return file_json(entry, channels.get(connection, path), base)
