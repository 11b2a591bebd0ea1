"""A user: somebody who can log in."""

import re
from dataclasses import dataclass
from datetime import datetime

from packhouse.domain.access import Role
from packhouse.errors import Invalid

USERNAME_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}")
RESERVED_USERNAMES = frozenset({"anonymous", "operator"})
"""Events call by these names whoever acts without being a user."""

EMAIL_SHAPE = re.compile(r"[^@\s]+@[^@\s]+")
MAX_EMAIL_LENGTH = 320
MIN_PASSWORD_LENGTH = 8
MAX_PASSWORD_LENGTH = 1024
"""Hashing is slow on purpose, so its input is bounded."""


@dataclass(frozen=True, slots=True)
class User:
    id: int
    uuid: str
    username: str
    email: str | None
    role: Role
    default_channel: str | None
    created_at: datetime


def is_username(text: str) -> bool:
    return USERNAME_PATTERN.fullmatch(text) is not None


def check_username(username: str) -> None:
    if not is_username(username):
        raise Invalid(
            f"'{username[:40]}' is no user name: it starts with a letter or digit, holds only letters, "
            "digits and '._@+-', and has at most 100 characters."
        )
    if username.lower() in RESERVED_USERNAMES:
        raise Invalid(f"'{username}' is a reserved name; choose another for the user.")


def check_email(email: str) -> None:
    """Only what would make an address useless to find somebody by; whether it works, a mail server knows."""
    if len(email) > MAX_EMAIL_LENGTH or not EMAIL_SHAPE.fullmatch(email) or not email.isprintable():
        raise Invalid(f"'{email[:40]}' is no e-mail address.")


def check_password(password: str) -> None:
    if len(password) < MIN_PASSWORD_LENGTH:
        raise Invalid(f"The password is shorter than {MIN_PASSWORD_LENGTH} characters.")
    if len(password) > MAX_PASSWORD_LENGTH:
        raise Invalid(f"The password is longer than {MAX_PASSWORD_LENGTH} characters.")
