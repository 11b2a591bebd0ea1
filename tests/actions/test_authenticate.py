"""Credentials: sessions, tokens and passwords, each accepted wherever one is, each refused with its reason."""

import base64
import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from argon2 import PasswordHasher
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import OctKey
from sqlalchemy import delete, select, update

from packhouse.actions import passwords
from packhouse.actions.authenticate import Credential, authenticate, identify
from packhouse.actions.channels import create_channel
from packhouse.actions.login import log_in, log_out
from packhouse.actions.packhouse import Packhouse
from packhouse.actions.passwords import FAILURES_ALLOWED, Failures, RecentlyRight
from packhouse.actions.sessions import open_session
from packhouse.actions.sharing import share
from packhouse.actions.tokens import create_token
from packhouse.actions.users import change_password
from packhouse.domain.access import ANONYMOUS, Actor, Level, Role
from packhouse.domain.users import USERNAME_PATTERN, User
from packhouse.errors import Forbidden, StorageFull, TooManyRequests, Unauthenticated
from packhouse.storage.tables import secret, token, user
from tests.actions.conftest import AddUser, Clock

VIEW = ["channel:view"]
SAME_WORDS = "The user name or the password is wrong."


def opaque(packhouse: Packhouse, actor: Actor, expires_in: timedelta | None = None) -> str:
    expires_at = None if expires_in is None else packhouse.clock() + expires_in
    return create_token(packhouse, actor, "ci", expires_at, VIEW).secret


def last_used(packhouse: Packhouse) -> Any:
    with packhouse.database.reading() as connection:
        return connection.execute(select(token.c.last_used_at)).scalar_one()


def payload_as_the_old_client_reads_it(jwt_text: str) -> dict[str, Any]:
    """`conda repo` pads the second part and decodes it with the standard alphabet, strictly here."""
    part = jwt_text.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.b64decode(part + "=" * (-len(part) % 4), validate=True))
    return claims


def test_no_credential_is_anonymous(packhouse: Packhouse) -> None:
    assert authenticate(packhouse, None) is ANONYMOUS


def test_session_acts_as_its_user_without_narrowing(packhouse: Packhouse, ann: Actor) -> None:
    session = log_in(packhouse, "ann", "ann-password")

    assert authenticate(packhouse, Credential(session.token)) == ann


def test_grants_come_with_the_actor(packhouse: Packhouse, ann: Actor, add_user: AddUser) -> None:
    channel = create_channel(packhouse, add_user("bob"), "lab")
    share(packhouse, Actor(channel.owner_id, "bob", Role.AUTHOR), "lab", "ann", Level.WRITE)

    assert authenticate(packhouse, Credential(opaque(packhouse, ann))).grants == {channel.id: Level.WRITE}


@pytest.mark.usefixtures("ann")
def test_claims_are_those_that_clients_of_the_old_server_read(packhouse: Packhouse, clock: Clock) -> None:
    claims = payload_as_the_old_client_reads_it(log_in(packhouse, "ann", "ann-password").token)

    assert set(claims) == {
        "exp", "iat", "jti", "iss", "aud", "sub", "typ", "azp", "session_state", "acr", "realm_access",
        "resource_access", "scope", "email_verified", "user_name", "preferred_username",
    }  # fmt: skip
    assert claims["realm_access"] == {"roles": ["author"]}
    assert claims["resource_access"] == {"account": {"roles": ["author"]}}
    assert (claims["user_name"], claims["aud"], claims["typ"]) == ("ann", "account", "Bearer")
    assert claims["iat"] == int(clock.now.timestamp())
    assert claims["exp"] - claims["iat"] == packhouse.settings.login_minutes * 60


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # reads one key, keeps nothing
@given(st.from_regex(USERNAME_PATTERN, fullmatch=True), st.uuids(), st.sampled_from(list(Role)))
def test_payload_decodes_with_the_standard_base64_alphabet_for_every_user(
    packhouse: Packhouse, username: str, uuid: UUID, role: Role
) -> None:
    now = packhouse.clock()
    session = open_session(packhouse, User(1, str(uuid), username, None, role, None, now), now)

    claims = payload_as_the_old_client_reads_it(session.token)
    assert not set(session.token.split(".")[1]) & set("-_")
    assert (claims["user_name"], claims["realm_access"]["roles"]) == (username, [role.value])


@pytest.mark.usefixtures("ann")
@pytest.mark.parametrize(
    ("username", "password"),
    [("ann", "wrong"), ("bob", "ann-password"), ("ann", ""), ("", ""), ("a\0n", "x"), ("ann", "x" * 5000)],
)
def test_wrong_name_and_wrong_password_are_refused_in_the_same_words(
    packhouse: Packhouse, username: str, password: str
) -> None:
    with pytest.raises(Unauthenticated) as refused:
        log_in(packhouse, username, password)

    assert refused.value.message == SAME_WORDS


@pytest.mark.usefixtures("ann")
def test_password_of_lone_surrogates_is_wrong_and_no_crash(packhouse: Packhouse) -> None:
    with pytest.raises(Unauthenticated):
        log_in(packhouse, "ann", "\ud800\udfff")


@pytest.mark.usefixtures("ann")
def test_user_without_a_password_cannot_log_in(packhouse: Packhouse) -> None:
    with packhouse.database.transaction() as connection:
        connection.execute(update(user).values(password_hash=None))

    with pytest.raises(Unauthenticated, match=SAME_WORDS):
        log_in(packhouse, "ann", "ann-password")


@pytest.mark.usefixtures("ann")
def test_log_in_renews_a_hash_made_with_old_parameters(packhouse: Packhouse) -> None:
    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    weak = hasher.hash("ann-password")
    with packhouse.database.transaction() as connection:
        connection.execute(update(user).values(password_hash=weak))

    session = log_in(packhouse, "ann", "ann-password")

    with packhouse.database.reading() as connection:
        stored = connection.execute(select(user.c.password_hash)).scalar_one()
    assert stored != weak
    assert not packhouse.passwords.is_outdated(stored)
    assert authenticate(packhouse, Credential(session.token)).name == "ann"
    assert log_in(packhouse, "ann", "ann-password")


@pytest.mark.usefixtures("ann")
def test_expired_session_says_when(packhouse: Packhouse, clock: Clock) -> None:
    session = log_in(packhouse, "ann", "ann-password")
    clock.advance(minutes=packhouse.settings.login_minutes, seconds=-1)
    assert authenticate(packhouse, Credential(session.token)).name == "ann"

    clock.advance(seconds=1)
    with pytest.raises(Unauthenticated, match=r"session has expired on 2030-01-01 13:00 UTC\. Log in again"):
        authenticate(packhouse, Credential(session.token))


def test_log_out_ends_the_users_sessions_and_leaves_tokens_and_others(
    packhouse: Packhouse, ann: Actor, add_user: AddUser
) -> None:
    add_user("bob")
    mine, theirs = (log_in(packhouse, name, f"{name}-password") for name in ("ann", "bob"))
    secret_text = opaque(packhouse, ann)

    log_out(packhouse, ann)

    with pytest.raises(Unauthenticated, match="log-out"):
        authenticate(packhouse, Credential(mine.token))
    assert authenticate(packhouse, Credential(theirs.token)).name == "bob"
    assert authenticate(packhouse, Credential(secret_text)).name == "ann"
    assert log_in(packhouse, "ann", "ann-password")


def test_token_cannot_log_its_user_out(packhouse: Packhouse, ann: Actor) -> None:
    narrowed = authenticate(packhouse, Credential(opaque(packhouse, ann)))

    with pytest.raises(Forbidden):
        log_out(packhouse, narrowed)


@pytest.mark.usefixtures("ann")
def test_session_of_another_server_is_refused(packhouse: Packhouse) -> None:
    session = log_in(packhouse, "ann", "ann-password")
    with packhouse.database.transaction() as connection:
        connection.execute(update(secret).values(value=b"x" * 32))

    with pytest.raises(Unauthenticated, match="none of this server's"):
        authenticate(packhouse, Credential(session.token))


@pytest.mark.usefixtures("ann")
@pytest.mark.parametrize("algorithm", ["none", "HS512"])
def test_session_signed_by_another_algorithm_is_refused(packhouse: Packhouse, algorithm: str) -> None:
    genuine = log_in(packhouse, "ann", "ann-password").token
    claims = payload_as_the_old_client_reads_it(genuine)
    with packhouse.database.reading() as connection:
        key = connection.execute(select(secret.c.value)).scalar_one()
    if algorithm == "none":
        head = base64.urlsafe_b64encode(json.dumps({"alg": "none"}).encode()).decode().rstrip("=")
        forged = f"{head}.{genuine.split('.')[1]}."
    else:
        forged = jwt.encode({"alg": algorithm}, claims, OctKey.import_key(key), [algorithm])

    with pytest.raises(Unauthenticated, match="none of this server's"):
        authenticate(packhouse, Credential(forged))


@pytest.mark.usefixtures("ann")
def test_session_of_a_user_who_is_gone_is_refused(packhouse: Packhouse) -> None:
    session = log_in(packhouse, "ann", "ann-password")
    with packhouse.database.transaction() as connection:
        connection.execute(delete(user))

    with pytest.raises(Unauthenticated, match="no longer here"):
        authenticate(packhouse, Credential(session.token))


def test_session_is_refused_where_nobody_ever_logged_in(packhouse: Packhouse) -> None:
    with pytest.raises(Unauthenticated, match="none of this server's"):
        authenticate(packhouse, Credential("eyJhbGciOiJIUzI1NiJ9.e30.AAAA"))


def told_of_another(packhouse: Packhouse, as_jwt: bool) -> str:
    """What is said of any other text of this kind: its words are not the caller's."""
    with pytest.raises(Unauthenticated) as refused:
        authenticate(packhouse, Credential("eyJ1.2." if as_jwt else "#1"))
    return refused.value.message


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # nothing of it is ever kept
@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=200), st.booleans())
def test_any_other_text_is_refused_and_never_repeated(packhouse: Packhouse, text: str, as_jwt: bool) -> None:
    presented = f"eyJ{text}.{text}." if as_jwt else f"#{text}"
    log_free = Credential(presented)

    with pytest.raises(Unauthenticated) as refused:
        authenticate(packhouse, log_free)
    assert len(text) < 5 or text not in refused.value.message.replace(told_of_another(packhouse, as_jwt), "")
    assert presented not in repr(log_free)


def test_token_expires_at_its_moment_and_says_when(packhouse: Packhouse, ann: Actor, clock: Clock) -> None:
    secret_text = opaque(packhouse, ann, timedelta(days=1))
    clock.advance(days=1, seconds=-1)
    assert authenticate(packhouse, Credential(secret_text)).name == "ann"

    clock.advance(seconds=1)
    with pytest.raises(
        Unauthenticated, match=r"'ci' has expired on 2030-01-02 12:00 UTC\. Make a new one"
    ) as refused:
        authenticate(packhouse, Credential(secret_text))
    assert secret_text not in refused.value.message


def test_identity_tells_what_is_known_of_the_credential(
    packhouse: Packhouse, ann: Actor, clock: Clock
) -> None:
    by_token = identify(packhouse, Credential(opaque(packhouse, ann, timedelta(days=1))))
    session = log_in(packhouse, "ann", "ann-password")
    by_session = identify(packhouse, Credential(session.token))

    assert by_token.token is not None
    assert by_token.token.name == "ci"
    assert by_token.expires_at == clock.now + timedelta(days=1)
    assert by_session.token is None
    assert by_session.expires_at == session.expires_at.replace(microsecond=0)


def test_use_of_a_token_is_noted_at_most_once_a_minute(
    packhouse: Packhouse, ann: Actor, clock: Clock
) -> None:
    credential = Credential(opaque(packhouse, ann))
    first = clock.now
    for seconds, expected in [(0, first), (59, first), (1, first + timedelta(minutes=1))]:
        clock.advance(seconds=seconds)
        authenticate(packhouse, credential)
        assert last_used(packhouse) == expected


def test_noting_the_use_of_a_token_wakes_nobody(packhouse: Packhouse, ann: Actor) -> None:
    credential = Credential(opaque(packhouse, ann))
    commits: list[None] = []
    packhouse.database.on_commit(lambda: commits.append(None))

    authenticate(packhouse, credential)

    assert last_used(packhouse) is not None
    assert commits == []


def test_full_disk_does_not_lock_readers_out(
    packhouse: Packhouse, ann: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    credential = Credential(opaque(packhouse, ann))

    def full(quiet: bool = False) -> Any:
        raise StorageFull("The database has no room left.")

    monkeypatch.setattr(packhouse.database, "transaction", full)
    assert authenticate(packhouse, credential).name == "ann"


@pytest.mark.parametrize("username", ["ann", "bob", "anything at all", "__token__"])
def test_token_is_accepted_as_the_password_of_any_user_name(
    packhouse: Packhouse, ann: Actor, username: str
) -> None:
    credential = Credential(opaque(packhouse, ann), username)

    assert authenticate(packhouse, credential).scopes == frozenset(VIEW)


@pytest.mark.usefixtures("ann")
def test_session_is_accepted_as_a_password(packhouse: Packhouse) -> None:
    session = log_in(packhouse, "ann", "ann-password")

    assert authenticate(packhouse, Credential(session.token, "whoever")).name == "ann"


def test_password_is_accepted_with_its_user_name(packhouse: Packhouse, ann: Actor) -> None:
    assert authenticate(packhouse, Credential("ann-password", "ann")) == ann


@pytest.mark.usefixtures("ann")
def test_password_without_its_user_name_is_refused(packhouse: Packhouse) -> None:
    for credential in (Credential("ann-password"), Credential("ann-password", "bob")):
        with pytest.raises(Unauthenticated):
            authenticate(packhouse, credential)


@pytest.mark.usefixtures("ann")
def test_password_that_was_right_is_not_hashed_again_until_it_changes(
    packhouse: Packhouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    authenticate(packhouse, Credential("ann-password", "ann"))
    hashed: list[str] = []
    matches = packhouse.passwords._matches

    def counted(stored: str, password: str) -> bool:
        hashed.append(password)
        return matches(stored, password)

    monkeypatch.setattr(packhouse.passwords, "_matches", counted)

    authenticate(packhouse, Credential("ann-password", "ann"))
    assert hashed == []
    change_password(packhouse, None, "ann", "another password")
    with pytest.raises(Unauthenticated):
        authenticate(packhouse, Credential("ann-password", "ann"))
    assert hashed == ["ann-password"]


@pytest.mark.usefixtures("ann")
def test_too_many_failures_make_even_the_right_password_wait(packhouse: Packhouse, clock: Clock) -> None:
    for _ in range(FAILURES_ALLOWED):
        with pytest.raises(Unauthenticated):
            log_in(packhouse, "ann", "wrong")

    clock.advance(minutes=1)
    with pytest.raises(TooManyRequests, match="Wait 240 seconds") as refused:
        log_in(packhouse, "ann", "ann-password")
    assert refused.value.wait_seconds == 240
    clock.advance(minutes=4)
    assert log_in(packhouse, "ann", "ann-password")


def test_failures_of_one_name_do_not_hold_up_another(clock: Clock) -> None:
    failures = Failures("failures")
    for _ in range(FAILURES_ALLOWED):
        failures.count("ann", clock.now)

    failures.count("bob", clock.now)
    with pytest.raises(TooManyRequests):
        failures.count("ann", clock.now)


def test_success_forgives_earlier_failures(clock: Clock) -> None:
    failures = Failures("failures")
    for _ in range(3 * FAILURES_ALLOWED):
        failures.count("ann", clock.now)
        failures.forget("ann")


def test_names_and_passwords_remembered_are_bounded(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "NAMES_WATCHED", 3)
    monkeypatch.setattr(passwords, "PASSWORDS_REMEMBERED", 3)
    failures, recent = Failures("failures"), RecentlyRight()
    for number in range(10):
        failures.count(f"user-{number}", clock.now)
        recent.remember("hash", f"password-{number}", clock.now)

    assert len(failures._counts) == 3
    assert [n for n in range(10) if recent.knows("hash", f"password-{n}", clock.now)] == [7, 8, 9]


def test_password_is_remembered_for_a_while_only(clock: Clock) -> None:
    recent = RecentlyRight()
    recent.remember("hash", "password", clock.now)

    assert recent.knows("hash", "password", clock.now + timedelta(minutes=4))
    assert not recent.knows("other hash", "password", clock.now)
    assert not recent.knows("hash", "password", clock.now + timedelta(minutes=5))
