"""The account of the one who asks, and their tokens."""

import re
from datetime import UTC, date, datetime, time
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, BeforeValidator, Field, PlainSerializer

from packhouse.actions.authenticate import Identity
from packhouse.actions.default_channel import choose_default_channel
from packhouse.actions.tokens import (
    NewToken,
    create_token,
    delete_token,
    grantable_scopes,
    list_tokens,
    refresh_token,
)
from packhouse.actions.users import user_of
from packhouse.domain.tokens import Resource, Token
from packhouse.domain.users import User
from packhouse.web.credentials import CurrentIdentity, House, SignedInActor
from packhouse.web.errors import ERROR_RESPONSES

# Clients of years ago send JSON without saying so; no cookie is ever read here that would make that unsafe.
router = APIRouter(tags=["account"], responses=ERROR_RESPONSES, strict_content_type=False)

DATE_SHAPE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def _read_expiry(value: Any) -> Any:
    """A date means all of that day; a time without a zone is UTC. ValueError for anything else."""
    if not isinstance(value, str):
        return value
    try:
        if DATE_SHAPE.fullmatch(value):
            return datetime.combine(date.fromisoformat(value), time(23, 59, 59), UTC)
        moment = datetime.fromisoformat(value)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError("a date is written 2030-12-31, a time 2030-12-31T12:00:00Z") from error


Expiry = Annotated[datetime, BeforeValidator(_read_expiry, json_schema_input_type=str)]
ChannelPathText = Annotated[str, Field(pattern=r"^[^\x00]*$", max_length=130)]
"""PostgreSQL refuses a NUL."""
Moment = Annotated[datetime, PlainSerializer(datetime.isoformat, return_type=str)]


class Person(BaseModel):
    id: str
    username: str
    email: str | None
    first_name: str = ""
    last_name: str = ""


class Profile(BaseModel):
    is_confirmed: bool = True
    is_disabled: bool = False
    is_consented: bool = True


class Account(BaseModel):
    """One document for two kinds of clients: `conda repo` reads the top, `anaconda` reads `user`."""

    user_id: str
    username: str
    email: str | None
    roles: list[str]
    dbroles: list[str]
    default_channel_name: str | None
    user: Person
    profile: Profile = Profile()
    subscriptions: list[dict[str, Any]] = []

    @classmethod
    def of(cls, user: User) -> "Account":
        return cls(
            user_id=user.uuid,
            username=user.username,
            email=user.email,
            roles=[user.role.value],
            dbroles=[user.role.value],
            default_channel_name=user.default_channel,
            user=Person(id=user.uuid, username=user.username, email=user.email),
        )


class AccountChanges(BaseModel):
    default_channel_name: ChannelPathText | None = Field(
        description="Path of a channel that the user may write to; null for none."
    )


class TokenResource(BaseModel):
    resource_type: Literal["channel", "subchannel"]
    resource_id: str = Field(description="The channel's path: `channel` or `channel/subchannel`.")
    permission: Literal["read", "write", "manage"]

    @classmethod
    def of(cls, resource: Resource) -> "TokenResource":
        return cls.model_validate(
            {
                "resource_type": resource.type,
                "resource_id": resource.path,
                "permission": resource.permission,
            }
        )


class TokenOrder(BaseModel):
    """Either `scopes` or `resources`, never both."""

    name: str
    expires_at: Expiry | None = Field(None, description="A date (all of that day) or a time; null is never.")
    scopes: list[str] | None = None
    resources: list[TokenResource] | None = Field(None, max_length=1000)


class TokenFacts(BaseModel):
    id: str
    name: str
    metadata: None = None
    type: Literal["scope", "resource"]
    created_at: Moment
    expires_at: Moment | None
    last_used_at: Moment | None
    scopes: list[str]
    resources: list[TokenResource]

    @classmethod
    def of(cls, token: Token) -> "TokenFacts":
        return cls(
            id=token.uuid,
            name=token.name,
            type=token.type,
            created_at=token.created_at,
            expires_at=token.expires_at,
            last_used_at=token.last_used_at,
            scopes=list(token.scopes or ()),
            resources=[TokenResource.of(resource) for resource in token.resources or ()],
        )


class TokenList(BaseModel):
    total_count: int
    items: list[TokenFacts]


class TokenSecret(BaseModel):
    token: str = Field(description="The secret. It is shown this once.")
    id: str

    @classmethod
    def of(cls, new: NewToken) -> "TokenSecret":
        return cls(token=new.secret, id=new.token.uuid)


class PresentedToken(BaseModel):
    name: str | None = Field(description="Null for a session, which a log-in opened.")
    type: Literal["scope", "resource", "session"]
    expires_at: Moment | None

    @classmethod
    def of(cls, identity: Identity) -> "PresentedToken":
        token = identity.token
        if token is None:
            return cls(name=None, type="session", expires_at=identity.expires_at)
        return cls(name=token.name, type=token.type, expires_at=identity.expires_at)


class ScopeList(BaseModel):
    scopes: list[str]


@router.get("/account")
@router.get("/account/me")
@router.get("/auth/account/profile")
@router.get("/auth/account/me")
def show_account(packhouse: House, actor: SignedInActor) -> Account:
    """Who the credential belongs to."""
    return Account.of(user_of(packhouse, actor))


@router.put("/account")
def change_account(packhouse: House, actor: SignedInActor, body: AccountChanges) -> Account:
    """Choose the channel that commands mean when they name none."""
    choose_default_channel(packhouse, actor, body.default_channel_name)
    return Account.of(user_of(packhouse, actor))


@router.get("/account/token-info")
def show_presented_token(identity: CurrentIdentity, _actor: SignedInActor) -> PresentedToken:
    """What is known about the token or session that this very request carries."""
    return PresentedToken.of(identity)


@router.get("/account/scopes")
def list_scopes(actor: SignedInActor) -> ScopeList:
    """The scopes that a new token can be given."""
    return ScopeList(scopes=grantable_scopes(actor))


@router.get("/account/tokens")
def list_own_tokens(packhouse: House, actor: SignedInActor) -> TokenList:
    """The user's tokens, oldest first."""
    items = [TokenFacts.of(token) for token in list_tokens(packhouse, actor)]
    return TokenList(total_count=len(items), items=items)


@router.post("/account/tokens")
def create_own_token(
    packhouse: House, actor: SignedInActor, body: TokenOrder, response: Response
) -> TokenSecret:
    """Make a token."""
    response.headers["Cache-Control"] = "no-store"
    resources = None if body.resources is None else [item.model_dump() for item in body.resources]
    new = create_token(packhouse, actor, body.name, body.expires_at, body.scopes, resources)
    return TokenSecret.of(new)


@router.put("/account/tokens/{token_id}")
def refresh_own_token(
    packhouse: House, actor: SignedInActor, token_id: str, response: Response
) -> TokenSecret:
    """Give a token a new secret and its whole life again; the old secret is dead at once."""
    response.headers["Cache-Control"] = "no-store"
    return TokenSecret.of(refresh_token(packhouse, actor, token_id))


@router.delete("/account/tokens/{token_id}", status_code=204)
def delete_own_token(packhouse: House, actor: SignedInActor, token_id: str) -> None:
    """Delete a token; it is dead at once."""
    delete_token(packhouse, actor, token_id)
