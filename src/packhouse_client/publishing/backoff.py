"""When to try again after a failure that may pass, and how long to wait before."""

import random
import time
from collections.abc import Callable

from packhouse_client.errors import ClientError, Interrupted, Unreachable, Untrusted

PASSING_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Too busy, too early, or broken for the moment; a full disk (507) stays full."""

TRIES = 8
FIRST_SECONDS = 0.5
MOST_SECONDS = 30.0
MOST_ASKED_SECONDS = 300.0
"""A server may ask for longer waits than we choose ourselves, but not for any length."""

OnRetry = Callable[[str, float], None]
"""Told before each wait: what went wrong, and for how many seconds it waits."""


class Backoff:
    """The waits of one thing that is tried several times: each about twice as long as the one before.

    They are random within half of that, so that clients which failed together do not come back together.
    """

    def __init__(
        self,
        on_retry: OnRetry | None = None,
        tries: int = TRIES,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._on_retry = on_retry
        self._tries = tries
        self._sleep = sleep
        self._failures = 0

    def succeeded(self) -> None:
        """Something got on: as many tries again as at first."""
        self._failures = 0

    def wait(self, error: ClientError, is_known_to_pass: bool = False) -> None:
        """Wait for the next try. Raises the error if it will not pass, or there were tries enough."""
        self._failures += 1
        asked = error.wait_seconds or 0.0
        is_worth_it = (is_known_to_pass or may_pass(error)) and asked <= MOST_ASKED_SECONDS
        if not is_worth_it or self._failures >= self._tries:
            raise error
        seconds = max(self._seconds(), asked)
        if self._on_retry is not None:
            self._on_retry(error.message, seconds)
        self._sleep(seconds)

    def _seconds(self) -> float:
        longest = min(MOST_SECONDS, FIRST_SECONDS * 2 ** (self._failures - 1))
        return random.uniform(longest / 2, longest)  # noqa: S311  # no secret


def may_pass(error: ClientError) -> bool:
    """Whether the same request may succeed a moment later."""
    if isinstance(error, Unreachable):
        return not isinstance(error, Untrusted)
    return isinstance(error, Interrupted) or error.status in PASSING_STATUSES
