"""Answers are kept for a moment: quick, bounded, and never older than what this process has changed."""

import asyncio
import threading
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event

from packhouse.actions.downloads import Downloads
from packhouse.actions.packhouse import Packhouse
from packhouse.domain.channels import Privacy
from packhouse.storage.database import Database
from packhouse.web.application import Application
from packhouse.web.protocols.conda import KEPT_BYTES, KEPT_SECONDS
from tests.asgi import request
from tests.house import House
from tests.web.conftest import People

FILE = "/api/repo/tools/noarch/demo-1.0-0.conda"
INDEX = "/api/repo/tools/noarch/repodata_shards.msgpack.zst"
MIB = 1024**2


@pytest.fixture
def tools(house: House) -> House:
    house.channel("tools")
    house.publish("tools", "demo")
    house.reindex_all()
    return house


@contextmanager
def counted(house: House) -> Iterator[list[int]]:
    """How often the database was asked for a snapshot meanwhile."""
    asked: list[int] = []
    engine = house.packhouse.database.engine

    def note(_connection: Any) -> None:
        asked.append(1)

    event.listen(engine, "begin", note)
    try:
        yield asked
    finally:
        event.remove(engine, "begin", note)


async def fetch(application: Application, path: str, *headers: tuple[bytes, bytes]) -> tuple[int, bytes]:
    """As `tests.asgi.request`, for many in one event loop."""
    status, body = 0, b""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        nonlocal status, body
        status = message.get("status", status)
        body += message.get("body", b"")

    scope = {"type": "http", "method": "GET", "path": path, "headers": list(headers), "query_string": b""}
    await application(scope, receive, send)
    return status, body


def test_same_request_again_asks_no_database(tools: House) -> None:
    tools.request("GET", INDEX)
    with counted(tools) as asked:
        for _ in range(20):
            assert tools.request("GET", INDEX).status == 200
    assert asked == []


def test_many_cold_requests_of_one_index_are_one_question(tools: House) -> None:
    async def ask_all() -> list[tuple[int, bytes]]:
        return await asyncio.gather(*(fetch(tools.application, INDEX) for _ in range(200)))

    with counted(tools) as asked:
        answers = asyncio.run(ask_all())

    assert asked == [1]
    assert {status for status, _ in answers} == {200}
    assert len(set(answers)) == 1


@pytest.mark.parametrize("path", [FILE, INDEX, "/api/repo/tools/noarch/repodata.json"])
def test_change_of_this_process_is_seen_by_the_next_request(tools: House, path: str) -> None:
    before = tools.request("GET", path)
    tools.remove("tools", "demo")
    tools.reindex_all()
    after = tools.request("GET", path)
    assert (after.status, after.body) != (before.status, before.body)


def test_request_after_a_change_does_not_wait_with_those_before_it(tools: House) -> None:
    """A look-up that began before a publication must not answer a request that came after it."""
    looked, go_on = threading.Event(), threading.Event()

    def hold(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if not statement.startswith("SELECT"):
            return  # the snapshot is taken by the first look
        if threading.current_thread().name.startswith("content") and not looked.is_set():
            looked.set()
            assert go_on.wait(20)

    async def race() -> tuple[tuple[int, bytes], tuple[int, bytes]]:
        early = asyncio.create_task(fetch(tools.application, "/api/repo/tools/noarch/late-1.0-0.conda"))
        await asyncio.to_thread(looked.wait, 20)
        await asyncio.to_thread(tools.publish, "tools", "late")
        late = await fetch(tools.application, "/api/repo/tools/noarch/late-1.0-0.conda")
        go_on.set()
        return await early, late

    engine = tools.packhouse.database.engine
    event.listen(engine, "after_cursor_execute", hold)
    try:
        early, late = asyncio.run(race())
    finally:
        event.remove(engine, "after_cursor_execute", hold)
    assert (early[0], late[0]) == (404, 200)
    assert tools.request("GET", "/api/repo/tools/noarch/late-1.0-0.conda").status == 200


@pytest.fixture
def neighbour(any_house: House) -> Iterator[tuple[House, Application]]:
    """Another process's application on the same database and blobs."""
    any_house.channel("tools")
    any_house.publish("tools", "demo")
    database = Database(any_house.packhouse.database.url)
    packhouse = Packhouse(any_house.packhouse.settings, database, any_house.packhouse.blobs)
    try:
        yield any_house, Application(packhouse, Downloads(packhouse))
    finally:
        database.close()


def seconds_until(application: Application, path: str, status: int) -> float:
    start = time.monotonic()
    while request(application, "GET", path).status != status:
        assert time.monotonic() - start < 10
        time.sleep(0.02)
    return time.monotonic() - start


def test_change_of_another_process_is_seen_within_a_moment(neighbour: tuple[House, Application]) -> None:
    house, other = neighbour
    assert request(other, "GET", FILE).status == 200
    index = request(other, "GET", INDEX)
    house.remove("tools", "demo")
    start = time.monotonic()
    assert seconds_until(other, FILE, 404) < KEPT_SECONDS + 0.5
    while request(other, "GET", INDEX).body == index.body:
        assert time.monotonic() - start < KEPT_SECONDS + 0.5
        time.sleep(0.02)
    house.publish("tools", "demo")
    assert seconds_until(other, FILE, 200) < KEPT_SECONDS + 0.5


def test_privacy_set_by_another_process_is_obeyed_within_a_moment(
    neighbour: tuple[House, Application],
) -> None:
    house, other = neighbour
    assert request(other, "GET", FILE).status == 200
    admin = house.session("admin")
    house.request("PUT", "/api/channels/tools", admin, json={"privacy": "private"})
    assert seconds_until(other, FILE, 401) < KEPT_SECONDS + 0.5
    assert seconds_until(other, INDEX, 401) < KEPT_SECONDS + 0.5


def test_answer_for_one_is_never_that_for_another(house: House, people: People) -> None:
    people.channel("tools", Privacy.PRIVATE)
    house.publish("tools", "demo")
    expected = {"owner": 200, "reader": 200, "stranger": 404, "viewer": 404, "anonymous": 401, "admin": 200}
    for _ in range(3):
        assert {who: house.request("GET", FILE, people[who]).status for who in expected} == expected


def test_answer_for_an_x_auth_is_not_that_for_the_same_bearer_behind_another(
    house: House, people: People
) -> None:
    people.channel("tools", Privacy.PRIVATE)
    house.publish("tools", "demo")
    bearer = {"authorization": f"Bearer {people['owner']}"}
    assert house.request("GET", FILE, None, bearer).status == 200
    both = {**bearer, "x-auth": str(people["stranger"])}
    assert house.request("GET", FILE, None, both).status == 404


def test_answers_kept_for_made_up_addresses_and_credentials_stay_within_bounds(tools: House) -> None:
    """Nothing that a stranger sends makes the memory grow without end."""
    padding = b"x" * 60_000

    async def ask_all() -> None:
        for number in range(1_000):
            header = (b"authorization", b"Bearer %d" % number + padding)
            assert (await fetch(tools.application, INDEX, header))[0] == 401
            path = f"/api/repo/tools/noarch/{number}" + "x" * 20_000
            await fetch(tools.application, path, (b"x-auth", b"%d" % number + padding))

    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        asyncio.run(ask_all())
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < KEPT_BYTES * 1.25
