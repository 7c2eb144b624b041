"""Tokens: local people, so that who releases and who approves are different."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from setpoint.control import people
from setpoint.control.context import RequestContext
from setpoint.control.errors import Malformed, NotFound, Refused
from setpoint.control.people import Token
from setpoint.control.permissions import Permission
from setpoint.control.reading.targets import suggestion
from setpoint.control.registry import Answer, NoRequest, Request, command, query
from setpoint.model.people import Person
from setpoint.model.time import Instant, parse_duration

UserName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}$")]
GroupName = Annotated[str, Field(pattern=r"^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$")]


class TokenRequest(Request):
    """Whom a token is for."""

    user: UserName
    groups: list[GroupName] = Field(default_factory=list, max_length=100)
    admin: bool = False
    expires: str = ""
    """A duration such as ``30d``; empty: never."""


class TokenView(Answer):
    """A token without its secret."""

    id: str
    user: str
    groups: list[str]
    admin: bool
    created: Instant
    created_by: str
    expires: Instant = 0


class NewToken(TokenView):
    """The only time that the token itself is shown."""

    token: str


class RevokeRequest(Request):
    """Which token."""

    id: str


class TokenList(Answer):
    """Every token."""

    tokens: list[TokenView]


@command(
    "token-create",
    Permission.ADMINISTER,
    TokenRequest,
    NewToken,
    "Make a token for a person, with groups; it is shown once.",
    subject=lambda request: (
        f"{request.user}{' (admin)' if request.admin else ''}" + (f" in {', '.join(request.groups)}" if request.groups else "")
    ),
    instead="A token is valid immediately, and invalid as soon as it is revoked; `setpoint token list` shows the valid ones.",
    secret=True,
)
async def create(context: RequestContext, request: TokenRequest) -> NewToken:
    """The secret is given out here and nowhere else. Its id follows from the request: after a crash no second one is made."""
    made = people.id_of_request(context.request)
    if context.services.people.has(made):
        raise Refused(
            f"This request made token {made} already; its secret is shown only once.",
            f"`setpoint token revoke {made}`, then make another one.",
        )
    expires = context.now + _lifetime(request.expires) if request.expires else 0
    person = Person(request.user, tuple(request.groups), request.admin)
    token, secret = await context.services.people.create(
        person, by=context.person.name, now=context.now, expires=expires, name=made
    )
    return NewToken(**_view(token).model_dump(), token=secret)


@command(
    "token-revoke",
    Permission.ADMINISTER,
    RevokeRequest,
    TokenView,
    "Revoke a token, effective immediately.",
    subject=lambda request: request.id,
    instead="It would be invalid immediately; `setpoint token list` shows whose it is.",
)
async def revoke(context: RequestContext, request: RevokeRequest) -> TokenView:
    """The last administrator's token stays."""
    known = {token.id: token for token in context.services.people.known()}
    token = known.get(request.id)
    if token is None:
        raise NotFound(f'Token "{request.id}" does not exist.', suggestion(request.id, known, "token"))
    if token.admin and not any(other.admin and not other.expires for other in known.values() if other.id != token.id):
        raise Refused("This is the last token of an administrator.", "Make another one first.")
    await context.services.people.revoke(request.id)
    return _view(token)


@query("tokens", Permission.ADMINISTER, NoRequest, TokenList, "Every token there is, without its secret.")
async def tokens(context: RequestContext, _: NoRequest) -> TokenList:
    """Oldest first."""
    return TokenList(tokens=[_view(token) for token in context.services.people.known()])


def _lifetime(text: str) -> int:
    try:
        duration = parse_duration(text)
    except ValueError as error:
        raise Malformed(f"expires: {error}.", "Write a duration such as 30d or 12h.") from None
    if not duration:
        raise Malformed("expires: a token of no duration is worth nothing.", "Write a duration such as 30d or 12h.")
    return duration


def _view(token: Token) -> TokenView:
    return TokenView(
        id=token.id,
        user=token.user,
        groups=list(token.groups),
        admin=token.admin,
        created=token.created,
        created_by=token.created_by,
        expires=token.expires,
    )
