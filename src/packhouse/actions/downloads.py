"""Count downloads: in memory as they happen, into the database every few seconds."""

import threading
from collections import Counter

from packhouse.actions.packhouse import Packhouse
from packhouse.storage import channels


class Downloads:
    """A crash loses the counts of the last few seconds, which is the price of not writing per request."""

    def __init__(self, packhouse: Packhouse) -> None:
        self._packhouse = packhouse
        self._lock = threading.Lock()
        self._counts: Counter[int] = Counter()

    def count(self, entry_id: int) -> None:
        with self._lock:
            self._counts[entry_id] += 1

    def flush(self) -> None:
        """Write what has been counted since the last time; what cannot be written counts for the next."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
        if not counts:
            return
        try:
            with self._packhouse.database.transaction(quiet=True) as connection:
                channels.add_downloads(connection, counts)
        except Exception:
            with self._lock:
                self._counts.update(counts)
            raise
