"""What tus 1.0.0 (https://tus.io/protocols/resumable-upload) asks of every request and answer, and its headers."""

import hashlib
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Annotated

from fastapi import Header
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException

from packhouse.errors import ChecksumMismatch, Invalid
from packhouse.web.asgi import Application, Message, Receive, Scope, Send
from packhouse.web.credentials import CurrentActor

VERSION = "1.0.0"
EXTENSIONS = "creation,expiration,checksum,termination"
CHECKSUM_ALGORITHMS = ("sha256", "sha1")
"""Every tus server knows SHA-1 ("Checksum"); it guards against accidents on the way and nothing else."""
PART_TYPE = "application/offset+octet-stream"
OVERRIDES = frozenset({"HEAD", "PATCH", "DELETE"})


class TusAnswers:
    """Marks every answer below an address of uploads with the protocol's version, refusals too.

    It also lets `X-HTTP-Method-Override` name the method, for clients whose proxy lets only POST through.
    """

    def __init__(self, app: Application) -> None:
        self._application = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _is_of_uploads(scope["path"]):
            await self._application(scope, receive, send)
            return

        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Tus-Resumable"] = VERSION
            await send(message)

        _override_method(scope)
        await self._application(scope, receive, send_marked)


def _is_of_uploads(path: str) -> bool:
    words = path.split("/", 4)[2:]
    return words[:1] == ["uploads"] or words[:2] == ["repo", "uploads"]


def _override_method(scope: Scope) -> None:
    override = dict(scope["headers"]).get(b"x-http-method-override", b"").decode("latin-1")
    if scope["method"] == "POST" and override in OVERRIDES:
        scope["method"] = override


def require_version(_actor: CurrentActor, tus_resumable: Annotated[str | None, Header()] = None) -> None:
    """Raises 412 for another version, once the credential is known to be right: as everywhere, that is first."""
    if tus_resumable != VERSION:
        sentence = f"Uploads in parts speak tus {VERSION}: send the header 'Tus-Resumable: {VERSION}'."
        raise HTTPException(412, sentence, {"Tus-Version": VERSION})


def read_metadata(text: str) -> Mapping[str, str]:
    """The pairs of an `Upload-Metadata` header; a key may stand without a value. Raises Invalid."""
    pairs = [pair.split(" ") for pair in text.split(",")] if text else []
    if any(not pair[0] or len(pair) > 2 for pair in pairs):
        raise Invalid("'Upload-Metadata' holds pairs of a key and a base64 value, with commas between them.")
    return {pair[0]: _decoded(pair[0], pair[1]) if len(pair) == 2 else "" for pair in pairs}


def write_metadata(pairs: Mapping[str, str]) -> str:
    return ",".join(f"{key} {b64encode(value.encode()).decode()}" for key, value in pairs.items())


def _decoded(key: str, value: str) -> str:
    try:
        return b64decode(value, validate=True).decode()
    except ValueError as error:  # binascii.Error and UnicodeDecodeError are such
        raise Invalid(
            f"The value of '{key[:40]}' in 'Upload-Metadata' is no UTF-8 text in base64."
        ) from error


class Checksum:
    """An `Upload-Checksum` header, and the bytes that it is to be compared with."""

    def __init__(self, header: str) -> None:
        """Raises Invalid for what cannot be read, or names an algorithm that is not known here."""
        algorithm, _, value = header.partition(" ")
        if algorithm not in CHECKSUM_ALGORITHMS:
            known = ", ".join(CHECKSUM_ALGORITHMS)
            raise Invalid(f"Checksums by '{algorithm[:20]}' are not known here. Known are: {known}.")
        try:
            self._announced = b64decode(value, validate=True)
        except ValueError as error:
            raise Invalid("The value of 'Upload-Checksum' is no base64.") from error
        self._found = hashlib.new(algorithm, usedforsecurity=False)

    def update(self, chunk: bytes) -> None:
        self._found.update(chunk)

    def check(self) -> None:
        if self._found.digest() != self._announced:
            raise ChecksumMismatch(
                "The part's bytes are not those of its checksum. Nothing of it was kept; send it again."
            )
