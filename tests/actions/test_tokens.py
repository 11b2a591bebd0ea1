"""Tokens: made within the actor's reach, shown once, refreshed with their whole life, deleted for good."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from packhouse.actions.authenticate import Credential, authenticate
from packhouse.actions.channels import create_channel
from packhouse.actions.packhouse import Packhouse
from packhouse.actions.tokens import create_token, delete_token, grantable_scopes, list_tokens, refresh_token
from packhouse.domain.access import ANONYMOUS, SCOPES, Actor, Level
from packhouse.domain.channels import Privacy
from packhouse.errors import Forbidden, Invalid, NotFound, Unauthenticated
from packhouse.storage.tables import event, token
from tests.actions.conftest import AddUser, Clock

VIEW = ["channel:view"]


def resource(path: str, permission: str) -> dict[str, str]:
    return {"resource_type": "channel", "resource_id": path, "permission": permission}


def test_secret_opens_what_the_scopes_say(packhouse: Packhouse, ann: Actor) -> None:
    new = create_token(packhouse, ann, "ci", None, VIEW)

    actor = authenticate(packhouse, Credential(new.secret))
    assert (actor.user_id, actor.scopes, actor.resources) == (ann.user_id, frozenset(VIEW), None)


def test_secret_opens_what_the_resources_say(packhouse: Packhouse, ann: Actor) -> None:
    create_channel(packhouse, ann, "lab")
    new = create_token(packhouse, ann, "ci", None, None, [resource("lab", "write")])

    actor = authenticate(packhouse, Credential(new.secret))
    assert (actor.scopes, actor.resources) == (None, {"lab": Level.WRITE})


def test_secret_is_neither_stored_nor_shown_again(packhouse: Packhouse, ann: Actor) -> None:
    new = create_token(packhouse, ann, "ci", None, VIEW)

    with packhouse.database.reading() as connection:
        kept = [*connection.execute(select(token)), *connection.execute(select(event))]
    assert new.secret not in repr(kept)
    assert new.secret not in repr(list_tokens(packhouse, ann))
    assert new.secret not in repr(new)


def test_making_a_token_is_an_event(packhouse: Packhouse, ann: Actor) -> None:
    new = create_token(packhouse, ann, "ci", None, VIEW)

    with packhouse.database.reading() as connection:
        last = connection.execute(select(event).order_by(event.c.id.desc()).limit(1)).one()
    assert (last.type, last.actor_name) == ("token.created", "ann")
    assert last.data == {"token_id": new.token.uuid, "name": "ci"}


def test_nobody_makes_no_token(packhouse: Packhouse) -> None:
    with pytest.raises(Unauthenticated):
        create_token(packhouse, ANONYMOUS, "ci", None, VIEW)


@pytest.mark.parametrize("seconds", [0, -1, -86_400])
def test_token_that_has_expired_already_is_refused(
    packhouse: Packhouse, ann: Actor, clock: Clock, seconds: int
) -> None:
    with pytest.raises(Invalid, match="in the past"):
        create_token(packhouse, ann, "ci", clock.now + timedelta(seconds=seconds), VIEW)


@pytest.mark.parametrize(
    ("scopes", "resources"), [(None, None), ([], []), (VIEW, [resource("lab", "read")])], ids=str
)
def test_token_needs_either_scopes_or_resources(
    packhouse: Packhouse, ann: Actor, scopes: Any, resources: Any
) -> None:
    with pytest.raises(Invalid, match="either 'scopes' or 'resources'"):
        create_token(packhouse, ann, "ci", None, scopes, resources)


def test_resource_must_be_a_channel_that_is_there(packhouse: Packhouse, ann: Actor) -> None:
    with pytest.raises(NotFound, match="'lab' was not found"):
        create_token(packhouse, ann, "ci", None, None, [resource("lab", "read")])


def test_private_channel_of_another_is_not_found_as_a_resource(
    packhouse: Packhouse, ann: Actor, add_user: AddUser
) -> None:
    create_channel(packhouse, add_user("bob"), "vault", Privacy.PRIVATE)

    with pytest.raises(NotFound, match="'vault' was not found"):
        create_token(packhouse, ann, "ci", None, None, [resource("vault", "read")])


def test_resource_beyond_the_own_level_is_refused(
    packhouse: Packhouse, ann: Actor, add_user: AddUser
) -> None:
    create_channel(packhouse, add_user("bob"), "hall", Privacy.PUBLIC)

    assert create_token(packhouse, ann, "ci", None, None, [resource("hall", "read")])
    with pytest.raises(Forbidden, match="no 'write' permission on 'hall'"):
        create_token(packhouse, ann, "ci", None, None, [resource("hall", "write")])
    assert len(list_tokens(packhouse, ann)) == 1


def test_token_makes_no_wider_token(packhouse: Packhouse, ann: Actor) -> None:
    narrowed = replace(ann, scopes=frozenset(VIEW))

    assert create_token(packhouse, narrowed, "same", None, VIEW)
    with pytest.raises(Forbidden, match="'wider' reaches further than yours"):
        create_token(packhouse, narrowed, "wider", None, list(SCOPES))


def test_token_neither_refreshes_nor_deletes_a_wider_one(packhouse: Packhouse, ann: Actor) -> None:
    wide = create_token(packhouse, ann, "wide", None, list(SCOPES))
    narrowed = replace(ann, scopes=frozenset(VIEW))

    with pytest.raises(Forbidden):
        refresh_token(packhouse, narrowed, wide.token.uuid)
    with pytest.raises(Forbidden):
        delete_token(packhouse, narrowed, wide.token.uuid)
    assert authenticate(packhouse, Credential(wide.secret)).name == "ann"


def test_own_tokens_are_listed_and_no_others(packhouse: Packhouse, ann: Actor, add_user: AddUser) -> None:
    create_token(packhouse, add_user("bob"), "bob's", None, VIEW)
    for name in ("first", "second"):
        create_token(packhouse, ann, name, None, VIEW)

    assert [found.name for found in list_tokens(packhouse, ann)] == ["first", "second"]


def test_refresh_gives_a_new_secret_under_the_same_id(packhouse: Packhouse, ann: Actor) -> None:
    old = create_token(packhouse, ann, "ci", None, VIEW)
    new = refresh_token(packhouse, ann, old.token.uuid)

    assert new.token.uuid == old.token.uuid
    assert authenticate(packhouse, Credential(new.secret)).name == "ann"
    with pytest.raises(Unauthenticated):
        authenticate(packhouse, Credential(old.secret))


def test_every_refresh_gives_the_original_life_again(packhouse: Packhouse, ann: Actor, clock: Clock) -> None:
    made = create_token(packhouse, ann, "ci", clock.now + timedelta(days=30), VIEW)

    for _ in range(2):
        clock.advance(days=20)
        refreshed = refresh_token(packhouse, ann, made.token.uuid).token
        assert refreshed.expires_at == clock.now + timedelta(days=30)
        assert refreshed in list_tokens(packhouse, ann)


def test_expired_token_can_be_refreshed(packhouse: Packhouse, ann: Actor, clock: Clock) -> None:
    made = create_token(packhouse, ann, "ci", clock.now + timedelta(days=1), VIEW)
    clock.advance(days=2)

    new = refresh_token(packhouse, ann, made.token.uuid)
    assert authenticate(packhouse, Credential(new.secret)).name == "ann"


def test_token_until_the_end_of_time_can_be_refreshed(packhouse: Packhouse, ann: Actor, clock: Clock) -> None:
    end = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    made = create_token(packhouse, ann, "ci", end, VIEW)
    clock.advance(days=1)

    assert refresh_token(packhouse, ann, made.token.uuid).token.expires_at is not None


def test_deleted_token_opens_nothing(packhouse: Packhouse, ann: Actor) -> None:
    made = create_token(packhouse, ann, "ci", None, VIEW)
    delete_token(packhouse, ann, made.token.uuid)

    assert list_tokens(packhouse, ann) == []
    with pytest.raises(Unauthenticated, match="deleted or refreshed"):
        authenticate(packhouse, Credential(made.secret))


@pytest.mark.parametrize("action", [refresh_token, delete_token])
def test_token_of_another_is_not_found(
    packhouse: Packhouse, ann: Actor, add_user: AddUser, action: Any
) -> None:
    theirs = create_token(packhouse, add_user("bob"), "bob's", None, VIEW)

    with pytest.raises(NotFound, match="no such token among yours"):
        action(packhouse, ann, theirs.token.uuid)
    assert authenticate(packhouse, Credential(theirs.secret)).name == "bob"


def test_user_can_give_every_scope(ann: Actor) -> None:
    assert grantable_scopes(ann) == list(SCOPES)


def test_token_can_give_only_its_own_scopes(ann: Actor) -> None:
    assert grantable_scopes(replace(ann, scopes=frozenset(VIEW))) == VIEW
    assert grantable_scopes(replace(ann, resources={"lab": Level.MANAGE})) == []
