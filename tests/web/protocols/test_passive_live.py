"""Files of a passive mirror through a real server: streamed while they come, once for all, and never wrong."""

import hashlib
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.builders import build_conda_package
from tests.clients.rattler_client import Rattler
from tests.listed_channel import ListedChannel
from tests.live import LiveServer, running_server
from tests.upstream import Upstream, cut_after, other_bytes, slow

LARGE = bytes(range(256)) * 8_000  # 2 MB
SETTINGS = {"PACKHOUSE_ALLOW_PRIVATE_UPSTREAMS": "true"}


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Upstream]:
    with Upstream(tmp_path_factory.mktemp("upstream")) as upstream:
        yield upstream


@pytest.fixture(scope="module")
def server(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """With a passive mirror in `data` of files that each test takes one of."""
    channel = ListedChannel(upstream.folder)
    for name in ("slow", "crowd", "liar", "cut", "range"):
        channel.put(f"{name}-1.0-0.conda", content=name.encode() + LARGE)
    for package in packages(tmp_path_factory.mktemp("packages")):
        depends = ["words"] if package.name.startswith("greet") else []
        channel.add(package, depends=depends, noarch="generic", timestamp=1_700_000_000_000)
    channel.write()
    with running_server(tmp_path_factory.mktemp("live") / "data", environment=SETTINGS) as server:
        server.create_channel("data")
        mirror(server, upstream)
        yield server


def packages(folder: Path) -> list[Path]:
    words = build_conda_package(folder, "words", files={"share/words.txt": b"hello"})
    return [words, build_conda_package(folder, "greet", depends=["words"])]


def mirror(server: LiveServer, upstream: Upstream) -> None:
    body = {
        "mirror_name": "twin",
        "source_root": upstream.url,
        "filters": {"subdirs": ["linux-64"]},
        "cron": "",
        "run_now": True,
    }
    with server.client() as client:
        client.post("/api/channels/data/mirrors", json=body).raise_for_status()
        end = time.monotonic() + 30
        while (found := client.get("/api/channels/data/mirrors/twin").json())["state"] != "completed":
            assert time.monotonic() < end, found
            time.sleep(0.05)


@pytest.fixture(autouse=True)
def honest(upstream: Upstream) -> Iterator[None]:
    yield
    upstream.behave()


def address(server: LiveServer, name: str) -> str:
    return f"{server.url}/api/repo/data/noarch/{name}-1.0-0.conda"


def content(name: str) -> bytes:
    return name.encode() + LARGE


def get(url: str, **options: Any) -> httpx.Response:
    return httpx.get(url, timeout=30, verify=False, **options)


def test_first_bytes_arrive_before_the_upstream_has_sent_the_last(
    server: LiveServer, upstream: Upstream
) -> None:
    upstream.misbehave("/noarch/slow-*", slow(1_000_000))
    received = hashlib.sha256()
    with httpx.stream("GET", address(server, "slow"), timeout=30, verify=False) as answer:
        sent_by_then = None
        for chunk in answer.iter_raw():
            if sent_by_then is None:
                sent_by_then = upstream.asked("/noarch/slow-*")[0].sent
            received.update(chunk)
    assert sent_by_then is not None
    assert sent_by_then < len(content("slow")) // 2
    assert received.digest() == hashlib.sha256(content("slow")).digest()


def test_twenty_who_ask_at_once_cost_the_upstream_one_request(server: LiveServer, upstream: Upstream) -> None:
    upstream.misbehave("/noarch/crowd-*", slow(2_000_000))
    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(get, [address(server, "crowd")] * 20))
    assert {answer.status_code for answer in answers} == {200}
    assert all(answer.content == content("crowd") for answer in answers)
    assert upstream.count("/noarch/crowd-*") == 1


def test_wrong_bytes_break_the_transfer_off_and_the_next_one_is_whole(
    server: LiveServer, upstream: Upstream
) -> None:
    upstream.misbehave("/noarch/liar-*", other_bytes())
    with pytest.raises(httpx.HTTPError):
        get(address(server, "liar"))
    upstream.behave()
    answer = get(address(server, "liar"))
    while answer.status_code == 502:  # it joined the fetch that was begun before, and wrong as well
        assert "is not what its index says" in answer.json()["message"]
        answer = get(address(server, "liar"))
    assert answer.content == content("liar")


def test_transfer_that_the_upstream_breaks_off_once_is_continued_where_it_was(
    server: LiveServer, upstream: Upstream
) -> None:
    upstream.misbehave("/noarch/cut-*", cut_after(300_000), times=1)
    assert get(address(server, "cut")).content == content("cut")
    first, second = upstream.asked("/noarch/cut-*")
    assert first.range is None
    assert second.range is not None  # of what was under way when the connection broke, some may be lost
    assert 0 < int(second.range.removeprefix("bytes=").removesuffix("-")) <= 300_000


def test_range_of_a_file_that_is_not_here_is_a_part_of_it(server: LiveServer, upstream: Upstream) -> None:
    answer = get(address(server, "range"), headers={"Range": "bytes=1000000-1000009"})
    assert (answer.status_code, answer.content) == (206, content("range")[1_000_000:1_000_010])
    assert [one.range for one in upstream.asked("/noarch/range-*")] == [None]


def test_rattler_installs_from_a_passive_mirror_and_again_without_the_upstream(
    server: LiveServer, upstream: Upstream, tmp_path: Path
) -> None:
    for number in ("first", "second"):
        rattler = Rattler(tmp_path / number)
        records = rattler.solve(f"{server.url}/api/repo/data", "greet")
        assert {record.file_name for record in records} == {"greet-1.0-0.conda", "words-1.0-0.conda"}
        rattler.install(tmp_path / number / "prefix", records)
        assert (tmp_path / number / "prefix/share/words.txt").read_bytes() == b"hello"
        upstream.stop_listening()
    upstream.listen_again()
    assert upstream.count("/noarch/greet-*") == upstream.count("/noarch/words-*") == 1
