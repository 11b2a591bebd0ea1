"""Bad input as it arrives over HTTP: a status, a sentence that names the thing, and nothing kept."""

import os
import shutil
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from packhouse.actions.reindex import reindex
from packhouse.domain.channels import Indexing, Privacy
from packhouse.storage.tables import artifact, blob, entry, event, package, revision, shard
from tests.asgi import Response
from tests.builders import build_conda_package, tar_members
from tests.formats.conda import hostile
from tests.house import House, open_house
from tests.storage.conftest import small_disk
from tests.web.conftest import People, session
from tests.web.forms import assert_refused, form, part, send_form, upload
from tests.web.test_channels import token_with

__all__ = ["small_disk"]

DATA = Path(__file__).parents[1] / "data"
MIB = 1024**2


@pytest.fixture
def tools(house: House) -> House:
    house.channel("tools")
    return house


def everything(house: House) -> dict[str, object]:
    """What a refusal must leave as it was. A claim on bytes that were never kept is for the sweep."""
    with house.packhouse.database.reading() as connection:
        rows = {
            table.name: [tuple(row) for row in connection.execute(table.select())]
            for table in (artifact, entry, package, revision, shard, event)
        }
        kept = connection.execute(blob.select().where(blob.c.unreferenced_since.is_(None))).all()
    folder = house.packhouse.spool_dir
    spooled = list(folder.iterdir()) if folder.exists() else []
    return {**rows, "blob": [tuple(row) for row in kept], "spool": spooled}


def send(house: House, data: bytes, filename: str, token: str | None, channel: str = "tools") -> Response:
    return send_form(house, channel, form(part("content", data, filename)), token)


def assert_package_refused(house: House, token: str, data: bytes, filename: str, says: str = "") -> None:
    before = everything(house)
    answer = send(house, data, filename, token)
    status, code = (413, "too_large") if answer.status == 413 else (400, "invalid")
    assert_refused(answer, status, code, says)
    assert answer.json()["message"].startswith((f"{filename}: ", repr(filename)))
    assert everything(house) == before


# --- archives ---------------------------------------------------------------------------------


@pytest.mark.parametrize("extension", [".conda", ".tar.bz2"])
def test_truncated_archive_is_refused_wherever_it_was_cut(tools: House, admin: str, extension: str) -> None:
    data = hostile.good(tools.folder, extension)
    for length in (0, 1, 4, 30, len(data) // 4, len(data) // 2, len(data) - 100, len(data) - 1):
        assert_package_refused(tools, admin, data[:length], hostile.NAME + extension)


@pytest.mark.parametrize("extension", [".conda", ".tar.bz2"])
def test_corrupt_archive_is_refused_or_harmless(tools: House, admin: str, extension: str) -> None:
    """A flipped bit that no checksum covers (a time, say) may pass; what passes is the file that was sent."""
    data = hostile.good(tools.folder, extension)
    refused = 0
    for position in range(0, len(data), max(1, len(data) // 40)):
        flipped = data[:position] + bytes([data[position] ^ 0x10]) + data[position + 1 :]
        answer = send(tools, flipped, hostile.NAME + extension, admin)
        if answer.status == 201:
            assert tools.request("GET", f"/api/repo/tools/{answer.json()['ckey']}").body == flipped
            tools.remove("tools", "demo")
        else:
            assert_refused(answer, 400, "invalid", hostile.NAME)
            refused += 1
    assert refused > 20


@pytest.mark.parametrize("extension", [".conda", ".tar.bz2"])
def test_hostile_members_are_refused(tools: House, admin: str, extension: str) -> None:
    """Paths that lead outside, links, devices and whatever else no package has."""
    for members, says in hostile.MEMBERS.values():
        data = hostile.pack(extension, members)
        assert_package_refused(tools, admin, data, hostile.NAME + extension, says)


@pytest.mark.parametrize(
    ("files", "extension"), [(hostile.CONDA_FILES, ".conda"), (hostile.BZIP2_FILES, ".tar.bz2")]
)
def test_hostile_files_are_refused(
    tools: House, admin: str, files: Mapping[str, tuple[bytes, str]], extension: str
) -> None:
    for data, says in files.values():
        assert_package_refused(tools, admin, data, hostile.NAME + extension, says)


def test_bad_packages_from_the_field_are_refused(tools: House, admin: str) -> None:
    bad = sorted((DATA / "bad").iterdir())
    assert len(bad) == 5
    for path in bad:
        assert_package_refused(tools, admin, path.read_bytes(), path.name)


@pytest.mark.parametrize("extension", [".conda", ".tar.bz2"])
def test_decompression_bomb_is_refused(tools: House, admin: str, extension: str) -> None:
    bomb = hostile.pack(extension, tar_members({"share/zeros": bytes(80 * MIB)}))
    assert len(bomb) < MIB
    assert_package_refused(tools, admin, bomb, hostile.NAME + extension, "it unpacks to more than")


INDEXES: Mapping[str, tuple[bytes | None, str]] = {
    "missing": (None, "no info/index.json, so it is no conda package"),
    "not JSON": (b"{", "info/index.json is not JSON"),
    "empty": (b"", "info/index.json is not JSON"),
    "a list": (b"[]", "where a JSON object must be"),
    "not UTF-8": (b'{"name": "\xff"}', "info/index.json is not JSON"),
    "NUL": (hostile.INDEX.replace(b'"depends":[]', rb'"license":"\u0000"'), "holds the character NUL"),
    "no name": (hostile.INDEX.replace(b'"name":"demo",', b""), "has no 'name'"),
    "name a number": (hostile.INDEX.replace(b'"demo"', b"5"), "a wrong 'name'"),
    "build_number a text": (
        hostile.INDEX.replace(b'"build_number":0', b'"build_number":"0"'),
        "build_number",
    ),
    "build_number below 0": (
        hostile.INDEX.replace(b'"build_number":0', b'"build_number":-1'),
        "build_number",
    ),
    "depends a text": (hostile.INDEX.replace(b"[]", b'"x"'), "a wrong 'depends'"),
    "depends of numbers": (hostile.INDEX.replace(b"[]", b"[1]"), "a wrong 'depends'"),
    "subdir upwards": (hostile.INDEX.replace(b"noarch", b"../noarch"), "the subdir '../noarch'"),
    "subdir unknown": (hostile.INDEX.replace(b"noarch", b"nowhere"), "the subdir 'nowhere'"),
    "timestamp a text": (hostile.INDEX[:-1] + b',"timestamp":"now"}', "a wrong 'timestamp'"),
    "nesting": (
        hostile.INDEX[:-1] + b',"x":' + b"[" * 5000 + b"]" * 5000 + b"}",
        "info/index.json is not JSON",
    ),
}


@pytest.mark.parametrize("extension", [".conda", ".tar.bz2"])
def test_wrong_index_json_is_refused(tools: House, admin: str, extension: str) -> None:
    for index, says in INDEXES.values():
        members = {"info/about.json": b"{}", **({} if index is None else {"info/index.json": index})}
        data = hostile.pack(extension, [], tar_members(members))
        assert_package_refused(tools, admin, data, hostile.NAME + extension, says)


def test_file_name_that_disagrees_with_the_metadata_is_refused(tools: House, admin: str) -> None:
    data = hostile.good(tools.folder, ".tar.bz2")
    for name, says in (
        ("other-1.0-0", "the file name says name 'other', its info/index.json says 'demo'"),
        ("demo-2.0-0", "the file name says version '2.0', its info/index.json says '1.0'"),
        ("demo-1.0-1", "the file name says build '1', its info/index.json says '0'"),
    ):
        assert_package_refused(tools, admin, data, f"{name}.tar.bz2", says)


def test_name_that_is_too_long_is_refused_in_a_short_sentence(tools: House, admin: str) -> None:
    for filename in (
        "a" * 65 + "-1.0-0.conda",
        "demo-" + "1" * 65 + "-0.conda",
        "demo-1.0-" + "0" * 65 + ".conda",
    ):
        assert_package_refused(tools, admin, b"x", filename, "has more than 64 characters (CEP 26)")
    answer = send(tools, b"x", "a" * 300 + "-1.0-0.conda", admin)
    assert_refused(answer, 400, "invalid", "at most 211 characters")
    assert len(answer.json()["message"]) < 200


# --- channels and rights ------------------------------------------------------------------------


def test_same_file_again_is_answered_as_existing_and_other_bytes_name_both_digests(
    tools: House, admin: str
) -> None:
    first = upload(tools, "tools", tools.build("demo"), admin)
    before = everything(tools)
    again = upload(tools, "tools", tools.build("demo"), admin)
    other = send(tools, tools.build("demo", depends=["x"]).read_bytes(), "demo-1.0-0.conda", admin)

    assert (first.status, again.status, first.json() == again.json()) == (201, 200, True)
    assert_refused(other, 409, "conflict", first.json()["metadata"]["index.json"]["sha256"])
    assert "the file sent has" in other.json()["message"]
    assert everything(tools) == before


def test_channels_that_take_no_upload(house: House, people: People) -> None:
    people.channel("hidden", Privacy.PRIVATE)
    people.channel("foreign")
    people.channel("frozen")
    change = {"indexing_behavior": Indexing.FROZEN.value}
    house.request("PUT", "/api/channels/frozen", people["owner"], json=change)
    data, before = house.build("demo").read_bytes(), everything(house)

    for channel, who, status, code, says in (
        ("frozen", "owner", 400, "frozen", "Channel frozen is frozen."),
        ("foreign", "stranger", 403, "forbidden", "'stranger' is not allowed 'artifact:create' on channel"),
        ("hidden", "stranger", 404, "not_found", "Channel 'hidden' was not found."),
        ("missing", "stranger", 404, "not_found", "Channel 'missing' was not found."),
        ("foreign", "anonymous", 401, "auth_required", "Channel 'foreign' needs a log-in."),
    ):
        answer = send(house, data, "demo-1.0-0.conda", people[who], channel)
        assert_refused(answer, status, code, says)
    assert everything(house) == before


def test_tokens_that_do_not_suffice(house: House, people: People) -> None:
    people.channel("tools")
    people.channel("other")
    data = house.build("demo").read_bytes()
    reading = {"resource_type": "channel", "resource_id": "tools", "permission": "read"}
    elsewhere = {"resource_type": "channel", "resource_id": "other", "permission": "manage"}
    few = token_with(house, people["owner"], scopes=["channel:view"])
    reads = token_with(house, people["owner"], resources=[reading])
    foreign = token_with(house, people["owner"], resources=[elsewhere])
    before = everything(house)

    for token, status, code, says in (
        ("unheard-of", 401, "auth_required", "The token is unknown here"),
        (few, 403, "forbidden", "artifact:create"),
        (reads, 403, "forbidden", "artifact:create"),
        (foreign, 404, "not_found", "'tools'"),
    ):
        assert_refused(send(house, data, "demo-1.0-0.conda", token), status, code, says)
    assert everything(house) == before


def test_expired_session_is_refused_saying_when_it_ended(house: House, people: People) -> None:
    people.channel("tools")
    before = everything(house)
    now = house.packhouse.clock() + timedelta(days=1)
    late = copy(house)
    late.packhouse = replace(house.packhouse, clock=lambda: now)
    answer = upload(late, "tools", house.build("demo"), people["owner"])
    assert_refused(answer, 401, "auth_required", "The session has expired on ")
    assert everything(house) == before


# --- at once ----------------------------------------------------------------------------------


def test_same_file_sent_by_many_at_once_is_kept_once(any_house: House) -> None:
    any_house.channel("tools")
    admin, package_file = session(any_house, "admin"), any_house.build("demo")
    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(lambda _: upload(any_house, "tools", package_file, admin), range(6)))

    assert sorted(answer.status for answer in answers) == [200] * 5 + [201]
    assert len({answer.body for answer in answers}) == 1
    history = any_house.request("GET", "/api/channels/tools/history", admin).json()["items"]
    assert [item["event_type"] for item in history] == ["artifact.published", "channel.created"]


def test_one_of_many_builds_of_a_name_wins(any_house: House, tmp_path: Path) -> None:
    any_house.channel("tools")
    admin = session(any_house, "admin")
    builds = []
    for number in range(6):
        folder = tmp_path / str(number)
        folder.mkdir()
        builds.append(build_conda_package(folder, depends=[f"x{number}"]))
    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(lambda path: upload(any_house, "tools", path, admin), builds))

    assert sorted(answer.status for answer in answers) == [201] + [409] * 5
    [winner] = [answer.json()["metadata"]["index.json"] for answer in answers if answer.status == 201]
    assert any_house.sharded("tools")["demo-1.0-0.conda"]["sha256"] == winner["sha256"]
    for answer in answers:
        if answer.status == 409:
            assert_refused(answer, 409, "conflict", winner["sha256"])


# --- a full disk ------------------------------------------------------------------------------


@pytest.fixture
def cramped(small_disk: Path, migrated_sqlite: Path, tmp_path: Path) -> Iterator[House]:
    """A house whose blobs lie on a disk of 1 MiB, and its database beside it."""
    shutil.copy(migrated_sqlite, tmp_path / "packhouse.db")
    url = f"sqlite:///{tmp_path / 'packhouse.db'}"
    with open_house(small_disk, url, str(small_disk / "store"), {}) as opened:
        opened.folder = tmp_path
        yield opened


def test_full_disk_is_told_and_leaves_nothing_and_the_server_goes_on(cramped: House) -> None:
    admin = session(cramped, "admin")
    cramped.channel("tools")
    before = everything(cramped)
    large = cramped.build("large", files={"share/noise": os.urandom(2 * MIB)})

    assert_refused(upload(cramped, "tools", large, admin), 507, "storage_full", "room")
    assert everything(cramped) == before
    assert upload(cramped, "tools", cramped.build("demo"), admin).status == 201
    with cramped.packhouse.database.reading() as connection:
        [row] = connection.execute(revision.select().where(revision.c.subdir == "noarch")).all()
    assert reindex(cramped.packhouse, row.channel_id, "noarch")
    assert list(cramped.repodata("tools")["packages.conda"]) == ["demo-1.0-0.conda"]
