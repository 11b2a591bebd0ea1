"""Publishes a file whatever the connection does: in one request, or in parts that go on where they broke off."""

import hashlib
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, TypeVar

from packhouse_client.client import PackhouseClient
from packhouse_client.errors import ClientError, Conflict, NotFound, Unauthenticated, Unreachable
from packhouse_client.publishing.backoff import Backoff, may_pass
from packhouse_client.publishing.resumption import Resumption
from packhouse_client.wire.uploads import Form, Progress, Published

T = TypeVar("T")

MIB = 1024**2
IN_PARTS_FROM_BYTES = 8 * MIB
"""A smaller file is sent again as a whole, which costs less than the requests that save doing so."""
PART_BYTES = 16 * MIB


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the file in one channel: `published`, or the `error` that stood in the way."""

    channel: str
    published: Published | None = None
    error: ClientError | None = None


def send_file(
    client: PackhouseClient,
    channels: Iterable[str],
    file: Path,
    form: Form,
    progress: Progress | None = None,
    backoff: Backoff | None = None,
    sha256: str | None = None,
    resumption: Resumption | None = None,
) -> list[Outcome]:
    """Publish one file into each of the channels; a large one is sent only once for all of them.

    Failures that may pass are waited out with `backoff`. It is safe to send again what may have arrived:
    the same bytes are answered as the file that is there (`is_new` is then False). `sha256` is the file's,
    if it is known already. With `resumption`, a later run goes on where this one broke off. Raises OSError
    for a file that cannot be read, and no ClientError: those are in the outcomes.
    """
    outcomes: list[Outcome] = []
    with _Sender(client, file, form, progress, backoff or Backoff(), sha256, resumption) as sender:
        for channel in channels:
            last = outcomes[-1].error if outcomes else None
            # These would be the same for every channel.
            is_over = isinstance(last, Unreachable | Unauthenticated)
            outcomes.append(Outcome(channel, error=last) if is_over else _outcome(sender, channel))
    return outcomes


def _outcome(sender: "_Sender", channel: str) -> Outcome:
    try:
        return Outcome(channel, published=sender.publish(channel))
    except ClientError as error:
        return Outcome(channel, error=error)


class _Sender:
    """One file on its way. What the server holds of it is given up when the `with` block ends, unless it can
    be of use to a later run."""

    def __init__(
        self,
        client: PackhouseClient,
        file: Path,
        form: Form,
        progress: Progress | None,
        backoff: Backoff,
        sha256: str | None,
        resumption: Resumption | None,
    ) -> None:
        self._client = client
        self._file = file
        self._form = form
        self._progress = progress
        self._backoff = backoff
        self._sha256 = sha256
        self._resumption = resumption
        self._size = file.stat().st_size
        self._goes_in_parts = self._size >= IN_PARTS_FROM_BYTES
        self._upload_id: str | None = None
        self._arrived = 0
        self._began_again = False
        self._broke_off = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        is_of_use = self._resumption is not None and (error is not None or self._broke_off)
        if self._upload_id is None or is_of_use:
            return
        with suppress(ClientError):  # it expires by itself
            self._client.delete_upload(self._upload_id)
        if self._resumption is not None:
            self._resumption.forget(self._client.url, self._file)

    def publish(self, channel: str) -> Published:
        """Raises what the server refuses, or the last failure once there were tries enough."""
        try:
            return self._publish(channel)
        except ClientError as error:
            self._broke_off = may_pass(error) or isinstance(error, Unauthenticated)
            raise

    def _publish(self, channel: str) -> Published:
        self._backoff.succeeded()  # what failed in another channel does not count in this one
        if self._goes_in_parts and self._upload_id is None:
            self._open(channel)
        upload_id = self._upload_id
        if upload_id is None:
            return self._tried(
                lambda: self._client.publish_file(channel, self._file, self._form, self._progress)
            )
        try:
            self._send_rest(upload_id)
        except NotFound:
            return self._begin_again(channel)
        digest = self._digest()
        return self._tried(lambda: self._client.publish_upload(channel, upload_id, self._form, digest))

    def _open(self, channel: str) -> None:
        upload_id = self._left_by_an_earlier_run()
        if upload_id is None:
            self._arrived = 0
            upload_id = self._tried(lambda: self._client.create_upload(channel, self._file.name, self._size))
        if upload_id is not None and self._resumption is not None:
            self._resumption.remember(self._client.url, self._file, upload_id)
        self._upload_id, self._goes_in_parts = upload_id, upload_id is not None

    def _left_by_an_earlier_run(self) -> str | None:
        if self._resumption is None or self._began_again:
            return None
        upload_id = self._resumption.find(self._client.url, self._file)
        if upload_id is not None:
            try:
                self._arrived = self._tried(lambda: self._client.upload_offset(upload_id))
            except NotFound:  # expired, or of another account
                return None
        return upload_id

    def _begin_again(self, channel: str) -> Published:
        """The server knows the upload no more: it expired, say. That happens once, or something is wrong."""
        if self._began_again:
            raise NotFound(f"The server has lost the upload of '{self._file.name}' twice. Try again later.")
        self._began_again, self._upload_id = True, None
        return self._publish(channel)

    def _send_rest(self, upload_id: str) -> None:
        with self._file.open("rb") as content:
            while self._arrived < self._size:
                try:
                    self._note(self._send_part(upload_id, content))
                except Conflict as error:  # the server has more, or less, than it had told
                    self._backoff.wait(error, is_known_to_pass=True)
                    self._ask_how_far(upload_id)
                except ClientError as error:
                    self._backoff.wait(error)
                    self._ask_how_far(upload_id)

    def _send_part(self, upload_id: str, content: BinaryIO) -> int:
        start = self._arrived
        length = min(PART_BYTES, self._size - start)
        return self._client.send_part(
            upload_id, content, start, length, lambda sent: self._tell(start + sent)
        )

    def _ask_how_far(self, upload_id: str) -> None:
        self._note(self._tried(lambda: self._client.upload_offset(upload_id)))
        self._tell(self._arrived)

    def _note(self, arrived: int) -> None:
        if arrived > self._arrived:
            self._backoff.succeeded()
        self._arrived = arrived

    def _tell(self, sent: int) -> None:
        if self._progress is not None:
            self._progress(sent, self._size)

    def _digest(self) -> str:
        if self._sha256 is None:
            with self._file.open("rb") as content:
                self._sha256 = hashlib.file_digest(content, "sha256").hexdigest()
        return self._sha256

    def _tried(self, ask: Callable[[], T]) -> T:
        while True:
            try:
                return ask()
            except ClientError as error:
                self._backoff.wait(error)
