"""The parts that every action may use, put together once by `app.py` and passed by hand."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from packhouse.actions.passwords import Failures, Passwords
from packhouse.settings import Settings
from packhouse.storage.blobs import Blobs
from packhouse.storage.database import Database

if TYPE_CHECKING:
    from packhouse.remotes import Remotes

LOGINS_ALLOWED = 100
"""Log-ins from devices that one address may begin within the window of `Failures`; a company may share one."""


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Packhouse:
    settings: Settings
    database: Database
    blobs: Blobs
    clock: Callable[[], datetime] = utc_now
    passwords: Passwords = field(default_factory=Passwords)
    """One for all requests of a process: failures are counted across them."""
    code_guesses: Failures = field(default_factory=lambda: Failures("wrong codes from this address"))
    begun_logins: Failures = field(
        default_factory=lambda: Failures("log-ins begun from this address", LOGINS_ALLOWED)
    )

    _making: threading.Lock = field(default_factory=threading.Lock)
    closing: threading.Event = field(default_factory=threading.Event)
    """Set when the process is to end: long work lets go, and goes on after the next start."""

    @property
    def spool_dir(self) -> Path:
        """Where uploads and indexes are written before they are kept: the blobs' own disk, if it is one."""
        return self.settings.data_dir.absolute() / "spool"

    @cached_property
    def remotes(self) -> "Remotes":
        """Whom mirrors ask. Made, and imported, when it is needed: a server without mirrors starts sooner."""
        from packhouse.remotes import Remotes

        with self._making:  # `cached_property` itself has no lock from Python 3.12 on
            made = self.__dict__.get("remotes") or Remotes(self.settings)
            self.__dict__["remotes"] = made
        return made

    def close(self) -> None:
        """Let go of connections, to upstreams and to the database."""
        if "remotes" in self.__dict__:
            self.remotes.close()
        self.database.close()
