"""How often and how fast an upstream is asked again, after a failure that may pass."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from packhouse.errors import UpstreamError

PASSING_STATUSES = frozenset({408, 425, 429, *range(500, 600)}) - {501, 505}
TRIES = 5
FIRST_SECONDS = 2.0
MOST_ASKED_SECONDS = 120.0
"""An upstream may ask for longer waits than we choose ourselves, but not for any length."""
PATIENCE_SECONDS = 60.0
PATIENCE_BYTES = 60 * 1024
"""So many bytes of a body have to come within that time, or the rest of it; a trickle would never end."""
PROGRESS_BYTES = 1024**2
"""A try that got this much further is no failure: a large file may need many of them."""


class Passing(Exception):
    """Carries an error that may pass by itself."""

    def __init__(self, error: UpstreamError) -> None:
        super().__init__(error.message)
        self.error = error


class Pace:
    """Waits between tries, each about twice as long as the one before: half a minute in all.

    They are random within half of that, so that files which failed together do not come back together.
    What a host asks for itself (`Retry-After`) holds for everything that is asked of it.
    """

    def __init__(
        self,
        tries: int = TRIES,
        first_seconds: float = FIRST_SECONDS,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self.tries = tries
        self.patience_seconds = patience_seconds
        self._first_seconds = first_seconds
        self._sleep = sleep
        self._clock = clock
        self._paused_until: dict[str, float] = {}

    async def wait(self, failures: int) -> None:
        """After the failure of this number, the first being 1."""
        longest = self._first_seconds * 2 ** (failures - 1)
        await self._sleep(random.uniform(longest / 2, longest))  # noqa: S311  # no secret

    def pause(self, host: str, seconds: float) -> None:
        """Nothing is asked of `host` for so long."""
        until = self._clock() + min(seconds, MOST_ASKED_SECONDS)
        self._paused_until[host] = max(until, self._paused_until.get(host, until))

    async def wait_for(self, host: str) -> None:
        """Until `host` may be asked."""
        while (until := self._paused_until.get(host)) is not None:
            seconds = until - self._clock()
            if seconds <= 0:
                self._paused_until.pop(host, None)
            else:
                await self._sleep(seconds)


class TooSlow(Exception):
    """The bytes come, but not fast enough for anybody's patience."""


class Patience:
    """With the body of one answer. Only waiting for it uses it up: who takes the bytes may be slow."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._begin()

    async def next_chunk(self, body: AsyncIterator[bytes]) -> bytes:
        """Raises TooSlow, and StopAsyncIteration at the end of the body."""
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            async with asyncio.timeout(self._left) as limit:
                chunk = await anext(body)
        except TimeoutError as error:
            if limit.expired():
                raise TooSlow from error
            raise
        self._left -= clock() - began
        self._missing -= len(chunk)
        if self._missing <= 0:
            self._begin()
        return chunk

    def _begin(self) -> None:
        self._left, self._missing = self._seconds, PATIENCE_BYTES


def asked_seconds(retry_after: str | None, now: datetime | None = None) -> float:
    """`Retry-After` (RFC 9110, 10.2.3): seconds or a date; 0 for none, and for what cannot be read."""
    text = (retry_after or "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), MOST_ASKED_SECONDS)
    try:
        when = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # a year of twenty digits
        return 0.0
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    seconds = (when - (now or datetime.now(UTC))).total_seconds()
    return min(max(seconds, 0.0), MOST_ASKED_SECONDS)
