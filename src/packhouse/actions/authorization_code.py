"""Let in a program that waits on the same machine: a code by way of the browser, and a session for the code."""

import secrets

from packhouse.actions.login import check_password
from packhouse.actions.packhouse import Packhouse
from packhouse.actions.sessions import Session, open_session
from packhouse.domain.authorization_codes import LIFE, AuthorizationRequest, challenge_of, code_digest
from packhouse.domain.oauth import check_client
from packhouse.errors import GrantRefused
from packhouse.storage import authorization_codes, users


def authorize(packhouse: Packhouse, request: AuthorizationRequest, username: str, password: str) -> str:
    """A code that lets the program act as the user. Raises GrantRefused, and as `log_in` does."""
    request.check()
    user, _ = check_password(packhouse, username, password)
    code = secrets.token_urlsafe(32)
    digest = code_digest(code, request.client_id, request.redirect_uri, request.code_challenge)
    with packhouse.database.transaction(quiet=True) as connection:
        authorization_codes.add(connection, digest, user.id, packhouse.clock() + LIFE)
    return code


def redeem_authorization_code(
    packhouse: Packhouse, client_id: str, code: str, redirect_uri: str, code_verifier: str
) -> Session:
    """The session of the user who gave the code; once, and for nobody but the program that asked for it."""
    check_client(client_id)
    digest = code_digest(code, client_id, redirect_uri, challenge_of(code_verifier))
    with packhouse.database.transaction(quiet=True) as connection:
        user_id = authorization_codes.take(connection, digest, packhouse.clock())
        user = None if user_id is None else users.by_id(connection, user_id)
        valid_from = None if user is None else users.sessions_valid_from(connection, user.id)
    if user is None or valid_from is None:
        raise GrantRefused(
            "invalid_grant", "The code is unknown here, has expired, was used before or is another program's."
        )
    return open_session(packhouse, user, valid_from)
