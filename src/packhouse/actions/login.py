"""Log in with a user name and a password, and log out."""

from datetime import datetime, timedelta

from sqlalchemy import Connection

from packhouse.actions.packhouse import Packhouse
from packhouse.actions.sessions import Session, open_session
from packhouse.domain.access import Actor, require_self
from packhouse.domain.users import User, is_username
from packhouse.errors import Unauthenticated
from packhouse.storage import authorization_codes, device_logins, users


def log_in(packhouse: Packhouse, username: str, password: str) -> Session:
    """Open a session; Unauthenticated in the same words for a wrong name and a wrong password.

    Raises TooManyRequests after too many failures with one name.
    """
    user, valid_from = check_password(packhouse, username, password)
    return open_session(packhouse, user, valid_from)


def check_password(packhouse: Packhouse, username: str, password: str) -> tuple[User, datetime]:
    """The user whose password this is, and since when their sessions are valid. Raises as `log_in` does."""
    user, stored, valid_from = _what_is_stored(packhouse, username)
    is_right = packhouse.passwords.is_right(username, password, stored, packhouse.clock())
    if user is None or stored is None or valid_from is None or not is_right:
        raise Unauthenticated("The user name or the password is wrong.")
    _rehash_if_outdated(packhouse, user, password, stored)
    return user, valid_from


def _what_is_stored(packhouse: Packhouse, username: str) -> tuple[User | None, str | None, datetime | None]:
    if not is_username(username):  # a database may refuse what no user name can hold, such as NUL
        return None, None, None
    with packhouse.database.reading() as connection:
        user = users.by_username(connection, username)
        if user is None:
            return None, None, None
        valid_from = users.sessions_valid_from(connection, user.id)
        return user, users.password_hash(connection, user.id), valid_from


def _rehash_if_outdated(packhouse: Packhouse, user: User, password: str, stored: str) -> None:
    passwords = packhouse.passwords
    if passwords.is_outdated(stored):
        renewed = passwords.hash(password)
        with packhouse.database.transaction(quiet=True) as connection:
            users.replace_password_hash(connection, user.id, stored, renewed)


def log_out(packhouse: Packhouse, actor: Actor) -> None:
    """End every session of the actor, on all their machines; tokens live on until they are deleted."""
    user_id = require_self(actor)
    with packhouse.database.transaction() as connection:
        end_sessions(connection, user_id, packhouse.clock())


def end_sessions(connection: Connection, user_id: int, now: datetime) -> None:
    """Those that were allowed in a browser and not fetched yet end too. Tokens live on.

    Always a later moment than before, whatever the clock does: it is what tells sessions apart.
    """
    before = users.sessions_valid_from(connection, user_id)
    users.set_sessions_valid_from(connection, user_id, max(now, before + timedelta(microseconds=1)))
    device_logins.forget_of_user(connection, user_id)
    authorization_codes.forget_of_user(connection, user_id)
