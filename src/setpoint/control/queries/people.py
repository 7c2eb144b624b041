"""People: who did what, for administrators; and who the caller is, and what that person may do."""

from __future__ import annotations

import msgspec
from pydantic import Field

from setpoint.control.context import RequestContext
from setpoint.control.permissions import Permission, may
from setpoint.control.registry import Answer, NoRequest, Request, query
from setpoint.model.time import Instant


class AuditRequest(Request):
    """How much of it."""

    before: int = Field(0, ge=0)
    """Number of an entry: older ones than that; 0: the newest."""
    limit: int = Field(100, ge=1, le=1000)


class AuditEntry(Answer):
    """One attempt, or a number of like ones."""

    number: int
    at: Instant
    act: str
    """``command``, ``dry-run``, ``query``, ``stream``, ``authenticate`` (without a valid token), ``engine``."""
    person: str
    """Empty: not known."""
    token: str
    """Id of the token; see ``tokens``."""
    source: str
    """Address of the client."""
    command: str
    """Name of the command, query or stream; of the engine ``start``, ``stop``, ``token-create``."""
    subject: str
    why: str
    digest: str
    """SHA-256 of the request, with its defaults, as JSON."""
    outcome: str
    """``done``, ``begun`` (the engine ended before the command did), the code of the error, or ``summarised``."""
    message: str
    times: int
    """Attempts that the entry stands for."""


class AuditAnswer(Answer):
    """Newest first."""

    entries: list[AuditEntry]


@query(
    "audit", Permission.ADMINISTER, AuditRequest, AuditAnswer, "Who attempted what, by which token, from where, and the outcome."
)
async def audit(context: RequestContext, request: AuditRequest) -> AuditAnswer:
    """Newest first."""
    log = context.services.audit
    await log.settle(context.now)
    entries = await log.entries(before=request.before, limit=request.limit)
    return AuditAnswer(entries=[AuditEntry(**msgspec.structs.asdict(one)) for one in entries])


class Me(Answer):
    """The person that a token stands for."""

    name: str
    groups: list[str]
    admin: bool
    may: list[str]


@query("whoami", Permission.VIEW, NoRequest, Me, "Who this token stands for, and what that person may do.")
async def whoami(context: RequestContext, _: NoRequest) -> Me:
    """Rights as they are now."""
    person = context.person
    rights = [str(permission) for permission in Permission if may(person, permission)]
    return Me(name=person.name, groups=list(person.groups), admin=person.admin, may=rights)
