"""One file or document on its way: over as many tries as it takes, continued where it broke off, and checked."""

import asyncio
import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress
from functools import cached_property

import structlog
from yarl import URL

from packhouse.domain.artifacts import Digests
from packhouse.errors import TooLarge, UpstreamAnswered, UpstreamLied, UpstreamUnreachable
from packhouse.remotes.answers import Answer, shown
from packhouse.remotes.exchange import Exchange, check_status
from packhouse.remotes.folders import ask_folder
from packhouse.remotes.pace import PASSING_STATUSES, PROGRESS_BYTES, Pace, Passing, asked_seconds
from packhouse.remotes.requests import Request, Validators
from packhouse.remotes.rules import Rules, host_of, parsed

log = structlog.get_logger(__name__)

WRITTEN_AT_ONCE = 64 * 1024
"""Bytes that are written in the event loop's own thread; a change of threads costs about as much."""

_COMPRESSED = (".zst", ".conda", ".bz2", ".gz", ".xz", ".tgz", ".zip", ".whl", ".rds")
_PAGES = (".html", ".htm", "/")
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)", re.ASCII)

OnProgress = Callable[[int], None]
"""Told how many bytes the target holds, after each write and each restart."""


class _WrongRange(Exception):
    """Another part came than was asked for, or none."""


class Transfer:
    """Brings one request's bytes to its target. `transferred` counts what came, also when it failed."""

    def __init__(
        self,
        exchange: Exchange,
        rules: Rules,
        pace: Pace,
        request: Request,
        known: Validators | None = None,
        on_progress: OnProgress | None = None,
    ) -> None:
        self.transferred = 0
        self._exchange = exchange
        self._rules = rules
        self._pace = pace
        self._request = request
        self._target = request.target
        self._known = known
        self._on_progress = on_progress
        self._etag: str | None = None
        self._takes_ranges = True

    @cached_property
    def _url(self) -> URL:
        return parsed(self._request.url)

    @cached_property
    def _proxy(self) -> URL | None:
        return None if self._request.proxy is None else parsed(self._request.proxy)

    async def fetch_file(self) -> Digests:
        """Raises UpstreamError, TooLarge, and what the target raises."""
        if self._target.position:
            digests = self._target.finish()
            if self._is_checkable and self._fault(digests) is None:
                return digests  # all of it had come when its holder was killed
            if self._request.size is not None and digests.size >= self._request.size:
                self._restart()
        return await self._with_second_chance()

    async def fetch_document(self) -> Answer:
        """What was answered at last: 200 (it is written), 304 or 404 (nothing is). Raises as `fetch_file`."""
        return await self._persistently()

    async def _with_second_chance(self) -> Digests:
        try:
            return await self._fetched_and_checked()
        except UpstreamLied:
            self._restart()
        try:
            return await self._fetched_and_checked()
        except UpstreamLied:
            self._restart()  # nobody is to go on with bytes that are wrong
            raise

    async def _fetched_and_checked(self) -> Digests:
        answer = await self._persistently()
        if answer.status == 404:
            raise UpstreamAnswered(
                f"{shown(answer.url)} is not there: status {answer.status}.", answer.status
            )
        digests = self._target.finish()
        if (fault := self._fault(digests)) is not None:
            raise UpstreamLied(fault)
        return digests

    async def _persistently(self) -> Answer:
        failures, farthest = 0, self._target.position
        tries = self._request.tries or self._pace.tries
        while True:
            try:
                return await self._tried()
            except _WrongRange:
                self._takes_ranges = False  # so this happens once
                self._restart()
            except Passing as passing:
                has_progressed = self._target.position >= farthest + PROGRESS_BYTES
                farthest = max(farthest, self._target.position)
                failures = 1 if has_progressed else failures + 1
                if failures >= tries:
                    raise passing.error from passing
                log.info("upstream_retried", failures=failures, reason=passing.error.message)
                await self._pace.wait(failures)

    async def _tried(self) -> Answer:
        async with self._ask(self._headers()) as answer:
            if answer.status == 304 and self._known is not None:
                return answer
            if answer.status in (404, 410):
                return Answer(404, answer.headers, answer.url, answer.chunks)
            self._check(answer)
            await self._receive(answer)
            return answer

    def _ask(self, headers: dict[str, str]) -> AbstractAsyncContextManager[Answer]:
        if self._url.scheme == "file":
            return ask_folder(self._rules, self._url, headers)
        return self._exchange.ask(self._url, self._proxy, headers)

    def _headers(self) -> dict[str, str]:
        is_compressed = self._url.path.endswith(_COMPRESSED) or self._is_checkable
        headers = {"Accept-Encoding": "identity" if is_compressed else "gzip"}
        if self._target.position and not self._may_continue:
            self._restart()
        if self._target.position:
            headers["Range"] = f"bytes={self._target.position}-"
            headers["Accept-Encoding"] = "identity"
            if self._etag is not None:
                headers["If-Range"] = self._etag
        elif self._known is not None:
            named = {"If-None-Match": self._known.etag, "If-Modified-Since": self._known.last_modified}
            headers.update((name, value) for name, value in named.items() if value)
        return headers

    @property
    def _is_checkable(self) -> bool:
        return self._request.sha256 is not None or self._request.md5 is not None

    @property
    def _may_continue(self) -> bool:
        return self._takes_ranges and (self._is_checkable or self._etag is not None)

    def _check(self, answer: Answer) -> None:
        """Before a byte of the body is read."""
        if self._target.position and answer.status in (206, 416) and not self._is_right_part(answer):
            raise _WrongRange
        if answer.status in PASSING_STATUSES:
            self._pace.pause(host_of(answer.url), asked_seconds(answer.headers.get("Retry-After")))
        check_status(answer)
        expected = 206 if self._target.position else 200
        if answer.status not in (200, expected):
            raise UpstreamAnswered(
                f"{shown(answer.url)} is answered with status {answer.status}, which was not asked for.",
                answer.status,
            )
        if answer.is_page and not answer.url.path.endswith(_PAGES):
            raise UpstreamAnswered(
                f"{shown(answer.url)} is answered with a web page in place of the file. "
                "Is this the right address, and does a portal or log-in stand in between?",
                answer.status,
            )

    def _is_right_part(self, answer: Answer) -> bool:
        found = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", ""))
        if answer.status != 206 or found is None or int(found[1]) != self._target.position:
            return False
        if self._etag is not None and answer.headers.get("ETag", self._etag) != self._etag:
            return False
        size = self._request.size
        return size is None or found[3] in ("*", str(size))

    async def _receive(self, answer: Answer) -> None:
        if answer.status == 200:
            if self._target.position:
                self._restart()
            self._etag = None if answer.is_encoded else answer.validators.strong_etag
        if answer.length is not None:
            self._check_size(answer, self._target.position + answer.length, is_all=answer.status == 200)
        async for chunk in answer.chunks:
            self.transferred += len(chunk)
            self._check_size(answer, self._target.position + len(chunk))
            await self._write(chunk)
            self._tell()
        size = _total(answer) if self._request.size is None else self._request.size
        if size is not None and self._target.position < size:
            raise Passing(
                UpstreamUnreachable(f"{shown(answer.url)} broke off before its {size} bytes were there.")
            )

    async def _write(self, chunk: bytes) -> None:
        """Large ones in another thread: the disk and the digest would hold up everything else."""
        if len(chunk) < WRITTEN_AT_ONCE:
            self._target.write(chunk)
            return
        writing = asyncio.get_running_loop().run_in_executor(None, self._target.write, chunk)
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            while not writing.done():  # whoever closes the target must not meet a writer there
                with suppress(asyncio.CancelledError):
                    await asyncio.wait([writing])
            writing.exception()  # asked for, so that asyncio does not complain that nobody did
            raise

    def _check_size(self, answer: Answer, found: int, is_all: bool = False) -> None:
        """`found` bytes, or more unless they are all. Raises UpstreamLied and TooLarge."""
        size, most = self._request.size, self._request.max_bytes
        if size is not None and (found > size or (is_all and found < size)):
            told = str(found) if is_all else "more"
            raise UpstreamLied(
                f"{shown(answer.url)} should have {size} bytes by its index, and {told} were sent."
            )
        if most is not None and found > most:
            raise TooLarge(
                f"{shown(answer.url)} is larger than {most} bytes, the most that is taken of its kind."
            )

    def _fault(self, digests: Digests) -> str | None:
        """What is wrong with the bytes; None if nothing is."""
        wanted = self._request
        named = (("SHA-256", wanted.sha256, digests.sha256), ("MD5", wanted.md5, digests.md5))
        kind, expected, found = next((one for one in named if one[1] is not None), ("", None, ""))
        if expected is None or found == expected:
            return None
        return (
            f"{shown(self._url)} is not what its index says: expected {kind} {expected}, found {found}. "
            "Nothing of it was kept."
        )

    def _restart(self) -> None:
        self._target.restart()
        self._etag = None
        self._tell()

    def _tell(self) -> None:
        if self._on_progress is not None:
            self._on_progress(self._target.position)


def _total(answer: Answer) -> int | None:
    """The size of the whole file, as an answer with a part of it tells: a server may send less than was asked."""
    found = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", ""))
    return int(found[3]) if answer.status == 206 and found is not None and found[3] != "*" else None
