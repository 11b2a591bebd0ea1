"""An upstream channel as a run reads it: which names it lists, and the files of those that are asked for."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Protocol

from packhouse.actions.mirrors.source import Source
from packhouse.errors import Invalid, PackhouseError, UpstreamError
from packhouse.formats.conda.shards import LARGEST_SHARD
from packhouse.formats.conda.upstream.files import RefusedRecord
from packhouse.formats.conda.upstream.shards import UpstreamIndex, UpstreamShard, read_index, read_shard
from packhouse.formats.conda.upstream.snapshot import Snapshot, write_snapshot
from packhouse.formats.conda.upstream.subdirs import INDEXES, RUN_EXPORTS, SHARD_INDEX
from packhouse.remotes.requests import Got, InMemory, Outcome, Request, Validators
from packhouse.storage.blobs import Spool
from packhouse.storage.mirror_upstreams import KnownSubdir

SHARDS_AT_ONCE = 32
LARGEST_INDEX = 160 * 1024**2
"""Of a shard index, compressed: its digests do not compress, and it may unpack to 128 MiB."""
LARGEST_DOCUMENT = 4 * 1024**3
FAILURES_IN_A_ROW = 10
"""So many shards that fail one after the other are an upstream that is gone, and end the run."""

Listed = Callable[[UpstreamShard], None]


class Subdir(Protocol):
    """One subdir of an upstream whose index has changed since it was read last."""

    known: KnownSubdir
    refused: Sequence[RefusedRecord]

    def digests(self) -> Mapping[str, str]:
        """All names, each with a digest of what the upstream says of it."""
        ...

    def read(self, names: Sequence[str], listed: Listed) -> None:
        """Call `listed` with the files of each of these names, in no order; one that cannot be read is noted."""
        ...


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The index is the one that was read last, to its end."""

    known: KnownSubdir


class Upstream:
    """The subdirs of a mirror's source; what is written to disk for them goes when the `with` block ends.

    Files are looked for where the index was asked for, wherever its server sends us on to, as clients do it.
    """

    def __init__(self, source: Source, open_files: ExitStack) -> None:
        self._origin = source
        self._open_files = open_files
        self._source = source.specification.source.rstrip("/")

    def open(self, subdir: str, known: KnownSubdir | None) -> Subdir | Unchanged | None:
        """The subdir, if its index changed; None if the upstream has no such subdir (any more).

        A subdir that was not there is asked for by the one document that every channel has.
        """
        if known is not None and not known.address:
            return self._first_of(subdir, INDEXES[-1:]) and self._first_of(subdir, self._indexes)
        if known is None:
            return self._first_of(subdir, self._indexes)
        found = self._ask(subdir, known.address, Validators(known.etag, known.last_modified))
        if isinstance(found, Unchanged):
            return Unchanged(known)
        return found or self._first_of(subdir, self._indexes)

    @property
    def _indexes(self) -> Sequence[str]:
        """Signatures stand in the whole document alone."""
        signed = self._origin.specification.filters.only_signed
        return [name for name in INDEXES if not (signed and name == SHARD_INDEX)]

    def _first_of(self, subdir: str, names: Iterable[str]) -> Subdir | None:
        for name in names:
            found = self._ask(subdir, f"{self._source}/{subdir}/{name}", None)
            if found is not None:
                assert not isinstance(found, Unchanged), "nothing was known that could be unchanged"
                return found
        return None

    def _ask(self, subdir: str, address: str, known: Validators | None) -> "Subdir | Unchanged | None":
        if address.endswith(SHARD_INDEX):
            return self._ask_shards(subdir, address, known)
        return self._ask_document(subdir, address, known)

    def _ask_shards(self, subdir: str, address: str, known: Validators | None) -> "Subdir | Unchanged | None":
        body = InMemory()
        got = self._get(address, known, body, LARGEST_INDEX)
        if got.status == 200:
            index = read_index(body.body, address)
            if index.subdir != subdir:
                raise UpstreamError(f"{address} says that it is of {index.subdir}, not of {subdir}.")
            return ShardedSubdir(self._origin, index, self._known(subdir, address, got, index.base_url))
        return None if got.status == 404 else Unchanged(self._known(subdir, address, got, ""))

    def _ask_document(
        self, subdir: str, address: str, known: Validators | None
    ) -> "Subdir | Unchanged | None":
        spool = self._open_files.enter_context(RestartableSpool(self._origin.packhouse.spool_dir))
        got = self._get(address, known, spool, LARGEST_DOCUMENT)
        if got.status == 200:
            snapshot = self._snapshot(spool.reading(), subdir, address)
            self._add_run_exports(snapshot, subdir)
            return SnapshotSubdir(
                self._origin, snapshot, self._known(subdir, address, got, snapshot.base_url)
            )
        return None if got.status == 404 else Unchanged(self._known(subdir, address, got, ""))

    def _snapshot(self, path: Path, subdir: str, url: str) -> Snapshot:
        place = self._origin.packhouse.spool_dir / f"{path.stem}.snapshot.spool"
        with _WhileWanted(path, self._origin.go_on) as source:
            return self._open_files.enter_context(write_snapshot(source, place, subdir, url))

    def _add_run_exports(self, snapshot: Snapshot, subdir: str) -> None:
        """What packages ask of those built with them stands in a document of its own, where there is one."""
        for name in RUN_EXPORTS:
            address = f"{self._source}/{subdir}/{name}"
            with RestartableSpool(self._origin.packhouse.spool_dir) as spool:
                if self._get(address, None, spool, LARGEST_DOCUMENT).status == 200:
                    with (
                        spool.reading().open("rb") as source,
                        suppress(Invalid),
                    ):  # a broken one tells nothing
                        snapshot.add_run_exports(source, address)
                    return

    def _get(
        self, address: str, known: Validators | None, sink: "InMemory | RestartableSpool", limit: int
    ) -> Got:
        origin = self._origin
        origin.go_on()
        got = origin.packhouse.remotes.get(
            address,
            proxy=origin.specification.proxy,
            known=known,
            sink=sink,
            max_bytes=limit,
            stop=origin.stop,
        )
        origin.go_on()
        origin.transferred(got.transferred)
        return got

    def _known(self, subdir: str, address: str, got: Got, base_url: str) -> KnownSubdir:
        now = self._origin.packhouse.clock()
        etag, last_modified = got.validators.etag, got.validators.last_modified
        return KnownSubdir(subdir, address, etag, last_modified, base_url, "", 0, False, now)


class _WhileWanted(FileIO):
    """A document that is read as long as the run goes on: a large one takes a minute."""

    def __init__(self, path: Path, go_on: Callable[[], None]) -> None:
        super().__init__(path)
        self._go_on = go_on

    def read(self, size: int | None = -1) -> bytes:
        self._go_on()
        return super().read(size)


class RestartableSpool:
    """A spool file for a document, begun anew when a try failed."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._spool = Spool(directory, with_md5=False)

    def __enter__(self) -> "RestartableSpool":
        self._spool.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._spool.__exit__(None, None, None)

    def write(self, chunk: bytes) -> None:
        self._spool.write(chunk)

    def restart(self) -> None:
        self._spool.__exit__(None, None, None)
        self._spool = Spool(self._directory, with_md5=False).__enter__()

    def reading(self) -> Path:
        """The finished file."""
        self._spool.finish()
        return self._spool.path


class ShardedSubdir:
    """Reads only the shards of the names that are asked for (CEP 16)."""

    def __init__(self, source: Source, index: UpstreamIndex, known: KnownSubdir) -> None:
        self._origin = source
        self._index = index
        self.known = known
        self.refused: Sequence[RefusedRecord] = index.refused

    def digests(self) -> Mapping[str, str]:
        return self._index.digests

    def read(self, names: Sequence[str], listed: Listed) -> None:
        reading = _ShardReading(self._origin, self._index.subdir, listed)
        self._origin.packhouse.remotes.fetch_many(
            (self._request(name) for name in names),
            done=reading.arrived,
            stop=self._origin.stop,
            at_once=SHARDS_AT_ONCE,
        )
        self._origin.go_on()
        self._origin.transferred(reading.transferred)

    def _request(self, name: str) -> Request:
        return Request(
            url=self._index.shard_url(name),
            proxy=self._origin.specification.proxy,
            sha256=self._index.digests[name],
            max_bytes=LARGEST_SHARD,
            tag=name,
        )


class _ShardReading:
    """Takes shards as they arrive. What fails is noted; too many failures in a row are raised."""

    def __init__(self, source: Source, subdir: str, listed: Listed) -> None:
        self._origin = source
        self._subdir = subdir
        self._listed = listed
        self._failures = 0
        self.transferred = 0

    def arrived(self, request: Request, outcome: Outcome) -> None:
        self.transferred += outcome.transferred
        name: str = request.tag
        try:
            if outcome.error is not None:
                raise outcome.error
            shard = read_shard(outcome.body or b"", self._subdir, name)
        except PackhouseError as error:
            self._failures += 1
            self._origin.fail(f"{self._subdir}/{name}", error)
            if self._failures >= FAILURES_IN_A_ROW:
                raise
            return
        self._failures = 0
        self._listed(shard)


class SnapshotSubdir:
    """Reads from a whole repodata.json that was fetched."""

    def __init__(self, source: Source, snapshot: Snapshot, known: KnownSubdir) -> None:
        self._origin = source
        self._snapshot = snapshot
        self.known = known
        self.refused: Sequence[RefusedRecord] = ()

    def digests(self) -> Mapping[str, str]:
        return dict(self._snapshot.digests())

    def read(self, names: Sequence[str], listed: Listed) -> None:
        for name in names:
            try:
                shard = self._snapshot.files(name)
            except PackhouseError as error:
                self._origin.fail(f"{self._snapshot.subdir}/{name}", error)
            else:
                listed(shard)
