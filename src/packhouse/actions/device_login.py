"""Let a device in whose terminal shows a code: begin, answer in a browser, fetch the session (RFC 8628)."""

import secrets
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import Connection

from packhouse.actions.login import check_password
from packhouse.actions.packhouse import Packhouse
from packhouse.actions.sessions import Session, open_session
from packhouse.domain.device_logins import (
    LIFE,
    DeviceLogin,
    DeviceState,
    new_user_code,
    read_host,
    read_user_code,
    refusal_of,
    unknown_device_code,
)
from packhouse.domain.oauth import check_client
from packhouse.domain.tokens import secret_digest
from packhouse.domain.users import User
from packhouse.errors import NotFound, TooManyRequests
from packhouse.storage import device_logins, users
from packhouse.storage.database import retried

MAX_WAITING = 10_000
"""Anybody may begin a log-in; the table is kept from growing without end."""


@dataclass(frozen=True, slots=True)
class BegunLogin:
    """`device_code` is the secret that the device asks with; the user code is for a person to see."""

    device_code: str = field(repr=False)
    user_code: str


@retried  # two user codes of 20^8 may be the same
def begin_device_login(
    packhouse: Packhouse, client_id: str, host: str | None, address: str | None, asker: str
) -> BegunLogin:
    """Raises GrantRefused for an unknown client, TooManyRequests where far too many log-ins wait.

    `asker` is whose are counted together, so that nobody takes all the places there are.
    """
    check_client(client_id)
    now = packhouse.clock()
    packhouse.begun_logins.count(asker, now)
    begun = BegunLogin(secrets.token_urlsafe(32), new_user_code())
    login = DeviceLogin(
        0,
        begun.user_code,
        client_id,
        DeviceState.PENDING,
        None,
        read_host(host),
        address,
        now,
        now + LIFE,
        None,
    )
    with packhouse.database.transaction(quiet=True) as connection:
        if device_logins.count(connection) >= MAX_WAITING:
            raise TooManyRequests("Too many log-ins have been started. Try again in some minutes.", 60)
        device_logins.add(connection, login, secret_digest(begun.device_code))
    return begun


def find_device_login(packhouse: Packhouse, user_code: str, guesser: str) -> DeviceLogin:
    """The one that waits under this code. Raises NotFound, and TooManyRequests for who guesses codes.

    Only misses are counted against `guesser` (an address): a code of one's own must not buy new guesses.
    """
    now = packhouse.clock()
    packhouse.code_guesses.count(guesser, now)
    code = read_user_code(user_code)
    with packhouse.database.reading() as connection:
        login = None if code is None else device_logins.by_user_code(connection, code, now)
    if login is None:
        raise _unknown_user_code()
    packhouse.code_guesses.take_back(guesser)
    return login


def approve_device_login(
    packhouse: Packhouse, user_code: str, guesser: str, username: str, password: str
) -> DeviceLogin:
    """Let the device act as the user. Raises as `find_device_login`, and as `log_in` for a wrong password."""
    login = find_device_login(packhouse, user_code, guesser)
    user, _ = check_password(packhouse, username, password)
    return _answer(packhouse, login, DeviceState.APPROVED, user.id)


def deny_device_login(packhouse: Packhouse, user_code: str, guesser: str) -> DeviceLogin:
    """No password is asked: whoever knows the code may say that they did not start this."""
    login = find_device_login(packhouse, user_code, guesser)
    return _answer(packhouse, login, DeviceState.DENIED, None)


def _answer(packhouse: Packhouse, login: DeviceLogin, state: DeviceState, user_id: int | None) -> DeviceLogin:
    with packhouse.database.transaction(quiet=True) as connection:
        if not device_logins.answer(connection, login.user_code, state, user_id, packhouse.clock()):
            raise _unknown_user_code()
    return replace(login, state=state, user_id=user_id)


def _unknown_user_code() -> NotFound:
    return NotFound(
        "This code is unknown, was used before or has expired. Look at it again, or start the log-in again."
    )


def redeem_device_code(packhouse: Packhouse, client_id: str, device_code: str) -> Session:
    """The session of the user who approved the device, once; GrantRefused until then, and ever after."""
    check_client(client_id)
    now = packhouse.clock()
    with packhouse.database.transaction(quiet=True) as connection:
        login = device_logins.by_digest(connection, secret_digest(device_code))
        refusal = refusal_of(login, client_id, now)
        if login is not None:
            device_logins.note_asked(connection, login.id, now)
        approver = None if refusal or login is None else _taken(connection, login)
    if refusal is not None:  # outside, so that the transaction keeps when the device asked
        raise refusal
    if approver is None:
        raise unknown_device_code()
    return open_session(packhouse, *approver)


def _taken(connection: Connection, login: DeviceLogin) -> tuple[User, datetime] | None:
    """The approver and their `sessions_valid_from`; None if another request was first."""
    user_id = device_logins.take(connection, login.id)
    user = None if user_id is None else users.by_id(connection, user_id)
    return None if user is None else (user, users.sessions_valid_from(connection, user.id))
