"""Find the credential that a request carries, wherever its client puts it."""

import re
from base64 import b64decode
from collections.abc import Iterable
from typing import Annotated

from fastapi import Depends, Request

from packhouse.actions.authenticate import Credential, Identity, identify
from packhouse.actions.packhouse import Packhouse
from packhouse.domain.access import Actor, require_user
from packhouse.errors import Unauthenticated
from packhouse.web.request_log import ACTOR

SECRET_SHAPE = re.compile(r"[!-~]{1,4096}")


def find_credential(headers: Iterable[tuple[bytes, bytes]], path_token: str | None) -> Credential | None:
    """The first of `X-Auth`, `Authorization` and the token in the path; None for an anonymous request.

    Header names are in lower case, as ASGI has them. Raises Unauthenticated for what cannot be read:
    somebody who sends a credential does not want to be taken for nobody. No message repeats the secret.
    """
    x_auth = authorization = None
    for name, value in headers:
        if name == b"x-auth":
            x_auth = value
        elif name == b"authorization":
            authorization = value
    if x_auth is not None:
        return _token(x_auth.decode("latin-1"), "'X-Auth' header")
    if authorization is not None:
        return _from_authorization(authorization.decode("latin-1"))
    return None if path_token is None else _token(path_token, "token in the address")


def _from_authorization(value: str) -> Credential:
    scheme, _, rest = value.strip().partition(" ")
    if scheme.lower() in ("bearer", "token"):
        return _token(rest, "'Authorization' header")
    if scheme.lower() == "basic":
        return _from_basic(rest)
    raise Unauthenticated(
        "The 'Authorization' header is none that is understood here. "
        "Send 'Bearer <token>', 'token <token>' or 'Basic' with the token as the password."
    )


def _from_basic(encoded: str) -> Credential:
    try:
        raw = b64decode(encoded.strip(), validate=True)
    except ValueError as error:  # letters that are no base64, and those that are no letters of any code
        raise Unauthenticated("The 'Basic' credential is not valid base64.") from error
    username, colon, password = _decoded(raw).partition(":")
    if not colon or not (username or password):
        raise Unauthenticated("The 'Basic' credential is not of the form 'user:token'.")
    if not password:
        return _token(username, "user name of the 'Basic' credential")
    return Credential(password, username or None)


def _decoded(raw: bytes) -> str:
    """RFC 7617 leaves the encoding open: newer clients send UTF-8, older ones Latin-1."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _token(text: str, where: str) -> Credential:
    secret = text.strip()
    if not SECRET_SHAPE.fullmatch(secret):
        raise Unauthenticated(f"The {where} holds no token: it is empty, too long or has odd characters.")
    return Credential(secret)


def packhouse_of(request: Request) -> Packhouse:
    packhouse: Packhouse = request.app.state.packhouse
    return packhouse


House = Annotated[Packhouse, Depends(packhouse_of)]


def current_identity(request: Request, packhouse: House) -> Identity:
    """Who asks, and with what; nobody is `ANONYMOUS`."""
    identity = identify(packhouse, find_credential(request.headers.raw, None))
    request.scope[ACTOR] = identity.actor.name
    return identity


CurrentIdentity = Annotated[Identity, Depends(current_identity)]


def current_actor(identity: CurrentIdentity) -> Actor:
    return identity.actor


CurrentActor = Annotated[Actor, Depends(current_actor)]


def signed_in_actor(actor: CurrentActor) -> Actor:
    """Anybody but nobody: raises Unauthenticated for an anonymous request."""
    require_user(actor)
    return actor


SignedInActor = Annotated[Actor, Depends(signed_in_actor)]
