"""The log-in of a device: approved by a person in time, fetched once, and guessed by nobody."""

from dataclasses import dataclass
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from packhouse.actions import device_login
from packhouse.actions.authenticate import Credential, authenticate
from packhouse.actions.device_login import (
    BegunLogin,
    approve_device_login,
    begin_device_login,
    deny_device_login,
    find_device_login,
    redeem_device_code,
)
from packhouse.actions.packhouse import LOGINS_ALLOWED, Packhouse
from packhouse.actions.passwords import FAILURES_ALLOWED
from packhouse.actions.sweep import sweep
from packhouse.actions.users import change_password
from packhouse.domain.access import Actor
from packhouse.domain.device_logins import (
    LIFE,
    USER_CODE_ALPHABET,
    DeviceState,
    new_user_code,
    read_host,
    read_user_code,
)
from packhouse.domain.oauth import CLIENTS
from packhouse.errors import GrantRefused, NotFound, TooManyRequests, Unauthenticated
from packhouse.storage import tables
from tests.actions.conftest import AddUser, Clock

[CLIENT] = CLIENTS
ADDRESS = "192.0.2.1"


@dataclass
class Device:
    """A terminal that waits; `ann` may answer."""

    packhouse: Packhouse
    begun: BegunLogin

    def approve(self, password: str = "ann-password") -> None:
        approve_device_login(self.packhouse, self.begun.user_code, ADDRESS, "ann", password)

    def deny(self) -> None:
        deny_device_login(self.packhouse, self.begun.user_code, ADDRESS)

    def fetch(self, client_id: str = CLIENT) -> str:
        return redeem_device_code(self.packhouse, client_id, self.begun.device_code).token

    def refused(self) -> str:
        with pytest.raises(GrantRefused) as refused:
            self.fetch()
        return refused.value.code


@pytest.fixture
def device(packhouse: Packhouse, ann: Actor) -> Device:
    return Device(packhouse, begin_device_login(packhouse, CLIENT, "laptop", ADDRESS, ADDRESS))


def guess(packhouse: Packhouse, code: str = "BBBB-BBBB", guesser: str = ADDRESS) -> None:
    find_device_login(packhouse, code, guesser)


def test_approved_device_acts_as_the_user(device: Device, ann: Actor) -> None:
    device.approve()

    assert authenticate(device.packhouse, Credential(device.fetch())) == ann


def test_device_waits_until_somebody_answers(device: Device) -> None:
    assert device.refused() == "authorization_pending"


def test_denied_device_is_told_so_each_time(device: Device) -> None:
    device.deny()

    assert [device.refused(), device.refused()] == ["access_denied", "access_denied"]


def test_device_code_is_good_for_one_time(device: Device) -> None:
    device.approve()
    device.fetch()

    assert device.refused() == "invalid_grant"


def test_device_that_asks_too_often_is_told_to_slow_down(device: Device, clock: Clock) -> None:
    device.refused()
    clock.advance(seconds=0.5)
    assert device.refused() == "slow_down"
    clock.advance(seconds=2)
    assert device.refused() == "authorization_pending"


def test_approved_device_that_asks_at_once_is_let_in(device: Device) -> None:
    device.refused()
    device.approve()

    assert device.fetch()


def test_expired_device_code_is_told_as_such_though_it_was_approved(device: Device, clock: Clock) -> None:
    device.approve()
    clock.advance(seconds=LIFE.total_seconds())

    assert device.refused() == "expired_token"


def test_unknown_client_fetches_nothing(device: Device) -> None:
    device.approve()

    with pytest.raises(GrantRefused) as refused:
        device.fetch("another")
    assert refused.value.code == "invalid_client"


def test_device_code_of_another_client_is_unknown(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("packhouse.domain.oauth.CLIENTS", {**CLIENTS, "another": "Another program"})
    device.approve()

    with pytest.raises(GrantRefused) as refused:
        device.fetch("another")
    assert refused.value.code == "invalid_grant"


@pytest.mark.parametrize("client_id", ["", "another", "a\0"])
def test_unknown_client_begins_nothing(packhouse: Packhouse, client_id: str) -> None:
    with pytest.raises(GrantRefused):
        begin_device_login(packhouse, client_id, None, None, ADDRESS)


def test_wrong_password_approves_nothing(device: Device) -> None:
    with pytest.raises(Unauthenticated):
        device.approve("wrong")

    assert device.refused() == "authorization_pending"


def test_answer_is_final(device: Device) -> None:
    device.deny()

    for again in (device.approve, device.deny):
        with pytest.raises(NotFound):
            again()
    assert device.refused() == "access_denied"


def test_expired_code_cannot_be_approved(device: Device, clock: Clock) -> None:
    clock.advance(seconds=LIFE.total_seconds())

    with pytest.raises(NotFound, match="expired"):
        device.approve()


def test_changed_password_ends_what_was_approved_and_not_fetched(device: Device, ann: Actor) -> None:
    device.approve()
    change_password(device.packhouse, ann, "ann", "another password")

    assert device.refused() == "invalid_grant"


def test_device_is_shown_as_it_asked(device: Device) -> None:
    login = find_device_login(device.packhouse, device.begun.user_code, ADDRESS)

    assert (login.host, login.address, login.client_id) == ("laptop", ADDRESS, CLIENT)
    assert (login.state, login.user_id) == (DeviceState.PENDING, None)


def test_device_code_is_stored_as_a_digest_alone(device: Device) -> None:
    with device.packhouse.database.reading() as connection:
        [row] = connection.execute(select(tables.device_login))

    assert device.begun.device_code not in map(str, row)


def test_log_ins_begun_are_limited_by_address(device: Device, clock: Clock) -> None:
    for _ in range(LOGINS_ALLOWED - 1):  # the device's own is the first
        begin_device_login(device.packhouse, CLIENT, None, None, ADDRESS)

    with pytest.raises(TooManyRequests, match="log-ins begun from this address"):
        begin_device_login(device.packhouse, CLIENT, None, None, ADDRESS)
    begin_device_login(device.packhouse, CLIENT, None, None, "192.0.2.2")
    clock.advance(minutes=5)
    begin_device_login(device.packhouse, CLIENT, None, None, ADDRESS)


# --- guessing ---------------------------------------------------------------------------------


def test_guesses_are_limited_by_address(device: Device, clock: Clock) -> None:
    for _ in range(FAILURES_ALLOWED):
        with pytest.raises(NotFound):
            guess(device.packhouse)

    with pytest.raises(TooManyRequests, match="wrong codes"):
        guess(device.packhouse, device.begun.user_code)
    guess(device.packhouse, device.begun.user_code, "192.0.2.2")
    clock.advance(minutes=5)
    guess(device.packhouse, device.begun.user_code)


def test_right_code_costs_nothing_and_buys_no_guesses(device: Device) -> None:
    for _ in range(2 * FAILURES_ALLOWED):
        guess(device.packhouse, device.begun.user_code)
    for number in range(1, FAILURES_ALLOWED + 1):
        with pytest.raises(NotFound):
            guess(device.packhouse)
        if number < FAILURES_ALLOWED:
            guess(device.packhouse, device.begun.user_code)

    with pytest.raises(TooManyRequests):
        guess(device.packhouse)


def test_log_ins_that_wait_are_bounded(device: Device, monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    monkeypatch.setattr(device_login, "MAX_WAITING", 1)
    with pytest.raises(TooManyRequests):
        begin_device_login(device.packhouse, CLIENT, None, None, ADDRESS)

    clock.advance(minutes=30)
    sweep(device.packhouse)
    begin_device_login(device.packhouse, CLIENT, None, None, ADDRESS)


def test_sweep_forgets_log_ins_some_time_after_they_expired(device: Device, clock: Clock) -> None:
    clock.now += LIFE + timedelta(minutes=9)
    assert sweep(device.packhouse).logins == 0
    assert device.refused() == "expired_token"

    clock.advance(minutes=2)
    assert sweep(device.packhouse).logins == 1
    assert device.refused() == "invalid_grant"


# --- codes ------------------------------------------------------------------------------------


@given(st.sampled_from(["", "-", " ", "--", "\t"]), st.booleans())
def test_user_code_is_read_in_any_case_and_punctuation(separator: str, is_lower: bool) -> None:
    code = new_user_code()
    typed = code.replace("-", separator)

    assert read_user_code(typed.lower() if is_lower else typed) == code


@given(st.text())
def test_what_cannot_be_a_user_code_is_none(text: str) -> None:
    read = read_user_code(text)

    assert read is None or set(read) <= {*USER_CODE_ALPHABET, "-"}


@pytest.mark.parametrize("text", ["", "BBBB", "BBBB-BBBBB", "AAAA-AAAA", "B1BB-BBBB", "ÉBBB-BBBB"])
def test_code_of_other_letters_or_length_is_none(text: str) -> None:
    assert read_user_code(text) is None


@pytest.mark.parametrize("text", [None, "", "a\nb", "\x1b[31m", "ä", "x" * 101])
def test_host_that_should_not_be_shown_is_none(text: str | None) -> None:
    assert read_host(text) is None


def test_user_of_an_approved_device_may_go(device: Device, add_user: AddUser) -> None:
    """Their rows go with them, so the device finds nothing."""
    device.approve()
    with device.packhouse.database.transaction() as connection:
        connection.execute(tables.user.delete().where(tables.user.c.username == "ann"))

    assert device.refused() == "invalid_grant"
