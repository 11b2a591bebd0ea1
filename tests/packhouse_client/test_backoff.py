"""Waiting between tries: longer each time, never for what will not pass, never for ever."""

import pytest

from packhouse_client.errors import (
    ClientError,
    Conflict,
    Forbidden,
    Interrupted,
    Invalid,
    StorageFull,
    Unreachable,
    Untrusted,
)
from packhouse_client.publishing.backoff import Backoff, may_pass


def busy(wait_seconds: float | None = None) -> ClientError:
    error = ClientError("Too busy.", 503)
    error.wait_seconds = wait_seconds
    return error


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (Unreachable("Nobody there."), True),
        (Untrusted("Who is that?"), False),
        (Interrupted("Half.", 400), True),
        (ClientError("Too busy.", 503), True),
        (ClientError("Too often.", 429), True),
        (ClientError("Bad gateway.", 502), True),
        (ClientError("Broken.", 500), True),
        (StorageFull("Full.", 507), False),
        (Invalid("No.", 400), False),
        (Forbidden("No.", 403), False),
        (Conflict("No.", 409), False),
    ],
)
def test_what_may_pass(error: ClientError, passes: bool) -> None:
    assert may_pass(error) is passes


def test_waits_grow_up_to_a_limit_and_are_told_before() -> None:
    told: list[tuple[str, float]] = []
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        assert told[-1] == ("Too busy.", seconds)
        waited.append(seconds)

    backoff = Backoff(lambda reason, seconds: told.append((reason, seconds)), tries=12, sleep=sleep)
    for _ in range(11):
        backoff.wait(busy())

    limits = [min(30, 0.5 * 2**number) for number in range(11)]
    assert all(limit / 2 <= one <= limit for one, limit in zip(waited, limits, strict=True))


def test_two_clients_do_not_wait_alike() -> None:
    waited: list[float] = []
    for _ in range(5):
        Backoff(sleep=waited.append).wait(busy())
    assert len(set(waited)) > 1


def test_tries_end() -> None:
    backoff = Backoff(tries=3, sleep=lambda _: None)
    backoff.wait(busy())
    backoff.wait(busy())
    with pytest.raises(ClientError, match="Too busy"):
        backoff.wait(busy())


def test_success_begins_to_count_anew() -> None:
    waited: list[float] = []
    backoff = Backoff(tries=2, sleep=waited.append)
    for _ in range(5):
        backoff.wait(busy())
        backoff.succeeded()
    assert max(waited) <= 0.5


def test_server_may_ask_for_a_longer_wait() -> None:
    waited: list[float] = []
    Backoff(sleep=waited.append).wait(busy(wait_seconds=7))
    assert waited == [7]


def test_server_that_asks_for_too_long_a_wait_is_given_up() -> None:
    with pytest.raises(ClientError, match="Too busy"):
        Backoff(sleep=lambda _: None).wait(busy(wait_seconds=3600))


def test_what_will_not_pass_is_raised_at_once() -> None:
    with pytest.raises(Conflict):
        Backoff(sleep=lambda _: None).wait(Conflict("No.", 409))


def test_conflict_that_is_known_to_pass_is_waited_for() -> None:
    waited: list[float] = []
    Backoff(sleep=waited.append).wait(Conflict("Elsewhere.", 409), is_known_to_pass=True)
    assert len(waited) == 1
