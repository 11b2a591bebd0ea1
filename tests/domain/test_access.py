"""`may` as a full table: who x relation x privacy x depth x permission x narrowing."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packhouse.domain.access import (
    ANONYMOUS,
    SCOPES,
    Actor,
    Level,
    Permission,
    Role,
    is_visible,
    level_on,
    may,
    reach,
    require,
    require_admin,
    require_self,
    require_user,
)
from packhouse.domain.channels import Channel, Indexing, Privacy
from packhouse.errors import Forbidden, NotFound, Unauthenticated

ME, SOMEBODY_ELSE = 7, 8
CHANNEL_ID, PARENT_ID = 20, 10

ALLOWED = {
    "none": set(),
    "read": {"artifact:view", "artifact:download", "channel:view", "channel:view-artifacts"},
    "write": {
        "artifact:view",
        "artifact:download",
        "channel:view",
        "channel:view-artifacts",
        "artifact:create",
        "channel:create",
    },
    "manage": {
        "artifact:view",
        "artifact:download",
        "channel:view",
        "channel:view-artifacts",
        "artifact:create",
        "channel:create",
        "artifact:edit",
        "artifact:delete",
        "channel:history",
        "channel:edit",
        "channel:delete",
        "channel.group:edit",
        "channel.default-channel:edit",
        "channel.mirror:view",
        "channel.mirror:edit",
        "subchannel:create",
    },
}

ON_EVERY_CHANNEL = """
    who        relation         public  authenticated  private
    anonymous  stranger         read    none           none
    viewer     stranger         read    read           none
    viewer     owner            read    read           read
    viewer     granted-read     read    read           read
    viewer     granted-write    read    read           read
    viewer     granted-manage   read    read           read
    author     stranger         read    read           none
    author     owner            manage  manage         manage
    author     granted-read     read    read           read
    author     granted-write    write   write          write
    author     granted-manage   manage  manage         manage
    admin      stranger         manage  manage         manage
    admin      owner            manage  manage         manage
    admin      granted-read     manage  manage         manage
    admin      granted-write    manage  manage         manage
    admin      granted-manage   manage  manage         manage
"""

ON_SUBCHANNELS_ONLY = """
    who        relation         public  authenticated  private
    viewer     parent-read      read    read           read
    viewer     parent-write     read    read           read
    viewer     parent-manage    read    read           read
    author     parent-read      read    read           read
    author     parent-write     write   write          write
    author     parent-manage    manage  manage         manage
    admin      parent-read      manage  manage         manage
    admin      parent-write     manage  manage         manage
    admin      parent-manage    manage  manage         manage
"""

THROUGH_A_RESOURCE_TOKEN = """
    user    none  read  write  manage
    none    none  none  none   none
    read    none  read  read   read
    write   none  read  write  write
    manage  none  read  write  manage
"""

SCOPES_THAT_DIFFER_ON_SUBCHANNELS = {
    "channel:view": "subchannel:view",
    "channel:view-artifacts": "subchannel:view-artifacts",
    "channel:history": "subchannel:history",
    "channel:edit": "subchannel:edit",
    "channel:delete": "subchannel:delete",
    "channel.group:edit": "subchannel.group:edit",
    "channel.mirror:view": "subchannel.mirror:view",
    "channel.mirror:edit": "subchannel.mirror:edit",
}

LEVELS = {"none": Level.NONE, "read": Level.READ, "write": Level.WRITE, "manage": Level.MANAGE}


def table(text: str) -> dict[tuple[str, ...], str]:
    """Cells by the words before them in their row, and the word above them."""
    head, *rows = (line.split() for line in text.strip().splitlines())
    keys = 2 if head[0] == "who" else 1
    return {
        (*row[:keys], column): cell
        for row in rows
        for column, cell in zip(head[keys:], row[keys:], strict=True)
    }


def rows() -> list[tuple[str, str, str, bool, str]]:
    everywhere, subchannels = table(ON_EVERY_CHANNEL), table(ON_SUBCHANNELS_ONLY)
    parts = [(everywhere, False), (everywhere, True), (subchannels, True)]
    return [
        (who, relation, privacy, is_subchannel, level)
        for part, is_subchannel in parts
        for (who, relation, privacy), level in part.items()
    ]


every_row = pytest.mark.parametrize(("who", "relation", "privacy", "is_subchannel", "level"), rows())


def make_channel(privacy: str, is_subchannel: bool = False, owner_id: int = SOMEBODY_ELSE) -> Channel:
    moment = datetime(2030, 1, 1, tzinfo=UTC)
    return Channel(
        id=CHANNEL_ID,
        uuid="c",
        path="lab/stage" if is_subchannel else "lab",
        parent_id=PARENT_ID if is_subchannel else None,
        description="",
        privacy=Privacy(privacy),
        indexing=Indexing.DEFAULT,
        owner_id=owner_id,
        owner_name="somebody",
        created_at=moment,
        updated_at=moment,
    )


def make_case(
    who: str,
    relation: str,
    privacy: str,
    is_subchannel: bool,
    scopes: set[str] | None = None,
    resources: dict[str, Level] | None = None,
) -> tuple[Actor, Channel]:
    channel = make_channel(privacy, is_subchannel, ME if relation == "owner" else SOMEBODY_ELSE)
    kind, _, level = relation.partition("-")
    grants = {{"granted": CHANNEL_ID, "parent": PARENT_ID}[kind]: LEVELS[level]} if level else {}
    narrowed = None if scopes is None else frozenset(scopes)
    if who == "anonymous":
        return Actor(None, who, Role.VIEWER, grants, narrowed, resources), channel
    return Actor(ME, who, Role(who), grants, narrowed, resources), channel


def allowed(actor: Actor, channel: Channel) -> set[str]:
    return {permission.value for permission in Permission if may(actor, permission, channel)}


def test_table_of_permissions_is_complete() -> None:
    assert ALLOWED["manage"] == {permission.value for permission in Permission}
    assert len(rows()) == 2 * 16 * 3 + 9 * 3


@every_row
def test_user_may_what_the_table_says(
    who: str, relation: str, privacy: str, is_subchannel: bool, level: str
) -> None:
    actor, channel = make_case(who, relation, privacy, is_subchannel)

    assert allowed(actor, channel) == ALLOWED[level]
    assert level_on(actor, channel) is LEVELS[level]
    assert is_visible(actor, channel) is (level != "none")


@every_row
@pytest.mark.parametrize("held", ["one", "all but one"])
def test_scope_token_may_what_its_scopes_and_its_user_both_allow(
    who: str, relation: str, privacy: str, is_subchannel: bool, level: str, held: str
) -> None:
    for permission in ALLOWED["manage"]:
        scope = SCOPES_THAT_DIFFER_ON_SUBCHANNELS.get(permission, permission) if is_subchannel else permission
        scopes = {scope} if held == "one" else set(SCOPES) - {scope}
        actor, channel = make_case(who, relation, privacy, is_subchannel, scopes=scopes)

        expected = ALLOWED[level] & {permission} if held == "one" else ALLOWED[level] - {permission}
        assert allowed(actor, channel) == expected


@every_row
@pytest.mark.parametrize("token", ["none", "read", "write", "manage"])
@pytest.mark.parametrize("named", ["channel", "parent"])
def test_resource_token_may_what_the_lower_of_two_levels_allows(
    who: str, relation: str, privacy: str, is_subchannel: bool, level: str, token: str, named: str
) -> None:
    path = "lab/stage" if is_subchannel and named == "channel" else "lab"
    resources = {"elsewhere": Level.MANAGE} if token == "none" else {path: LEVELS[token]}
    actor, channel = make_case(who, relation, privacy, is_subchannel, resources=resources)

    outcome = table(THROUGH_A_RESOURCE_TOKEN)[level, token]
    assert allowed(actor, channel) == ALLOWED[outcome]
    assert reach(actor, channel) is LEVELS[outcome]
    assert is_visible(actor, channel) is (outcome != "none")


def test_resource_token_for_a_subchannel_does_not_reach_its_parent() -> None:
    actor, channel = make_case("admin", "owner", "public", False, resources={"lab/stage": Level.MANAGE})

    assert allowed(actor, channel) == set()


def test_resource_token_takes_the_higher_of_what_it_has_on_parent_and_subchannel() -> None:
    resources = {"lab": Level.WRITE, "lab/stage": Level.READ}
    actor, channel = make_case("admin", "owner", "private", True, resources=resources)

    assert allowed(actor, channel) == ALLOWED["write"]


@pytest.mark.parametrize(
    ("who", "scopes", "resources", "may_create"),
    [
        ("anonymous", None, None, False),
        ("viewer", None, None, False),
        ("author", None, None, True),
        ("admin", None, None, True),
        ("author", {"channel:create"}, None, True),
        ("author", {"channel:view", "subchannel:create"}, None, False),
        ("admin", set(), None, False),
        ("admin", None, {"lab": Level.MANAGE}, False),
    ],
)
def test_new_channel_needs_an_author_and_no_resource_token(
    who: str, scopes: set[str] | None, resources: dict[str, Level] | None, may_create: bool
) -> None:
    actor, _ = make_case(who, "stranger", "public", False, scopes, resources)

    assert may(actor, Permission.CHANNEL_CREATE, None) is may_create


def test_grant_on_another_channel_opens_nothing() -> None:
    stranger = Actor(ME, "ann", Role.AUTHOR, {99: Level.MANAGE})

    assert allowed(stranger, make_channel("private")) == set()


def test_grant_on_a_subchannel_does_not_open_its_parent() -> None:
    parent = make_channel("private")
    stranger = Actor(ME, "ann", Role.AUTHOR, {CHANNEL_ID + 1: Level.MANAGE})

    assert allowed(stranger, parent) == set()


@pytest.mark.parametrize("privacy", ["authenticated", "private"])
def test_anonymous_is_asked_to_log_in_where_a_log_in_may_help(privacy: str) -> None:
    with pytest.raises(Unauthenticated, match="'lab' needs a log-in"):
        require(ANONYMOUS, Permission.ARTIFACT_DOWNLOAD, make_channel(privacy))


def test_anonymous_is_asked_to_log_in_before_writing_to_a_public_channel() -> None:
    with pytest.raises(Unauthenticated):
        require(ANONYMOUS, Permission.ARTIFACT_CREATE, make_channel("public"))


def test_private_channel_is_hidden_from_a_stranger() -> None:
    with pytest.raises(NotFound, match="'lab' was not found"):
        require(Actor(ME, "ann", Role.AUTHOR), Permission.ARTIFACT_VIEW, make_channel("private"))


def test_channel_that_a_resource_token_does_not_name_is_hidden() -> None:
    narrowed = Actor(ME, "ann", Role.ADMIN, resources={"elsewhere": Level.MANAGE})

    with pytest.raises(NotFound):
        require(narrowed, Permission.ARTIFACT_VIEW, make_channel("public"))


def test_known_actor_is_refused_by_name_on_a_channel_they_see() -> None:
    with pytest.raises(Forbidden, match="'ann' is not allowed 'channel:edit' on channel 'lab'"):
        require(Actor(ME, "ann", Role.AUTHOR), Permission.CHANNEL_EDIT, make_channel("public"))


def test_token_without_the_scope_is_refused_and_not_told_a_lie() -> None:
    narrowed = Actor(ME, "ann", Role.AUTHOR, scopes=frozenset({"artifact:view"}))

    with pytest.raises(Forbidden):
        require(narrowed, Permission.CHANNEL_EDIT, make_channel("public", owner_id=ME))


def test_what_is_allowed_passes() -> None:
    require(ANONYMOUS, Permission.ARTIFACT_DOWNLOAD, make_channel("public"))


def test_nobody_is_no_user() -> None:
    with pytest.raises(Unauthenticated):
        require_user(ANONYMOUS)


def test_user_is_known_by_id_even_through_a_token() -> None:
    assert require_user(Actor(ME, "ann", scopes=frozenset())) == ME


@pytest.mark.parametrize("narrowing", [{"scopes": frozenset(SCOPES)}, {"resources": {"lab": Level.MANAGE}}])
def test_token_of_an_administrator_is_no_administrator(narrowing: dict[str, object]) -> None:
    narrowed = Actor(ME, "root", Role.ADMIN, **narrowing)  # type: ignore[arg-type]  # one field or the other

    with pytest.raises(Forbidden, match="A token cannot do this"):
        require_self(narrowed)
    with pytest.raises(Forbidden):
        require_admin(narrowed)


def test_author_is_no_administrator() -> None:
    with pytest.raises(Forbidden, match="'ann' is no administrator"):
        require_admin(Actor(ME, "ann", Role.AUTHOR))


def test_administrator_in_person_is_one() -> None:
    require_admin(Actor(ME, "root", Role.ADMIN))


levels = st.sampled_from(list(Level))
channels = st.builds(
    make_channel, st.sampled_from(list(Privacy)), st.booleans(), st.sampled_from([ME, SOMEBODY_ELSE])
)
all_grants = st.dictionaries(st.sampled_from([CHANNEL_ID, PARENT_ID, 99]), levels)
narrowings = st.one_of(
    st.builds(lambda scopes: {"scopes": scopes}, st.frozensets(st.sampled_from(SCOPES))),
    st.builds(
        lambda named: {"resources": named},
        st.dictionaries(st.sampled_from(["lab", "lab/stage", "x"]), levels),
    ),
)


@given(channels, all_grants, st.sampled_from(list(Role)), narrowings)
def test_token_never_allows_more_than_its_user(
    channel: Channel, grants: dict[int, Level], role: Role, narrowing: dict[str, object]
) -> None:
    user = Actor(ME, "ann", role, grants)
    narrowed = Actor(ME, "ann", role, grants, **narrowing)  # type: ignore[arg-type]  # one field or the other

    assert allowed(narrowed, channel) <= allowed(user, channel)
    assert not is_visible(narrowed, channel) or is_visible(user, channel)


@given(channels)
def test_anonymous_never_gets_beyond_reading(channel: Channel) -> None:
    assert allowed(ANONYMOUS, channel) <= ALLOWED["read"]


@given(channels, all_grants)
def test_viewer_never_gets_beyond_reading(channel: Channel, grants: dict[int, Level]) -> None:
    assert allowed(Actor(ME, "ann", Role.VIEWER, grants), channel) <= ALLOWED["read"]


@given(channels, all_grants, st.sampled_from(list(Role)))
def test_invisible_channel_allows_nothing(channel: Channel, grants: dict[int, Level], role: Role) -> None:
    actor = Actor(ME, "ann", role, grants)

    assert is_visible(actor, channel) or allowed(actor, channel) == set()
