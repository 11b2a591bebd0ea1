"""A log-in from a device: its terminal shows a code, and a person lets it in by a browser (RFC 8628)."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from packhouse.errors import GrantRefused

LIFE = timedelta(minutes=10)
INTERVAL = timedelta(seconds=2)
"""How long a device is told to wait between two questions."""
LEAST_INTERVAL = INTERVAL / 2
"""A device that asks sooner is told to slow down; one whose network was slow is not."""

USER_CODE_ALPHABET = "BCDFGHJKLMNPQRSTVWXZ"
"""No vowels, so no words, and nothing that looks like a digit (RFC 8628, 6.1)."""
USER_CODE_LENGTH = 8

MAX_HOST_LENGTH = 100


class DeviceState(StrEnum):
    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"


@dataclass(frozen=True, slots=True)
class DeviceLogin:
    """`host` is what the device calls itself, which proves nothing; `address` is where it asked from."""

    id: int
    user_code: str
    client_id: str
    state: DeviceState
    user_id: int | None
    host: str | None
    address: str | None
    created_at: datetime
    expires_at: datetime
    asked_at: datetime | None


def new_user_code() -> str:
    """One of 20^8, as `BCDF-GHJK`."""
    letters = "".join(secrets.choice(USER_CODE_ALPHABET) for _ in range(USER_CODE_LENGTH))
    return _in_two(letters)


def read_user_code(text: str) -> str | None:
    """The code as people type it, in any case and with any or no punctuation; None if it cannot be one."""
    letters = "".join(letter for letter in text.upper() if letter.isalnum())
    is_code = len(letters) == USER_CODE_LENGTH and set(letters) <= set(USER_CODE_ALPHABET)
    return _in_two(letters) if is_code else None


def _in_two(letters: str) -> str:
    half = USER_CODE_LENGTH // 2
    return f"{letters[:half]}-{letters[half:]}"


def read_host(text: str | None) -> str | None:
    """What a device may call itself; None if that is nothing to be shown."""
    is_shown = text and text.isascii() and text.isprintable() and len(text) <= MAX_HOST_LENGTH
    return text if is_shown else None


def refusal_of(login: DeviceLogin | None, client_id: str, now: datetime) -> GrantRefused | None:
    """Why the device is not let in, or not yet, in the words of RFC 8628, 3.5; None once it was approved."""
    if login is None or login.client_id != client_id:
        return unknown_device_code()
    if login.expires_at <= now:
        return GrantRefused("expired_token", "The code has expired. Start the log-in again.")
    if login.state is DeviceState.DENIED:
        return GrantRefused("access_denied", "The log-in was denied in the browser.")
    if login.state is DeviceState.APPROVED:
        return None
    if login.asked_at is not None and now - login.asked_at < LEAST_INTERVAL:
        return GrantRefused("slow_down", f"Ask every {INTERVAL.seconds} seconds, and not more often.")
    return GrantRefused("authorization_pending", "Nobody has answered in the browser yet.")


def unknown_device_code() -> GrantRefused:
    return GrantRefused("invalid_grant", "The device code is unknown here, or was used before.")
