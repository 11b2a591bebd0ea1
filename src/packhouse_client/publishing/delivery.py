"""Files on their way into channels: several at a time, and only what is not there yet."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from packhouse_client.client import Document, PackhouseClient
from packhouse_client.errors import ClientError, Conflict
from packhouse_client.publishing.backoff import Backoff
from packhouse_client.publishing.files import LocalFile
from packhouse_client.publishing.resumption import Resumption
from packhouse_client.publishing.sending import Outcome, send_file
from packhouse_client.terminal.progress import Bar, ProgressBars

LISTENING_SECONDS = 0.2
"""How long Ctrl-C may go unheard where a waiting thread is deaf to it, as on Windows."""


class Status(StrEnum):
    UPLOADED = "uploaded"
    EXISTS = "exists"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one file in one channel."""

    file: LocalFile
    channel: str
    status: Status
    sha256: str | None = None
    ckey: str | None = None
    error: Exception | None = None

    def as_document(self) -> Document:
        return {
            "file": self.file.given,
            "channel": self.channel,
            "status": self.status.value,
            "ckey": self.ckey,
            "sha256": self.sha256,
            "size": self.file.size,
            "error": None if self.error is None else str(self.error),
        }


class Watcher:
    """Told of what happens, one thing at a time."""

    def retrying(self, file: LocalFile, reason: str, seconds: float) -> None:
        """The sending was interrupted, and goes on after so many seconds."""

    def finished(self, result: Result) -> None:
        """This is what became of one file in one channel."""


class Delivery:
    """Threads that send, while the caller's own listens to them and can be interrupted."""

    def __init__(
        self,
        client: PackhouseClient,
        channels: Sequence[str],
        bars: ProgressBars,
        watcher: Watcher,
        resumption: Resumption | None = None,
    ) -> None:
        self._client = client
        self._resumption = resumption
        self._channels = channels
        self._bars = bars
        self._watcher = watcher
        self._waiting: SimpleQueue[LocalFile] = SimpleQueue()
        self._news: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._results: dict[LocalFile, list[Result]] = {}

    def run(self, files: Sequence[LocalFile], jobs: int) -> list[Result]:
        """The results in the order of the files; each is also told to the watcher when it is there."""
        for file in files:
            self._waiting.put(file)
        for _ in range(min(jobs, len(files))):
            # Daemons: after Ctrl-C, nobody waits for a gigabyte to be sent.
            Thread(target=self._work, daemon=True).start()
        while len(self._results) < len(files):
            with suppress(Empty):
                self._news.get(timeout=LISTENING_SECONDS)()
        return [result for file in files for result in self._results[file]]

    def unfinished(self, files: Sequence[LocalFile]) -> list[LocalFile]:
        return [file for file in files if file not in self._results]

    def _work(self) -> None:
        try:
            with self._client.twin() as client:
                while (file := self._next()) is not None:
                    self._send(client, file)
        except Exception as error:  # goes on in the thread that listens
            self._news.put(partial(_raise, error))

    def _next(self) -> LocalFile | None:
        try:
            return self._waiting.get_nowait()
        except Empty:
            return None

    def _send(self, client: PackhouseClient, file: LocalFile) -> None:
        with self._bars.bar(file.path.name, file.size) as bar:
            backoff = Backoff(lambda *what: self._news.put(partial(self._watcher.retrying, file, *what)))
            results = deliver(client, file, self._channels, bar, backoff, self._resumption)
        self._news.put(partial(self._finish, file, results))

    def _finish(self, file: LocalFile, results: list[Result]) -> None:
        self._results[file] = results
        for result in results:
            self._watcher.finished(result)


def _raise(error: Exception) -> None:
    raise error


def deliver(
    client: PackhouseClient,
    file: LocalFile,
    channels: Sequence[str],
    bar: Bar,
    backoff: Backoff,
    resumption: Resumption | None = None,
) -> list[Result]:
    """One file into each of the channels; where it is already, nothing is sent."""
    try:
        bar.describe("checking")
        sha256 = file.sha256(bar.tell)
        found = {channel: _look(client, file, channel, sha256) for channel in channels}
        missing = [channel for channel, result in found.items() if result is None]
        bar.describe("sending")
        progress = partial(_tell, bar)
        outcomes = send_file(client, missing, file.path, file.form, progress, backoff, sha256, resumption)
    except OSError as error:
        return [Result(file, channel, Status.FAILED, error=error) for channel in channels]
    sent = {outcome.channel: _result(file, sha256, outcome) for outcome in outcomes}
    return [found[channel] or sent[channel] for channel in channels]


def _tell(bar: Bar, done: int, _size: int) -> None:
    bar.tell(done)


def _look(client: PackhouseClient, file: LocalFile, channel: str, sha256: str) -> Result | None:
    """What is known before anything is sent: the channel has the file, or another in its place."""
    if (ckey := file.ckey) is None:
        return None
    kept = None
    with suppress(ClientError):  # whatever it is, the sending meets it too, and knows what to do
        kept = client.kept_sha256(channel, ckey)
    if kept is None:
        return None
    if kept == sha256:
        return Result(file, channel, Status.EXISTS, sha256, ckey)
    error = Conflict(
        f"'{ckey}' is already in channel '{channel}' with SHA-256 {kept}; yours has {sha256}. "
        "Give it another build number, or remove the one that is there."
    )
    return Result(file, channel, Status.FAILED, sha256, ckey, error)


def _result(file: LocalFile, sha256: str, outcome: Outcome) -> Result:
    published = outcome.published
    if published is None:
        return Result(file, outcome.channel, Status.FAILED, sha256, error=outcome.error)
    status = Status.UPLOADED if published.is_new else Status.EXISTS
    return Result(file, outcome.channel, status, sha256, _text(published.file.get("ckey")))


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
