"""Files of passive mirrors on their way: how many at a time, for how long, and from whom."""

import asyncio
import fcntl
import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from packhouse.actions.mirrors import fetching as on_its_way
from packhouse.actions.mirrors import on_demand
from packhouse.actions.mirrors.arrivals import Arrival, arrive
from packhouse.actions.mirrors.fetching import Fetching
from packhouse.actions.mirrors.on_demand import OnDemand
from packhouse.domain.artifacts import Entry
from packhouse.errors import Busy
from packhouse.formats.conda.told import Told
from packhouse.storage import blob_rows, channels, entries, mirrors
from packhouse.web.asgi import Message
from packhouse.web.protocols.content import Answer
from packhouse.web.protocols.following import Left, send_while_it_comes
from tests.listed_channel import ListedChannel
from tests.live import wait_until
from tests.mirroring import MirrorHouse
from tests.upstream import Upstream, cut_after, hang_before, slow, status

FIRST, SECOND = "noarch/first-1.0-0.conda", "noarch/second-1.0-0.conda"
CONTENT = bytes(range(256)) * 8_000


@pytest.fixture
def listed(upstream: Upstream) -> ListedChannel:
    channel = ListedChannel(upstream.folder)
    for ckey in (FIRST, SECOND):
        channel.put(ckey.removeprefix("noarch/"), content=ckey.encode() + CONTENT)
    channel.write()
    return channel


@pytest.fixture
def passive(any_mirrors: MirrorHouse, upstream: Upstream, listed: ListedChannel) -> MirrorHouse:
    """A passive mirror in `data`, which has listed both files and fetched none."""
    return list_in(any_mirrors, "data", upstream)


@pytest.fixture
def other(upstream: Upstream, listed: ListedChannel) -> Iterator[Upstream]:
    """Another server of the same files."""
    with Upstream(upstream.folder) as other:
        yield other


def list_in(house: MirrorHouse, channel: str, upstream: Upstream) -> MirrorHouse:
    house.mirror(channel, upstream.url)
    house.run(channel)
    upstream.log.clear()
    return house


def entry_of(house: MirrorHouse, ckey: str, channel: str = "data") -> Entry:
    with house.packhouse.database.reading() as connection:
        found = entries.find(connection, channels.get(connection, channel).id, ckey)
    assert found is not None
    return found


def ask(on_demand: OnDemand, house: MirrorHouse, ckey: str) -> Fetching:
    found = on_demand.fetch(entry_of(house, ckey))
    assert found is not None
    return found


# --- how many, and for how long


def test_more_than_the_most_at_a_time_are_asked_to_come_back(
    passive: MirrorHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_demand, "MOST_UNDER_WAY", 0)
    answer = passive.get(f"/api/repo/data/{FIRST}")
    assert (answer.status, answer.json()["code"], answer.headers["retry-after"]) == (503, "busy", "5")


def test_no_file_is_open_before_its_first_byte_is_here(passive: MirrorHouse, upstream: Upstream) -> None:
    upstream.misbehave("*.conda", hang_before())
    ask(OnDemand(passive.packhouse), passive, FIRST)
    wait_until(lambda: upstream.count("*.conda"))
    assert list(passive.packhouse.spool_dir.glob("*.part")) == []


def test_fetch_that_nobody_waits_for_makes_way(
    passive: MirrorHouse, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_demand, "MOST_UNDER_WAY", 1)
    monkeypatch.setattr(on_its_way, "FORSAKEN_SECONDS", 0)
    upstream.misbehave(f"/{FIRST}", hang_before())
    demand = OnDemand(passive.packhouse)
    ask(demand, passive, FIRST)
    second = ask(demand, passive, SECOND)
    second.listen(lambda: None)
    wait_until(lambda: second.is_done)


def test_fetch_that_somebody_waits_for_keeps_its_place(
    passive: MirrorHouse, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_demand, "MOST_UNDER_WAY", 1)
    monkeypatch.setattr(on_its_way, "FORSAKEN_SECONDS", 0)
    upstream.misbehave(f"/{FIRST}", hang_before())
    demand = OnDemand(passive.packhouse)
    ask(demand, passive, FIRST).listen(lambda: None)
    with pytest.raises(Busy):
        demand.fetch(entry_of(passive, SECOND))


def test_fetch_that_all_have_left_is_given_up_and_continued_by_the_next_who_asks(
    passive: MirrorHouse, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream.misbehave("*.conda", slow(2_000_000))
    demand = OnDemand(passive.packhouse)
    first = ask(demand, passive, FIRST)

    def listener() -> None:
        return None

    first.listen(listener)
    wait_until(lambda: first.readable)
    monkeypatch.setattr(on_its_way, "FORSAKEN_SECONDS", 0)
    first.leave(listener)
    wait_until(lambda: first.error)
    upstream.behave()
    wait_until(lambda: not _is_locked(passive, FIRST))
    second = ask(demand, passive, FIRST)
    second.listen(listener)
    wait_until(lambda: second.is_done)
    ranges = [one.range for one in upstream.asked("*.conda")]
    assert ranges[0] is None
    assert ranges[1] is not None


def _is_locked(house: MirrorHouse, ckey: str) -> bool:
    """Whether a transfer still holds the partial file."""
    [path] = house.packhouse.spool_dir.glob(f"{entry_of(house, ckey).artifact.digests.sha256}-*.part")
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def test_client_that_goes_is_not_waited_for() -> None:
    fetching = Fetching(100)

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        raise AssertionError(message)

    with pytest.raises(Left):
        asyncio.run(send_while_it_comes(fetching, Answer(), receive, send, whole=True))
    assert fetching._listeners == []


def test_upstream_that_breaks_off_is_one_line_in_the_log(passive: MirrorHouse, upstream: Upstream) -> None:
    upstream.misbehave("*.conda", cut_after(300_000), slow(3_000_000))
    with capture_logs() as lines:
        answer = passive.get(f"/api/repo/data/{FIRST}")
    assert len(answer.body) < int(answer.headers["content-length"])
    said = [(one["log_level"], one["event"]) for one in lines if one["log_level"] != "info"]
    assert said == [("warning", "file_broken_off")]


# --- from whom


def test_file_is_fetched_by_its_own_channels_mirror_alone(
    any_mirrors: MirrorHouse, upstream: Upstream, other: Upstream
) -> None:
    list_in(any_mirrors, "first", upstream)
    list_in(any_mirrors, "second", other)
    other.misbehave("*.conda", status(404))
    assert any_mirrors.get(f"/api/repo/second/{FIRST}").status == 502
    other.behave()
    assert any_mirrors.file("second", FIRST) == FIRST.encode() + CONTENT
    assert (upstream.count("*.conda"), other.count("*.conda")) == (0, 2)


def test_copy_is_fetched_from_the_next_mirror_that_lists_it_where_the_first_cannot(
    any_mirrors: MirrorHouse, upstream: Upstream, other: Upstream
) -> None:
    list_in(any_mirrors, "first", upstream)
    list_in(any_mirrors, "second", other)
    any_mirrors.house.channel("copies")
    any_mirrors.house.copy("first", "copies", FIRST)
    upstream.misbehave("*.conda", status(404))
    assert any_mirrors.file("copies", FIRST) == FIRST.encode() + CONTENT
    assert (upstream.count("*.conda"), other.count("*.conda")) == (1, 1)


# --- with others who write


@pytest.mark.parametrize("any_house", ["large"], indirect=True)
def test_arrival_waits_for_the_channel_before_it_locks_anything(passive: MirrorHouse) -> None:
    """Runs and whoever publishes lock the channel first, then bytes and mirrors."""
    house, entry = passive.packhouse, entry_of(passive, FIRST)
    sha256, now = entry.artifact.digests.sha256, house.clock()
    failures: list[Exception] = []
    with house.database.transaction() as connection:
        blob_rows.claim_all(connection, {sha256: entry.artifact.digests.size}, now)

    def arrives() -> None:
        arrival = Arrival(entry.artifact.id, sha256, Told({}, b"{}", {}, {}))
        try:
            with house.database.transaction() as connection:
                arrive(connection, entry.channel_id, [arrival], now)
        except Exception as error:
            failures.append(error)

    def is_waited_for() -> bool:
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        with house.database.reading() as connection:
            return bool(connection.execute(text(waiting)).scalar())

    thread = threading.Thread(target=arrives)
    with house.database.transaction() as connection:
        channels.lock(connection, [entry.channel_id], now)
        thread.start()
        wait_until(is_waited_for)
        blob_rows.confirm_all(connection, [sha256])
        mirrors.add_counts(connection, passive.the("data").id)
    thread.join()
    assert failures == []
