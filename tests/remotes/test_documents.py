"""Index documents: asked for again only when they changed, and read whatever the weather."""

import pytest

from packhouse import __version__
from packhouse.errors import TooLarge, UpstreamAnswered, UpstreamUnreachable
from packhouse.remotes import InMemory, Pace, Remotes, Validators
from packhouse.settings import Settings
from tests.remotes.asking import CONTENT, DOCUMENT, get, put, ranges
from tests.remotes.names import Names
from tests.upstream import (
    Misbehaviour,
    Upstream,
    compressed,
    cut_after,
    hang_after,
    hang_before,
    no_length,
    page,
    redirect,
    short_range,
    status,
    with_headers,
    without,
)


def test_document_is_written_and_its_validators_are_told(remotes: Remotes, upstream: Upstream) -> None:
    url = put(upstream, DOCUMENT)

    got, body = get(remotes, url)

    assert (got.status, got.url, got.transferred, body) == (200, url, len(CONTENT), CONTENT)
    assert got.validators.etag
    assert got.validators.last_modified


def test_unchanged_document_costs_one_request_without_a_body(remotes: Remotes, upstream: Upstream) -> None:
    url = put(upstream, DOCUMENT)
    known = get(remotes, url)[0].validators

    got, body = get(remotes, url, known)

    assert (got.status, got.validators, got.transferred, body) == (304, known, 0, b"")
    assert upstream.count() == 2


def test_time_of_change_is_asked_for_where_there_is_no_etag(remotes: Remotes, upstream: Upstream) -> None:
    url = put(upstream, DOCUMENT)
    upstream.misbehave("*", without("ETag"))
    known = get(remotes, url)[0].validators

    assert known.etag is None
    assert get(remotes, url, known)[0].status == 304


def test_changed_document_is_read_again(remotes: Remotes, upstream: Upstream) -> None:
    known = get(remotes, put(upstream, DOCUMENT))[0].validators

    got, body = get(remotes, put(upstream, DOCUMENT, b"{}"), known)

    assert (got.status, body) == (200, b"{}")
    assert got.validators != known


@pytest.mark.parametrize("code", [404, 410])
def test_missing_document_is_an_answer_and_not_tried_again(
    remotes: Remotes, upstream: Upstream, code: int
) -> None:
    upstream.misbehave("*", status(code))

    got, body = get(remotes, upstream.url + DOCUMENT)

    assert (got.status, got.validators, body) == (404, Validators(), b"")
    assert upstream.count() == 1


def test_plain_json_may_come_compressed(remotes: Remotes, upstream: Upstream) -> None:
    url = put(upstream, DOCUMENT)
    upstream.misbehave("*", compressed())

    got, body = get(remotes, url)

    assert body == CONTENT
    assert got.transferred == len(CONTENT)


def test_compressed_document_is_not_compressed_again(remotes: Remotes, upstream: Upstream) -> None:
    get(remotes, put(upstream, DOCUMENT + ".zst"))

    assert upstream.log[0].headers["accept-encoding"] == "identity"


def test_limit_counts_what_was_decompressed(remotes: Remotes, upstream: Upstream) -> None:
    url = put(upstream, DOCUMENT, b" " * 500_000)
    upstream.misbehave("*", compressed())

    with pytest.raises(TooLarge, match="100000 bytes"):
        get(remotes, url, max_bytes=100_000)
    assert upstream.log[0].sent < 1_000


def test_document_at_the_limit_is_taken(remotes: Remotes, upstream: Upstream) -> None:
    assert get(remotes, put(upstream, DOCUMENT), max_bytes=len(CONTENT))[1] == CONTENT


def test_too_large_document_is_refused_by_its_length_and_not_tried_again(
    remotes: Remotes, upstream: Upstream
) -> None:
    url = put(upstream, DOCUMENT)
    sink = InMemory()

    with pytest.raises(TooLarge, match=DOCUMENT):
        remotes.get(url, sink=sink, max_bytes=len(CONTENT) - 1)
    assert (upstream.count(), sink.position) == (1, 0)


def test_too_large_document_of_untold_length_is_cut_off(remotes: Remotes, upstream: Upstream) -> None:
    url = put(upstream, DOCUMENT)
    upstream.misbehave("*", no_length())

    with pytest.raises(TooLarge):
        get(remotes, url, max_bytes=1000)


def test_broken_document_goes_on_where_it_broke(remotes: Remotes, upstream: Upstream) -> None:
    url = put(upstream, DOCUMENT)
    upstream.misbehave("*", cut_after(40_000), times=1)

    got, body = get(remotes, url)

    assert (got.status, body) == (200, CONTENT)
    assert ranges(upstream, DOCUMENT) == [None, "bytes=40000-"]
    assert upstream.log[1].headers["if-range"] == got.validators.etag


def test_part_of_a_document_is_never_taken_for_the_whole(remotes: Remotes, upstream: Upstream) -> None:
    url = put(upstream, DOCUMENT)
    upstream.misbehave("*", short_range(20_000))
    upstream.misbehave("*", cut_after(60_000), times=1)

    assert get(remotes, url)[1] == CONTENT
    assert ranges(upstream, DOCUMENT) == [None, "bytes=60000-", "bytes=80000-", "bytes=100000-"]


@pytest.mark.parametrize(
    "way",
    [without("ETag"), with_headers(ETag='W/"1"'), compressed()],
    ids=["no etag", "weak etag", "compressed"],
)
def test_broken_document_begins_anew_where_nothing_says_that_it_is_the_same(
    remotes: Remotes, upstream: Upstream, way: Misbehaviour
) -> None:
    url = put(upstream, DOCUMENT)
    upstream.misbehave("*", way)
    upstream.misbehave("*", way, cut_after(100), times=1)

    assert get(remotes, url)[1] == CONTENT
    assert ranges(upstream, DOCUMENT) == [None, None]


def test_document_that_changes_while_it_is_read_is_never_mixed(remotes: Remotes, upstream: Upstream) -> None:
    newer = CONTENT[::-1]
    url = put(upstream, DOCUMENT)
    upstream.misbehave("*", cut_after(50_000), times=1)
    seen: list[int] = []

    class ChangesAtFirstBytes(InMemory):
        def write(self, chunk: bytes) -> None:
            if not seen:
                put(upstream, DOCUMENT, newer + b"!")
            seen.append(len(chunk))
            super().write(chunk)

    sink = ChangesAtFirstBytes()
    remotes.get(url, sink=sink, max_bytes=10**6)

    assert sink.body == newer + b"!"


def test_page_in_place_of_a_document_is_called_a_page(remotes: Remotes, upstream: Upstream) -> None:
    url = put(upstream, DOCUMENT)
    upstream.misbehave("*", page())

    with pytest.raises(UpstreamAnswered, match=r"repodata\.json is answered with a web page") as caught:
        get(remotes, url)
    assert caught.value.status == 200
    assert upstream.count() == 1


def test_document_that_is_a_page_is_read(remotes: Remotes, upstream: Upstream) -> None:
    url = put(upstream, "/simple/index.html", b"<html>")
    upstream.misbehave("*", with_headers(Content_Type="text/html"))

    assert get(remotes, url)[1] == b"<html>"


@pytest.mark.parametrize("code", [408, 429, 500, 502, 503, 504])
def test_status_that_may_pass_is_tried_again(remotes: Remotes, upstream: Upstream, code: int) -> None:
    url = put(upstream, DOCUMENT)
    upstream.misbehave("*", status(code), times=2)

    assert get(remotes, url)[1] == CONTENT
    assert upstream.count() == 3


def test_status_that_does_not_pass_is_told_after_five_tries(remotes: Remotes, upstream: Upstream) -> None:
    upstream.misbehave("*", status(503))

    with pytest.raises(UpstreamAnswered, match="status 503") as caught:
        get(remotes, upstream.url + DOCUMENT)
    assert caught.value.status == 503
    assert upstream.count() == 5


@pytest.mark.parametrize("code", [400, 401, 403, 451, 501, 206, 204, 304, 302])
def test_status_that_stays_is_told_at_once(remotes: Remotes, upstream: Upstream, code: int) -> None:
    upstream.misbehave("*", status(code))

    with pytest.raises(UpstreamAnswered, match=f"status {code}"):
        get(remotes, upstream.url + DOCUMENT)
    assert upstream.count() == 1


@pytest.mark.parametrize(
    "way", [hang_before(), hang_after(10), cut_after(0)], ids=["before", "within", "cut"]
)
def test_upstream_that_hangs_or_breaks_off_is_tried_again(
    hasty: Remotes, upstream: Upstream, way: Misbehaviour
) -> None:
    url = put(upstream, DOCUMENT)
    upstream.misbehave("*", way, times=1)

    assert get(hasty, url)[1] == CONTENT


def test_upstream_that_is_down_is_unreachable_after_all_tries(remotes: Remotes, upstream: Upstream) -> None:
    upstream.stop_listening()

    with pytest.raises(
        UpstreamUnreachable, match=r"127\.0\.0\.1:\d+/noarch/repodata\.json cannot be fetched"
    ):
        get(remotes, upstream.url + DOCUMENT)


def test_host_without_an_address_is_named(settings: Settings) -> None:
    remotes = Remotes(settings, Pace(first_seconds=0.001), Names({}))

    with pytest.raises(UpstreamUnreachable, match=r"no address is known for the host 'nowhere\.example'"):
        get(remotes, "http://nowhere.example/repodata.json")
    remotes.close()


def test_redirect_is_followed_and_its_end_is_told(remotes: Remotes, upstream: Upstream) -> None:
    url = put(upstream, "/cdn/there.json")
    upstream.misbehave("/noarch/*", redirect("/cdn/there.json?signature=a%2Fb%2B"))

    got, body = get(remotes, upstream.url + DOCUMENT)

    assert (got.url, body) == (url + "?signature=a%2Fb%2B", CONTENT)


def test_redirects_in_a_circle_end(remotes: Remotes, upstream: Upstream) -> None:
    upstream.misbehave("*", redirect("/again.json"))

    with pytest.raises(UpstreamAnswered, match="more than 10 times"):
        get(remotes, upstream.url + DOCUMENT)
    assert upstream.count() == 11


def test_we_say_who_we_are_and_keep_no_cookies(remotes: Remotes, upstream: Upstream) -> None:
    url = put(upstream, DOCUMENT)
    upstream.misbehave("*", with_headers(Set_Cookie="seen=yes"))
    get(remotes, url)
    get(remotes, url)

    assert {asked.headers["user-agent"] for asked in upstream.log} == {f"packhouse/{__version__}"}
    assert "cookie" not in upstream.log[1].headers


def test_error_of_the_sink_is_raised_as_it_is(remotes: Remotes, upstream: Upstream) -> None:
    class Full(InMemory):
        def write(self, chunk: bytes) -> None:
            raise OSError("no room")

    with pytest.raises(OSError, match="no room"):
        remotes.get(put(upstream, DOCUMENT), sink=Full(), max_bytes=10**6)
    assert upstream.count() == 1


def test_validators_that_could_not_be_sent_back_are_dropped(remotes: Remotes, upstream: Upstream) -> None:
    url = put(upstream, DOCUMENT)
    upstream.misbehave("*", with_headers(ETag='"é"', Last_Modified="1. März 2026"))

    assert get(remotes, url)[0].validators == Validators(None, None)
