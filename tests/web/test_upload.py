"""Uploads, well-formed or not: what is taken, what is refused in which words, and that nothing is left behind."""

import json
import os
import re
import socket
import threading
import time
import zipfile
from collections.abc import Iterator
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from packhouse.domain.channels import Indexing, Privacy
from packhouse.storage.tables import artifact, blob, event
from tests.asgi import Response, request
from tests.builders import conda_members, tar, tar_member, tar_members
from tests.formats.conda import hostile
from tests.house import House
from tests.live import LiveServer, running_server
from tests.web.conftest import People
from tests.web.forms import (
    BOUNDARY,
    FORM_TYPE,
    assert_refused,
    form,
    package_form,
    part,
    send_form,
    upload,
)

ROOTS = pytest.mark.parametrize("root", ["/api", "/api/repo"])
MIB = 1024**2


@pytest.fixture
def tools(house: House) -> House:
    house.channel("tools")
    return house


@pytest.fixture
def demo(house: House) -> Path:
    return house.build("demo")


def rows(house: House, table: Any) -> int:
    with house.packhouse.database.reading() as connection:
        return len(connection.execute(table.select()).all())


def assert_nothing_kept(house: House) -> None:
    """No artifact, no event of a publication, no spooled file, and no blob that a sweep would not take."""
    with house.packhouse.database.reading() as connection:
        kept = connection.execute(blob.select().where(blob.c.unreferenced_since.is_(None))).all()
        types = {row.type for row in connection.execute(event.select())}
    assert (rows(house, artifact), kept) == (0, [])
    assert "artifact.published" not in types
    assert left_in_spool(house) == []


def left_in_spool(house: House) -> list[Path]:
    folder = house.packhouse.spool_dir
    return list(folder.iterdir()) if folder.exists() else []


# --- taken ------------------------------------------------------------------------------------


@ROOTS
def test_new_file_is_answered_201_and_the_same_bytes_again_200(
    tools: House, demo: Path, admin: str, root: str
) -> None:
    def send() -> Response:
        url = f"{root}/channels/tools/artifacts"
        return tools.request("POST", url, admin, {"content-type": FORM_TYPE}, body=package_form(demo))

    first, again = send(), send()
    assert (first.status, again.status) == (201, 200)
    assert first.json() == again.json()
    assert first.json()["ckey"] == "noarch/demo-1.0-0.conda"
    listed = tools.request("GET", "/api/channels/tools/artifacts/conda/demo/files").json()
    assert listed["items"] == [first.json()]
    history = tools.request("GET", "/api/channels/tools/history", admin).json()
    assert [item["event_type"] for item in history["items"]] == ["artifact.published", "channel.created"]
    assert left_in_spool(tools) == []


@ROOTS
@pytest.mark.parametrize("path", ["tools/stage", "tools/subchannels/stage"])
def test_both_addresses_of_a_subchannel_take_uploads(
    tools: House, demo: Path, admin: str, root: str, path: str
) -> None:
    tools.channel("tools/stage")
    url = f"{root}/channels/{path}/artifacts"
    answer = tools.request("POST", url, admin, {"content-type": FORM_TYPE}, body=package_form(demo))
    assert answer.status == 201
    assert (answer.json()["channel"], answer.json()["subchannel"]) == ("tools", "stage")


def test_other_bytes_under_the_same_name_are_a_conflict_naming_both_digests(
    tools: House, demo: Path, admin: str
) -> None:
    first = upload(tools, "tools", demo, admin).json()["metadata"]["index.json"]["sha256"]
    answer = upload(tools, "tools", tools.build("demo", depends=["other"]), admin)
    assert_refused(answer, 409, "conflict", first)
    assert len(set(re.findall(r"[0-9a-f]{64}", answer.json()["message"]))) == 2
    assert rows(tools, artifact) == 1


CONTENT_FIRST_OR_LAST = pytest.mark.parametrize("order", [[0, 1, 2], [1, 2, 0], [1, 0, 2]])


@CONTENT_FIRST_OR_LAST
def test_fields_may_come_in_any_order(tools: House, demo: Path, admin: str, order: list[int]) -> None:
    data = demo.read_bytes()
    parts = [part("content", data, demo.name), part("filetype", "conda1"), part("size", str(len(data)))]
    assert send_form(tools, "tools", form(*(parts[i] for i in order)), admin).status == 201


@pytest.mark.parametrize("filetype", [None, "conda", "conda1"])
def test_type_and_size_may_be_left_out(tools: House, demo: Path, admin: str, filetype: str | None) -> None:
    fields = [] if filetype is None else [part("filetype", filetype)]
    body = form(part("content", demo.read_bytes(), demo.name), *fields)
    assert send_form(tools, "tools", body, admin).status == 201


def test_fields_nobody_knows_are_passed_over(tools: House, demo: Path, admin: str) -> None:
    assert send_form(tools, "tools", package_form(demo, colour="blue"), admin).status == 201


@pytest.mark.parametrize(
    "filename",
    [
        "demo-1.0-0.conda",
        "dist/demo-1.0-0.conda",
        "/home/ann/demo-1.0-0.conda",
        r"C:\\dist\\demo-1.0-0.conda",
        "../../demo-1.0-0.conda",
        r"..\\demo-1.0-0.conda",
    ],
)
def test_only_the_last_part_of_a_path_counts(tools: House, demo: Path, admin: str, filename: str) -> None:
    body = form(part("content", demo.read_bytes(), filename))
    assert send_form(tools, "tools", body, admin).json()["ckey"] == "noarch/demo-1.0-0.conda"


def test_content_type_of_a_part_does_not_matter(tools: House, demo: Path, admin: str) -> None:
    body = form(part("content", demo.read_bytes(), demo.name, "Content-Type: text/html", "X-Other: 1"))
    assert send_form(tools, "tools", body, admin).status == 201


@pytest.mark.parametrize("boundary", ["x", "a b", "'()+_,-./:=?", "0" * 70])
def test_any_boundary_that_rfc_2046_allows_is_taken(
    tools: House, demo: Path, admin: str, boundary: str
) -> None:
    body = package_form(demo).replace(BOUNDARY.encode(), boundary.encode())
    headers = {"content-type": f'Multipart/Form-Data; charset=utf-8; boundary="{boundary}"'}
    assert send_form(tools, "tools", body, admin, headers=headers).status == 201


def test_file_that_holds_the_boundary_almost(tools: House, admin: str) -> None:
    """Line ends and beginnings of the boundary inside the file are bytes of the file."""
    noise = f"\r\n--{BOUNDARY[:-1]}\r\n--\r\n\r\n--{BOUNDARY[:5]}".encode()
    package = tools.build("demo", files={"share/noise": noise}, extension=".conda")
    answer = upload(tools, "tools", package, admin)
    assert answer.json()["size"] == package.stat().st_size


# --- refused ----------------------------------------------------------------------------------

FORMS: dict[str, tuple[bytes, int, str, str]] = {
    "nothing": (b"", 400, "interrupted", "ended before its last byte"),
    "no end": (form(part("content", b"x", "a-1-0.conda"), end=b""), 400, "interrupted", "before its last"),
    "no parts": (form(), 400, "invalid", "no file"),
    "no content": (form(part("filetype", "conda1")), 400, "invalid", "The form has no file"),
    "content in a wrong part": (form(part("file", b"x", "a-1-0.conda")), 400, "invalid", "no file"),
    "content without a file name": (form(part("content", b"x")), 400, "invalid", "has no file name"),
    "empty file name": (form(part("content", b"x", "")), 400, "invalid", "has no file name"),
    "file name of slashes": (form(part("content", b"x", "a/b/")), 400, "invalid", "has no file name"),
    "two files": (
        form(part("content", b"x", "a-1-0.conda"), part("content", b"y", "b-1-0.conda")),
        400,
        "invalid",
        "two files",
    ),
    "unknown type": (
        form(part("content", b"x", "a-1-0.conda"), part("filetype", "nonsense")),
        400,
        "invalid",
        "Files of type 'nonsense' are not taken",
    ),
    "wrong size": (
        form(part("content", b"xyz", "a-1-0.conda"), part("size", "4")),
        400,
        "interrupted",
        "'a-1-0.conda' was announced with 4 bytes, but 3 arrived",
    ),
    "size that is no number": (
        form(part("content", b"x", "a-1-0.conda"), part("size", "many")),
        400,
        "interrupted",
        "many",
    ),
    "long field": (form(part("size", "1" * 70_000)), 400, "invalid", "'size' is longer than"),
    "many fields": (form(*(part(f"f{i}", "x") for i in range(50))), 400, "invalid", "more than 40 fields"),
    "header flood": (
        form(part("content", b"x", "a-1-0.conda", *(f"X-{i}: 1" for i in range(1000)))),
        400,
        "invalid",
        "no valid multipart form",
    ),
    "long header": (form(part("x" * 100_000, b"x")), 400, "invalid", "no valid multipart form"),
    "header without end": (
        f"--{BOUNDARY}\r\nContent-Disposition".encode() + b"x" * 100_000,
        400,
        "invalid",
        "no valid multipart form",
    ),
    "other boundary": (b"--other\r\n\r\n--other--\r\n", 400, "invalid", "no valid multipart form"),
    "text before": (b"hello\r\n" + form(part("x", b"")), 400, "invalid", "no valid multipart form"),
    "json": (b'{"content": "x"}', 400, "invalid", "no valid multipart form"),
    "no colon in header": (f"--{BOUNDARY}\r\nnonsense\r\n\r\nx".encode(), 400, "invalid", "no valid"),
}


@pytest.mark.parametrize("case", FORMS)
def test_broken_form_is_refused_and_leaves_nothing(tools: House, admin: str, case: str) -> None:
    body, status, code, says = FORMS[case]
    assert_refused(send_form(tools, "tools", body, admin), status, code, says)
    assert_nothing_kept(tools)


@pytest.mark.parametrize(
    ("content_type", "says"),
    [
        ("", "sent as multipart/form-data"),
        ("application/json", "sent as multipart/form-data"),
        ("application/x-www-form-urlencoded", "sent as multipart/form-data"),
        ("multipart/form-data", "sent as multipart/form-data"),
        ("multipart/form-data; boundary=", "sent as multipart/form-data"),
        ('multipart/form-data; boundary=""', "sent as multipart/form-data"),
        ("multipart/mixed; boundary=x", "sent as multipart/form-data"),
        ("multipart/form-data; boundary=" + "x" * 1000, "no valid multipart form"),
        (";;;=;", "sent as multipart/form-data"),
        ("\xff\xfe", "sent as multipart/form-data"),
    ],
)
def test_wrong_content_type_is_refused(
    tools: House, demo: Path, admin: str, content_type: str, says: str
) -> None:
    answer = send_form(tools, "tools", package_form(demo), admin, headers={"content-type": content_type})
    assert_refused(answer, 400, "invalid", says)
    assert_nothing_kept(tools)


@pytest.mark.parametrize(
    "filename",
    [
        "demo-1.0-0.zip",
        "demo.conda",
        "demo-1.0-0.conda ",
        "demo-1.0-0",
        ".conda",
        "-1.0-0.conda",
        "démo-1.0-0.conda",
        "demo-1.0-\x000.conda",
        "demo-1.0-0.conda\x01",
        "\u202edemo-1.0-0.conda",
        "Demo-1.0-0.conda",
        "..",
        ".",
        "demo-1.0-0.conda.part",
        "demo-" + "1" * 300 + "-0.conda",
        "😀-1.0-0.conda",
        "demo-1.0-0.tar.bz2.conda",
    ],
)
def test_wrong_file_name_is_refused_by_its_name(tools: House, demo: Path, admin: str, filename: str) -> None:
    body = form(part("content", demo.read_bytes(), filename))
    answer = send_form(tools, "tools", body, admin)
    assert_refused(answer, 400, "invalid")
    assert repr(filename)[1:9] in answer.json()["message"]
    assert len(answer.json()["message"]) < 400
    assert_nothing_kept(tools)


@pytest.mark.parametrize("extra", [0, 1])
def test_file_larger_than_the_limit_is_refused(
    house: House, demo: Path, admin: str, tmp_path: Path, extra: int
) -> None:
    house.channel("tools")
    limited = limited_house(house, max_upload_bytes=demo.stat().st_size - extra)
    answer = upload(limited, "tools", demo, admin)
    if extra:
        assert_refused(answer, 413, "too_large", "The file is larger than")
        assert_nothing_kept(house)
    else:
        assert answer.status == 201


@pytest.mark.parametrize(
    "body",
    [
        form(*(part("same", "x" * 60_000) for _ in range(100))),
        form(part("content", b"x", "a-1-0.conda"), end=f"--{BOUNDARY}--\r\n".encode() + b"x" * 5 * MIB),
    ],
    ids=["fields", "epilogue"],
)
def test_form_without_end_around_the_file_is_refused(house: House, admin: str, body: bytes) -> None:
    house.channel("tools")
    limited = limited_house(house, max_upload_bytes=1)
    assert_refused(send_form(limited, "tools", body, admin), 413, "too_large")
    assert_nothing_kept(house)


def limited_house(house: House, **settings: Any) -> House:
    """The same house with other settings."""
    limited = copy(house)
    chosen = house.packhouse.settings.model_copy(update=settings)
    limited.packhouse = replace(house.packhouse, settings=chosen)
    return limited


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_connection_that_breaks_leaves_nothing(tools: House, demo: Path, admin: str, share: float) -> None:
    body = package_form(demo)
    headers = {"content-type": FORM_TYPE, "authorization": f"Bearer {admin}"}
    tools.application.api.state.packhouse = tools.packhouse
    answer = request(
        tools.application,
        "POST",
        "/api/channels/tools/artifacts",
        headers,
        body=body[: int(len(body) * share)],
        is_cut=True,
    )
    assert_refused(answer, 400, "interrupted")
    assert_nothing_kept(tools)


@pytest.mark.parametrize(
    ("who", "privacy", "status", "code"),
    [
        ("anonymous", "public", 401, "auth_required"),
        ("anonymous", "private", 401, "auth_required"),
        ("stranger", "public", 403, "forbidden"),
        ("stranger", "private", 404, "not_found"),
        ("reader", "private", 403, "forbidden"),
        ("viewer", "authenticated", 403, "forbidden"),
        ("writer", "private", 201, ""),
        ("owner", "private", 201, ""),
        ("admin", "private", 201, ""),
    ],
)
def test_who_may_upload(
    house: House, people: People, demo: Path, who: str, privacy: str, status: int, code: str
) -> None:
    people.channel("tools", Privacy(privacy))
    answer = upload(house, "tools", demo, people[who])
    if status == 201:
        assert answer.status == 201
    else:
        assert_refused(answer, status, code)
        assert_nothing_kept(house)


def test_missing_channel_is_not_found(house: House, demo: Path, admin: str) -> None:
    assert_refused(upload(house, "nowhere", demo, admin), 404, "not_found", "'nowhere'")
    assert_nothing_kept(house)


def test_frozen_channel_takes_no_upload(tools: House, demo: Path, admin: str) -> None:
    tools.request("PUT", "/api/channels/tools", admin, json={"indexing_behavior": Indexing.FROZEN.value})
    assert_refused(upload(tools, "tools", demo, admin), 400, "frozen", "Channel tools is frozen.")
    assert_nothing_kept(tools)


# --- through a socket -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server that takes no file above 256 MiB, with the channels `tools` and `frozen`."""
    limits = {"PACKHOUSE_MAX_UPLOAD_BYTES": str(256 * MIB)}
    with running_server(tmp_path_factory.mktemp("live"), environment=limits) as server:
        server.create_channel("tools")
        server.create_channel("frozen")
        with server.client() as client:
            client.put("/api/channels/frozen", json={"indexing_behavior": "frozen"}).raise_for_status()
        yield server


def spooled(server: LiveServer) -> list[str]:
    folder = server.data_dir / "spool"
    return [path.name for path in folder.iterdir()] if folder.exists() else []


def wait_for(condition: Any, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def head(server: LiveServer, *headers: str, channel: str = "tools") -> bytes:
    lines = [
        f"POST /api/channels/{channel}/artifacts HTTP/1.1",
        "Host: packhouse.test",
        f"Authorization: Bearer {server.log_in()}",
        f"Content-Type: {FORM_TYPE}",
        *headers,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def connect(server: LiveServer) -> socket.socket:
    host, port = server.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=20)


def answer_of(connection: socket.socket) -> tuple[int, bytes]:
    received = b""
    while chunk := connection.recv(65536):
        received += chunk
        header, found, body = received.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", header, re.IGNORECASE)
        if found and length and len(body) >= int(length[1]):
            break
    return int(received.split(b" ", 2)[1]), received.partition(b"\r\n\r\n")[2]


def peak_kib(server: LiveServer) -> int:
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1])  # type: ignore[index]  # Linux has it


def large_package(folder: Path, name: str, mebibytes: int) -> Path:
    """A sound package full of noise, written piece by piece."""
    index = hostile.INDEX.replace(b'"demo"', f'"{name}"'.encode())
    info = tar(tar_members({"info/index.json": index}))
    path = folder / f"{name}-1.0-0.conda"
    noise = tar(tar_member(f"share/{number}", os.urandom(MIB)) for number in range(mebibytes))
    with zipfile.ZipFile(path, "w") as archive:
        for member, data in conda_members(f"{name}-1.0-0", info, noise):
            archive.writestr(zipfile.ZipInfo(member), data)
    return path


def test_large_upload_leaves_the_servers_memory_flat(live: LiveServer, tmp_path: Path) -> None:
    live.upload("tools", large_package(tmp_path, "small", 1)).raise_for_status()
    large = large_package(tmp_path, "large", 200)
    before = peak_kib(live)

    answer = live.upload("tools", large)

    assert answer.status_code == 201, answer.text
    assert answer.json()["size"] == large.stat().st_size > 200 * MIB
    assert peak_kib(live) - before < 60 * 1024
    with httpx.stream("GET", answer.json()["url"]) as download:
        assert sum(len(chunk) for chunk in download.iter_bytes()) == large.stat().st_size


def test_disconnect_in_mid_upload_leaves_nothing(live: LiveServer) -> None:
    connection = connect(live)
    connection.sendall(head(live, "Content-Length: 100000000"))
    connection.sendall(f"--{BOUNDARY}\r\n".encode() + part("content", b"x" * 3 * MIB, "cut-1.0-0.conda"))
    wait_for(lambda: spooled(live))
    connection.close()
    wait_for(lambda: not spooled(live))
    assert httpx.get(f"{live.url}/api/channels/tools/artifacts/conda/cut/files").json()["total_count"] == 0


def test_body_shorter_than_its_content_length_is_no_upload(live: LiveServer, tmp_path: Path) -> None:
    body = form(part("content", b"short", "short-1.0-0.conda"))
    with connect(live) as connection:
        connection.sendall(head(live, f"Content-Length: {len(body) + 10}") + body)
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(65536)[:12] in (b"", b"HTTP/1.1 400")
    wait_for(lambda: not spooled(live))


def test_body_longer_than_its_content_length_is_cut_there(live: LiveServer) -> None:
    body = form(part("content", b"long", "long-1.0-0.conda"))
    with connect(live) as connection:
        connection.sendall(head(live, f"Content-Length: {len(body) - 30}", "Connection: close") + body)
        status, answer = answer_of(connection)
    assert (status, json.loads(answer)["code"]) == (400, "interrupted")


def test_chunked_upload_is_taken(live: LiveServer, tmp_path: Path) -> None:
    package = large_package(tmp_path, "chunked", 2)
    body = package_form(package)
    with live.client() as client:
        pieces = (body[start : start + 10_000] for start in range(0, len(body), 10_000))
        answer = client.post(
            "/api/channels/tools/artifacts", content=pieces, headers={"content-type": FORM_TYPE}
        )
    assert answer.request.headers["transfer-encoding"] == "chunked"
    assert answer.status_code == 201, answer.text


def test_length_and_chunks_together_do_not_smuggle_a_second_request(live: LiveServer) -> None:
    smuggled = b"0\r\n\r\nDELETE /api/channels/tools HTTP/1.1\r\nHost: x\r\n\r\n"
    with connect(live) as connection:
        lengths = ("Content-Length: 5", "Transfer-Encoding: chunked")
        connection.sendall(head(live, *lengths) + smuggled)
        status, _ = answer_of(connection)
    assert status == 400
    assert httpx.get(f"{live.url}/api/channels/tools").status_code == 200


def test_expect_100_continue_is_answered_before_the_body(live: LiveServer, tmp_path: Path) -> None:
    body = package_form(large_package(tmp_path, "patient", 1))
    with connect(live) as connection:
        connection.sendall(head(live, f"Content-Length: {len(body)}", "Expect: 100-continue"))
        assert connection.recv(65536).startswith(b"HTTP/1.1 100")
        connection.sendall(body)
        status, _ = answer_of(connection)
    assert status == 201


def test_refused_upload_is_told_so_before_the_body_is_sent(live: LiveServer) -> None:
    with connect(live) as connection:
        lines = ("Content-Length: 100000000", "Expect: 100-continue")
        connection.sendall(head(live, *lines, channel="frozen"))
        status, answer = answer_of(connection)
    assert (status, json.loads(answer)["code"]) == (400, "frozen")


@pytest.mark.parametrize(
    ("channel", "mebibytes", "status", "code"),
    [("frozen", 20, 400, "frozen"), ("nowhere", 20, 404, "not_found"), ("tools", 300, 413, "too_large")],
)
def test_client_in_mid_upload_still_reads_why_it_was_refused(
    live: LiveServer, channel: str, mebibytes: int, status: int, code: str
) -> None:
    """Many clients send the whole body before they look for an answer."""
    data = bytes(MIB)
    pieces = [f"--{BOUNDARY}\r\n".encode() + part("content", b"", "big-1.0-0.conda"), *[data] * mebibytes]
    length = sum(map(len, pieces))
    with connect(live) as connection:
        connection.sendall(head(live, f"Content-Length: {length}", channel=channel))
        for piece in pieces:
            connection.sendall(piece)
        answer = answer_of(connection)
    assert (answer[0], json.loads(answer[1])["code"]) == (status, code)
    wait_for(lambda: not spooled(live))


def test_sender_that_is_too_slow_is_cut_off(tmp_path: Path) -> None:
    limits = {"PACKHOUSE_MAX_UPLOAD_SECONDS": "1"}
    with running_server(tmp_path / "slow", environment=limits) as server, connect(server) as connection:
        server.create_channel("tools")
        connection.sendall(head(server, "Content-Length: 1000000"))
        connection.sendall(f"--{BOUNDARY}\r\n".encode() + part("content", b"x", "slow-1.0-0.conda"))
        status, body = answer_of(connection)
        assert (status, json.loads(body)["code"]) == (400, "interrupted")
        assert "longer than 1 seconds" in json.loads(body)["message"]
        wait_for(lambda: not spooled(server))


def test_many_uploads_at_once_are_all_taken(live: LiveServer, tmp_path: Path) -> None:
    packages = [large_package(tmp_path, f"many{number}", 1) for number in range(8)]
    token, statuses = live.log_in(), []

    def send(package: Path) -> None:
        statuses.append(live.upload("tools", package, token).status_code)

    threads = [threading.Thread(target=send, args=[package]) for package in packages]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [201] * 8
