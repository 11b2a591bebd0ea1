"""A whole `repodata.json` laid down by package name, so that an index of gigabytes needs little memory.

It is read as a stream into a temporary SQLite file, and then asked name by name like a sharded upstream.
"""

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import orjson

from packhouse.errors import Invalid, StorageFull, TooLarge
from packhouse.formats.conda.records import compact
from packhouse.formats.conda.shards import LARGEST_SHARD
from packhouse.formats.conda.upstream.decompression import LARGEST_DOCUMENT, decompressed
from packhouse.formats.conda.upstream.documents import read_repodata, read_run_exports
from packhouse.formats.conda.upstream.files import run_exports_json
from packhouse.formats.conda.upstream.json_stream import JsonStream
from packhouse.formats.conda.upstream.shards import Listed, UpstreamShard, assemble, group_of
from packhouse.formats.conda.upstream.urls import folder_url

_ROWS_A_WRITE = 1_000

# Nothing of it outlives the process, so nothing is journalled or synced.
_SCHEMA = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA locking_mode = EXCLUSIVE;
PRAGMA cache_size = -16384;
CREATE TABLE record (name TEXT, section INTEGER, filename TEXT, state BLOB, body BLOB);
CREATE TABLE removed (name TEXT, filename TEXT, PRIMARY KEY (name, filename)) WITHOUT ROWID;
CREATE TABLE signed (filename TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE run_exports (filename TEXT PRIMARY KEY, body BLOB) WITHOUT ROWID;
"""

# All that the digests need is in the index, so the bodies stay unread.
_INDEX = "CREATE INDEX record_of_name ON record (name, filename, section, state)"
_TWICE = "SELECT filename FROM record GROUP BY name, filename, section HAVING count(*) > 1 LIMIT 1"
_STATES = """
SELECT record.name, record.filename, record.section, record.state, run_exports.body,
    signed.filename IS NOT NULL, removed.filename IS NOT NULL
FROM record LEFT JOIN run_exports USING (filename) LEFT JOIN signed USING (filename)
LEFT JOIN removed USING (name, filename)
ORDER BY record.name, record.filename, record.section
"""
_RECORDS = """
SELECT record.section, record.filename, record.body, run_exports.body, signed.filename IS NOT NULL
FROM record LEFT JOIN run_exports USING (filename) LEFT JOIN signed USING (filename)
WHERE record.name = ?
"""


class Snapshot:
    """One `repodata.json`, ready to be asked by name; made by `write_snapshot`, and gone when it is closed.

    Records whose file names no package can have are all under the empty name. To be used by one thread
    at a time, whichever that is.
    """

    def __init__(self, path: Path, subdir: str, url: str) -> None:
        self._path, self._subdir, self._url = path, subdir, url
        self.base_url = folder_url(url, None)
        """The folder of the package files: absolute, ending in `/`."""
        path.unlink(missing_ok=True)
        self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove the file; calling it twice is harmless."""
        self._database.close()
        self._path.unlink(missing_ok=True)

    @property
    def subdir(self) -> str:
        return self._subdir

    @property
    def removed(self) -> list[str]:
        """What upstream took out of its index."""
        return [row[0] for row in self._database.execute("SELECT filename FROM removed ORDER BY filename")]

    def count(self) -> int:
        """How many records there are, good and bad."""
        found: int = self._database.execute("SELECT count(*) FROM record").fetchone()[0]
        return found

    def digests(self) -> Iterator[tuple[str, str]]:
        """Names in order, each with a digest in hex of all that is told of it, in whatever order it was told."""
        for name, rows in groupby(self._database.execute(_STATES), key=itemgetter(0)):
            digest = hashlib.sha256()
            for row in rows:
                digest.update(orjson.dumps([row[1], row[2], row[5], row[6]]))
                digest.update(row[3] + hashlib.sha256(row[4] or b"").digest())
            yield name, digest.hexdigest()

    def files(self, name: str) -> UpstreamShard:
        """What is listed under a name; nothing for one that is not there.

        Raises TooLarge for a name whose records would make a shard larger than clients read.
        """
        listed: list[Listed] = []
        left = LARGEST_SHARD
        for section, filename, body, run_exports, is_signed in self._database.execute(_RECORDS, (name,)):
            left -= len(body)
            if left < 0:
                raise TooLarge(
                    f"{self._subdir}: the records of {name!r} take more than {LARGEST_SHARD} bytes, "
                    "the most that clients read of one name"
                )
            listed.append(Listed(section, filename, orjson.loads(body), run_exports or b"", bool(is_signed)))
        return assemble(self._subdir, name, listed, self._removed(name))

    def add_run_exports(self, source: BinaryIO, url: str, limit: int = LARGEST_DOCUMENT) -> None:
        """Read the `run_exports.json` beside the index, compressed or not; it replaces what an earlier one told.

        Entries that no client could read are left unknown. Raises Invalid for another document, and TooLarge
        beyond `limit` bytes of content; then all are unknown.
        """
        self._database.execute("DELETE FROM run_exports")
        try:
            with _told(url):
                self._write_run_exports(JsonStream(decompressed(source, limit)))
        except BaseException:
            self._database.execute("DELETE FROM run_exports")
            raise

    def _write_run_exports(self, stream: JsonStream) -> None:
        rows = _Rows(self._database, "INSERT OR REPLACE INTO run_exports VALUES (?, ?)")
        for filename, told in read_run_exports(stream):
            if known := run_exports_json(told):
                rows.add((filename, known))
        rows.flush()

    def _removed(self, name: str) -> list[str]:
        rows = self._database.execute(
            "SELECT filename FROM removed WHERE name = ? ORDER BY filename", (name,)
        )
        return [row[0] for row in rows]

    def _fill(self, source: BinaryIO, limit: int) -> None:
        self._database.executescript(_SCHEMA)
        writer = _SnapshotWriter(self._database)
        head = read_repodata(JsonStream(decompressed(source, limit)), writer)
        writer.flush()
        if head.subdir not in (None, self._subdir):
            raise Invalid(f"it is the index of {str(head.subdir)[:60]!r}, not of {self._subdir!r}")
        self._database.execute(_INDEX)
        if twice := self._database.execute(_TWICE).fetchone():
            raise Invalid(f"it lists {twice[0]!r} twice, and clients differ in which of them they read")
        self.base_url = folder_url(self._url, head.base_url)


def write_snapshot(
    source: BinaryIO, path: Path, subdir: str, url: str, limit: int = LARGEST_DOCUMENT
) -> Snapshot:
    """Read the `repodata.json` of `subdir`, compressed or not, that was found at `url`, into a file at `path`.

    Raises Invalid, which names the document, TooLarge beyond `limit` bytes of content, and StorageFull;
    then nothing is left at `path`.
    """
    snapshot = Snapshot(path, subdir, url)
    try:
        with _told(url):
            snapshot._fill(source, limit)
    except BaseException:
        snapshot.close()
        raise
    return snapshot


class _Rows:
    """Rows for one table, written so many at a time."""

    def __init__(self, database: sqlite3.Connection, statement: str) -> None:
        self._database, self._statement = database, statement
        self._waiting: list[tuple[Any, ...]] = []

    def add(self, row: tuple[Any, ...]) -> None:
        self._waiting.append(row)
        if len(self._waiting) >= _ROWS_A_WRITE:
            self.flush()

    def flush(self) -> None:
        self._database.execute("BEGIN")
        self._database.executemany(self._statement, self._waiting)
        self._database.execute("COMMIT")
        self._waiting.clear()


class _SnapshotWriter:
    def __init__(self, database: sqlite3.Connection) -> None:
        self._records = _Rows(database, "INSERT INTO record VALUES (?, ?, ?, ?, ?)")
        self._signed = _Rows(database, "INSERT OR IGNORE INTO signed VALUES (?)")
        self._removed = _Rows(database, "INSERT OR IGNORE INTO removed VALUES (?, ?)")

    def add_record(self, section: int, filename: str, record: Any) -> None:
        body = _written(record)
        state = hashlib.sha256(body).digest()
        self._records.add((group_of(filename), int(section), filename, state, body))

    def add_signed(self, filename: str) -> None:
        self._signed.add((filename,))

    def add_removed(self, filename: str) -> None:
        self._removed.add((group_of(filename), filename))

    def flush(self) -> None:
        for rows in (self._records, self._signed, self._removed):
            rows.flush()


def _written(record: Any) -> bytes:
    try:
        return compact(record)
    except TypeError:  # nested deeper than JSON is written: kept as nothing, which is refused when it is read
        return b"null"


@contextmanager
def _told(url: str) -> Iterator[None]:
    """Errors that name the document, and a full disk by its own name."""
    try:
        yield
    except Invalid as error:
        raise type(error)(
            error.message if error.message.startswith(url) else f"{url}: {error.message}"
        ) from error
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_FULL:
            raise
        raise StorageFull(
            f"{url}: the disk has no room left for it. Free some space and try again."
        ) from error
