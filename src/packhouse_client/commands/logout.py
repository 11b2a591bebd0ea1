"""`logout`: forget the token that `login` keeps, here and on the server."""

from typing import Annotated

import typer

from packhouse_client.commands import new_app
from packhouse_client.commands.options import Json
from packhouse_client.configuration.sites import Site
from packhouse_client.configuration.token_file import StoredToken, forget_token, load_token, token_path
from packhouse_client.errors import BadConfiguration, ClientError, Forbidden, NotFound, Unauthenticated
from packhouse_client.session import Session, session_of

app = new_app()

NOT_LOGGED_IN = "You are not logged in"


@app.command()
def logout(
    context: typer.Context,
    force: Annotated[
        bool, typer.Option("-f", "--force", help="Forget the token here even if the server cannot be told.")
    ] = False,
    as_json: Json = False,
) -> None:
    """End the log-in of `conda repo login`: its token is deleted on the server, and forgotten here.

    A log-in of `anaconda login` ends with `anaconda logout`.
    """
    session = session_of(context)
    session.may_ask_to_log_in = False
    stored = _stored(session, force)
    is_deleted = stored is not None and _delete_on_server(session, stored, force)
    was_there = _forget(session.site)
    if not was_there:
        _say_what_is_left(session)
    else:
        session.output.say("Access tokens were removed" if is_deleted else _still_valid(session.site, stored))
        session.output.say("Logout successful")
    if as_json:
        session.output.print_json(
            {"url": session.site.url, "was_logged_in": was_there, "is_deleted_on_server": is_deleted}
        )


def _stored(session: Session, force: bool) -> StoredToken | None:
    try:
        return load_token(session.site)
    except BadConfiguration:
        if not force:
            raise
        return None


def _delete_on_server(session: Session, stored: StoredToken, force: bool) -> bool:
    """Whether the token is dead. Raises for a server that cannot be told, unless it need not be."""
    try:
        with session.connect(stored.secret) as client:
            client.delete_token(stored.id)
    except (Unauthenticated, NotFound):  # it was dead before
        return True
    except ClientError as error:
        if force:
            session.output.warn(str(error))
            return False
        raise _not_told(error) from error
    return True


def _not_told(error: ClientError) -> ClientError:
    kind = Forbidden if isinstance(error, Forbidden) else ClientError
    return kind(f"{error} You are still logged in; --force forgets the token here only.", error.status)


def _forget(site: Site) -> bool:
    try:
        return forget_token(site)
    except OSError as error:
        raise BadConfiguration(f"{token_path(site)} cannot be removed: {error.strerror}.") from error


def _still_valid(site: Site, stored: StoredToken | None) -> str:
    until = f" until {stored.expires_at}" if stored is not None and stored.expires_at else ""
    return f"The token is forgotten here; {site.url} may still accept it{until}."


def _say_what_is_left(session: Session) -> None:
    """Raises ClientError where a credential stays that this command cannot take away."""
    from packhouse_client.configuration.credentials import ANACONDA_LOGIN

    try:
        credential = session.credential
    except Unauthenticated:  # a log-in that has expired is none
        credential = None
    if credential is None:
        session.output.say(NOT_LOGGED_IN)
    elif credential.origin == ANACONDA_LOGIN:
        raise ClientError("You are logged in by `anaconda login`. Run: anaconda logout")
    else:
        raise ClientError(f"Your token comes from {credential.origin}: take it away there.")
