"""``Reason`` on the wire: what the API, the CLI and the UI show of why something is not so yet. Its schema is committed."""

from __future__ import annotations

from pydantic import Field

from setpoint.control.registry import Answer
from setpoint.model.names import instance_entity, key_of, kind_of, short_name
from setpoint.model.reasons import Code, Reason
from setpoint.model.time import Instant

_KINDS = {
    "attachment": "check",
    "topic": "approval",
    "task": "task",
    "scope": "scope",
    "set": "set",
    "lease": "lease",
    "wave": "wave",
    "budget": "budget",
    "instance": "instance",
}
"""Prefix of a subject -> kind of the cause."""
_TIMETABLES = frozenset({Code.CALENDAR_CLOSED, Code.CADENCE_CLOSED})


class CauseView(Answer):
    """What a reason is about. Reasons with the same cause are one thing to see to."""

    kind: str
    """``instance``, ``check``, ``approval``, ``task``, ``calendar``, ``lease``, ``wave``, ``budget``, ``set``, ``scope``."""
    id: str
    """The entity, such as ``instance:saas/web@acme``; of a calendar, its name."""
    label: str
    """For people, such as ``web@acme`` or ``office-hours``."""


class ClearsView(Answer):
    """What clears a reason: a person, an event or a time."""

    who: str = ""
    """``person``: nothing else clears it, and it was not ordered on purpose."""
    what: str = ""
    """The event that is waited for."""
    when: Instant | None = None
    """The time that clears it."""
    command: str = ""
    """What a person can do about it."""


class ReasonView(Answer):
    """One thing that is waited for, or that went wrong."""

    code: Code
    gate: str = ""
    """Its name, for ``skip``; empty: nothing that can be skipped."""
    phase: str = ""
    subject: str = ""
    """The entity that it is about."""
    since: Instant = 0
    recheck_at: Instant | None = None
    """When the engine looks again without an event."""
    cause: CauseView
    clears: ClearsView
    text: str
    """A sentence for people. Nothing needs to read it: everything in it that matters has a field."""
    failed: bool = False
    """It ends the attempt, or ended it."""
    stuck: bool = False
    """A check has had no decisive result for twice its `maxAge`, and has no `failAfter`."""
    release: int = 0
    """Of a missing approval: the release that it is for, the version's or the configuration's."""
    counts_for: list[str] = Field(default_factory=list)
    """Of a missing approval: the other instances that it counts for, too."""
    approvers: list[str] = Field(default_factory=list)
    """Of a missing approval: people with a token who may give it."""


def reason_view(reason: Reason, instance: str) -> ReasonView:
    """A reason as data; ``instance``: whose it is, which is the cause where the reason names none."""
    return ReasonView(
        code=reason.code,
        gate=reason.gate,
        phase=reason.phase,
        subject=reason.subject,
        since=reason.since,
        recheck_at=reason.until,
        cause=_cause(reason, reason.subject or instance_entity(instance)),
        clears=ClearsView(
            who="person" if reason.person else "",
            what=reason.awaits,
            when=None if reason.awaits else reason.until,
            command=reason.unblock,
        ),
        text=reason.text,
        failed=reason.failed,
        stuck=reason.stuck,
    )


def _cause(reason: Reason, subject: str) -> CauseView:
    if reason.code in _TIMETABLES:
        return CauseView(kind="calendar", id=reason.gate, label=reason.gate)
    first, rest = kind_of(subject), key_of(subject)
    if first not in _KINDS:  # the plain name of an instance
        return CauseView(kind="instance", id=instance_entity(subject), label=short_name(subject))
    label = short_name(rest) if first == "instance" else reason.gate or short_name(rest)
    return CauseView(kind=_KINDS[first], id=subject, label=label)
