"""When mirrors run by the clock: in their own time zone, once for all the hours that nobody was there."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from packhouse.actions.mirrors.runs import ask_for_due_runs, end_run, runs_to_work_on
from packhouse.domain.mirror_runs import Trigger
from packhouse.domain.mirrors import MirrorState
from tests.house import House
from tests.mirroring import NAME, MirrorHouse, mirroring

SOURCE = "http://127.0.0.1:9/channel"


class Clock:
    """Stands still until it is set."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def scheduled(house: House, clock: Clock) -> Iterator[MirrorHouse]:
    house.packhouse = replace(house.packhouse, clock=clock)
    with mirroring(house) as mirrors:
        mirrors.mirror("data", SOURCE)
        yield mirrors


def set_cron(mirrors: MirrorHouse, cron: str, timezone: str = "UTC") -> None:
    mirrors.update("data", cron=cron, timezone=timezone)


def begun(mirrors: MirrorHouse, clock: Clock, days: int, since: datetime) -> list[datetime]:
    """When runs began while the clock went on minute by minute; each ends at once."""
    found = []
    clock.now = since
    while clock.now < since + timedelta(days=days):
        if ask_for_due_runs(mirrors.packhouse):
            found.append(clock.now)
            end_all(mirrors)
        clock.now += timedelta(minutes=30)
    return found


def end_all(mirrors: MirrorHouse) -> None:
    for run in runs_to_work_on(mirrors.packhouse):
        end_run(mirrors.packhouse, run.uuid, MirrorState.COMPLETED)


def shown_next_run(mirrors: MirrorHouse) -> datetime:
    shown = datetime.fromisoformat(told(mirrors)["next_run_at"])
    assert shown.utcoffset() == timedelta(0)
    return shown


def told(mirrors: MirrorHouse) -> dict[str, Any]:
    """By somebody who logs in now: sessions end, too, as the clock goes on."""
    session = mirrors.house.session("admin")
    answer = mirrors.house.request("GET", f"/api/channels/data/mirrors/{NAME}", session)
    shown: dict[str, Any] = json.loads(answer.body)
    return shown


def test_mirror_runs_at_its_hour_and_tells_when_it_runs_next(scheduled: MirrorHouse, clock: Clock) -> None:
    set_cron(scheduled, "0 3 * * *")
    assert shown_next_run(scheduled) == datetime(2026, 1, 1, 3, tzinfo=UTC)

    clock.now = datetime(2026, 1, 1, 2, 59, 59, tzinfo=UTC)
    assert ask_for_due_runs(scheduled.packhouse) == 0
    clock.now = datetime(2026, 1, 1, 3, tzinfo=UTC)
    assert ask_for_due_runs(scheduled.packhouse) == 1

    [run] = runs_to_work_on(scheduled.packhouse)
    assert (run.trigger, run.state) == (Trigger.SCHEDULE, MirrorState.PENDING)
    assert shown_next_run(scheduled) == datetime(2026, 1, 2, 3, tzinfo=UTC)


def test_hour_that_the_clock_leaves_out_in_spring_is_made_up_for(
    scheduled: MirrorHouse, clock: Clock
) -> None:
    clock.now = since = datetime(2026, 3, 27, 23, tzinfo=UTC)
    set_cron(scheduled, "30 2 * * *", "Europe/Berlin")
    # From 2:00 to 3:00 on the 29th there is no local time: 3:00 summer time is 1:00 UTC.
    expected = ["2026-03-28T01:30", "2026-03-29T01:00", "2026-03-30T00:30"]
    assert begun(scheduled, clock, days=3, since=since) == [at(moment) for moment in expected]


def test_hour_that_comes_twice_in_autumn_counts_once(scheduled: MirrorHouse, clock: Clock) -> None:
    clock.now = since = datetime(2026, 10, 23, 23, tzinfo=UTC)
    set_cron(scheduled, "30 2 * * *", "Europe/Berlin")
    # On the 25th it is 2:30 at 0:30 and at 1:30 UTC.
    expected = ["2026-10-24T00:30", "2026-10-25T00:30", "2026-10-26T01:30"]
    assert begun(scheduled, clock, days=3, since=since) == [at(moment) for moment in expected]


def at(moment: str) -> datetime:
    return datetime.fromisoformat(moment).replace(tzinfo=UTC)


def test_hours_missed_while_the_server_was_off_are_made_up_for_by_one_run(
    scheduled: MirrorHouse, clock: Clock
) -> None:
    set_cron(scheduled, "0 * * * *")
    clock.now += timedelta(days=10, minutes=20)
    assert ask_for_due_runs(scheduled.packhouse) == 1
    assert ask_for_due_runs(scheduled.packhouse) == 0
    assert len(runs_to_work_on(scheduled.packhouse)) == 1
    assert shown_next_run(scheduled) == datetime(2026, 1, 11, 1, tzinfo=UTC)


def test_hour_that_comes_while_the_mirror_runs_begins_no_second_run(
    scheduled: MirrorHouse, clock: Clock
) -> None:
    set_cron(scheduled, "0 * * * *")
    clock.now += timedelta(hours=1)
    ask_for_due_runs(scheduled.packhouse)
    clock.now += timedelta(hours=1)
    ask_for_due_runs(scheduled.packhouse)
    assert len(runs_to_work_on(scheduled.packhouse)) == 1
    assert shown_next_run(scheduled) == datetime(2026, 1, 1, 3, tzinfo=UTC)


def test_mirror_without_cron_never_comes_round(scheduled: MirrorHouse, clock: Clock) -> None:
    clock.now += timedelta(days=1_000)
    assert ask_for_due_runs(scheduled.packhouse) == 0
    assert told(scheduled)["next_run_at"] is None


def test_other_cron_counts_from_the_moment_of_the_change(scheduled: MirrorHouse, clock: Clock) -> None:
    set_cron(scheduled, "0 3 * * *")
    clock.now = datetime(2026, 1, 1, 2, 30, tzinfo=UTC)
    set_cron(scheduled, "0 2 * * *")
    assert ask_for_due_runs(scheduled.packhouse) == 0
    assert shown_next_run(scheduled) == datetime(2026, 1, 2, 2, tzinfo=UTC)
