"""Blobs in both kinds of store, with real bytes, real failures and real full disks."""

import asyncio
import hashlib
import io
import os
import urllib.request
import zipfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import time

import pytest

from packhouse.domain.artifacts import Digests
from packhouse.errors import Corrupt, Invalid, NotFound, StorageFull, TooLarge
from packhouse.storage.blobs import Blobs, Spool, open_blobs, remove_leftover_spools

SMALL = b"a small package"
LARGE = bytes(range(256)) * 40_000  # 10 MB: several parts of a multipart upload
SIZES = pytest.mark.parametrize("content", [b"", SMALL, LARGE], ids=["empty", "small", "large"])


@pytest.fixture
def blobs(blob_url: str, blob_options: Mapping[str, str]) -> Blobs:
    return open_blobs(blob_url, blob_options)


@pytest.fixture
def folder(tmp_path: Path) -> Blobs:
    return open_blobs(str(tmp_path / "store"), {})


def digests_of(content: bytes) -> Digests:
    sha256 = hashlib.sha256(content).hexdigest()
    return Digests(md5=hashlib.md5(content).hexdigest(), sha256=sha256, size=len(content))


def keep(blobs: Blobs, content: bytes) -> str:
    digests = digests_of(content)
    blobs.keep(digests, io.BytesIO(content))
    return digests.sha256


def kept(blobs: Blobs) -> list[str]:
    return [sha256 for sha256, _, _ in blobs.walk()]


def files_below(folder: Path) -> list[str]:
    return [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]


class Counted(io.BytesIO):
    """Remembers whether somebody read it."""

    reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads += 1
        return super().read(size)


class Breaking(io.BytesIO):
    """A sender that goes away after the first chunk."""

    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell():
            raise ConnectionResetError("gone")
        return super().read(size)


@SIZES
def test_kept_blob_reads_back(blobs: Blobs, content: bytes) -> None:
    sha256 = keep(blobs, content)
    assert b"".join(blobs.read(sha256)) == content
    assert blobs.size(sha256) == len(content)


@SIZES
def test_kept_blob_streams_to_the_event_loop(blobs: Blobs, content: bytes) -> None:
    sha256 = keep(blobs, content)

    async def collect() -> bytes:
        return b"".join([chunk async for chunk in await blobs.stream(sha256)])

    assert asyncio.run(collect()) == content


@pytest.mark.parametrize(
    ("start", "end"), [(0, 1), (2, 7), (5, None), (9_000_000, 9_000_010), (10_239_990, 30_000_000)]
)
def test_range_reads_from_start_until_before_end(blobs: Blobs, start: int, end: int | None) -> None:
    sha256 = keep(blobs, LARGE)
    assert b"".join(blobs.read(sha256, start, end)) == LARGE[start:end]


def test_range_streams_from_start_until_before_end(blobs: Blobs) -> None:
    sha256 = keep(blobs, SMALL)

    async def collect() -> bytes:
        return b"".join([chunk async for chunk in await blobs.stream(sha256, 2, 7)])

    assert asyncio.run(collect()) == SMALL[2:7]


def test_opened_blob_is_seekable_enough_for_an_archive_reader(blobs: Blobs) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as writing:
        writing.writestr("padding", LARGE)
        writing.writestr("info/index.json", b"{}")
    sha256 = keep(blobs, archive.getvalue())
    with blobs.open(sha256) as file, zipfile.ZipFile(file) as reading:
        assert reading.read("info/index.json") == b"{}"


def test_missing_blob_has_no_size_and_is_not_found(blobs: Blobs) -> None:
    missing = digests_of(b"never kept").sha256
    assert blobs.size(missing) is None
    for ask in (blobs.read, blobs.open, blobs.verify):
        with pytest.raises(NotFound, match=missing):
            ask(missing)
    with pytest.raises(NotFound, match=missing):
        asyncio.run(_streamed(blobs, missing))


async def _streamed(blobs: Blobs, sha256: str) -> None:
    await blobs.stream(sha256)


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "A" * 64, "a" * 63, "a" * 64 + "\n"])
def test_what_is_no_digest_never_becomes_a_path(folder: Blobs, name: str) -> None:
    with pytest.raises(Invalid, match="not a SHA-256"):
        folder.path(name)


def test_kept_again_is_left_alone_and_not_read(blobs: Blobs) -> None:
    keep(blobs, SMALL)
    again = Counted(SMALL)
    blobs.keep(digests_of(SMALL), again)
    assert again.reads == 0


def test_blob_of_wrong_size_is_replaced_when_kept_again(tmp_path: Path, folder: Blobs) -> None:
    sha256 = keep(folder, SMALL)
    path = folder.path(sha256)
    assert path is not None
    path.write_bytes(SMALL[:4])
    source = tmp_path / "source"
    source.write_bytes(SMALL)
    folder.keep_file(digests_of(SMALL), source)
    assert path.read_bytes() == SMALL


@pytest.mark.parametrize("content", [SMALL, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("change", [b"", b"more"], ids=["changed", "longer"])
def test_bytes_that_do_not_match_are_refused_and_nothing_is_kept(
    blobs: Blobs, content: bytes, change: bytes
) -> None:
    sent = content + change if change else content[:-1] + b"?"
    with pytest.raises(Corrupt, match=digests_of(content).sha256):
        blobs.keep(digests_of(content), io.BytesIO(sent))
    assert kept(blobs) == []


def test_source_that_breaks_off_leaves_nothing(blobs: Blobs) -> None:
    with pytest.raises(ConnectionResetError):
        blobs.keep(digests_of(LARGE), Breaking(LARGE))
    assert kept(blobs) == []


def test_failures_leave_no_file_in_the_folder(folder: Blobs, tmp_path: Path) -> None:
    with pytest.raises(ConnectionResetError):
        folder.keep(digests_of(LARGE), Breaking(LARGE))
    with pytest.raises(Corrupt):
        folder.keep(digests_of(LARGE), io.BytesIO(LARGE[1:]))
    assert files_below(tmp_path) == []


def test_eight_at_once_keep_one_whole_blob(blobs: Blobs) -> None:
    with ThreadPoolExecutor(8) as pool:
        names = set(pool.map(keep, [blobs] * 8, [LARGE] * 8))
    assert kept(blobs) == list(names)
    assert blobs.verify(names.pop())


def test_verify_finds_a_flipped_bit(folder: Blobs) -> None:
    sha256 = keep(folder, SMALL)
    path = folder.path(sha256)
    assert path is not None
    assert folder.verify(sha256)
    path.write_bytes(b"A" + SMALL[1:])
    assert not folder.verify(sha256)


def test_removed_blob_is_gone_and_removing_again_is_quiet(blobs: Blobs) -> None:
    sha256 = keep(blobs, SMALL)
    blobs.remove(sha256)
    blobs.remove(sha256)
    assert blobs.size(sha256) is None


def test_walk_tells_each_blob_with_size_and_time(blobs: Blobs) -> None:
    contents = [f"package {number}".encode() for number in range(30)]
    names = {keep(blobs, content): len(content) for content in contents}
    found = list(blobs.walk())
    assert {sha256: size for sha256, size, _ in found} == names
    assert all(abs(datetime.now(UTC) - changed) < timedelta(minutes=1) for _, _, changed in found)


def test_walk_ignores_what_is_no_blob(folder: Blobs, tmp_path: Path) -> None:
    sha256 = keep(folder, SMALL)
    other = digests_of(LARGE).sha256
    for stray in (
        f"blobs/{sha256[:2]}/{sha256}#1",
        f"blobs/zz/{other}",
        "blobs/readme",
        f"incoming/{other}.spool",
    ):
        path = tmp_path / "store" / stray
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"stray")
    assert kept(folder) == [sha256]


def test_walk_of_an_empty_store_is_empty(blobs: Blobs) -> None:
    assert kept(blobs) == []


def test_signed_url_of_an_object_store_downloads_without_credentials(
    s3_url: str, s3_options: Mapping[str, str]
) -> None:
    blobs = open_blobs(s3_url, s3_options)
    url = blobs.signed_url(keep(blobs, SMALL), timedelta(minutes=1))
    assert url is not None
    with urllib.request.urlopen(url) as answer:
        assert answer.read() == SMALL
    assert blobs.path(digests_of(SMALL).sha256) is None


def test_folder_has_paths_and_no_signed_urls(folder: Blobs) -> None:
    sha256 = keep(folder, SMALL)
    path = folder.path(sha256)
    assert path is not None
    assert path.read_bytes() == SMALL
    assert folder.signed_url(sha256, timedelta(minutes=1)) is None


def test_file_url_is_the_same_folder(tmp_path: Path) -> None:
    spaced = tmp_path / "a store"
    sha256 = keep(open_blobs(str(spaced), {}), SMALL)
    assert open_blobs(spaced.as_uri(), {}).size(sha256) == len(SMALL)


@pytest.mark.parametrize(
    "url", ["", "blobs", "ftp://host/x", "file://host/x", "memory:///", "https://host/x"]
)
def test_url_that_means_no_store_is_refused(url: str) -> None:
    with pytest.raises(Invalid, match="not understood"):
        open_blobs(url, {})


def test_unknown_option_is_refused_by_name() -> None:
    with pytest.raises(Invalid, match="acces_key"):
        open_blobs("s3://bucket", {"acces_key": "x"})


# Spools


def spooled(spool: Spool, content: bytes) -> Digests:
    for start in range(0, len(content), 60_000):
        spool.write(content[start : start + 60_000])
    return spool.finish()


@SIZES
def test_spool_computes_digests_and_reads_back(tmp_path: Path, content: bytes) -> None:
    with Spool(tmp_path) as spool:
        assert spooled(spool, content) == digests_of(content)
        assert spool.file.read() == content
        assert spool.file.seek(0) == 0


@pytest.mark.parametrize("content", [SMALL, LARGE], ids=["small", "large"])
def test_spooled_file_is_kept_and_the_spool_is_gone(blobs: Blobs, tmp_path: Path, content: bytes) -> None:
    with Spool(tmp_path / "spool") as spool:
        digests = spooled(spool, content)
        blobs.keep_file(digests, spool.path)
    assert b"".join(blobs.read(digests.sha256)) == content
    assert files_below(tmp_path / "spool") == []


def test_spooled_file_on_the_same_file_system_is_not_written_twice(tmp_path: Path, folder: Blobs) -> None:
    with Spool(tmp_path / "spool") as spool:
        digests = spooled(spool, LARGE)
        folder.keep_file(digests, spool.path)
        path = folder.path(digests.sha256)
        assert path is not None
        assert path.samefile(spool.path)


def test_spooled_file_on_another_file_system_is_copied(folder: Blobs, small_disk: Path) -> None:
    with Spool(small_disk) as spool:
        digests = spooled(spool, SMALL)
        folder.keep_file(digests, spool.path)
    assert folder.verify(digests.sha256)


def test_file_cut_short_after_spooling_is_refused(folder: Blobs, tmp_path: Path) -> None:
    with Spool(tmp_path / "spool") as spool:
        digests = spooled(spool, LARGE)
        os.truncate(spool.path, 1000)
        with pytest.raises(Corrupt):
            folder.keep_file(digests, spool.path)
    assert kept(folder) == []


def test_spool_at_its_limit_is_accepted(tmp_path: Path) -> None:
    with Spool(tmp_path, max_bytes=len(SMALL)) as spool:
        assert spooled(spool, SMALL).size == len(SMALL)


@pytest.mark.parametrize(("limit", "words"), [(10, "10 bytes"), (1536, "1.5 KiB"), (5 * 1024**2, "5 MiB")])
def test_spool_above_its_limit_names_the_limit_and_leaves_nothing(
    tmp_path: Path, limit: int, words: str
) -> None:
    with pytest.raises(TooLarge, match=words), Spool(tmp_path, max_bytes=limit) as spool:
        spooled(spool, LARGE)
    assert files_below(tmp_path) == []


def test_spool_whose_sender_fails_leaves_nothing(tmp_path: Path) -> None:
    def receive() -> None:
        with Spool(tmp_path) as spool:
            spool.write(SMALL)
            raise ConnectionResetError("gone")

    with pytest.raises(ConnectionResetError):
        receive()
    assert files_below(tmp_path) == []


def test_old_leftovers_are_removed_and_young_ones_are_not(folder: Blobs, tmp_path: Path) -> None:
    incoming = tmp_path / "store" / "incoming"
    incoming.mkdir(parents=True)
    for name, hours in (("killed", 3), ("running", 0)):
        path = incoming / f"{name}.spool"
        path.write_bytes(SMALL)
        os.utime(path, (time() - hours * 3600,) * 2)
    assert folder.remove_leftovers(older_than=timedelta(hours=1)) == 1
    assert files_below(incoming) == ["running.spool"]


def test_leftovers_of_a_folder_never_used_are_none(tmp_path: Path) -> None:
    assert remove_leftover_spools(tmp_path / "absent", timedelta(0)) == 0


def test_object_store_has_no_leftovers_of_its_own(blobs: Blobs) -> None:
    assert blobs.remove_leftovers(timedelta(0)) == 0


# Full disks


def test_full_disk_is_told_and_leaves_nothing(small_disk: Path) -> None:
    blobs = open_blobs(str(small_disk), {})
    with pytest.raises(StorageFull, match="no room left"):
        keep(blobs, LARGE)
    assert files_below(small_disk) == []


def test_disk_that_fills_while_receiving_is_told_and_leaves_nothing(small_disk: Path) -> None:
    with pytest.raises(StorageFull, match="no room left"), Spool(small_disk) as spool:
        spooled(spool, LARGE)
    assert files_below(small_disk) == []


def test_full_disk_takes_blobs_again_once_there_is_room(small_disk: Path) -> None:
    blobs = open_blobs(str(small_disk), {})
    with pytest.raises(StorageFull):
        keep(blobs, LARGE)
    assert blobs.verify(keep(blobs, SMALL))
