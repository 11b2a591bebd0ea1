"""Remembers from one run to the next which upload holds the parts of a file that was not sent to its end."""

import hashlib
import time
from contextlib import suppress
from pathlib import Path

KEPT_SECONDS = 30 * 24 * 3600
"""Servers give uploads up much earlier."""


class Resumption:
    """A small file for each upload under way. It is a help and no more: where nothing can be written, files
    are sent from their beginning."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, url: str, file: Path) -> str | None:
        """The upload of this file at this server; None for one that was changed since."""
        try:
            return self._place(url, file).read_text() or None
        except OSError:
            return None

    def remember(self, url: str, file: Path, upload_id: str) -> None:
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            self._forget_old()
            self._place(url, file).write_text(upload_id)

    def forget(self, url: str, file: Path) -> None:
        with suppress(OSError):
            self._place(url, file).unlink()

    def _place(self, url: str, file: Path) -> Path:
        facts = file.stat()
        name = "\n".join([url, str(file.resolve()), str(facts.st_size), str(facts.st_mtime_ns)])
        return self._folder / hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()

    def _forget_old(self) -> None:
        limit = time.time() - KEPT_SECONDS
        for place in self._folder.iterdir():
            if place.stat().st_mtime < limit:
                place.unlink()
