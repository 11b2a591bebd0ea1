"""One file: fetched, continued after a break, and never taken for right when it is not."""

import hashlib
from pathlib import Path

import pytest

from packhouse.errors import (
    StorageFull,
    TooLarge,
    UpstreamAnswered,
    UpstreamError,
    UpstreamLied,
    UpstreamRefused,
    UpstreamUnreachable,
)
from packhouse.remotes import InMemory, Pace, Remotes
from packhouse.remotes.pace import PROGRESS_BYTES
from packhouse.settings import Settings
from packhouse.storage.blobs import PartialFile
from tests.remotes.asking import CONTENT, FILE, fetch_one, put, ranges, request
from tests.remotes.conftest import HASTY_SECONDS
from tests.upstream import (
    Misbehaviour,
    Upstream,
    body,
    cut_after,
    hang_after,
    ignore_range,
    no_length,
    other_bytes,
    page,
    short_range,
    slow,
    status,
    with_headers,
    without,
    wrong_length,
    wrong_range,
)

SHA256 = hashlib.sha256(CONTENT).hexdigest()


def test_file_in_memory_has_its_body_and_digests(remotes: Remotes, upstream: Upstream) -> None:
    outcome = fetch_one(remotes, request(put(upstream, FILE)))

    assert outcome.is_ok
    assert outcome.body == CONTENT
    assert outcome.digests is not None
    assert (outcome.digests.sha256, outcome.digests.size) == (SHA256, len(CONTENT))
    assert outcome.transferred == len(CONTENT)


def test_file_on_disk_is_there_when_it_is_told(remotes: Remotes, upstream: Upstream, tmp_path: Path) -> None:
    target = PartialFile(tmp_path / "spool", SHA256)

    outcome = fetch_one(remotes, request(put(upstream, FILE), target=target))

    assert outcome.is_ok
    assert outcome.body is None
    assert target.path.read_bytes() == CONTENT
    target.discard()


def test_missing_file_is_an_error_with_its_status(remotes: Remotes, upstream: Upstream) -> None:
    outcome = fetch_one(remotes, request(upstream.url + FILE))

    assert isinstance(outcome.error, UpstreamAnswered)
    assert outcome.error.status == 404
    assert FILE in outcome.error.message
    assert upstream.count() == 1


def test_broken_file_goes_on_where_it_broke(remotes: Remotes, upstream: Upstream) -> None:
    url = put(upstream, FILE)
    upstream.misbehave("*", cut_after(30_000), times=2)

    outcome = fetch_one(remotes, request(url))

    assert outcome.body == CONTENT
    assert outcome.transferred == len(CONTENT)
    assert ranges(upstream) == [None, "bytes=30000-", "bytes=60000-"]


def test_file_that_ends_with_the_connection_too_early_goes_on(remotes: Remotes, upstream: Upstream) -> None:
    url = put(upstream, FILE)
    upstream.misbehave("*", no_length(), cut_after(30_000), times=1)

    assert fetch_one(remotes, request(url)).body == CONTENT
    assert ranges(upstream) == [None, "bytes=30000-"]


def test_file_that_stops_coming_goes_on(hasty: Remotes, upstream: Upstream) -> None:
    url = put(upstream, FILE)
    upstream.misbehave("*", hang_after(30_000), times=1)

    assert fetch_one(hasty, request(url)).body == CONTENT
    assert ranges(upstream) == [None, "bytes=30000-"]


def test_slow_file_is_waited_for_as_long_as_bytes_come(hasty: Remotes, upstream: Upstream) -> None:
    url = put(upstream, FILE)
    upstream.misbehave("*", slow(len(CONTENT) / (HASTY_SECONDS * 2)))

    assert fetch_one(hasty, request(url)).is_ok
    assert upstream.count() == 1


def test_what_another_process_left_is_continued(remotes: Remotes, upstream: Upstream, tmp_path: Path) -> None:
    url = put(upstream, FILE)
    (tmp_path / f"{SHA256}.part").write_bytes(CONTENT[:70_000])

    with PartialFile(tmp_path, SHA256) as target:
        outcome = fetch_one(remotes, request(url, target=target))

        assert outcome.is_ok
        assert target.path.read_bytes() == CONTENT
    assert ranges(upstream) == ["bytes=70000-"]
    assert outcome.transferred == len(CONTENT) - 70_000


def test_what_another_process_finished_is_not_asked_for(
    remotes: Remotes, upstream: Upstream, tmp_path: Path
) -> None:
    (tmp_path / f"{SHA256}.part").write_bytes(CONTENT)

    with PartialFile(tmp_path, SHA256) as target:
        outcome = fetch_one(remotes, request(upstream.url + FILE, target=target, size=None))

    assert outcome.is_ok
    assert upstream.log == []


@pytest.mark.parametrize("left", [b"?" * 70_000, b"?" * len(CONTENT), CONTENT + b"?"])
def test_what_another_process_left_wrong_is_fetched_from_scratch(
    remotes: Remotes, upstream: Upstream, tmp_path: Path, left: bytes
) -> None:
    url = put(upstream, FILE)
    (tmp_path / f"{SHA256}.part").write_bytes(left)

    with PartialFile(tmp_path, SHA256) as target:
        assert fetch_one(remotes, request(url, target=target)).is_ok
        assert target.path.read_bytes() == CONTENT
    assert ranges(upstream)[-1] is None


def test_nothing_is_continued_that_no_digest_could_check(
    remotes: Remotes, upstream: Upstream, tmp_path: Path
) -> None:
    url = put(upstream, FILE)
    (tmp_path / "unchecked.part").write_bytes(b"?" * 70_000)

    with PartialFile(tmp_path, "unchecked") as target:
        assert fetch_one(remotes, request(url, target=target, sha256=None)).is_ok
        assert target.path.read_bytes() == CONTENT
    assert ranges(upstream) == [None]


@pytest.mark.parametrize(
    "way",
    [
        ignore_range(),
        wrong_range(),
        wrong_range("bytes 30000-102398/102399"),
        wrong_range("nonsense"),
        status(416),
    ],
    ids=["ignored", "other start", "other total", "unreadable", "416"],
)
def test_range_that_is_not_kept_to_costs_a_fetch_from_scratch(
    remotes: Remotes, upstream: Upstream, way: Misbehaviour
) -> None:
    url = put(upstream, FILE)
    upstream.misbehave("*", way, times=1)
    upstream.misbehave("*", cut_after(30_000), times=1)

    assert fetch_one(remotes, request(url)).body == CONTENT
    assert upstream.log[-1].completed


def test_part_of_a_range_is_taken_and_the_rest_asked_for(remotes: Remotes, upstream: Upstream) -> None:
    url = put(upstream, FILE)
    upstream.misbehave("*", short_range(50_000))
    upstream.misbehave("*", cut_after(30_000), times=1)

    assert fetch_one(remotes, request(url)).body == CONTENT
    assert ranges(upstream) == [None, "bytes=30000-", "bytes=80000-"]


def test_upstream_that_never_keeps_to_ranges_is_not_asked_for_one_again(
    remotes: Remotes, upstream: Upstream
) -> None:
    url = put(upstream, FILE)
    upstream.misbehave("*", wrong_range())
    upstream.misbehave("*", cut_after(30_000), times=1)

    assert fetch_one(remotes, request(url)).body == CONTENT
    assert ranges(upstream) == [None, "bytes=30000-", None]


def test_range_of_another_version_is_not_appended(remotes: Remotes, upstream: Upstream) -> None:
    url = put(upstream, FILE)
    upstream.misbehave("*", with_headers(ETag='"another"'), times=1)
    upstream.misbehave("*", cut_after(30_000), times=1)

    assert fetch_one(remotes, request(url)).body == CONTENT
    assert ranges(upstream) == [None, "bytes=30000-", None]


def test_file_without_an_etag_is_continued_and_checked_by_its_digest(
    remotes: Remotes, upstream: Upstream
) -> None:
    url = put(upstream, FILE)
    upstream.misbehave("*", without("ETag"))
    upstream.misbehave("*", without("ETag"), cut_after(30_000), times=1)

    assert fetch_one(remotes, request(url)).body == CONTENT
    assert ranges(upstream) == [None, "bytes=30000-"]
    assert "if-range" not in upstream.log[1].headers


def test_other_bytes_are_fetched_once_more(remotes: Remotes, upstream: Upstream) -> None:
    url = put(upstream, FILE)
    upstream.misbehave("*", other_bytes(), times=1)

    assert fetch_one(remotes, request(url)).body == CONTENT
    assert upstream.count() == 2


def test_upstream_that_lies_twice_is_told_with_both_digests(remotes: Remotes, upstream: Upstream) -> None:
    url = put(upstream, FILE)
    upstream.misbehave("*", other_bytes())

    outcome = fetch_one(remotes, request(url))

    assert isinstance(outcome.error, UpstreamLied)
    assert f"expected SHA-256 {SHA256}" in outcome.error.message
    assert hashlib.sha256(bytes(byte ^ 0x55 for byte in CONTENT)).hexdigest() in outcome.error.message
    assert (upstream.count(), outcome.transferred) == (2, 2 * len(CONTENT))


def test_md5_is_checked_where_there_is_no_sha256(remotes: Remotes, upstream: Upstream) -> None:
    url = put(upstream, FILE)
    md5 = hashlib.md5(CONTENT).hexdigest()

    right = fetch_one(remotes, request(url, sha256=None, md5=md5))
    wrong = fetch_one(remotes, request(url, sha256=None, md5="0" * 32))

    assert right.is_ok
    assert isinstance(wrong.error, UpstreamLied)


@pytest.mark.parametrize("by", [1, -1])
def test_size_that_differs_from_the_index_is_seen_before_a_byte_is_taken(
    remotes: Remotes, upstream: Upstream, by: int
) -> None:
    url = put(upstream, FILE)
    target = InMemory()
    written: list[int] = []

    outcome = remotes.start(request(url, target=target, size=len(CONTENT) + by), written.append).result(10)

    assert isinstance(outcome.error, UpstreamLied)
    assert str(len(CONTENT) + by) in outcome.error.message
    assert (upstream.count(), outcome.transferred, max(written)) == (2, 0, 0)


def test_more_bytes_than_announced_are_refused_as_soon_as_they_come(
    remotes: Remotes, upstream: Upstream
) -> None:
    url = put(upstream, FILE, CONTENT * 50)
    upstream.misbehave("*", no_length())
    target = InMemory()

    outcome = fetch_one(remotes, request(url, target=target))

    assert isinstance(outcome.error, UpstreamLied)
    assert target.position <= len(CONTENT)
    assert not any(asked.completed for asked in upstream.log)


@pytest.mark.parametrize("by", [10, -10])
def test_wrong_content_length_never_passes_for_the_file(
    remotes: Remotes, upstream: Upstream, by: int
) -> None:
    url = put(upstream, FILE)
    upstream.misbehave("*", wrong_length(by))

    by_size = fetch_one(remotes, request(url))
    by_digest = fetch_one(remotes, request(url, size=None))

    assert isinstance(by_size.error, UpstreamLied)
    assert isinstance(by_digest.error, UpstreamError)


def test_broken_shard_is_a_lie(remotes: Remotes, upstream: Upstream) -> None:
    url = put(upstream, "/noarch/shards/abc.msgpack.zst")
    upstream.misbehave("*", body(b"not zstd at all"))

    assert isinstance(fetch_one(remotes, request(url, size=None)).error, UpstreamLied)


def test_shard_above_its_limit_is_too_large(remotes: Remotes, upstream: Upstream) -> None:
    outcome = fetch_one(remotes, request(put(upstream, FILE), size=None, max_bytes=1000))

    assert isinstance(outcome.error, TooLarge)
    assert outcome.body is None


def test_page_in_place_of_a_file_is_called_a_page(remotes: Remotes, upstream: Upstream) -> None:
    url = put(upstream, FILE)
    upstream.misbehave("*", page())

    outcome = fetch_one(remotes, request(url))

    assert isinstance(outcome.error, UpstreamAnswered)
    assert "a web page in place of the file" in outcome.error.message
    assert upstream.count() == 1


def test_encoding_that_a_server_claims_for_a_file_changes_nothing(
    remotes: Remotes, upstream: Upstream
) -> None:
    url = put(upstream, "/noarch/old-1-0.tar.bz2")
    upstream.misbehave("*", with_headers(Content_Encoding="gzip"))

    assert fetch_one(remotes, request(url)).body == CONTENT


def test_empty_file_is_fetched(remotes: Remotes, upstream: Upstream) -> None:
    outcome = fetch_one(remotes, request(put(upstream, FILE, b""), b""))

    assert outcome.is_ok
    assert outcome.body == b""


def test_large_file_may_break_as_often_as_it_gets_on(remotes: Remotes, upstream: Upstream) -> None:
    content = bytes(PROGRESS_BYTES) * 8
    url = put(upstream, FILE, content)
    upstream.misbehave("*", cut_after(PROGRESS_BYTES), times=7)

    assert fetch_one(remotes, request(url, content)).is_ok
    assert upstream.count() == 8


def test_file_that_hardly_gets_on_is_given_up_and_its_bytes_stay(
    remotes: Remotes, upstream: Upstream, tmp_path: Path
) -> None:
    url = put(upstream, FILE)
    upstream.misbehave("*", cut_after(1000))

    with PartialFile(tmp_path, SHA256) as target:
        outcome = fetch_one(remotes, request(url, target=target))

    assert isinstance(outcome.error, UpstreamUnreachable)
    assert upstream.count() == 5
    assert (tmp_path / f"{SHA256}.part").read_bytes() == CONTENT[:5000]


def test_tries_become_rarer(settings: Settings, upstream: Upstream) -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    remotes = Remotes(settings, Pace(sleep=sleep))
    upstream.misbehave("*", status(500))
    fetch_one(remotes, request(upstream.url + FILE))
    remotes.close()

    assert len(waits) == 4
    assert all(2 ** (number - 1) <= wait <= 2**number for number, wait in enumerate(waits, 1))


def test_full_disk_is_told_as_such_and_not_tried_again(remotes: Remotes, upstream: Upstream) -> None:
    class Full(InMemory):
        def write(self, chunk: bytes) -> None:
            raise StorageFull("The server has no room left.")

    outcome = fetch_one(remotes, request(put(upstream, FILE), target=Full()))

    assert isinstance(outcome.error, StorageFull)
    assert upstream.count() == 1


@pytest.mark.parametrize("url", ["http://[::1/x", "http://h:99999/x", "gopher://h/x", "http:///x"])
def test_what_is_no_address_is_refused(remotes: Remotes, url: str) -> None:
    assert isinstance(fetch_one(remotes, request(url)).error, UpstreamRefused)
