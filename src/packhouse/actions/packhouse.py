"""The parts that every action may use, put together once by `app.py` and passed by hand."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from packhouse.actions.passwords import Failures, Passwords
from packhouse.settings import Settings
from packhouse.storage.blobs import Blobs
from packhouse.storage.database import Database

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

    @property
    def spool_dir(self) -> Path:
        """Where uploads and indexes are written before they are kept: the blobs' own disk, if it is one."""
        return self.settings.data_dir.absolute() / "spool"
