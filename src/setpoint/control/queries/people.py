"""People: who did what, for administrators; and who asks, and what that person may do."""

from __future__ import annotations

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
    """One command."""

    number: int
    at: Instant
    person: str
    command: str
    subject: str
    why: str
    outcome: str
    message: str


class AuditAnswer(Answer):
    """Newest first."""

    entries: list[AuditEntry]


@query("audit", Permission.ADMINISTER, AuditRequest, AuditAnswer, "Who asked for which change, and what became of it.")
async def audit(context: RequestContext, request: AuditRequest) -> AuditAnswer:
    """Newest first."""
    entries = await context.services.audit.entries(before=request.before, limit=request.limit)
    return AuditAnswer(
        entries=[
            AuditEntry(
                number=one.number,
                at=one.at,
                person=one.person,
                command=one.command,
                subject=one.subject,
                why=one.why,
                outcome=one.outcome,
                message=one.message,
            )
            for one in entries
        ]
    )


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
