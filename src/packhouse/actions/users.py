"""Create users and change their passwords."""

import secrets
from uuid import uuid4

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from packhouse.actions.login import end_sessions
from packhouse.actions.packhouse import Packhouse
from packhouse.domain.access import Actor, Role, require_admin, require_self, require_user
from packhouse.domain.events import EventType
from packhouse.domain.users import User, check_email, check_password, check_username
from packhouse.errors import Conflict, NotFound, Unauthenticated
from packhouse.storage import events, users

FIRST_ADMIN = "admin"


def create_user(
    packhouse: Packhouse,
    actor: Actor | None,
    username: str,
    password: str,
    role: Role = Role.AUTHOR,
    email: str | None = None,
) -> User:
    """Create a user; `actor` None is the operator. Raises Conflict where the name or address is taken."""
    if actor is not None:
        require_admin(actor)
    _check(username, password, email)
    password_hash = packhouse.passwords.hash(password)
    try:
        with packhouse.database.transaction() as connection:
            return _create(packhouse, connection, actor, username, password_hash, role, email)
    except IntegrityError as error:  # another request created it between our look and our insert
        raise _taken(username) from error


def _check(username: str, password: str, email: str | None) -> None:
    check_username(username)
    check_password(password)
    if email is not None:
        check_email(email)


def _create(
    packhouse: Packhouse,
    connection: Connection,
    actor: Actor | None,
    username: str,
    password_hash: str,
    role: Role,
    email: str | None,
) -> User:
    for name in filter(None, (username, email)):
        if users.is_name_taken(connection, name):
            raise _taken(name)
    now = packhouse.clock()
    values = {
        "username": username,
        "email": email,
        "password_hash": password_hash,
        "role": role.value,
        "created_at": now,
        "sessions_valid_from": now,
    }
    user_id = users.add(connection, str(uuid4()), values)
    data = {"username": username, "role": role.value}
    events.record(connection, now, EventType.USER_CREATED, actor, None, data)
    created = users.by_id(connection, user_id)
    assert created is not None
    return created


def _taken(name: str) -> Conflict:
    return Conflict(f"'{name}' is already the name or e-mail address of a user.")


def change_password(packhouse: Packhouse, actor: Actor | None, username: str, password: str) -> None:
    """Set a new password and end every session opened with the old one; `actor` None is the operator.

    Users change their own, administrators everybody's. Raises NotFound for an unknown user.
    """
    if actor is not None:
        require_self(actor)
        if actor.name != username:
            require_admin(actor)
    check_password(password)
    password_hash = packhouse.passwords.hash(password)
    with packhouse.database.transaction() as connection:
        user = users.by_username(connection, username)
        if user is None:
            raise NotFound(f"User '{username}' was not found.")
        now = packhouse.clock()
        users.set_password_hash(connection, user.id, password_hash)
        end_sessions(connection, user.id, now)
        events.record(connection, now, EventType.PASSWORD_CHANGED, actor, None, {"username": username})


def list_users(packhouse: Packhouse, actor: Actor | None) -> list[User]:
    """Everyone, by name; `actor` None is the operator."""
    if actor is not None:
        require_admin(actor)
    with packhouse.database.reading() as connection:
        return users.everyone(connection)


def user_of(packhouse: Packhouse, actor: Actor) -> User:
    """Whose credential it is; Unauthenticated for nobody's, or that of somebody who is gone."""
    user_id = require_user(actor)
    with packhouse.database.reading() as connection:
        user = users.by_id(connection, user_id)
    if user is None:
        raise Unauthenticated("The user of this credential is no longer here. Log in as another.")
    return user


def ensure_first_admin(packhouse: Packhouse) -> str | None:
    """Create `admin` where there is no administrator yet; answer the password if it had to be made up."""
    with packhouse.database.reading() as connection:
        if users.any_has_role(connection, Role.ADMIN):
            return None
    chosen = packhouse.settings.admin_password
    password = secrets.token_hex(12) if chosen is None else chosen.get_secret_value()
    try:
        create_user(packhouse, None, FIRST_ADMIN, password, Role.ADMIN)
    except Conflict:  # another process was first
        return None
    return password if chosen is None else None
