"""Steps that are done again after a crash, and mirrors that are started while they are deleted."""

from typing import Any

import pytest
from sqlalchemy import Connection

from packhouse.actions.mirrors import specify
from packhouse.actions.mirrors.read_indexes import read_indexes
from packhouse.actions.mirrors.runs import restart_mirror
from packhouse.actions.mirrors.specify import Contents, delete_mirror
from packhouse.actions.mirrors.work import working
from packhouse.domain.mirror_runs import MirrorRun
from packhouse.storage import mirror_upstreams
from tests.actions.ledger import once
from tests.listed_channel import ListedChannel
from tests.mirroring import MirrorHouse
from tests.upstream import Upstream

TOOL = "noarch/tool-1.0-0.conda"


class Killed(BaseException):
    """The process ends here."""


def die() -> None:
    raise Killed


@pytest.fixture
def channel(upstream: Upstream) -> ListedChannel:
    channel = ListedChannel(upstream.folder)
    channel.put("tool-1.0-0.conda", depends=["nothing-has-this-name"])
    channel.write()
    return channel


def run_whose_end_is_done_again(mirrors: MirrorHouse, monkeypatch: pytest.MonkeyPatch) -> MirrorRun:
    """It is killed after all that its only subdir lists was taken in, and before that was written down."""
    run = mirrors.ask("data")
    has_unsettled = mirror_upstreams.has_unsettled
    dies_once = once(die)

    def dies_when_noarch_ends(connection: Connection, mirror_id: int, subdir: str) -> bool:
        if subdir == "noarch":
            dies_once()
        return has_unsettled(connection, mirror_id, subdir)

    monkeypatch.setattr(mirror_upstreams, "has_unsettled", dies_when_noarch_ends)
    with pytest.raises(Killed):
        mirrors.work_on(run)
    return mirrors.work_on(run)


def told(mirrors: MirrorHouse, run: MirrorRun) -> list[tuple[str, str]]:
    items = mirrors.api(f"/api/channels/data/mirrors/twin/runs/{run.uuid}/changes")["items"]
    return [(one["action"], one["ckey"]) for one in items]


def test_file_that_clashes_is_refused_once_though_its_step_is_done_twice(
    any_mirrors: MirrorHouse, upstream: Upstream, channel: ListedChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    any_mirrors.house.channel("data")
    any_mirrors.house.publish("data", "tool")
    any_mirrors.mirror("data", upstream.url)
    run = run_whose_end_is_done_again(any_mirrors, monkeypatch)
    assert (told(any_mirrors, run), run.tally.refused) == ([("refused", TOOL)], 1)


def test_entry_of_the_index_is_refused_once_though_its_step_is_done_twice(
    any_mirrors: MirrorHouse, upstream: Upstream, channel: ListedChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel.list("Wrong_Name!-1.0-0.conda", name="Wrong Name!")
    channel.write()
    any_mirrors.mirror("data", upstream.url)
    run = run_whose_end_is_done_again(any_mirrors, monkeypatch)
    refused = [ckey for action, ckey in told(any_mirrors, run) if action == "refused"]
    assert (len(refused), run.tally.refused) == (1, 1)


def test_missing_dependency_is_told_once_though_its_step_is_done_twice(
    any_mirrors: MirrorHouse, upstream: Upstream, channel: ListedChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    any_mirrors.mirror("data", upstream.url, only_specs=["tool"], include_dependencies=True)
    run = any_mirrors.ask("data")
    for _ in range(2):
        assert_index_is_read(any_mirrors, run)
        with any_mirrors.packhouse.database.transaction() as connection:
            mirror_upstreams.forget(connection, any_mirrors.the("data").id)
    missing = [one for one in told(any_mirrors, run) if one[0] == "refused"]
    assert missing == [("refused", "linux-64/nothing-has-this-name")]


def assert_index_is_read(mirrors: MirrorHouse, run: MirrorRun) -> None:
    with working(mirrors.packhouse, run.uuid) as work:
        read_indexes(work)
    assert mirrors.as_it_is(run).state.is_under_way


@pytest.mark.parametrize("mode", ["active", "passive"])
@pytest.mark.parametrize("contents", list(Contents))
def test_mirror_that_is_restarted_while_it_is_deleted_leaves_nothing_dangling(
    any_mirrors: MirrorHouse,
    upstream: Upstream,
    channel: ListedChannel,
    monkeypatch: pytest.MonkeyPatch,
    mode: str,
    contents: Contents,
) -> None:
    packhouse, admin = any_mirrors.packhouse, any_mirrors.house.admin
    any_mirrors.mirror("data", upstream.url, mode=mode)
    let_go = specify._let_go

    def restart() -> None:
        restart_mirror(packhouse, admin, "data", "twin")
        channel.put("newer-1.0-0.conda")
        channel.write()
        any_mirrors.run("data")

    restarts_once = once(restart)

    def let_go_and_be_restarted(*arguments: Any) -> int | None:
        last = let_go(*arguments)
        if last is None:
            restarts_once()
        return last

    monkeypatch.setattr(specify, "_let_go", let_go_and_be_restarted)
    any_mirrors.run("data")
    delete_mirror(packhouse, admin, "data", "twin", contents)
    assert any_mirrors.api("/api/channels/data/mirrors")["items"] == []
    is_kept = mode == "active" and contents is Contents.KEEP
    assert any_mirrors.listed("data").keys() == ({"tool", "newer"} if is_kept else set())
    assert any_mirrors.faults() == []
