"""Package files and indexes as package clients fetch them: headers, conditions, ranges, refusals."""

import base64
import hashlib
import json
import os
import socket
import time
from copy import copy
from dataclasses import replace
from email.utils import formatdate, parsedate_to_datetime
from pathlib import Path

import httpx
import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update
from structlog.testing import capture_logs

from packhouse.domain.channels import Privacy
from packhouse.formats.conda.shards import read_shard_index
from packhouse.storage.tables import channel as channel_table
from packhouse.storage.tables import token as token_table
from packhouse.web.application import Application
from packhouse.web.protocols.content import (
    Answer,
    UnsatisfiableRange,
    is_unmodified,
    wanted_range,
)
from tests.asgi import Response
from tests.builders import build_conda_package
from tests.house import House, decompressed
from tests.live import LiveServer
from tests.web.conftest import People
from tests.web.forms import assert_refused
from tests.web.test_channels import token_with

JSON, ZSTD, OCTETS = "application/json", "application/zstd", "application/octet-stream"
FILE = "noarch/demo-1.0-0.conda"
INDEXES = {
    "noarch/repodata.json": JSON,
    "noarch/repodata.json.zst": ZSTD,
    "noarch/current_repodata.json": JSON,
    "noarch/current_repodata.json.zst": ZSTD,
    "noarch/run_exports.json": JSON,
    "noarch/run_exports.json.zst": ZSTD,
    "noarch/repodata_shards.msgpack.zst": OCTETS,
    "channeldata.json": JSON,
    "channeldata.json.zst": ZSTD,
}
KINDS = {**INDEXES, FILE: OCTETS, "shard": OCTETS}
EVERY_KIND = pytest.mark.parametrize("kind", KINDS)
EVERY_INDEX = pytest.mark.parametrize("kind", INDEXES)


def get(house: House, path: str, token: str | None = None, headers: dict[str, str] | None = None) -> Response:
    return house.request("GET", f"/api/repo/{path}", token, headers)


def url_of(house: House, kind: str, channel: str = "tools", token: str | None = None) -> str:
    """The address of one kind of document; that of the shard is in the shard index."""
    if kind != "shard":
        return f"{channel}/{kind}"
    index = read_shard_index(get(house, f"{channel}/noarch/repodata_shards.msgpack.zst", token).body)
    return f"{channel}/noarch/shards/{index['shards']['demo'].hex()}.msgpack.zst"


def fill(house: House) -> None:
    house.publish("tools", "demo", run_exports={"weak": ["demo >=1"]})
    house.reindex_all()


@pytest.fixture
def tools(house: House) -> House:
    house.channel("tools")
    fill(house)
    return house


# --- every kind -------------------------------------------------------------------------------


@EVERY_KIND
def test_answer_says_what_it_is_how_long_and_which(tools: House, kind: str) -> None:
    answer = get(tools, url_of(tools, kind))
    assert answer.status == 200
    assert answer.headers["content-type"] == KINDS[kind]
    assert answer.headers["content-length"] == str(len(answer.body))
    assert answer.headers["etag"] == f'"{hashlib.sha256(answer.body).hexdigest()}"'
    assert "content-encoding" not in answer.headers


def test_file_is_shown_by_no_browser_as_a_page_of_ours(tools: House) -> None:
    whole, part = get(tools, f"tools/{FILE}"), get(tools, f"tools/{FILE}", headers={"range": "bytes=0-9"})
    for answer in (whole, part):
        assert answer.headers["content-disposition"] == "attachment"
        assert answer.headers["x-content-type-options"] == "nosniff"


@EVERY_KIND
def test_head_has_the_headers_of_get_and_no_body(tools: House, kind: str) -> None:
    assert_head_is_like_get(tools, url_of(tools, kind))


def assert_head_is_like_get(house: House, url: str) -> None:
    head = house.request("HEAD", f"/api/repo/{url}")
    assert (head.status, head.headers, head.body) == (200, get(house, url).headers, b"")


@EVERY_KIND
def test_known_tag_is_answered_304_without_opening_the_body(tools: House, kind: str) -> None:
    url = url_of(tools, kind)
    first = get(tools, url)
    if first.sent_file is not None:
        Path(first.sent_file).unlink()
    answer = get(tools, url, headers={"if-none-match": first.headers["etag"]})
    kept = {
        name: first.headers[name]
        for name in ("etag", "cache-control", "last-modified")
        if name in first.headers
    }
    assert (answer.status, answer.body, answer.headers) == (304, b"", kept)
    head = tools.request("HEAD", f"/api/repo/{url}", None, {"if-none-match": first.headers["etag"]})
    assert (head.status, head.headers) == (304, kept)


@EVERY_INDEX
def test_new_channel_has_every_index_from_its_first_moment(house: House, kind: str) -> None:
    """conda takes a channel without noarch/repodata.json for one that does not exist."""
    house.channel("tools")
    answer = get(house, f"tools/{kind}")
    assert (answer.status, answer.headers["content-type"]) == (200, INDEXES[kind])
    assert answer.headers["etag"] == f'"{hashlib.sha256(answer.body).hexdigest()}"'
    body = decompressed(answer.body) if kind.endswith(".zst") else answer.body
    if kind.endswith(".msgpack.zst"):
        assert msgpack.unpackb(body)["shards"] == {}
    else:
        assert json.loads(body)["packages"] == {}


@EVERY_INDEX
def test_first_reindex_of_an_empty_channel_changes_no_byte(house: House, kind: str) -> None:
    house.channel("tools")
    before = get(house, f"tools/{kind}")
    house.reindex_all()
    after = get(house, f"tools/{kind}")
    assert (after.body, after.headers["etag"]) == (before.body, before.headers["etag"])


def test_compressed_documents_hold_the_plain_ones(tools: House) -> None:
    for kind in INDEXES:
        if f"{kind}.zst" in INDEXES:
            assert decompressed(get(tools, f"tools/{kind}.zst").body) == get(tools, f"tools/{kind}").body


def test_indexes_agree_on_what_is_there(tools: House) -> None:
    [record] = json.loads(get(tools, "tools/noarch/repodata.json").body)["packages.conda"].values()
    exports = json.loads(get(tools, "tools/noarch/run_exports.json").body)["packages.conda"]
    assert tools.sharded("tools")["demo-1.0-0.conda"] == {**record, "run_exports": {"weak": ["demo >=1"]}}
    assert exports == {"demo-1.0-0.conda": {"run_exports": {"weak": ["demo >=1"]}}}
    assert record["sha256"] == hashlib.sha256(get(tools, f"tools/{FILE}").body).hexdigest()


def test_index_of_another_platform_appears_with_its_first_file(tools: House) -> None:
    assert get(tools, "tools/linux-64/repodata.json").status == 404
    tools.publish("tools", "demo", subdir="linux-64")
    assert get(tools, "tools/linux-64/repodata_shards.msgpack.zst").status == 200
    tools.reindex_all()
    assert list(json.loads(get(tools, "tools/linux-64/repodata.json").body)["packages.conda"])


def test_emptied_platform_keeps_an_empty_index(tools: House) -> None:
    tools.publish("tools", "demo", subdir="linux-64")
    tools.remove("tools", "demo")
    tools.reindex_all()
    for subdir in ("noarch", "linux-64"):
        assert json.loads(get(tools, f"tools/{subdir}/repodata.json").body)["packages.conda"] == {}


# --- conditions -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        ("{etag}", 304),
        ("W/{etag}", 304),
        ('"other", {etag}', 304),
        ('"other",W/{etag} , "third"', 304),
        ("*", 304),
        ('"other"', 200),
        ("", 200),
        ("{bare}", 200),
        ("garbage, , ,", 200),
    ],
)
def test_if_none_match(tools: House, condition: str, status: int) -> None:
    etag = get(tools, f"tools/{FILE}").headers["etag"]
    header = condition.format(etag=etag, bare=etag.strip('"'))
    assert get(tools, f"tools/{FILE}", headers={"if-none-match": header}).status == status


@pytest.mark.parametrize(("seconds", "status"), [(0, 304), (1, 304), (3600, 304), (-1, 200), (-3600, 200)])
def test_if_modified_since(tools: House, seconds: int, status: int) -> None:
    modified = parsedate_to_datetime(get(tools, f"tools/{FILE}").headers["last-modified"]).timestamp()
    header = formatdate(modified + seconds, usegmt=True)
    assert get(tools, f"tools/{FILE}", headers={"if-modified-since": header}).status == status


@pytest.mark.parametrize(
    "date",
    [
        "",
        "yesterday",
        "0",
        "Sun, 99 Nov 2026 99:99:99 GMT",
        "Sun, 22 Nov 99999999999 10:00:00 GMT",
        "ÿ",
        "Sun, 22 Nov 0001 10:00:00 +9999999999",
        "9" * 5000,
    ],
)
def test_date_that_is_none_is_passed_over(tools: House, date: str) -> None:
    assert get(tools, f"tools/{FILE}", headers={"if-modified-since": date}).status == 200


def test_tag_wins_over_the_date(tools: House) -> None:
    headers = {"if-none-match": '"other"', "if-modified-since": formatdate(time.time() + 9, usegmt=True)}
    assert get(tools, f"tools/{FILE}", headers=headers).status == 200


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_no_condition_is_too_odd_to_be_read(tag: bytes, date: bytes) -> None:
    answer = Answer(etag=b'"abc"', modified=1_000)
    is_unmodified(answer, tag, date)
    is_unmodified(answer, None, date)


@pytest.mark.parametrize("condition", ["", "*", '"x"'])
def test_refusal_is_never_answered_304(house: House, people: People, condition: str) -> None:
    people.channel("hidden", Privacy.PRIVATE)
    answer = get(house, f"hidden/{FILE}", headers={"if-none-match": condition})
    assert_refused(answer, 401, "auth_required")


# --- ranges -----------------------------------------------------------------------------------


RANGES = [
    ("bytes=0-0", 0, 1),
    ("bytes=0-99", 0, 100),
    ("bytes=10-19", 10, 20),
    ("bytes=10-", 10, None),
    ("bytes=-7", -7, None),
    ("bytes=0-999999", 0, None),
    ("bytes=-999999", 0, None),
    ("bytes=5-999999999999999999", 5, None),
]


@pytest.mark.parametrize("kind", [FILE, "noarch/repodata.json", "noarch/repodata_shards.msgpack.zst"])
@pytest.mark.parametrize(("header", "start", "end"), RANGES)
def test_range_is_cut_out(tools: House, kind: str, header: str, start: int, end: int | None) -> None:
    assert_range_is_cut_out(tools, kind, header, start, end)


def assert_range_is_cut_out(house: House, kind: str, header: str, start: int, end: int | None) -> None:
    whole = get(house, f"tools/{kind}")
    answer = get(house, f"tools/{kind}", headers={"range": header})
    expected = whole.body[start:end]
    first = len(whole.body) + start if start < 0 else start
    assert (answer.status, answer.body) == (206, expected)
    assert answer.headers["content-length"] == str(len(expected))
    assert answer.headers["content-range"] == f"bytes {first}-{first + len(expected) - 1}/{len(whole.body)}"
    assert answer.headers["etag"] == whole.headers["etag"]
    assert answer.headers["content-type"] == whole.headers["content-type"]


@pytest.mark.parametrize("header", ["bytes=999999-", "bytes=999999-1000000", "bytes=-0"])
def test_range_behind_the_end_is_refused(tools: House, header: str) -> None:
    size = len(get(tools, f"tools/{FILE}").body)
    answer = get(tools, f"tools/{FILE}", headers={"range": header})
    assert_refused(answer, 416, "range_not_satisfiable")
    assert answer.headers["content-range"] == f"bytes */{size}"


@pytest.mark.parametrize(
    "header",
    [
        "bytes=0-1,4-5",
        "bytes=5-1",
        "bytes=-",
        "bytes=a-b",
        "bytes=",
        "bytes",
        "items=0-1",
        "",
        "bytes=--5",
        "bytes=0-1-2",
        "bytes=+1-2",
        "bytes=" + "9" * 5000 + "-",
        "bytes=-" + "9" * 5000,
        "bytes=²-",
    ],
)
def test_range_that_is_several_or_none_is_answered_whole(tools: House, header: str) -> None:
    answer = get(tools, f"tools/{FILE}", headers={"range": header})
    assert (answer.status, answer.body) == (200, get(tools, f"tools/{FILE}").body)


def test_range_of_a_file_that_changed_meanwhile_is_answered_whole(tools: House) -> None:
    etag = get(tools, f"tools/{FILE}").headers["etag"]

    def status(if_range: str) -> int:
        return get(tools, f"tools/{FILE}", headers={"range": "bytes=0-1", "if-range": if_range}).status

    assert [status(etag), status('"other"'), status(f"W/{etag}"), status("nonsense")] == [206, 200, 200, 200]


def test_range_on_head_is_passed_over(tools: House) -> None:
    answer = tools.request("HEAD", f"/api/repo/tools/{FILE}", None, {"range": "bytes=0-1"})
    assert answer.status == 200


def test_condition_comes_before_range(tools: House) -> None:
    headers = {"if-none-match": get(tools, f"tools/{FILE}").headers["etag"], "range": "bytes=0-1"}
    assert get(tools, f"tools/{FILE}", headers=headers).status == 304


@given(st.binary(max_size=30) | st.from_regex(rb"\Abytes=[0-9]{0,25}-[0-9]{0,25}\Z"), st.integers(0, 50))
def test_every_range_lies_within_the_file(header: bytes, size: int) -> None:
    try:
        wanted = wanted_range(Answer(size=size), header, None)
    except UnsatisfiableRange:
        return
    assert wanted is None or 0 <= wanted[0] < wanted[1] <= size


# --- caches on the way ------------------------------------------------------------------------

SECONDS = {FILE: "max-age=3600", "shard": "max-age=31536000, immutable"}


@pytest.mark.parametrize("privacy", ["public", "authenticated", "private"])
def test_only_what_anybody_may_see_is_kept_by_shared_caches(
    house: House, people: People, privacy: str
) -> None:
    people.channel("tools", Privacy(privacy))
    fill(house)
    audience = "public" if privacy == "public" else "private"
    for kind in KINDS:
        answer = get(house, url_of(house, kind, token=people["reader"]), people["reader"])
        assert answer.headers["cache-control"] == f"{audience}, {SECONDS.get(kind, 'max-age=30')}", kind
        assert answer.headers.get("vary") == (None if privacy == "public" else "Authorization, X-Auth"), kind


def test_address_with_a_token_is_kept_by_no_shared_cache(tools: House, admin: str) -> None:
    token = token_with(tools, admin, scopes=["artifact:download"])
    for kind in KINDS:
        answer = get(tools, f"t/{token}/{url_of(tools, kind)}")
        assert answer.status == 200, kind
        assert answer.headers["cache-control"].startswith("private, "), kind


def test_refusals_are_kept_by_nobody(house: House, people: People) -> None:
    people.channel("hidden", Privacy.PRIVATE)
    for path, token in ((f"hidden/{FILE}", None), (f"hidden/{FILE}", people["stranger"]), ("x/y", None)):
        assert get(house, path, token).headers["cache-control"] == "no-store"


# --- who --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "privacy", "status"),
    [
        ("anonymous", "public", 200),
        ("stranger", "public", 200),
        ("anonymous", "authenticated", 401),
        ("stranger", "authenticated", 200),
        ("viewer", "authenticated", 200),
        ("anonymous", "private", 401),
        ("stranger", "private", 404),
        ("viewer", "private", 404),
        ("reader", "private", 200),
        ("owner", "private", 200),
        ("admin", "private", 200),
    ],
)
def test_who_gets_what(house: House, people: People, who: str, privacy: str, status: int) -> None:
    people.channel("tools", Privacy(privacy))
    fill(house)
    for kind in KINDS:
        answer = get(house, url_of(house, kind, token=people["owner"]), people[who])
        if status == 200:
            assert answer.status == 200, kind
        else:
            assert_refused(answer, status, "auth_required" if status == 401 else "not_found")
        challenge = 'Basic realm="packhouse", Bearer realm="packhouse"' if status == 401 else None
        assert answer.headers.get("www-authenticate") == challenge


def basic(username: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


@pytest.mark.parametrize("way", ["x-auth", "bearer", "token", "basic", "basic user name", "path", "front"])
def test_token_is_found_wherever_a_client_puts_it(house: House, people: People, way: str) -> None:
    people.channel("tools", Privacy.PRIVATE)
    fill(house)
    token = token_with(house, people["owner"], scopes=["artifact:download"])
    headers = {
        "x-auth": {"x-auth": token},
        "bearer": {"authorization": f"Bearer {token}"},
        "token": {"authorization": f"token {token}"},
        "basic": {"authorization": basic("anything", token)},
        "basic user name": {"authorization": basic(token, "")},
    }
    path = {"path": f"/api/repo/t/{token}/tools", "front": f"/t/{token}/api/repo/tools"}
    answer = house.request("GET", f"{path.get(way, '/api/repo/tools')}/{FILE}", None, headers.get(way))
    assert answer.status == 200
    if way in headers:  # management takes the same
        management = house.request("GET", "/api/account", None, headers[way])
        assert management.json()["username"] == "owner"


def test_token_without_the_scope_to_download_is_refused(house: House, people: People) -> None:
    people.channel("tools")
    fill(house)
    token = token_with(house, people["owner"], scopes=["channel:view"])
    assert_refused(get(house, f"tools/{FILE}", token), 403, "forbidden", "artifact:download")


@pytest.mark.parametrize("token", ["unheard-of", "a_b", "x" * 5000, "%20", "e30"])
def test_unknown_token_is_refused_though_the_content_is_public(tools: House, token: str) -> None:
    for answer in (get(tools, f"t/{token}/tools/{FILE}"), get(tools, f"tools/{FILE}", token)):
        assert_refused(answer, 401, "auth_required")


def test_expired_token_is_refused_saying_when_it_ended(tools: House, admin: str) -> None:
    secret = token_with(tools, admin, scopes=["artifact:download"])
    with tools.packhouse.database.transaction() as connection:
        past = tools.packhouse.clock().replace(year=2020)
        connection.execute(update(token_table).values(expires_at=past))
    assert_refused(get(tools, f"t/{secret}/tools/{FILE}"), 401, "auth_required", "has expired on 2020-")


def test_deleted_token_opens_nothing_from_then_on(house: House, people: People) -> None:
    people.channel("tools", Privacy.PRIVATE)
    fill(house)
    token = token_with(house, people["owner"], scopes=["artifact:download"])
    assert get(house, f"t/{token}/tools/{FILE}").status == 200
    [item] = house.request("GET", "/api/account/tokens", people["owner"]).json()["items"]
    house.request("DELETE", f"/api/account/tokens/{item['id']}", people["owner"])
    assert get(house, f"t/{token}/tools/{FILE}").status == 401


# --- what is not there ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "tools/noarch/repodata.json.bz2",
        "tools/noarch/repodata.jlap",
        "tools/noarch/repodata.json.jlap",
        "tools/noarch/repodata_from_packages.json",
        "tools/noarch/index.html",
        "tools/noarch/nothing-1.0-0.conda",
        "tools/noarch/demo-1.0-0.tar.bz2",
        "tools/linux-64/demo-1.0-0.conda",
        "tools/linux-64/repodata.json",
        "tools/linux-64/repodata.json.zst",
        "tools/linux-64/repodata_shards.msgpack.zst",
        "tools/noarch/shards/" + "0" * 64 + ".msgpack.zst",
        "tools/noarch/shards/x.msgpack.zst",
        "tools/notices.json",
        "tools/repodata.json",
        "tools/run_exports.json",
        "tools/noarch/channeldata.json",
        "tools/repodata_shards.msgpack.zst",
        "tools",
        "tools/",
        "tools/noarch",
        "tools/noarch/",
        "tools/noarch//repodata.json",
        "tools//noarch/repodata.json",
        "/tools/noarch/repodata.json",
        "TOOLS/noarch/repodata.json",
        "nowhere/noarch/repodata.json",
        "nowhere/channeldata.json",
        "tools/stage/noarch/repodata.json",
        "",
    ],
)
def test_what_is_not_there_is_404_and_never_403(tools: House, path: str) -> None:
    """rattler falls back to another variant on 404 only, and conda takes some others for the end."""
    assert_refused(get(tools, path), 404, "not_found")


HOSTILE_PATHS = [
    "tools/noarch/../../../../etc/passwd",
    "tools/noarch/..%2f..%2f..%2fetc%2fpasswd",
    "tools/noarch/%2e%2e/%2e%2e/packhouse.db",
    "tools/noarch/..%5c..%5cpackhouse.db",
    "tools/%2e%2e/%2e%2e/etc/passwd",
    "../../etc/passwd",
    "tools/noarch/%00",
    "tools/noarch/demo-1.0-0.conda%00",
    "tools%00/noarch/repodata.json",
    "%00/%00/%00",
    "tools/noarch/repodata.json%0d%0aX-Evil:%201",
    "tools/noarch/%ff%fe",
    "tools/noarch/%F0%9F%98%80",
    "tools/noarch/'%20OR%201=1%20--",
    "tools/noarch/%25_%",
    "tools/noarch/" + "a" * 20_000,
    "tools/" + "a/" * 5_000 + "x",
    "a" * 20_000,
    "t/" + "x/" * 2_000 + "x",
]


def test_hostile_path_finds_nothing_on_any_database(any_house: House) -> None:
    any_house.channel("tools")
    fill(any_house)
    for path in HOSTILE_PATHS:
        answer = get(any_house, path)
        assert answer.status in ((404, 401) if path.startswith("t/") else (404,)), (path[:80], answer.body)
        assert "x-evil" not in answer.headers


def test_encoded_path_is_the_path_it_encodes(tools: House) -> None:
    assert get(tools, "%74ools/noarch%2Fdemo-1.0-0.conda").body == get(tools, f"tools/{FILE}").body


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_content_takes_get_and_head_alone(tools: House, method: str) -> None:
    for kind in KINDS:
        answer = tools.request(method, f"/api/repo/{url_of(tools, kind)}")
        assert_refused(answer, 405, "method_not_allowed")
        assert answer.headers["allow"] == "GET, HEAD"


# --- changes are seen at once -------------------------------------------------------------------


def test_deleted_file_is_gone_at_once_from_shards_and_from_its_address(tools: House) -> None:
    shard = url_of(tools, "shard")
    assert get(tools, f"tools/{FILE}").status == 200
    tools.remove("tools", "demo")
    assert get(tools, f"tools/{FILE}").status == 404
    index = read_shard_index(get(tools, "tools/noarch/repodata_shards.msgpack.zst").body)
    assert index["shards"] == {}
    assert get(tools, shard).status == 200, "clients with the index of a moment ago still solve"


def test_published_file_is_there_at_once(tools: House) -> None:
    path = "tools/noarch/demo-2.0-0.conda"
    assert get(tools, path).status == 404
    tools.publish("tools", "demo", version="2.0")
    assert get(tools, path).status == 200
    assert set(tools.sharded("tools")) == {"demo-1.0-0.conda", "demo-2.0-0.conda"}


def test_channel_that_is_made_private_is_refused_at_once(tools: House, admin: str) -> None:
    paths = [url_of(tools, kind) for kind in KINDS]
    assert {get(tools, path).status for path in paths} == {200}
    tools.request("PUT", "/api/channels/tools", admin, json={"privacy": "private"})
    assert {get(tools, path).status for path in paths} == {401}


def test_replaced_file_has_its_new_bytes_at_once(tools: House) -> None:
    before = get(tools, f"tools/{FILE}")
    tools.remove("tools", "demo")
    tools.publish("tools", "demo", depends=["other"])
    after = get(tools, f"tools/{FILE}", headers={"if-none-match": before.headers["etag"]})
    assert after.status == 200
    assert after.body != before.body


# --- downloads --------------------------------------------------------------------------------


def counted(house: House) -> tuple[int, int, int]:
    house.downloads.flush()
    [file] = house.request("GET", "/api/channels/tools/artifacts/conda/demo/files").json()["items"]
    [package] = house.request("GET", "/api/channels/tools/artifacts").json()["items"]
    channel = house.request("GET", "/api/channels/tools").json()
    return file["download_count"], package["download_count"], channel["download_count"]


def test_downloads_are_counted_for_file_package_and_channel(any_house: House) -> None:
    any_house.channel("tools")
    fill(any_house)
    for _ in range(3):
        get(any_house, f"tools/{FILE}")
    assert counted(any_house) == (3, 3, 3)
    get(any_house, f"tools/{FILE}")
    assert counted(any_house) == (4, 4, 4)


def test_what_is_no_download_is_not_counted(tools: House) -> None:
    etag = get(tools, "tools/noarch/repodata.json").headers["etag"]
    file_etag = f'"{hashlib.sha256((tools.folder / "demo-1.0-0.conda").read_bytes()).hexdigest()}"'
    tools.request("HEAD", f"/api/repo/tools/{FILE}")
    get(tools, f"tools/{FILE}", headers={"if-none-match": file_etag})
    get(tools, "tools/noarch/repodata.json", headers={"if-none-match": etag})
    tools.request("POST", f"/api/repo/tools/{FILE}")
    get(tools, "tools/noarch/demo-9-0.conda")
    assert counted(tools) == (0, 0, 0)


def test_download_of_a_file_that_is_gone_meanwhile_is_forgotten(tools: House) -> None:
    get(tools, f"tools/{FILE}")
    tools.remove("tools", "demo")
    tools.downloads.flush()
    assert tools.request("GET", "/api/channels/tools").json()["download_count"] == 0


# --- stores -----------------------------------------------------------------------------------


@pytest.fixture
def filled(any_house: House) -> House:
    any_house.channel("tools")
    fill(any_house)
    return any_house


def test_every_kind_is_served_from_every_store(filled: House) -> None:
    for kind in KINDS:
        assert_head_is_like_get(filled, url_of(filled, kind))
    assert get(filled, f"tools/{FILE}").body == (filled.folder / "demo-1.0-0.conda").read_bytes()


def test_ranges_are_cut_out_in_every_store(filled: House) -> None:
    for header, start, end in RANGES:
        assert_range_is_cut_out(filled, FILE, header, start, end)


def redirecting(house: House) -> House:
    """The same house, with downloads handed over to the object store."""
    settings = house.packhouse.settings.model_copy(update={"redirect_downloads": True})
    other = copy(house)
    other.packhouse = replace(house.packhouse, settings=settings)
    other.application = Application(other.packhouse, house.downloads)
    return other


def test_download_is_handed_over_to_a_store_that_can_sign(filled: House) -> None:
    data = (filled.folder / "demo-1.0-0.conda").read_bytes()
    answer = get(redirecting(filled), f"tools/{FILE}")
    if filled.packhouse.blobs.path("0" * 64) is not None:
        assert (answer.status, answer.body) == (200, data)
    else:
        assert (answer.status, answer.headers["cache-control"]) == (302, "no-store")
        assert httpx.get(answer.headers["location"]).content == data
    assert counted(filled) == (1, 1, 1)


def test_handed_over_download_is_refused_as_any_other(house: House, people: People) -> None:
    people.channel("tools", Privacy.PRIVATE)
    fill(house)
    assert get(redirecting(house), f"tools/{FILE}").status == 401


def test_bytes_that_are_missing_are_said_to_be_by_an_error(filled: House) -> None:
    """Never by a 200 that breaks off, nor by a 404, which clients take for the truth."""
    sha256 = hashlib.sha256((filled.folder / "demo-1.0-0.conda").read_bytes()).hexdigest()
    filled.packhouse.blobs.remove(sha256)
    for headers in ({}, {"range": "bytes=0-1"}):
        answer = get(filled, f"tools/{FILE}", headers=headers)
        assert_refused(answer, 500, "corrupt", "packhouse check")


def test_failure_of_the_database_is_answered_with_the_envelope(tools: House) -> None:
    channel_table.drop(tools.packhouse.database.engine, checkfirst=False)
    with capture_logs() as logs:
        assert_refused(get(tools, f"tools/{FILE}"), 500, "internal", "its log says what")
    assert logs[0]["event"] == "internal_error"


# --- through a socket -------------------------------------------------------------------------


def raw_answer(server: LiveServer, path: bytes) -> bytes:
    """As no client library would ask."""
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    return answer


def test_server_sends_what_the_application_says(live_server: LiveServer, tmp_path: Path) -> None:
    live_server.create_channel("tools")
    package = build_conda_package(tmp_path, files={"share/noise": os.urandom(3 * 1024**2)})
    url = live_server.upload("tools", package).raise_for_status().json()["url"]
    data = package.read_bytes()

    with httpx.Client() as client:  # one connection: each answer must end where the next begins
        whole, head = client.get(url), client.head(url)
        assert (whole.content, head.content) == (data, b"")
        assert head.headers["content-length"] == whole.headers["content-length"] == str(len(data))
        part_of_it = client.get(url, headers={"range": "bytes=1000000-2000000"})
        assert (part_of_it.status_code, part_of_it.content) == (206, data[1_000_000:2_000_001])
        assert client.get(url, headers={"range": f"bytes={len(data)}-"}).status_code == 416
        assert client.get(url, headers={"if-none-match": whole.headers["etag"]}).status_code == 304
        assert client.post(url).status_code == 405
        assert client.get(url).content == data

    for path in (b"/../../etc/passwd", b"/api/repo/tools/noarch/../../../../etc/passwd", b"//", b"/%00"):
        assert raw_answer(live_server, path)[:12] in (b"HTTP/1.1 404", b"HTTP/1.1 400"), path
    for path in (
        b"/api/repo/tools/noarch/\xff",
        b"/api/repo/tools/noarch/%ff%fe",
        b"http://x/api/repo/tools/x",
    ):
        assert raw_answer(live_server, path)[:12] in (b"HTTP/1.1 404", b"HTTP/1.1 400"), path
