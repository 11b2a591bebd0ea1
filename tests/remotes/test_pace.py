"""What `Retry-After` means, and how long a host is left alone."""

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packhouse.remotes import Pace
from packhouse.remotes.pace import MOST_ASKED_SECONDS, asked_seconds

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, 0),
        ("", 0),
        ("7", 7),
        (" 7 ", 7),
        ("0", 0),
        ("120", 120),
        ("121", 120),
        ("9" * 50, 120),
        ("-5", 0),
        ("1.5", 0),
        ("soon", 0),
        ("Sat, 31 Jan 2026 12:00:20 GMT", 20),
        ("Sat, 31 Jan 2026 11:00:00 GMT", 0),
        ("Sat, 31 Jan 2026 23:00:00 GMT", 120),
        ("Sat, 31 Jan 2026 12:00:20 -0000", 20),
        ("Sat, 99 Jan 2026 12:00:20 GMT", 0),
        ("Sat, 31 Jan 99999999999999999999 12:00:20 GMT", 0),
    ],
)
def test_retry_after_is_seconds_or_a_date(text: str | None, seconds: float) -> None:
    assert asked_seconds(text, NOW) == seconds


@given(st.text())
def test_whatever_retry_after_says_the_wait_is_bounded(text: str) -> None:
    assert 0 <= asked_seconds(text, NOW) <= MOST_ASKED_SECONDS


@given(st.integers(min_value=0, max_value=120))
def test_date_and_seconds_mean_the_same(seconds: int) -> None:
    date = format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)
    assert asked_seconds(date, NOW) == asked_seconds(str(seconds), NOW)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def paused(*pauses: float) -> Clock:
    clock = Clock()
    pace = Pace(sleep=clock.sleep, clock=lambda: clock.now)
    for seconds in pauses:
        pace.pause("upstream.example", seconds)
    asyncio.run(pace.wait_for("other.example"))
    assert clock.slept == []
    asyncio.run(pace.wait_for("upstream.example"))
    return clock


def test_paused_host_is_waited_for_and_no_other() -> None:
    assert paused(20).slept == [20]


def test_shorter_pause_does_not_end_a_longer_one() -> None:
    assert paused(20, 5).slept == [20]


def test_longer_pause_prolongs_a_shorter_one() -> None:
    assert paused(5, 20).slept == [20]


def test_no_pause_is_longer_than_the_cap() -> None:
    assert paused(10_000).slept == [MOST_ASKED_SECONDS]
