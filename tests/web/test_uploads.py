"""Uploads in parts, by the tus protocol: what arrives is kept, wherever it breaks off, and published whole."""

import hashlib
import socket
import time
from base64 import b64encode
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from packhouse.domain.channels import Indexing, Privacy
from packhouse.storage import uploads
from packhouse.storage.tables import blob, upload, upload_part
from tests.asgi import Response, request
from tests.house import House
from tests.live import LiveServer, running_server
from tests.web.conftest import People, session
from tests.web.forms import assert_refused
from tests.web.test_channels import token_with
from tests.web.test_upload import connect, left_in_spool, limited_house, wait_for

TUS = {"Tus-Resumable": "1.0.0"}
PART_TYPE = "application/offset+octet-stream"
ROOTS = pytest.mark.parametrize("root", ["/api", "/api/repo"])


@pytest.fixture
def tools(house: House) -> House:
    house.channel("tools")
    return house


@pytest.fixture
def any_tools(any_house: House) -> House:
    any_house.channel("tools")
    return any_house


@pytest.fixture
def demo(house: House) -> Path:
    return house.build("demo")


def metadata(**pairs: str) -> str:
    return ",".join(f"{key} {b64encode(value.encode()).decode()}" for key, value in pairs.items())


def create(
    house: House,
    token: str | None,
    size: int | str,
    channel: str = "tools",
    filename: str = "demo-1.0-0.conda",
    root: str = "/api",
) -> Response:
    headers = {
        **TUS,
        "Upload-Length": str(size),
        "Upload-Metadata": metadata(filename=filename, channel=channel),
    }
    return house.request("POST", f"{root}/uploads", token, headers)


def opened(house: House, token: str, size: int, **options: str) -> str:
    """The path of a new upload."""
    answer = create(house, token, size, **options)
    assert answer.status == 201, answer.body
    return answer.headers["location"].removeprefix("http://packhouse.test")


def send(house: House, path: str, token: str | None, data: bytes, offset: int, **headers: str) -> Response:
    sent = {**TUS, "Content-Type": PART_TYPE, "Upload-Offset": str(offset)}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    return house.request("PATCH", path, token, sent, body=data)


def send_cut(house: House, path: str, token: str, data: bytes, offset: int, **headers: str) -> Response:
    """The connection breaks behind `data`."""
    sent = {**TUS, "Content-Type": PART_TYPE, "Upload-Offset": str(offset), **headers}
    sent |= {"authorization": f"Bearer {token}"}
    house.application.api.state.packhouse = house.packhouse
    return request(house.application, "PATCH", path, sent, body=data, is_cut=True)


def offset_of(house: House, path: str, token: str) -> int:
    answer = house.request("HEAD", path, token, TUS)
    assert answer.status == 200
    return int(answer.headers["upload-offset"])


def publish(house: House, path: str, token: str, channel: str = "tools", **fields: Any) -> Response:
    body = {"upload_id": path.rpartition("/")[2], "filetype": "conda1", **fields}
    return house.request("POST", f"/api/channels/{channel}/artifacts", token, json=body)


def sent_whole(house: House, token: str, file: Path) -> str:
    data = file.read_bytes()
    path = opened(house, token, len(data), filename=file.name)
    assert send(house, path, token, data, 0).status == 204
    return path


def kept(house: House) -> int:
    """Blobs that something refers to."""
    with house.packhouse.database.reading() as connection:
        return len(connection.execute(blob.select().where(blob.c.unreferenced_since.is_(None))).all())


def rows(house: House, table: Any) -> int:
    with house.packhouse.database.reading() as connection:
        return len(connection.execute(table.select()).all())


# --- the whole way ----------------------------------------------------------------------------


def test_parts_become_the_package_that_was_announced(any_tools: House) -> None:
    token, file = session(any_tools, "admin"), any_tools.build("demo")
    data = file.read_bytes()
    path = opened(any_tools, token, len(data))

    for start in range(0, len(data), 300):
        answer = send(any_tools, path, token, data[start : start + 300], start)
        assert answer.status == 204, answer.body
        assert answer.headers["upload-offset"] == str(min(start + 300, len(data)))
    first, again = publish(any_tools, path, token), publish(any_tools, path, token)

    assert (first.status, again.status) == (201, 200)
    assert first.json() == again.json()
    assert first.json()["metadata"]["index.json"]["sha256"] == hashlib.sha256(data).hexdigest()
    assert any_tools.request("GET", "/api/repo/tools/noarch/demo-1.0-0.conda").body == data
    assert left_in_spool(any_tools) == []


def test_one_upload_is_published_into_several_channels(any_tools: House) -> None:
    token = session(any_tools, "admin")
    any_tools.channel("tools/stage")
    any_tools.channel("other")
    path = sent_whole(any_tools, token, any_tools.build("demo"))

    statuses = [
        publish(any_tools, path, token, channel).status
        for channel in ("tools", "tools/stage", "tools/subchannels/stage", "other")
    ]

    assert statuses == [201, 201, 200, 201]


@ROOTS
def test_protocol_is_spoken_below_both_roots(tools: House, demo: Path, admin: str, root: str) -> None:
    path = opened(tools, admin, 3, root=root)
    assert path.startswith(f"{root}/uploads/")
    assert send(tools, path, admin, b"abc", 0).status == 204
    assert offset_of(tools, path, admin) == 3
    assert tools.request("DELETE", path, admin, TUS).status == 204


def test_public_address_is_where_parts_are_sent_to(house: House, admin: str) -> None:
    house.channel("tools")
    behind_proxy = limited_house(house, public_url="https://packages.example.org/")
    location = create(behind_proxy, admin, 3).headers["location"]
    assert location.startswith("https://packages.example.org/api/uploads/")


@ROOTS
def test_options_tell_what_is_spoken_to_anybody(house: House, root: str) -> None:
    answer = house.request("OPTIONS", f"{root}/uploads")
    assert answer.status == 204
    told = {name: value for name, value in answer.headers.items() if name.startswith("tus-")}
    assert told == {
        "tus-resumable": "1.0.0",
        "tus-version": "1.0.0",
        "tus-extension": "creation,expiration,checksum,termination",
        "tus-max-size": str(house.packhouse.settings.max_upload_bytes),
        "tus-checksum-algorithm": "sha256,sha1",
    }


def test_state_of_an_upload_is_told_and_not_cached(tools: House, admin: str) -> None:
    path = opened(tools, admin, 10, filename="dist/démo-1.0-0.conda")
    send(tools, path, admin, b"abc", 0)
    headers = tools.request("HEAD", path, admin, TUS).headers
    assert (headers["upload-offset"], headers["upload-length"]) == ("3", "10")
    assert headers["upload-metadata"] == metadata(filename="démo-1.0-0.conda")
    assert headers["cache-control"] == "no-store"
    assert headers["tus-resumable"] == "1.0.0"


def test_each_part_gives_the_next_one_time(tools: House, admin: str) -> None:
    """An upload that gets on does not expire, however slow it is."""
    path = opened(tools, admin, 10)
    before = parsedate_to_datetime(tools.request("HEAD", path, admin, TUS).headers["upload-expires"])
    clock = tools.packhouse.clock
    later = replace(tools.packhouse, clock=lambda: clock() + timedelta(minutes=30))
    tools.packhouse = later

    headers = send(tools, path, admin, b"abc", 0).headers

    assert parsedate_to_datetime(headers["upload-expires"]) - before >= timedelta(minutes=30)


def test_method_may_be_named_by_a_header(tools: House, admin: str) -> None:
    """For clients whose proxy lets no PATCH through."""
    path = opened(tools, admin, 3)
    headers = {**TUS, "Content-Type": PART_TYPE, "Upload-Offset": "0", "X-HTTP-Method-Override": "PATCH"}
    assert tools.request("POST", path, admin, headers, body=b"abc").status == 204
    assert offset_of(tools, path, admin) == 3
    assert tools.request("POST", path, admin, {**TUS, "X-HTTP-Method-Override": "DELETE"}).status == 204
    assert tools.request("HEAD", path, admin, TUS).status == 404


def test_method_in_a_header_counts_for_uploads_alone(tools: House, admin: str) -> None:
    headers = {"X-HTTP-Method-Override": "DELETE"}
    assert tools.request("POST", "/api/channels/tools", admin, headers).status == 405
    assert tools.request("GET", "/api/channels/tools").status == 200


def test_upload_of_no_bytes_is_complete_at_once(tools: House, admin: str) -> None:
    path = opened(tools, admin, 0)
    assert_refused(publish(tools, path, admin), 400, "invalid", "demo-1.0-0.conda")


# --- broken connections -----------------------------------------------------------------------


def test_what_arrived_before_the_connection_broke_is_kept(any_tools: House) -> None:
    token, file = session(any_tools, "admin"), any_tools.build("demo")
    data = file.read_bytes()
    path = opened(any_tools, token, len(data))

    send_cut(any_tools, path, token, data[:500], 0)

    assert offset_of(any_tools, path, token) == 500
    assert left_in_spool(any_tools) == []
    assert send(any_tools, path, token, data[500:], 500).status == 204
    assert publish(any_tools, path, token).status == 201


def test_connection_that_breaks_before_the_first_byte_changes_nothing(tools: House, admin: str) -> None:
    path = opened(tools, admin, 10)
    send_cut(tools, path, admin, b"", 0)
    assert offset_of(tools, path, admin) == 0
    assert rows(tools, upload_part) == 0


def test_half_a_part_with_a_checksum_is_not_kept(tools: House, admin: str) -> None:
    """Nobody can say whether it is right."""
    path = opened(tools, admin, 10)
    checksum = {"Upload-Checksum": f"sha256 {b64encode(hashlib.sha256(b'0123456789').digest()).decode()}"}
    send_cut(tools, path, admin, b"01234", 0, **checksum)
    assert offset_of(tools, path, admin) == 0


def test_two_parts_at_the_same_place_one_wins(any_tools: House) -> None:
    token = session(any_tools, "admin")
    for _ in range(5):
        path = opened(any_tools, token, 8)
        attempt = partial(send, any_tools, path, token, offset=0)
        with ThreadPoolExecutor(2) as threads:
            answers = list(threads.map(attempt, [b"aaaa", b"bbbb"]))

        assert sorted(answer.status for answer in answers) == [204, 409]
        with any_tools.packhouse.database.reading() as connection:
            found = uploads.by_uuid(
                connection, any_tools.admin.user_id or 0, path.rpartition("/")[2], any_tools.packhouse.clock()
            )
            assert found is not None
            [part] = uploads.parts(connection, found.id)
        winner = b"aaaa" if answers[0].status == 204 else b"bbbb"
        assert part.sha256 == hashlib.sha256(winner).hexdigest()
        assert found.received == 4


def test_upload_that_is_deleted_while_a_part_arrives_stays_deleted(tools: House, admin: str) -> None:
    path = opened(tools, admin, 10)
    blobs = tools.packhouse.blobs

    class Deleting:
        def keep_file(self, *arguments: Any) -> None:
            blobs.keep_file(*arguments)
            tools.request("DELETE", path, admin, TUS)

        def __getattr__(self, name: str) -> Any:
            return getattr(blobs, name)

    tools.packhouse = replace(tools.packhouse, blobs=Deleting())  # type: ignore[arg-type]  # what is used
    assert_refused(send(tools, path, admin, b"abc", 0), 404, "not_found")
    assert (rows(tools, upload), rows(tools, upload_part), kept(tools)) == (0, 0, 0)


# --- refused ----------------------------------------------------------------------------------


@pytest.mark.parametrize("offset", [0, 2, 4, 10, 10**30])
def test_part_at_another_place_is_refused(tools: House, admin: str, offset: int) -> None:
    path = opened(tools, admin, 10)
    send(tools, path, admin, b"abc", 0)
    assert_refused(send(tools, path, admin, b"x", offset), 409, "conflict", "goes on at byte 3")
    assert offset_of(tools, path, admin) == 3


@pytest.mark.parametrize("offset", ["-1", "x", "", "1.5"])
def test_offset_that_is_no_number_is_refused(tools: House, admin: str, offset: str) -> None:
    path = opened(tools, admin, 10)
    headers = {**TUS, "Content-Type": PART_TYPE, "Upload-Offset": offset}
    answer = tools.request("PATCH", path, admin, headers, body=b"x")
    assert_refused(answer, 400, "invalid", "upload-offset")


def test_more_bytes_than_announced_are_refused_and_not_kept(tools: House, admin: str) -> None:
    path = opened(tools, admin, 4)
    send(tools, path, admin, b"ab", 0)
    answer = send(tools, path, admin, b"cde", 2)
    assert_refused(
        answer, 400, "invalid", "'demo-1.0-0.conda' was announced with 4 bytes, and more were sent"
    )
    assert offset_of(tools, path, admin) == 2
    assert left_in_spool(tools) == []


@pytest.mark.parametrize("algorithm", ["sha256", "sha1"])
def test_checksum_that_agrees_is_taken_and_one_that_does_not_is_460(
    tools: House, admin: str, algorithm: str
) -> None:
    path = opened(tools, admin, 6)

    def checksum(data: bytes) -> str:
        return f"{algorithm} {b64encode(hashlib.new(algorithm, data).digest()).decode()}"

    assert send(tools, path, admin, b"abc", 0, Upload_Checksum=checksum(b"abc")).status == 204
    answer = send(tools, path, admin, b"dex", 3, Upload_Checksum=checksum(b"def"))
    assert_refused(answer, 460, "checksum_mismatch")
    assert (offset_of(tools, path, admin), kept(tools)) == (3, 1)
    assert left_in_spool(tools) == []


@pytest.mark.parametrize(
    ("checksum", "says"),
    [
        ("md5 rL0Y20zC+Fzt72VPzMSk2A==", "'md5' are not known here. Known are: sha256, sha1."),
        ("sha256 not-base64", "no base64"),
        ("sha256 \xe9", "no base64"),
        ("", "'' are not known"),
    ],
)
def test_checksum_that_cannot_be_read_is_refused(tools: House, admin: str, checksum: str, says: str) -> None:
    path = opened(tools, admin, 3)
    assert_refused(send(tools, path, admin, b"abc", 0, Upload_Checksum=checksum), 400, "invalid", says)
    assert offset_of(tools, path, admin) == 0


@pytest.mark.parametrize("version", [None, "0.2.2", "2.0.0", ""])
@pytest.mark.parametrize("method", ["HEAD", "PATCH", "DELETE", "POST"])
def test_other_version_is_412_and_nothing_is_done(
    tools: House, admin: str, method: str, version: str | None
) -> None:
    path = opened(tools, admin, 3)
    headers = {"Content-Type": PART_TYPE, "Upload-Offset": "0", "Upload-Length": "1"}
    headers |= {"Upload-Metadata": metadata(filename="x", channel="tools")}
    if version is not None:
        headers["Tus-Resumable"] = version
    address = "/api/uploads" if method == "POST" else path
    answer = tools.request(method, address, admin, headers, body=b"abc" if method == "PATCH" else b"")
    assert answer.status == 412
    assert (answer.headers["tus-version"], answer.headers["tus-resumable"]) == ("1.0.0", "1.0.0")
    assert (rows(tools, upload), offset_of(tools, path, admin)) == (1, 0)


@pytest.mark.parametrize("content_type", ["application/octet-stream", "multipart/form-data", ""])
def test_part_of_another_type_is_415(tools: House, admin: str, content_type: str) -> None:
    path = opened(tools, admin, 3)
    answer = send(tools, path, admin, b"abc", 0, Content_Type=content_type)
    assert_refused(answer, 415, "unsupported_media_type", PART_TYPE)
    assert answer.headers["tus-resumable"] == "1.0.0"


@pytest.mark.parametrize(
    ("header", "says"),
    [
        (None, "lacks 'filename'"),
        ("", "lacks 'filename'"),
        ("channel dG9vbHM=", "lacks 'filename'"),
        ("filename ZGVtbw==", "lacks 'channel'"),
        ("filename,channel dG9vbHM=", "lacks 'filename'"),
        ("filename ZGVtbw== x,channel dG9vbHM=", "pairs of a key"),
        ("filename ZGVtbw==,,channel dG9vbHM=", "pairs of a key"),
        ("filename !!!,channel dG9vbHM=", "'filename' in 'Upload-Metadata' is no UTF-8 text"),
        ("filename \x80,channel dG9vbHM=", "'filename' in 'Upload-Metadata' is no UTF-8 text"),
        ("filename /w==,channel dG9vbHM=", "'filename' in 'Upload-Metadata' is no UTF-8 text"),
        ("filename AA==,channel dG9vbHM=", "printable characters"),
        ("filename Lw==,channel dG9vbHM=", "printable characters"),
        (f"filename {b64encode(b'x' * 256).decode()},channel dG9vbHM=", "1 to 255"),
        ("filename ZGVtbw==,channel QSBC", "no channel name"),
        ("filename ZGVtbw==,channel YS9iL2M=", "more than one '/'"),
    ],
)
def test_metadata_that_make_no_sense_are_refused(
    tools: House, admin: str, header: str | None, says: str
) -> None:
    headers = {**TUS, "Upload-Length": "3"} | ({} if header is None else {"Upload-Metadata": header})
    assert_refused(tools.request("POST", "/api/uploads", admin, headers), 400, "invalid", says)
    assert rows(tools, upload) == 0


@pytest.mark.parametrize("size", ["-1", "x", "", "1e3"])
def test_length_that_is_no_number_is_refused(tools: House, admin: str, size: str) -> None:
    assert_refused(create(tools, admin, size), 400, "invalid", "upload-length")


def test_length_must_be_told(tools: House, admin: str) -> None:
    headers = {**TUS, "Upload-Defer-Length": "1", "Upload-Metadata": metadata(filename="x", channel="tools")}
    assert_refused(tools.request("POST", "/api/uploads", admin, headers), 400, "invalid", "upload-length")


@pytest.mark.parametrize(("size", "status"), [(100, 201), (101, 413), (10**30, 413)])
def test_file_larger_than_the_limit_is_refused_before_a_byte_is_sent(
    tools: House, admin: str, size: int, status: int
) -> None:
    answer = create(limited_house(tools, max_upload_bytes=100), admin, size)
    assert answer.status == status
    if status == 413:
        assert_refused(answer, 413, "too_large", f"has {size} bytes")


@pytest.mark.parametrize(
    ("who", "privacy", "status", "code"),
    [
        ("anonymous", "public", 401, "auth_required"),
        ("stranger", "public", 403, "forbidden"),
        ("stranger", "private", 404, "not_found"),
        ("reader", "private", 403, "forbidden"),
        ("viewer", "authenticated", 403, "forbidden"),
        ("writer", "private", 201, ""),
        ("owner", "private", 201, ""),
    ],
)
def test_who_may_open_an_upload(
    house: House, people: People, who: str, privacy: str, status: int, code: str
) -> None:
    people.channel("tools", Privacy(privacy))
    answer = create(house, people[who], 3)
    assert answer.status == status
    assert answer.headers["tus-resumable"] == "1.0.0"
    if status != 201:
        assert_refused(answer, status, code)


def test_upload_meant_for_a_frozen_channel_is_refused_at_once(tools: House, admin: str) -> None:
    tools.request("PUT", "/api/channels/tools", admin, json={"indexing_behavior": Indexing.FROZEN.value})
    assert_refused(create(tools, admin, 3), 400, "frozen", "Channel tools is frozen.")


@pytest.mark.parametrize("method", ["HEAD", "PATCH", "DELETE"])
def test_upload_of_somebody_else_is_not_there(house: House, people: People, method: str) -> None:
    people.channel("tools")
    path = opened(house, people["owner"] or "", 3)
    headers = {**TUS, "Content-Type": PART_TYPE, "Upload-Offset": "0"}
    for who in ("writer", "admin"):
        answer = house.request(method, path, people[who], headers, body=b"abc" if method == "PATCH" else b"")
        assert answer.status == 404
    assert house.request(method, path, None, headers).status == 401
    assert_refused(publish(house, path, people["writer"] or ""), 404, "not_found", "no upload")
    assert offset_of(house, path, people["owner"] or "") == 0


@pytest.mark.parametrize("name", ["nonsense", "%00", "..%2f", "x" * 5000])
def test_upload_that_never_was_is_not_there(tools: House, admin: str, name: str) -> None:
    answer = tools.request("HEAD", f"/api/uploads/{name}", admin, TUS)
    assert answer.status in (400, 404)
    assert "upload-offset" not in answer.headers


@pytest.mark.parametrize(
    ("scopes", "status"), [(["channel:view", "artifact:view"], 403), (["artifact:create"], 200)]
)
def test_token_that_may_publish_nowhere_reaches_no_upload(
    tools: House, admin: str, scopes: list[str], status: int
) -> None:
    path = opened(tools, admin, 3)
    narrowed = token_with(tools, admin, scopes=scopes)
    assert tools.request("HEAD", path, narrowed, TUS).status == status


@pytest.mark.parametrize(("permission", "status"), [("read", 403), ("write", 200)])
def test_token_for_channels_reaches_uploads_if_it_may_write(
    tools: House, admin: str, permission: str, status: int
) -> None:
    path = opened(tools, admin, 3)
    resources = [{"resource_type": "channel", "resource_id": "tools", "permission": permission}]
    narrowed = token_with(tools, admin, resources=resources)
    assert tools.request("HEAD", path, narrowed, TUS).status == status


def test_user_has_only_so_many_uploads_open(tools: House, admin: str) -> None:
    few = limited_house(tools, max_open_uploads=2)
    first, _ = opened(few, admin, 1), opened(few, admin, 1)
    assert_refused(create(few, admin, 1), 409, "conflict", "'admin' has 2 uploads open")
    few.request("DELETE", first, admin, TUS)
    assert create(few, admin, 1).status == 201


def test_uploads_of_one_user_do_not_count_for_another(house: House, people: People) -> None:
    people.channel("tools")
    few = limited_house(house, max_open_uploads=1)
    assert [create(few, people[who], 1).status for who in ("owner", "writer")] == [201, 201]


def test_post_to_an_upload_means_nothing(tools: House, admin: str) -> None:
    answer = tools.request("POST", opened(tools, admin, 1), admin, TUS)
    assert (answer.status, answer.headers["allow"]) == (405, "HEAD, PATCH, DELETE")


# --- publishing -------------------------------------------------------------------------------


def test_incomplete_upload_is_a_conflict_that_tells_what_is_missing(
    tools: House, demo: Path, admin: str
) -> None:
    data = demo.read_bytes()
    path = opened(tools, admin, len(data))
    send(tools, path, admin, data[:100], 0)
    missing = f"{len(data) - 100} of its {len(data)} bytes are missing"
    assert_refused(publish(tools, path, admin), 409, "conflict", missing)


def test_other_bytes_under_the_same_name_are_a_conflict(tools: House, demo: Path, admin: str) -> None:
    assert publish(tools, sent_whole(tools, admin, demo), admin).status == 201
    other = tools.build("demo", depends=["other"])
    assert_refused(
        publish(tools, sent_whole(tools, admin, other), admin), 409, "conflict", "already in channel"
    )


def test_file_that_is_no_package_is_refused(tools: House, demo: Path, admin: str) -> None:
    demo.write_bytes(b"no package")
    assert_refused(
        publish(tools, sent_whole(tools, admin, demo), admin), 400, "invalid", "demo-1.0-0.conda: "
    )


def test_unknown_type_is_refused(tools: House, demo: Path, admin: str) -> None:
    answer = publish(tools, sent_whole(tools, admin, demo), admin, filetype="nonsense")
    assert_refused(answer, 400, "invalid", "'nonsense'")


def test_digest_of_the_whole_file_is_compared(tools: House, demo: Path, admin: str) -> None:
    path = sent_whole(tools, admin, demo)
    right = hashlib.sha256(demo.read_bytes()).hexdigest()
    assert_refused(publish(tools, path, admin, sha256="0" * 64), 460, "checksum_mismatch", right)
    assert publish(tools, path, admin, sha256=right).status == 201


def test_publishing_asks_again_who_may(house: House, people: People, demo: Path) -> None:
    people.channel("tools")
    house.channel("closed", people.owner, Privacy.PRIVATE)
    path = sent_whole(house, people["writer"] or "", demo)
    assert_refused(publish(house, path, people["writer"] or "", "closed"), 404, "not_found", "'closed'")


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "This is neither."),
        (b"[]", "This is neither."),
        (b"{", "This is neither."),
        (b"{}", "Field 'upload_id'"),
        (b'{"upload_id": 3}', "Field 'upload_id'"),
        (b'{"upload_id": "x", "version": {}}', "Field 'version'"),
    ],
)
def test_json_that_names_no_upload_is_refused(tools: House, admin: str, body: bytes, says: str) -> None:
    headers = {"content-type": "application/json; charset=utf-8"}
    answer = tools.request("POST", "/api/channels/tools/artifacts", admin, headers, body=body)
    assert_refused(answer, 400, "invalid", says)


def test_json_without_end_is_refused(tools: House, admin: str) -> None:
    headers = {"content-type": "application/json"}
    body = b'{"upload_id": "' + b"x" * 100_000 + b'"}'
    answer = tools.request("POST", "/api/channels/tools/artifacts", admin, headers, body=body)
    assert_refused(answer, 413, "too_large")


def test_deleting_an_upload_lets_go_of_its_bytes_and_not_of_what_was_published(
    any_tools: House,
) -> None:
    token, file = session(any_tools, "admin"), any_tools.build("demo")
    path = sent_whole(any_tools, token, file)
    half = opened(any_tools, token, 10)
    send(any_tools, half, token, b"abc", 0)
    publish(any_tools, path, token)

    for one in (path, half):
        assert any_tools.request("DELETE", one, token, TUS).status == 204
        assert any_tools.request("HEAD", one, token, TUS).status == 404

    assert (rows(any_tools, upload), rows(any_tools, upload_part), kept(any_tools)) == (0, 0, 1)
    assert any_tools.request("GET", "/api/repo/tools/noarch/demo-1.0-0.conda").body == file.read_bytes()


# --- through a socket -------------------------------------------------------------------------


def headers_for(server: LiveServer, token: str) -> Mapping[str, str]:
    return {**TUS, "Authorization": f"Bearer {token}"}


def live_upload(server: LiveServer, token: str, size: int) -> str:
    with server.client(token) as client:
        told = {"Upload-Length": str(size), "Upload-Metadata": metadata(filename="a", channel="tools")}
        answer = client.post("/api/uploads", headers={**headers_for(server, token), **told})
        answer.raise_for_status()
        return answer.headers["location"].removeprefix(server.url)


def live_offset(server: LiveServer, token: str, path: str) -> int:
    with server.client(token) as client:
        return int(client.head(path, headers=headers_for(server, token)).headers["upload-offset"])


def begin_part(server: LiveServer, token: str, path: str, length: int, data: bytes) -> socket.socket:
    """The head of a PATCH, and as much of its body as is given."""
    lines = [
        f"PATCH {path} HTTP/1.1",
        "Host: packhouse.test",
        f"Content-Length: {length}",
        "Upload-Offset: 0",
    ]
    lines += [f"{name}: {value}" for name, value in headers_for(server, token).items()]
    lines += [f"Content-Type: {PART_TYPE}"]
    connection = connect(server)
    connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + data)
    return connection


def test_connection_that_breaks_in_mid_part_leaves_what_arrived(live_server: LiveServer) -> None:
    live_server.create_channel("tools")
    token = live_server.log_in()
    path = live_upload(live_server, token, 10_000_000)
    connection = begin_part(live_server, token, path, 10_000_000, b"x" * 3_000_000)
    wait_for(lambda: any((live_server.data_dir / "spool").glob("*.spool")))
    time.sleep(0.2)  # what is on its way arrives
    connection.close()
    wait_for(lambda: live_offset(live_server, token, path) == 3_000_000)
    wait_for(lambda: not any((live_server.data_dir / "spool").iterdir()))


def test_slow_part_is_cut_off_and_kept_as_far_as_it_came(tmp_path: Path) -> None:
    limits = {"PACKHOUSE_MAX_UPLOAD_SECONDS": "1"}
    with running_server(tmp_path / "slow", environment=limits) as server:
        server.create_channel("tools")
        token = server.log_in()
        path = live_upload(server, token, 1000)
        with begin_part(server, token, path, 1000, b"x" * 10) as connection:
            assert connection.recv(65536).startswith(b"HTTP/1.1 400")
        assert live_offset(server, token, path) == 10
