"""Logging in with user name and password: for a token, which is kept, and not for the password, which is not."""

import platform
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from packhouse_client.configuration.credentials import given_credential
from packhouse_client.configuration.token_file import StoredToken, check_storable, store_token
from packhouse_client.errors import ClientError, Unauthenticated
from packhouse_client.session import Session
from packhouse_client.terminal.questions import ask, is_interactive

if TYPE_CHECKING:
    from packhouse_client.client import PackhouseClient

TRIES = 3
TOKEN_DAYS = 30
WRONG_PASSWORD = "Invalid Username password combination, please try again"  # what is said of one


@dataclass(frozen=True, slots=True)
class LoggedIn:
    username: str
    token: StoredToken
    path: Path
    """The file that keeps the token."""


def log_in(
    session: Session,
    username: str | None = None,
    password: str | None = None,
    hostname: str | None = None,
    force_scopes: bool = False,
) -> LoggedIn:
    """Ask for what is not given, get a token for it, and keep that.

    The token is named after this machine: an earlier one is renewed, and with `force_scopes` made anew with all
    scopes that the account has by now. Raises ClientError; nothing is left behind then, here or on the server.
    """
    _refuse_where_the_browser_is_the_way(session)
    check_storable(session.site)
    _warn_of_open_line(session)
    with session.connect(None) as client:
        username = _open_session(client, session, username, password)
        token = _token_for(client, f"repo-cli-token-{hostname or machine_name()}", force_scopes)
        path = _keep(client, session, token)
    _warn_of_what_wins(session)
    return LoggedIn(username, token, path)


def machine_name() -> str:
    return platform.node() or "unknown"


def _refuse_where_the_browser_is_the_way(session: Session) -> None:
    is_oauth2, path = session.configuration.get("oauth2")
    if is_oauth2 is True:
        raise ClientError(f"The log-in is by browser here (oauth2 in {path}). Run: anaconda login")


def _warn_of_open_line(session: Session) -> None:
    parts = urlsplit(session.site.url)
    is_local = parts.hostname in ("localhost", "127.0.0.1", "::1")
    if parts.scheme == "http" and not is_local:
        session.output.warn(f"{session.site.url} has no TLS: others on the way can read your password.")


# User name and password


def _open_session(
    client: "PackhouseClient", session: Session, username: str | None, password: str | None
) -> str:
    """The user's name. Whoever is asked may err, as often as `TRIES` allows."""
    tries = TRIES if password is None and is_interactive() else 1
    name = username
    for left in reversed(range(tries)):
        name = username or ask("Username: ", option="--username")
        secret = ask("Password: ", hidden=True, option="--password-stdin") if password is None else password
        try:
            client.log_in(name, secret)
            return name
        except Unauthenticated:
            if not left:
                raise
            session.output.warn(WRONG_PASSWORD)
    raise AssertionError("the last try returns or raises")


# The token


def _token_for(client: "PackhouseClient", name: str, force_scopes: bool) -> StoredToken:
    earlier = next((token for token in client.list_tokens() if token["name"] == name), None)
    if earlier is not None and force_scopes:
        client.delete_token(str(earlier["id"]))
        earlier = None
    made = _made(client, name) if earlier is None else client.refresh_token(str(earlier["id"]))
    client.token = str(made["token"])
    return StoredToken(client.token, str(made["id"]), client.token_info().get("expires_at"))


def _made(client: "PackhouseClient", name: str) -> dict[str, Any]:
    expires = datetime.now(UTC).date() + timedelta(days=TOKEN_DAYS)
    return client.create_token(name, expires.isoformat(), scopes=client.list_scopes())


def _keep(client: "PackhouseClient", session: Session, token: StoredToken) -> Path:
    return or_deleted(client, token.id, lambda: store_token(session.site, token))


def or_deleted(client: "PackhouseClient", token_id: str, keep: Callable[[], Path]) -> Path:
    """Keep a new token; where that fails, delete it on the server: nobody would have it, and it would open doors."""
    try:
        return keep()
    except (OSError, ClientError):
        with suppress(ClientError):
            client.delete_token(token_id)
        raise


def _warn_of_what_wins(session: Session) -> None:
    given = given_credential(session.site, session.options)
    if given is not None:
        session.output.warn(
            f"This log-in is not used as long as there is another credential: {given.origin}."
        )
