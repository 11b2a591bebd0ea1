"""Log in, log out, and what clients of the existing platform ask about the one who did."""

from typing import Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from packhouse.actions.login import log_in, log_out
from packhouse.actions.users import user_of
from packhouse.web.credentials import House, SignedInActor
from packhouse.web.errors import ERROR_RESPONSES

# Clients of years ago send JSON without saying so; no cookie is ever read here that would make that unsafe.
router = APIRouter(tags=["account"], responses=ERROR_RESPONSES, strict_content_type=False)


class LogIn(BaseModel):
    username: str
    password: str = Field(json_schema_extra={"format": "password"})


class OpenedSession(BaseModel):
    token: str = Field(
        description="A JWT to send as `Authorization: Bearer ...` or `X-Auth` until it expires."
    )


@router.post("/auth/login")
def open_session(packhouse: House, body: LogIn, response: Response) -> OpenedSession:
    """Open a session with a user name and a password."""
    response.headers["Cache-Control"] = "no-store"
    return OpenedSession(token=log_in(packhouse, body.username, body.password).token)


@router.post("/logout", status_code=204)
def end_sessions(packhouse: House, actor: SignedInActor) -> None:
    """End every session of the user, on all machines. Tokens stay until they are deleted or expire."""
    log_out(packhouse, actor)


class UserInfo(BaseModel):
    """The claims of OpenID Connect, 5.1; `organization_features` is what `anaconda` looks for in it."""

    sub: str
    preferred_username: str
    email: str | None
    organization_features: list[dict[str, Any]] = []


@router.get("/auth/oauth2/userinfo")
def show_user_info(packhouse: House, actor: SignedInActor) -> UserInfo:
    """Who the credential belongs to, in the words of OpenID Connect."""
    user = user_of(packhouse, actor)
    return UserInfo(sub=user.uuid, preferred_username=user.username, email=user.email)


@router.get("/auth/organizations/my")
@router.get("/organizations/my")
def list_organizations(_actor: SignedInActor) -> list[dict[str, Any]]:
    """Always empty: this server has channels and users, and no organizations."""
    return []
