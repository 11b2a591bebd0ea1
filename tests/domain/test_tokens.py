"""What a token may hold, and when one reaches no further than another."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packhouse.domain.access import SCOPES, Actor, Level, Role
from packhouse.domain.tokens import (
    Resource,
    check_resources,
    check_scopes,
    check_token_name,
    is_within,
    new_secret,
    scopes_of_level,
    secret_digest,
)
from packhouse.errors import Invalid


def narrowed(scopes: set[str] | None = None, resources: dict[str, Level] | None = None) -> Actor:
    return Actor(1, "ann", Role.ADMIN, {}, None if scopes is None else frozenset(scopes), resources)


def test_secret_passes_through_a_conda_url_and_is_never_the_same() -> None:
    assert re.fullmatch(r"[A-Za-z0-9-]{48}", new_secret())
    assert new_secret() != new_secret()


def test_digest_tells_nothing_of_the_secret() -> None:
    assert secret_digest("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.parametrize("name", ["", "   ", "x" * 201, "a\nb", "a\0b", "\ud800"])
def test_odd_token_name_is_refused(name: str) -> None:
    with pytest.raises(Invalid, match="1 to 200 printable"):
        check_token_name(name)


def test_token_name_of_the_existing_client_is_accepted() -> None:
    check_token_name("conda_repo:my-laptop.example.org")


def test_scopes_are_sorted_and_named_once() -> None:
    assert check_scopes(["channel:view", "artifact:view", "channel:view"]) == (
        "artifact:view",
        "channel:view",
    )


def test_unknown_scope_is_refused_by_name() -> None:
    with pytest.raises(Invalid, match="Unknown scope 'moon:land'"):
        check_scopes(["channel:view", "moon:land"])


def test_scopes_are_those_of_the_contract_that_something_here_asks_for() -> None:
    assert set(SCOPES) == {
        "artifact:create",
        "artifact:delete",
        "artifact:download",
        "artifact:edit",
        "artifact:view",
        "channel.default-channel:edit",
        "channel.group:edit",
        "channel.mirror:edit",
        "channel.mirror:view",
        "channel:create",
        "channel:delete",
        "channel:edit",
        "channel:history",
        "channel:view",
        "channel:view-artifacts",
        "subchannel.group:edit",
        "subchannel.mirror:edit",
        "subchannel.mirror:view",
        "subchannel:create",
        "subchannel:delete",
        "subchannel:edit",
        "subchannel:history",
        "subchannel:view",
        "subchannel:view-artifacts",
    }


def document(**changes: Any) -> dict[str, Any]:
    return {"resource_type": "channel", "resource_id": "lab", "permission": "read", **changes}


def test_resource_is_read_as_clients_send_it() -> None:
    (resource,) = check_resources([document(resource_type="subchannel", resource_id="lab/stage")])

    assert resource == Resource("lab/stage", "read")
    assert (resource.type, resource.level) == ("subchannel", Level.READ)


@pytest.mark.parametrize(
    "changes",
    [
        {"resource_type": "planet"},
        {"resource_id": None},
        {"resource_id": ["lab"]},
        {"resource_id": "a/b/c"},
        {"resource_id": "../etc"},
        {"permission": "own"},
        {"permission": None},
        {"permission": ["read"]},
    ],
)
def test_resource_of_wrong_shape_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        check_resources([document(**changes)])


def test_channel_named_twice_is_refused() -> None:
    with pytest.raises(Invalid, match="named twice"):
        check_resources([document(), document(permission="manage")])


READ = {"artifact:view", "artifact:download", "channel:view", "channel:view-artifacts"}
READ_ON_SUBCHANNELS = {"subchannel:view", "subchannel:view-artifacts"}


@pytest.mark.parametrize(
    ("actor", "scopes", "resources", "expected"),
    [
        (narrowed(), SCOPES, None, True),
        (narrowed(), None, [("lab", "manage")], True),
        (narrowed({"channel:view"}), ["channel:view"], None, True),
        (narrowed({"channel:view"}), ["channel:edit"], None, False),
        (narrowed(set()), ["channel:view"], None, False),
        (narrowed(READ | READ_ON_SUBCHANNELS), None, [("lab", "read")], True),
        (narrowed(READ | READ_ON_SUBCHANNELS), None, [("lab", "write")], False),
        (narrowed(READ), None, [("lab", "read")], False),
        (narrowed(resources={"lab": Level.WRITE}), ["channel:view"], None, False),
        (narrowed(resources={"lab": Level.WRITE}), None, [("lab", "write")], True),
        (narrowed(resources={"lab": Level.WRITE}), None, [("lab/stage", "write")], True),
        (narrowed(resources={"lab": Level.WRITE}), None, [("lab", "manage")], False),
        (narrowed(resources={"lab": Level.WRITE}), None, [("lab", "read"), ("other", "read")], False),
        (narrowed(resources={"lab/stage": Level.MANAGE}), None, [("lab", "read")], False),
    ],
)
def test_token_reaches_no_further_than_the_one_it_was_made_with(
    actor: Actor, scopes: list[str] | None, resources: list[tuple[str, str]] | None, expected: bool
) -> None:
    named = None if resources is None else [Resource(*pair) for pair in resources]

    assert is_within(actor, scopes, named) is expected


def test_managing_takes_every_scope() -> None:
    assert scopes_of_level(Level.MANAGE) == set(SCOPES)


@given(st.frozensets(st.sampled_from(SCOPES)), st.frozensets(st.sampled_from(SCOPES), min_size=1))
def test_scopes_are_within_exactly_when_the_actor_holds_them_all(
    held: frozenset[str], asked: frozenset[str]
) -> None:
    assert is_within(narrowed(set(held)), asked, None) is (asked <= held)
