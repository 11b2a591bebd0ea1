"""OAuth 2.0 as `anaconda login` speaks it: where to ask, the two grants, and the key for the time after."""

from collections.abc import Callable, Mapping
from typing import Annotated

from fastapi import APIRouter, Form, Header, Request, Response
from pydantic import BaseModel, Field

from packhouse.actions.api_keys import create_api_key
from packhouse.actions.authorization_code import redeem_authorization_code
from packhouse.actions.device_login import begin_device_login, redeem_device_code
from packhouse.actions.packhouse import Packhouse
from packhouse.actions.sessions import Session
from packhouse.domain import device_logins
from packhouse.errors import GrantRefused
from packhouse.web.credentials import House, SignedInActor
from packhouse.web.errors import ERROR_RESPONSES
from packhouse.web.request import asker, base_url, client_address

DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
CODE_GRANT = "authorization_code"


class GrantError(BaseModel):
    """RFC 6749, 5.2. Always 400: a 401 or 403 without an object as its `error` crashes anaconda-auth."""

    error: str
    error_description: str


GRANT_ERRORS: dict[int | str, dict[str, object]] = {
    **ERROR_RESPONSES,
    400: {"model": GrantError, "description": "Refused, in the words of RFC 6749 and RFC 8628."},
}

discovery = APIRouter(tags=["log-in by browser"], responses=ERROR_RESPONSES)
"""At the root of the server, where RFC 8615 has it."""

# Nothing here reads a cookie, and `anaconda login` may say of its JSON what it likes.
router = APIRouter(tags=["log-in by browser"], responses=ERROR_RESPONSES, strict_content_type=False)


ClientHost = Annotated[
    str | None, Header(alias="X-Client-Hostname", description="What the machine calls itself.")
]


class Metadata(BaseModel):
    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    device_authorization_endpoint: str
    userinfo_endpoint: str
    response_types_supported: list[str] = ["code"]
    grant_types_supported: list[str] = [CODE_GRANT, DEVICE_GRANT]
    code_challenge_methods_supported: list[str] = ["S256"]
    token_endpoint_auth_methods_supported: list[str] = ["none"]


@discovery.get("/.well-known/openid-configuration")
@discovery.get("/.well-known/oauth-authorization-server")
def describe_log_in(request: Request) -> Metadata:
    """Where to ask for what (RFC 8414). Sessions are OAuth's access tokens; there are no id tokens."""
    base = base_url(request)
    return Metadata(
        issuer=base,
        authorization_endpoint=f"{base}/app/authorize",
        token_endpoint=f"{base}/api/auth/token",
        device_authorization_endpoint=f"{base}/api/auth/device",
        userinfo_endpoint=f"{base}/api/auth/oauth2/userinfo",
    )


class DeviceAuthorization(BaseModel):
    device_code: str = Field(description="The secret to ask `/api/auth/token` with.")
    user_code: str = Field(description="For a person to compare, or to type in.")
    verification_uri: str
    verification_uri_complete: str
    expires_in: int = Field(description="In seconds.")
    interval: int = Field(description="Seconds to wait between two questions.")


@router.post("/auth/device", responses=GRANT_ERRORS)
def begin_log_in_of_device(
    request: Request,
    response: Response,
    packhouse: House,
    client_id: Annotated[str, Form()] = "",
    host: ClientHost = None,
) -> DeviceAuthorization:
    """Begin the log-in of a device (RFC 8628): a code to ask with, and one for a person to answer in a browser."""
    begun = begin_device_login(packhouse, client_id, host, client_address(request), asker(request))
    response.headers["Cache-Control"] = "no-store"
    page = f"{base_url(request)}/app/device"
    return DeviceAuthorization(
        device_code=begun.device_code,
        user_code=begun.user_code,
        verification_uri=page,
        verification_uri_complete=f"{page}?user_code={begun.user_code}",
        expires_in=int(device_logins.LIFE.total_seconds()),
        interval=int(device_logins.INTERVAL.total_seconds()),
    )


class Grant(BaseModel):
    """All optional: what is missing is said in OAuth's own words."""

    grant_type: str = Field("", description=f"`{CODE_GRANT}` or `{DEVICE_GRANT}`.")
    client_id: str = ""
    device_code: str = ""
    code: str = ""
    redirect_uri: str = Field("", description="The same as when the code was asked for.")
    code_verifier: str = Field("", description="Whose SHA-256 was the `code_challenge` (RFC 7636).")


class AccessToken(BaseModel):
    access_token: str = Field(description="A session, as a log-in with the password opens it.")
    token_type: str = "Bearer"
    expires_in: int = Field(description="In seconds.")


@router.post("/auth/token", responses=GRANT_ERRORS)
def open_session_for_grant(
    packhouse: House, response: Response, grant: Annotated[Grant, Form()]
) -> AccessToken:
    """Give the session for a device code or an authorization code, once; until then, say why not."""
    response.headers["Cache-Control"] = "no-store"
    if not grant.grant_type:
        raise GrantRefused("invalid_request", "The field 'grant_type' is missing.")
    if grant.grant_type not in GRANTS:
        raise GrantRefused("unsupported_grant_type", f"Known are: {', '.join(GRANTS)}.")
    session = GRANTS[grant.grant_type](packhouse, grant)
    life = session.expires_at - packhouse.clock()
    return AccessToken(access_token=session.token, expires_in=int(life.total_seconds()))


def _for_device_code(packhouse: Packhouse, grant: Grant) -> Session:
    return redeem_device_code(packhouse, grant.client_id, grant.device_code)


def _for_authorization_code(packhouse: Packhouse, grant: Grant) -> Session:
    return redeem_authorization_code(
        packhouse, grant.client_id, grant.code, grant.redirect_uri, grant.code_verifier
    )


GRANTS: Mapping[str, Callable[[Packhouse, Grant], Session]] = {
    CODE_GRANT: _for_authorization_code,
    DEVICE_GRANT: _for_device_code,
}


class ApiKey(BaseModel):
    id: str
    api_key: str = Field(
        description="The secret, a JWT with the time it expires in `exp`. It is shown this once."
    )


@router.post("/auth/api-keys", status_code=201)
@router.post("/iam/api-keys", status_code=201, include_in_schema=False)
def create_own_api_key(
    packhouse: House,
    actor: SignedInActor,
    response: Response,
    host: ClientHost = None,
) -> ApiKey:
    """Make the key that `anaconda login` keeps: a token of every scope. Only a session may ask for it."""
    response.headers["Cache-Control"] = "no-store"
    new = create_api_key(packhouse, actor, host)
    return ApiKey(id=new.token.uuid, api_key=new.secret)
