"""Uploads that come in parts, by the tus protocol: announce, send, ask how far it is, give up."""

from datetime import UTC
from email.utils import format_datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request, Response, status
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, Field, ValidationError
from starlette.exceptions import HTTPException

from packhouse.actions.packhouse import Packhouse
from packhouse.actions.uploads import append_part, create_upload, delete_upload, find_upload, find_upload_at
from packhouse.domain.access import Actor
from packhouse.domain.artifacts import Digests
from packhouse.domain.uploads import Upload
from packhouse.errors import Interrupted, Invalid, TooLarge
from packhouse.storage.blobs import Spool
from packhouse.web import tus
from packhouse.web.body_limit import unbounded_stream
from packhouse.web.credentials import CurrentActor, House
from packhouse.web.errors import ERROR_RESPONSES
from packhouse.web.request import base_url
from packhouse.web.upload import pour

router = APIRouter(tags=["uploads"], responses=ERROR_RESPONSES)
SPEAKS_TUS = [Depends(tus.require_version)]
MAX_BODY_BYTES = 64 * 1024

PART_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {tus.PART_TYPE: {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.options("/uploads", status_code=status.HTTP_204_NO_CONTENT)
def describe_uploads(packhouse: House, _actor: CurrentActor) -> Response:
    """What of tus this server speaks."""
    headers = {
        "Tus-Version": tus.VERSION,
        "Tus-Extension": tus.EXTENSIONS,
        "Tus-Max-Size": str(packhouse.settings.max_upload_bytes),
        "Tus-Checksum-Algorithm": ",".join(tus.CHECKSUM_ALGORITHMS),
    }
    return Response(status_code=status.HTTP_204_NO_CONTENT, headers=headers)


@router.post("/uploads", status_code=status.HTTP_201_CREATED, dependencies=SPEAKS_TUS)
def open_upload(
    packhouse: House,
    actor: CurrentActor,
    request: Request,
    upload_length: Annotated[int, Header(ge=0, description="Bytes of the whole file.")],
    upload_metadata: Annotated[
        str, Header(description="`filename` and `channel` (its path), their values in base64.")
    ] = "",
) -> Response:
    """Announce a file that comes in parts. `Location` is where to send them."""
    metadata = tus.read_metadata(upload_metadata)
    for key in ("filename", "channel"):
        if not metadata.get(key):
            raise Invalid(f"'Upload-Metadata' lacks '{key}': name the file, and the channel it is meant for.")
    upload = create_upload(packhouse, actor, metadata["channel"], metadata["filename"], upload_length)
    location = f"{base_url(request)}{request.url.path}/{upload.uuid}"
    return Response(status_code=status.HTTP_201_CREATED, headers={"Location": location, **_state(upload)})


@router.head("/uploads/{upload_id}", dependencies=SPEAKS_TUS)
def show_upload(packhouse: House, actor: CurrentActor, upload_id: str) -> Response:
    """How many bytes have arrived: `Upload-Offset` of `Upload-Length`."""
    upload = find_upload(packhouse, actor, upload_id)
    headers = {
        "Upload-Length": str(upload.size),
        "Upload-Metadata": tus.write_metadata({"filename": upload.filename}),
        "Cache-Control": "no-store",
        **_state(upload),
    }
    return Response(headers=headers)


@router.patch(
    "/uploads/{upload_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    dependencies=SPEAKS_TUS,
    openapi_extra=PART_BODY,
)
async def send_part(
    packhouse: House,
    actor: CurrentActor,
    upload_id: str,
    request: Request,
    upload_offset: Annotated[int, Header(ge=0, description="Where in the file the part begins.")],
    upload_checksum: Annotated[
        str | None, Header(description="`sha256` or `sha1`, and the part's digest in base64.")
    ] = None,
) -> Response:
    """Append to the file. If the connection breaks, what has arrived by then is kept."""
    if request.headers.get("content-type") != tus.PART_TYPE:
        raise HTTPException(415, f"A part is sent with 'Content-Type: {tus.PART_TYPE}'.")
    checksum = None if upload_checksum is None else tus.Checksum(upload_checksum)
    upload = await run_in_threadpool(find_upload_at, packhouse, actor, upload_id, upload_offset)
    with Spool(packhouse.spool_dir, with_md5=False) as spool:
        longer = await _receive(packhouse, actor, upload, _Part(upload, spool, checksum), request)
    return Response(status_code=status.HTTP_204_NO_CONTENT, headers=_state(longer))


class _Part:
    """The body of one request, on its way into a spool."""

    def __init__(self, upload: Upload, spool: Spool, checksum: tus.Checksum | None) -> None:
        self.spool = spool
        self.checksum = checksum
        self._upload = upload
        self._room = upload.missing

    def feed(self, chunk: bytes) -> None:
        self._room -= len(chunk)
        if self._room < 0:
            announced = f"'{self._upload.filename}' was announced with {self._upload.size} bytes"
            raise Invalid(f"{announced}, and more were sent. Nothing of this part was kept.")
        self.spool.write(chunk)
        if self.checksum is not None:
            self.checksum.update(chunk)

    def finish(self) -> Digests:
        if self.checksum is not None:
            self.checksum.check()
        return self.spool.finish()


async def _receive(
    packhouse: Packhouse, actor: Actor, upload: Upload, part: _Part, request: Request
) -> Upload:
    """Keep all that arrives. Of half a part with a checksum nobody can say if it is right: nothing is kept."""
    try:
        await pour(unbounded_stream(request), part.feed, packhouse.settings.max_upload_seconds)
    except Interrupted:
        if part.checksum is None:
            await run_in_threadpool(_append, packhouse, actor, upload, part)
        raise
    return await run_in_threadpool(_append, packhouse, actor, upload, part)


def _append(packhouse: Packhouse, actor: Actor, upload: Upload, part: _Part) -> Upload:
    return append_part(packhouse, actor, upload, part.spool, part.finish())


@router.delete("/uploads/{upload_id}", status_code=status.HTTP_204_NO_CONTENT, dependencies=SPEAKS_TUS)
def give_up_upload(packhouse: House, actor: CurrentActor, upload_id: str) -> Response:
    """Forget the upload and its bytes. What was published from it stays."""
    delete_upload(packhouse, actor, upload_id)
    return Response(status_code=status.HTTP_204_NO_CONTENT)


@router.post("/uploads/{upload_id}", include_in_schema=False)
def post_to_upload() -> None:
    """`X-HTTP-Method-Override` reaches the methods above; a POST without it means nothing here."""
    raise HTTPException(405, "", {"Allow": "HEAD, PATCH, DELETE"})


def _state(upload: Upload) -> dict[str, str]:
    expires = format_datetime(upload.expires_at.astimezone(UTC), usegmt=True)
    return {"Upload-Offset": str(upload.received), "Upload-Expires": expires}


class CompleteUpload(BaseModel):
    """Sent in place of a form, to publish what came in parts."""

    upload_id: str = Field(description="The last part of the upload's address.")
    filetype: str | None = None
    name: str | None = None
    version: str | None = None
    sha256: str | None = Field(None, description="Digest of the whole file, to notice a loss.")

    @property
    def fields(self) -> dict[str, str]:
        """What the fields of a form would be."""
        return self.model_dump(include={"filetype", "name", "version"}, exclude_none=True)


async def read_complete_upload(request: Request, max_seconds: int) -> CompleteUpload:
    """The JSON body of a publication. Raises Invalid in words that tell of the other way, the form."""
    body = bytearray()

    def feed(chunk: bytes) -> None:
        body.extend(chunk)
        if len(body) > MAX_BODY_BYTES:
            raise TooLarge(f"A publication in JSON has {MAX_BODY_BYTES} bytes at most.")

    await pour(request.stream(), feed, max_seconds)
    try:
        return CompleteUpload.model_validate_json(bytes(body))
    except ValidationError as error:
        raise Invalid(
            "An upload is sent as multipart/form-data with the file in the part 'content', or as JSON with the "
            f"'upload_id' of one that came in parts. {_problem(error)}"
        ) from error


def _problem(error: ValidationError) -> str:
    problem = error.errors(include_input=False)[0]
    return f"Field '{problem['loc'][0]}': {problem['msg']}." if problem["loc"] else "This is neither."
