"""What user names, e-mail addresses and passwords may be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packhouse.domain.users import USERNAME_PATTERN, check_email, check_password, check_username
from packhouse.errors import Invalid


@pytest.mark.parametrize("username", ["a", "Ann", "ann.b_c-d+e@f", "7up", "x" * 100])
def test_plain_user_name_is_accepted(username: str) -> None:
    check_username(username)


@pytest.mark.parametrize(
    "username", ["", ".ann", "an n", "ann\n", "ä", "ann>", "a~b", "a?b", "x" * 101, "a:b"]
)
def test_user_name_of_other_characters_is_refused(username: str) -> None:
    with pytest.raises(Invalid, match="is no user name"):
        check_username(username)


@pytest.mark.parametrize("username", ["operator", "Anonymous"])
def test_name_of_no_user_in_the_audit_trail_is_refused(username: str) -> None:
    with pytest.raises(Invalid, match="reserved"):
        check_username(username)


@given(st.from_regex(USERNAME_PATTERN, fullmatch=True))
def test_user_name_fits_a_basic_credential_and_a_base64url_payload(username: str) -> None:
    assert not set(username) & set(":>?~")


def test_plain_email_address_is_accepted() -> None:
    check_email("ann@example.org")


@pytest.mark.parametrize(
    "email", ["", "ann", "@", "ann@", "a b@c", "a@b@c", "a@b\n", "a@\0", "x" * 320 + "@y"]
)
def test_what_is_no_email_address_is_refused(email: str) -> None:
    with pytest.raises(Invalid, match="is no e-mail address"):
        check_email(email)


@pytest.mark.parametrize("password", ["x" * 8, "x" * 1024])
def test_password_of_allowed_length_is_accepted(password: str) -> None:
    check_password(password)


@pytest.mark.parametrize(
    ("password", "problem"), [("x" * 7, "shorter than 8"), ("x" * 1025, "longer than 1024")]
)
def test_password_out_of_bounds_is_refused_and_not_repeated(password: str, problem: str) -> None:
    with pytest.raises(Invalid, match=problem) as refused:
        check_password(password)

    assert password not in refused.value.message
