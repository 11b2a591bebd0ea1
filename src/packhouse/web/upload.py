"""A multipart upload, read as it arrives: the file goes through its digests onto disk, never into memory."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect

from packhouse.domain.artifacts import Digests
from packhouse.errors import Interrupted, Invalid, TooLarge
from packhouse.storage.blobs import Spool

BATCH_BYTES = 1024**2
"""Chunks are gathered up to this size, since handing work to a thread costs as much as hashing 100 kB."""
MAX_FIELD_BYTES = 64 * 1024
MAX_FIELDS = 40
MAX_FORM_BYTES = 4 * 1024**2
"""What a form may have around its file: more than all fields can take, and yet an end."""
FILE_FIELD = "content"


class Upload:
    """The parts of one form: the file in `spool`, the rest in `fields`."""

    def __init__(self, spool: Spool, content_type: str) -> None:
        kind, options = parse_options_header(content_type)
        if kind != b"multipart/form-data" or not options.get(b"boundary"):
            raise Invalid("An upload is sent as multipart/form-data with the file in the part 'content'.")
        self.fields: dict[str, str] = {}
        self.filename: str | None = None
        self.digests: Digests | None = None
        self._spool = spool
        self._header: tuple[bytes, bytes] = (b"", b"")
        self._headers: dict[bytes, bytes] = {}
        self._name = ""
        self._value = bytearray()
        self._is_file = False
        self._ended = False
        self._received = 0
        with _broken_form_named():
            self._parser = MultipartParser(options[b"boundary"], self._callbacks())

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the body. Raises Invalid for a broken form, TooLarge, StorageFull."""
        self._received += len(chunk)
        if self._spool.max_bytes is not None and self._received > self._spool.max_bytes + MAX_FORM_BYTES:
            raise TooLarge(
                "The form is larger than a file of the largest size makes it. Send the file alone."
            )
        with _broken_form_named():
            self._parser.write(chunk)

    def finish(self) -> Digests:
        """End of the body. Raises Interrupted when it ended too early, Invalid without a file."""
        if not self._ended:
            raise Interrupted("The upload ended before its last byte. Nothing was kept; send it again.")
        if self.filename is None:
            raise Invalid(f"The form has no file: send it in the part '{FILE_FIELD}', with a file name.")
        self.digests = self._spool.finish()
        self._check_size(self.digests)
        return self.digests

    def _check_size(self, digests: Digests) -> None:
        announced = self.fields.get("size")
        if announced is not None and announced.strip() != str(digests.size):
            raise Interrupted(
                f"'{self.filename}' was announced with {announced} bytes, but {digests.size} arrived. "
                "Nothing was kept; send it again."
            )

    def _callbacks(self) -> Any:
        return {
            "on_part_begin": self._part_begin,
            "on_part_data": self._part_data,
            "on_part_end": self._part_end,
            "on_header_field": lambda data, start, end: self._extend_header(0, data[start:end]),
            "on_header_value": lambda data, start, end: self._extend_header(1, data[start:end]),
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_end": self._end,
        }

    def _part_begin(self) -> None:
        self._headers, self._value, self._is_file = {}, bytearray(), False

    def _extend_header(self, part: int, data: bytes) -> None:
        field, value = self._header
        self._header = (field + data, value) if part == 0 else (field, value + data)
        if len(field) + len(value) > MAX_FIELD_BYTES:
            raise Invalid("A header in the form is too long.")

    def _header_end(self) -> None:
        self._headers[self._header[0].lower()] = self._header[1]
        self._header = (b"", b"")

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        self._name = options.get(b"name", b"").decode("utf-8", "replace")
        self._is_file = self._name == FILE_FIELD
        if self._is_file:
            if self.filename is not None:
                raise Invalid("The form holds two files; send one file a request.")
            self.filename = _file_name(options.get(b"filename", b""))

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._is_file:
            self._spool.write(data[start:end])
            return
        self._value += data[start:end]
        if len(self._value) > MAX_FIELD_BYTES:
            raise Invalid(f"The field '{self._name[:40]}' is longer than {MAX_FIELD_BYTES} bytes.")

    def _part_end(self) -> None:
        if not self._is_file:
            if len(self.fields) >= MAX_FIELDS:
                raise Invalid(f"The form has more than {MAX_FIELDS} fields.")
            self.fields[self._name] = self._value.decode("utf-8", "replace")

    def _end(self) -> None:
        self._ended = True


@contextmanager
def _broken_form_named() -> Iterator[None]:
    try:
        yield
    except FormParserError as error:
        raise Invalid(f"The upload is no valid multipart form: {error}.") from error


def _file_name(raw: bytes) -> str:
    """The last part only: some clients send the whole path of the file."""
    name = raw.decode("utf-8", "replace").replace("\\", "/").rpartition("/")[2]
    if not name:
        raise Invalid(f"The part '{FILE_FIELD}' has no file name.")
    return name


async def receive(upload: Upload, chunks: AsyncIterator[bytes], max_seconds: int) -> Digests:
    """Feed the body to the upload; raises Interrupted for a sender that takes too long or goes away."""
    await pour(chunks, upload.feed, max_seconds)
    return await asyncio.to_thread(upload.finish)


async def pour(chunks: AsyncIterator[bytes], feed: Callable[[bytes], None], max_seconds: int) -> None:
    """Call `feed` from a thread with all that arrives, in batches.

    Raises Interrupted for a sender that takes too long or goes away, when all that came has been fed.
    """
    batch = bytearray()
    end = asyncio.get_running_loop().time() + max_seconds
    try:
        while (chunk := await _next(chunks, end)) is not None:
            batch += chunk
            if len(batch) >= BATCH_BYTES:
                full, batch = bytes(batch), bytearray()
                await asyncio.to_thread(feed, full)
    except TimeoutError as error:
        await asyncio.to_thread(feed, bytes(batch))
        raise Interrupted(f"The upload took longer than {max_seconds} seconds.") from error
    except ClientDisconnect as error:
        await asyncio.to_thread(feed, bytes(batch))
        raise Interrupted("The connection broke before the upload was complete.") from error
    await asyncio.to_thread(feed, bytes(batch))


async def _next(chunks: AsyncIterator[bytes], end: float) -> bytes | None:
    """Only the wait for the sender is cut short, never a thread that writes."""
    async with asyncio.timeout_at(end):
        return await anext(chunks, None)
