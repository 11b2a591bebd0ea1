"""Users are created by administrators and the operator; a changed password ends what the old one opened."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import select

from packhouse.actions.authenticate import Credential, authenticate
from packhouse.actions.login import log_in
from packhouse.actions.packhouse import Packhouse
from packhouse.actions.users import change_password, create_user, ensure_first_admin, list_users
from packhouse.domain.access import ANONYMOUS, SCOPES, Actor, Role
from packhouse.errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated
from packhouse.storage.tables import event, user

PASSWORD = "a good password"


def events_of(packhouse: Packhouse) -> list[tuple[str, str, Any]]:
    with packhouse.database.reading() as connection:
        rows = connection.execute(select(event.c.type, event.c.actor_name, event.c.data).order_by(event.c.id))
        return [(row.type, row.actor_name, row.data) for row in rows]


def test_operator_creates_a_user_who_can_log_in(packhouse: Packhouse) -> None:
    created = create_user(packhouse, None, "ann", PASSWORD, Role.VIEWER, "ann@example.org")

    session = log_in(packhouse, "ann", PASSWORD)
    actor = authenticate(packhouse, Credential(session.token))
    assert (actor.user_id, actor.name, actor.role) == (created.id, "ann", Role.VIEWER)


def test_creating_a_user_is_an_event_without_the_password(packhouse: Packhouse) -> None:
    create_user(packhouse, None, "ann", PASSWORD)

    assert events_of(packhouse) == [("user.created", "operator", {"username": "ann", "role": "author"})]


def test_password_is_stored_as_argon2id(packhouse: Packhouse) -> None:
    create_user(packhouse, None, "ann", PASSWORD)

    with packhouse.database.reading() as connection:
        stored = connection.execute(select(user.c.password_hash)).scalar_one()
    assert stored.startswith("$argon2id$")
    assert PASSWORD not in stored


def test_administrator_creates_a_user(packhouse: Packhouse, admin: Actor) -> None:
    assert create_user(packhouse, admin, "bob", PASSWORD).username == "bob"


def test_author_creates_no_user(packhouse: Packhouse, ann: Actor) -> None:
    with pytest.raises(Forbidden, match="no administrator"):
        create_user(packhouse, ann, "bob", PASSWORD)


def test_nobody_creates_no_user(packhouse: Packhouse) -> None:
    with pytest.raises(Unauthenticated):
        create_user(packhouse, ANONYMOUS, "bob", PASSWORD)


def test_token_of_an_administrator_creates_no_user(packhouse: Packhouse, admin: Actor) -> None:
    with pytest.raises(Forbidden, match="Log in with the password"):
        create_user(packhouse, replace(admin, scopes=frozenset(SCOPES)), "bob", PASSWORD)


@pytest.mark.parametrize(
    ("username", "email"),
    [("ann", None), ("ANN", None), ("ann@example.org", None), ("bob", "Ann@Example.org"), ("bob", "ann")],
)
@pytest.mark.usefixtures("ann")
def test_name_and_address_of_another_user_are_taken(
    packhouse: Packhouse, username: str, email: str | None
) -> None:
    expected = Invalid if email == "ann" else Conflict
    with pytest.raises(expected):
        create_user(packhouse, None, username, PASSWORD, email=email)


@pytest.mark.parametrize("changes", [{"username": "a b"}, {"password": "short"}, {"email": "nowhere"}])
def test_invalid_user_is_refused_and_not_kept(packhouse: Packhouse, changes: dict[str, str]) -> None:
    values = {"username": "ann", "password": PASSWORD, "email": "ann@example.org", **changes}

    with pytest.raises(Invalid):
        create_user(packhouse, None, **values)  # type: ignore[arg-type]  # all of them are strings
    assert list_users(packhouse, None) == []


def test_changed_password_replaces_the_old_one(packhouse: Packhouse, ann: Actor) -> None:
    change_password(packhouse, ann, "ann", PASSWORD)

    assert log_in(packhouse, "ann", PASSWORD)
    with pytest.raises(Unauthenticated):
        log_in(packhouse, "ann", "ann-password")


@pytest.mark.usefixtures("ann")
def test_changed_password_ends_sessions_opened_in_the_same_second_and_no_later_ones(
    packhouse: Packhouse,
) -> None:
    before = log_in(packhouse, "ann", "ann-password")
    change_password(packhouse, None, "ann", PASSWORD)
    after = log_in(packhouse, "ann", PASSWORD)

    assert authenticate(packhouse, Credential(after.token)).name == "ann"
    with pytest.raises(Unauthenticated, match="ended by a log-out or a changed password"):
        authenticate(packhouse, Credential(before.token))


@pytest.mark.usefixtures("ann")
def test_operator_changes_a_password_and_the_event_says_so(packhouse: Packhouse) -> None:
    change_password(packhouse, None, "ann", PASSWORD)

    assert events_of(packhouse)[-1] == ("user.password-changed", "operator", {"username": "ann"})


@pytest.mark.usefixtures("ann")
def test_administrator_changes_another_password(packhouse: Packhouse, admin: Actor) -> None:
    change_password(packhouse, admin, "ann", PASSWORD)

    assert log_in(packhouse, "ann", PASSWORD)


@pytest.mark.usefixtures("admin")
def test_author_changes_no_other_password(packhouse: Packhouse, ann: Actor) -> None:
    with pytest.raises(Forbidden):
        change_password(packhouse, ann, "root", PASSWORD)


def test_token_changes_no_password(packhouse: Packhouse, ann: Actor) -> None:
    with pytest.raises(Forbidden):
        change_password(packhouse, replace(ann, resources={}), "ann", PASSWORD)


def test_password_of_an_unknown_user_is_not_found(packhouse: Packhouse) -> None:
    with pytest.raises(NotFound, match="User 'bob' was not found"):
        change_password(packhouse, None, "bob", PASSWORD)


@pytest.mark.usefixtures("ann")
def test_users_are_listed_by_name(packhouse: Packhouse, admin: Actor) -> None:
    assert [found.username for found in list_users(packhouse, admin)] == ["ann", "root"]


def test_author_lists_no_users(packhouse: Packhouse, ann: Actor) -> None:
    with pytest.raises(Forbidden):
        list_users(packhouse, ann)


def test_first_admin_gets_a_made_up_password_that_is_told_once(packhouse: Packhouse) -> None:
    password = ensure_first_admin(packhouse)

    assert password is not None
    session = log_in(packhouse, "admin", password)
    assert authenticate(packhouse, Credential(session.token)).is_admin
    assert ensure_first_admin(packhouse) is None


def test_first_admin_gets_the_password_of_the_settings(packhouse: Packhouse, tmp_path: Path) -> None:
    chosen = {"admin_password": SecretStr(PASSWORD)}
    configured = replace(packhouse, settings=packhouse.settings.model_copy(update=chosen))

    assert ensure_first_admin(configured) is None
    assert log_in(configured, "admin", PASSWORD)


@pytest.mark.usefixtures("admin")
def test_no_admin_is_made_where_there_is_one_of_another_name(packhouse: Packhouse) -> None:
    assert ensure_first_admin(packhouse) is None
    assert [found.username for found in list_users(packhouse, None)] == ["root"]


@pytest.mark.usefixtures("ann")
def test_first_admin_is_made_beside_users_that_the_operator_added_before(packhouse: Packhouse) -> None:
    assert ensure_first_admin(packhouse) is not None
    assert [found.username for found in list_users(packhouse, None)] == ["admin", "ann"]
