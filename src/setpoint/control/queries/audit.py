"""The audit, for administrators."""

from __future__ import annotations

from pydantic import Field

from setpoint.control.act import Act
from setpoint.control.permissions import Permission
from setpoint.control.registry import Answer, Request, query
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
async def audit(act: Act, request: AuditRequest) -> AuditAnswer:
    """Newest first."""
    entries = await act.control.audit.entries(before=request.before, limit=request.limit)
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
