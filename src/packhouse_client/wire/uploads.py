"""The part of the API that sends files: in one request, or in parts by the tus protocol."""

from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

import requests

from packhouse_client.errors import Invalid
from packhouse_client.wire.connection import Connection, Document, accepted, document_of

Progress = Callable[[int, int], None]
"""Called while a file is sent: bytes so far, bytes in all."""
Form = Mapping[str, str]
"""What is said of a file beside its bytes: `filetype`, and for some types `name` and `version`."""

TUS = {"Tus-Resumable": "1.0.0"}
NOT_THERE = (404, 405, 501)
PART_TYPE = "application/offset+octet-stream"
PART_ANSWER_SECONDS = 120
"""A part is only kept, and not read as a package is; a server that takes longer is asked again."""
CHUNK_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Published:
    """A file as the channel shows it, and whether it came to the channel by this."""

    file: Document
    is_new: bool


class Uploads(Connection):
    """The methods of `PackhouseClient` that send files."""

    def upload(
        self, path: str, file: Path, filetype: str = "conda1", progress: Progress | None = None
    ) -> Document:
        """Publish a package file. It is sent as it is read, so its size does not matter here."""
        return self.publish_file(path, file, {"filetype": filetype}, progress).file

    def publish_file(self, path: str, file: Path, form: Form, progress: Progress | None = None) -> Published:
        """Publish a file in one request."""
        with file.open("rb") as content:
            body = _multipart(file.name, content, file.stat().st_size, form, progress)
            headers = {"Content-Type": body.content_type}
            return _published(
                self._exchange("POST", f"/channels/{quote(path)}/artifacts", data=body, headers=headers)
            )

    def create_upload(self, path: str, filename: str, size: int) -> str | None:
        """Announce a file that comes in parts, meant for the channel `path`; the id of the upload.

        None where the server takes no uploads in parts.
        """
        metadata = _metadata({"filename": filename, "channel": path})
        headers = {**TUS, "Upload-Length": str(size), "Upload-Metadata": metadata}
        answer = self._exchange("POST", "/uploads", headers=headers, raises=False)
        if answer.status_code in NOT_THERE and "Tus-Resumable" not in answer.headers:
            return None
        return accepted(answer).headers["Location"].rpartition("/")[2]

    def upload_offset(self, upload_id: str) -> int:
        """How many bytes of it the server has."""
        answer = self._exchange("HEAD", _address(upload_id), headers=TUS)
        return int(answer.headers["Upload-Offset"])

    def send_part(
        self,
        upload_id: str,
        content: BinaryIO,
        start: int,
        length: int,
        on_sent: Callable[[int], None] | None = None,
    ) -> int:
        """Send `length` bytes of `content` from `start` on; the offset that comes next.

        `on_sent` is told how many of them have been sent.
        """
        headers = {**TUS, "Upload-Offset": str(start), "Content-Type": PART_TYPE}
        answer = self._exchange(
            "PATCH",
            _address(upload_id),
            PART_ANSWER_SECONDS,
            headers=headers,
            data=_Part(content, start, length, on_sent),
        )
        return int(answer.headers["Upload-Offset"])

    def publish_upload(self, path: str, upload_id: str, form: Form, sha256: str | None = None) -> Published:
        """Publish what came in parts. It stays, and may be published into other channels as well.

        Raises ChecksumMismatch if the server has not the bytes of this digest.
        """
        body = {**form, "upload_id": upload_id, **({} if sha256 is None else {"sha256": sha256})}
        return _published(self._exchange("POST", f"/channels/{quote(path)}/artifacts", json=body))

    def delete_upload(self, upload_id: str) -> None:
        """Have the server forget the parts; what was published from them stays."""
        self._exchange("DELETE", _address(upload_id), headers=TUS)


class _Part:
    """A stretch of a file as the body of a request: its length is known, and it is read as it is sent."""

    def __init__(
        self, content: BinaryIO, start: int, length: int, on_sent: Callable[[int], None] | None
    ) -> None:
        self._content = content
        self._start = start
        self._length = length
        self._on_sent = on_sent

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[bytes]:
        self._content.seek(self._start)
        sent = 0
        while sent < self._length:
            chunk = self._content.read(min(CHUNK_BYTES, self._length - sent))
            if not chunk:  # said at once: the server would wait in vain for the rest
                raise Invalid("The file became shorter while it was sent. Send it again.")
            yield chunk
            sent += len(chunk)
            if self._on_sent is not None:
                self._on_sent(sent)


def _address(upload_id: str) -> str:
    return f"/uploads/{quote(upload_id, safe='')}"


def _metadata(pairs: Mapping[str, str]) -> str:
    return ",".join(f"{key} {b64encode(value.encode()).decode()}" for key, value in pairs.items())


def _published(answer: requests.Response) -> Published:
    return Published(document_of(answer), is_new=answer.status_code == 201)


def _multipart(name: str, content: BinaryIO, size: int, form: Form, progress: Progress | None) -> Any:
    from requests_toolbelt import MultipartEncoder, MultipartEncoderMonitor

    fields = {**form, "size": str(size), "content": (name, content, "application/octet-stream")}
    encoder = MultipartEncoder(fields)
    if progress is None:
        return encoder
    return MultipartEncoderMonitor(encoder, lambda body: progress(min(body.bytes_read, size), size))
