"""Hash and compare passwords: slow for who guesses, quick for who was right a moment ago."""

import hashlib
import math
import secrets
import threading
from collections import OrderedDict
from contextlib import suppress
from datetime import datetime, timedelta
from functools import cached_property

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from packhouse.domain.users import MAX_PASSWORD_LENGTH
from packhouse.errors import TooManyRequests

FAILURES_ALLOWED = 10
FAILURE_WINDOW = timedelta(minutes=5)
NAMES_WATCHED = 10_000

REMEMBERED_FOR = timedelta(minutes=5)
PASSWORDS_REMEMBERED = 1_000

HASHES_AT_ONCE = 4  # bounds the memory: each takes 19 MiB


class Passwords:
    """Argon2id with the parameters of OWASP's Password Storage Cheat Sheet (19 MiB, 2 passes, 1 lane)."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
        self._turns = threading.BoundedSemaphore(HASHES_AT_ONCE)
        self._failures = Failures("failed log-ins with this user name")
        self._recent = RecentlyRight()

    @cached_property
    def _decoy(self) -> str:
        """The hash of a password that nobody has, to compare with where there is no user."""
        return self.hash(secrets.token_hex())

    def hash(self, password: str) -> str:
        with self._turns:
            return self._hasher.hash(_as_bytes(password))

    def is_outdated(self, stored: str) -> bool:
        """Whether the hash was made with other parameters than those of today."""
        return self._hasher.check_needs_rehash(stored)

    def is_right(self, username: str, password: str, stored: str | None, now: datetime) -> bool:
        """Compare with the stored hash; None (no such user) takes as long and is never right.

        Raises TooManyRequests after too many failures for one name, whoever made them.
        """
        if stored is not None and self._recent.knows(stored, password, now):
            return True
        self._failures.count(username, now)
        if not self._matches(stored or self._decoy, password) or stored is None:
            return False
        self._failures.forget(username)
        self._recent.remember(stored, password, now)
        return True

    def _matches(self, stored: str, password: str) -> bool:
        if len(password) > MAX_PASSWORD_LENGTH:
            return False
        with self._turns, suppress(VerificationError, InvalidHashError):
            return self._hasher.verify(stored, _as_bytes(password))
        return False


class Failures:
    """Failed attempts per name, in memory; the longest unseen names are dropped first.

    `what` they are completes the sentence that refuses the next one: "Too many ...".
    """

    def __init__(self, what: str, allowed: int = FAILURES_ALLOWED) -> None:
        self._what = what
        self._allowed = allowed
        self._lock = threading.Lock()
        self._counts: OrderedDict[str, tuple[datetime, int]] = OrderedDict()

    def count(self, name: str, now: datetime) -> None:
        """Count an attempt, before it is known to fail: many at once must not slip through together."""
        with self._lock:
            since, failures = self._counts.pop(name, (now, 0))
            if now - since >= FAILURE_WINDOW:
                since, failures = now, 0
            refused = failures >= self._allowed
            self._counts[name] = (since, failures if refused else failures + 1)
            if len(self._counts) > NAMES_WATCHED:
                self._counts.popitem(last=False)
        if refused:
            wait = math.ceil((since + FAILURE_WINDOW - now).total_seconds())
            raise TooManyRequests(f"Too many {self._what}. Wait {wait} seconds, then try again.", wait)

    def take_back(self, name: str) -> None:
        """The attempt that was counted last did not fail; those before it stay counted."""
        with self._lock:
            if name in self._counts:
                since, failures = self._counts[name]
                self._counts[name] = (since, max(0, failures - 1))

    def forget(self, name: str) -> None:
        with self._lock:
            self._counts.pop(name, None)


class RecentlyRight:
    """Which passwords matched which stored hash lately, so that Basic authentication need not hash each time.

    Holds keyed hashes, no password. A changed password has another stored hash, so what is remembered is
    never wrong; it is forgotten all the same, because fast hashes should not lie around.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._key = secrets.token_bytes(32)
        self._moments: OrderedDict[bytes, datetime] = OrderedDict()

    def knows(self, stored: str, password: str, now: datetime) -> bool:
        fingerprint = self._fingerprint(stored, password)
        with self._lock:
            moment = self._moments.get(fingerprint)
            if moment is not None and now - moment >= REMEMBERED_FOR:
                del self._moments[fingerprint]
                return False
            return moment is not None

    def remember(self, stored: str, password: str, now: datetime) -> None:
        with self._lock:
            self._moments[self._fingerprint(stored, password)] = now
            if len(self._moments) > PASSWORDS_REMEMBERED:
                self._moments.popitem(last=False)

    def _fingerprint(self, stored: str, password: str) -> bytes:
        text = stored.encode() + b"\0" + _as_bytes(password)
        return hashlib.blake2b(text, key=self._key, digest_size=32).digest()


def _as_bytes(password: str) -> bytes:
    return password.encode("utf-8", "surrogatepass")  # JSON can carry lone surrogates
