"""Files of a passive mirror over HTTP, in process: fetched when they are first asked for, and then kept."""

from pathlib import Path

import pytest

from packhouse.actions.mirrors.specify import Contents, delete_mirror
from packhouse.domain.access import Role
from packhouse.domain.channels import Privacy
from tests.builders import build_conda_package
from tests.listed_channel import ListedChannel
from tests.mirroring import MirrorHouse
from tests.upstream import Misbehaviour, Upstream, cut_after, other_bytes, status

FILE = "/api/repo/data/noarch/tool-1.0-0.conda"
CKEY = "noarch/tool-1.0-0.conda"


@pytest.fixture
def package(tmp_path: Path) -> Path:
    return build_conda_package(tmp_path, "tool", about={"summary": "What the file tells"})


@pytest.fixture
def channel(upstream: Upstream, package: Path) -> ListedChannel:
    channel = ListedChannel(upstream.folder)
    channel.add(package)
    channel.write()
    return channel


@pytest.fixture
def mirrors(any_mirrors: MirrorHouse, upstream: Upstream, channel: ListedChannel) -> MirrorHouse:
    """A passive mirror in `data`, which has listed everything and fetched nothing."""
    any_mirrors.mirror("data", upstream.url)
    any_mirrors.run("data")
    upstream.log.clear()
    return any_mirrors


def summary(mirrors: MirrorHouse, channel: str = "data") -> str | None:
    items = mirrors.api(f"/api/channels/{channel}/artifacts")["items"]
    told: str | None = items[0]["metadata"]["summary"]
    return told


# --- the first request, and those after it


def test_first_request_fetches_the_file_and_the_next_does_not(
    mirrors: MirrorHouse, upstream: Upstream, package: Path
) -> None:
    first, second = mirrors.get(FILE), mirrors.get(FILE)
    assert first.status == second.status == 200
    assert first.body == second.body == package.read_bytes()
    for header in ("etag", "content-length", "content-type", "cache-control", "accept-ranges"):
        assert first.headers[header] == second.headers[header]
    assert upstream.count() == 1
    assert mirrors.counts("data") == {"active": 1}
    assert mirrors.faults() == []


def test_what_the_file_tells_is_shown_once_it_is_here(mirrors: MirrorHouse) -> None:
    assert summary(mirrors) is None
    mirrors.get(FILE)
    assert summary(mirrors) == "What the file tells"


def test_file_that_was_fetched_is_served_while_the_upstream_is_off(
    mirrors: MirrorHouse, upstream: Upstream, package: Path
) -> None:
    mirrors.get(FILE)
    upstream.stop_listening()
    assert mirrors.file("data", CKEY) == package.read_bytes()


def test_file_that_was_not_fetched_is_refused_with_a_sentence_while_the_upstream_is_off(
    mirrors: MirrorHouse, upstream: Upstream, package: Path
) -> None:
    upstream.stop_listening()
    answer = mirrors.get(FILE)
    assert answer.status == 502
    assert answer.json()["code"] == "upstream"
    assert f"127.0.0.1:{upstream.port}" in answer.json()["message"]
    assert "cannot be fetched" in answer.json()["message"]
    upstream.listen_again()
    assert mirrors.file("data", CKEY) == package.read_bytes()


def test_file_that_the_upstream_has_no_longer_is_refused_with_a_sentence(
    mirrors: MirrorHouse, upstream: Upstream
) -> None:
    upstream.misbehave("*.conda", status(404))
    answer = mirrors.get(FILE)
    assert answer.status == 502
    assert "status 404" in answer.json()["message"]


def test_download_is_counted(mirrors: MirrorHouse) -> None:
    mirrors.get(FILE)
    mirrors.get(FILE)
    mirrors.downloads.flush()
    assert mirrors.api("/api/channels/data/artifacts")["items"][0]["download_count"] == 2


# --- bytes that are not right


@pytest.mark.parametrize("misbehaviour", [other_bytes(), cut_after(100)], ids=["other", "cut"])
def test_wrong_bytes_are_not_kept_and_the_next_try_is_a_new_one(
    mirrors: MirrorHouse, upstream: Upstream, package: Path, misbehaviour: Misbehaviour
) -> None:
    upstream.misbehave("*.conda", misbehaviour)
    answer = mirrors.get(FILE)
    is_broken_off = len(answer.body) < int(answer.headers["content-length"])
    assert is_broken_off or answer.status == 502  # if all had failed before a byte could be passed on
    assert mirrors.counts("data") == {"passive": 1}
    assert mirrors.faults() == []
    upstream.behave()
    assert mirrors.file("data", CKEY) == package.read_bytes()
    assert mirrors.counts("data") == {"active": 1}


# --- other kinds of requests


def test_head_fetches_nothing(mirrors: MirrorHouse, upstream: Upstream, package: Path) -> None:
    answer = mirrors.house.request("HEAD", FILE)
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["content-length"] == str(package.stat().st_size)
    assert upstream.log == []


def test_client_that_has_the_file_already_fetches_nothing(
    mirrors: MirrorHouse, upstream: Upstream, channel: ListedChannel
) -> None:
    etag = f'"{channel.records["noarch"]["tool-1.0-0.conda"]["sha256"]}"'
    answer = mirrors.house.request("GET", FILE, headers={"if-none-match": etag})
    assert (answer.status, answer.body) == (304, b"")
    assert upstream.log == []


@pytest.mark.parametrize(
    ("wanted", "part"),
    [("bytes=0-9", slice(0, 10)), ("bytes=100-", slice(100, None)), ("bytes=-7", slice(-7, None))],
)
def test_range_is_answered_once_the_whole_file_is_here(
    mirrors: MirrorHouse, upstream: Upstream, package: Path, wanted: str, part: slice
) -> None:
    for _ in range(2):
        answer = mirrors.get(FILE, range=wanted)
        assert answer.status == 206
        assert answer.body == package.read_bytes()[part]
    assert [one.range for one in upstream.log] == [None]
    assert mirrors.counts("data") == {"active": 1}


def test_range_behind_the_end_is_refused(mirrors: MirrorHouse) -> None:
    assert mirrors.get(FILE, range="bytes=9999999-").status == 416


# --- who may


def test_private_channel_asks_the_upstream_for_nobody_without_a_right(
    any_mirrors: MirrorHouse, upstream: Upstream, channel: ListedChannel, package: Path
) -> None:
    house = any_mirrors.house
    house.channel("data", privacy=Privacy.PRIVATE)
    house.user("stranger", Role.AUTHOR)
    any_mirrors.mirror("data", upstream.url)
    any_mirrors.run("data")
    upstream.log.clear()
    assert any_mirrors.get(FILE).status in (401, 404)
    assert house.request("GET", FILE, house.session("stranger")).status in (403, 404)
    assert upstream.log == []
    answer = house.request("GET", FILE, house.session("admin"))
    assert (answer.status, answer.body) == (200, package.read_bytes())


def test_file_that_is_not_listed_is_never_asked_for(mirrors: MirrorHouse, upstream: Upstream) -> None:
    (upstream.folder / "noarch/other-1.0-0.conda").write_bytes(b"there, but not listed")
    assert mirrors.get("/api/repo/data/noarch/other-1.0-0.conda").status == 404
    assert mirrors.get("/api/repo/data/noarch/../../noarch/tool-1.0-0.conda").status == 404
    assert upstream.log == []


# --- without its mirror, and in other channels


@pytest.mark.parametrize("contents", list(Contents))
def test_file_of_a_mirror_that_was_deleted_before_it_was_fetched_is_gone(
    mirrors: MirrorHouse, upstream: Upstream, contents: Contents
) -> None:
    delete_mirror(mirrors.packhouse, mirrors.house.admin, "data", "twin", contents)
    assert mirrors.get(FILE).status == 404
    assert upstream.log == []
    assert mirrors.faults() == []


def test_copy_that_was_not_fetched_is_fetched_where_it_is_asked_for(
    mirrors: MirrorHouse, upstream: Upstream, package: Path
) -> None:
    mirrors.house.channel("other")
    mirrors.house.copy("data", "other", CKEY)
    assert upstream.log == []
    assert mirrors.served("other", "noarch").keys() == {"tool-1.0-0.conda"}
    assert mirrors.file("other", CKEY) == package.read_bytes()
    assert mirrors.file("data", CKEY) == package.read_bytes()
    assert upstream.count() == 1
    assert summary(mirrors, "other") == "What the file tells"
    assert mirrors.counts("data") == {"active": 1}
    assert mirrors.faults() == []


def test_copy_whose_mirror_is_gone_is_refused_with_the_way_out(
    mirrors: MirrorHouse, upstream: Upstream
) -> None:
    mirrors.house.channel("other")
    mirrors.house.copy("data", "other", CKEY)
    delete_mirror(mirrors.packhouse, mirrors.house.admin, "data", "twin", Contents.DROP)
    answer = mirrors.get("/api/repo/other/noarch/tool-1.0-0.conda")
    assert answer.status == 502
    assert answer.json()["message"] == (
        f"'{CKEY}' was never fetched, and the mirror that listed it is gone. "
        "Copy it again from a channel that has it, or remove it."
    )
