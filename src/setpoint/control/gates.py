"""The gates of an instance by name: who may skip which, and what each says at this moment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from setpoint.control.registry import Answer
from setpoint.core.instance import gates as core
from setpoint.core.instance.facts_of import applies, halves
from setpoint.core.instance.state import Attempt, Gate, InstanceState, Life
from setpoint.core.instance.tasks import stuck
from setpoint.model.policy import (
    ApprovalUse,
    CalendarUse,
    CheckUse,
    LimitUse,
    Ordering,
    Phase,
    Policy,
    ServiceOrdering,
    TaskUse,
)
from setpoint.model.reasons import Code
from setpoint.model.time import Instant

if TYPE_CHECKING:
    from setpoint.model.reasons import Reason
    from setpoint.model.release import Offer

EVERY = core.EVERY_GATE
_ORDER = {phase: number for number, phase in enumerate(Phase)}
_Standing = LimitUse | Ordering | ServiceOrdering | ApprovalUse | CalendarUse


def skippable(policy: Policy) -> dict[str, tuple[str, ...] | None]:
    """Every gate's name -> who may skip it (None: whoever has the right). Gates of one name are skipped together."""
    found: dict[str, tuple[str, ...] | None] = {}
    for use in _uses(policy):
        found[use.name] = _narrower(found[use.name], use.override) if use.name in found else use.override
    if policy.cadence:
        found["cadence"] = None
    if policy.wave:
        found[core.WAVE] = policy.wave.override
    return found


_AnyUse = _Standing | CheckUse | TaskUse


def _uses(policy: Policy) -> tuple[_AnyUse, ...]:
    standing: tuple[_AnyUse, ...] = (*policy.orderings, *policy.services, *policy.approvals, *policy.calendars, *policy.limits)
    return (*standing, *policy.checks, *policy.tasks)


def _narrower(one: tuple[str, ...] | None, other: tuple[str, ...] | None) -> tuple[str, ...] | None:
    if one is None or other is None:
        return other if one is None else one
    return tuple(principal for principal in one if principal in other)


class GateView(Answer):
    """One gate of the attempt under way, or of the next one."""

    name: str
    kind: str
    """``ordering``, ``approval``, ``calendar``, ``cadence``, ``lease``, ``wave``, ``check`` or ``task``."""
    phase: str
    state: str
    """``holds``, ``waits``, ``says-no``, ``skipped``, ``later``, ``passed`` or ``informational``."""
    text: str = ""
    outcome: str = ""
    """Of a check's last run."""
    ended: Instant = 0
    """When that run ended."""
    subject: str = ""


def views(state: InstanceState, attempt: Attempt, offer: Offer, now: Instant) -> list[GateView]:
    """Every gate that concerns the attempt, in order of phases."""
    policy = state.policy
    if policy is None:
        return []
    of = (policy, state.life, attempt, offer, now)
    found = [*_standing(*of), *_checks(*of), *_tasks(*of)]
    return sorted(found, key=lambda view: _ORDER[Phase(view.phase)])


def _standing(policy: Policy, life: Life, attempt: Attempt, offer: Offer, now: Instant) -> Iterator[GateView]:
    limits = list(core.limits(policy, life, offer, attempt, now))
    earlier = list(core.earlier(policy, life, offer, now, committed=attempt.committed, added=attempt.added))
    went = core.member.went(policy, life, offer, attempt)
    times = list((core.pauses if attempt.committed else core.times)(policy, life, offer, now))
    kinds: tuple[tuple[str, Phase, list[str], list[Reason]], ...] = (
        (
            "ordering",
            Phase.PRE_APPROVAL,
            _names(policy.orderings, policy, life, offer),
            [one for one in earlier if one.code is Code.ORDERING_NOT_MET],
        ),
        (
            "ordering",
            Phase.PRE_APPROVAL,
            _names(policy.services, policy, life, offer),
            [one for one in earlier if one.code is Code.DEPENDENCY_NOT_READY],
        ),
        (
            "approval",
            Phase.APPROVAL,
            _names(policy.approvals, policy, life, offer),
            list(core.approvals(policy, life, offer, attempt.change, now, went=went)),
        ),
        (
            "calendar",
            Phase.PRE_DEPLOYMENT,
            _names(policy.calendars, policy, life, offer),
            times,
        ),
        ("cadence", Phase.PRE_DEPLOYMENT, ["cadence"] if policy.cadence else [], times),
        ("lease", Phase.PRE_DEPLOYMENT, _names(policy.limits, policy, life, offer), limits),
        ("wave", Phase.PRE_DEPLOYMENT, [core.WAVE] if core.waves_of(policy, life, offer) else [], limits),
    )
    begun = life.candidate is None or life.candidate.number != attempt.number
    for kind, phase, names, reasons in kinds:
        for name in names:
            reason = next((one for one in reasons if one.gate == name), None)
            yield _view(kind, phase, name, reason, skipped=_is_skipped(life, offer, name), begun=begun)


def _is_skipped(life: Life, offer: Offer, gate: str) -> bool:
    """Whether a person skipped it for every release of the attempt."""
    return all(core.skipped(life, half.release, gate) for half in halves(life, offer))


def _names(uses: Sequence[_Standing], policy: Policy, life: Life, offer: Offer) -> list[str]:
    return [use.name for use in uses if applies(use.when, policy, life, offer)]


def _view(kind: str, phase: Phase, name: str, reason: Reason | None, *, skipped: bool, begun: bool) -> GateView:
    if skipped:
        return GateView(name=name, kind=kind, phase=phase, state="skipped", text="skipped by a person")
    if begun:
        return GateView(name=name, kind=kind, phase=phase, state="passed")
    if reason is None:
        return GateView(name=name, kind=kind, phase=phase, state="holds")
    return GateView(
        name=name, kind=kind, phase=phase, state="says-no" if reason.failed else "waits", text=reason.text, subject=reason.subject
    )


def _checks(policy: Policy, life: Life, attempt: Attempt, offer: Offer, now: Instant) -> Iterator[GateView]:
    for use in policy.checks:
        if applies(use.when, policy, life, offer):
            yield _check(use, life, attempt, offer, now)


def _check(use: CheckUse, life: Life, attempt: Attempt, offer: Offer, now: Instant) -> GateView:
    gate = attempt.gates.get(use.name) if use.phase is attempt.phase else None
    state, text = _check_state(use, gate, life, attempt, offer, now)
    return GateView(
        name=use.name,
        kind="check",
        phase=use.phase,
        state=state,
        text=text,
        outcome=str(gate.outcome or "") if gate else "",
        ended=gate.ended if gate else 0,
        subject=gate.attachment if gate else "",
    )


def _tasks(policy: Policy, life: Life, attempt: Attempt, offer: Offer, now: Instant) -> Iterator[GateView]:
    reasons = {reason.gate: reason for reason in core.tasks(policy, life, offer, attempt, now) if reason.gate}
    for use in policy.tasks:
        if applies(use.when, policy, life, offer):
            entity = core.task.run_of(use, policy, life, offer, attempt)
            reason = reasons.get(use.name) if use.phase is attempt.phase else None
            state = _task_state(use, entity, life, attempt, offer)
            if reason:
                state = "says-no" if stuck(life, entity) else "waits"
            text = reason.text if reason else "skipped by a person" if state == "skipped" else ""
            yield GateView(name=use.name, kind="task", phase=use.phase, state=state, text=text, subject=entity)


def _task_state(use: TaskUse, entity: str, life: Life, attempt: Attempt, offer: Offer) -> str:
    if _is_skipped(life, offer, use.name):
        return "skipped"
    if core.task.succeeded(life, entity):
        return "holds"
    return "passed" if _ORDER[use.phase] < _ORDER[attempt.phase] else "later"


def _check_state(use: CheckUse, gate: Gate | None, life: Life, attempt: Attempt, offer: Offer, now: Instant) -> tuple[str, str]:
    if use.informational:
        return "informational", gate.reason if gate else ""
    if _is_skipped(life, offer, use.name):
        return "skipped", "skipped by a person"
    if _ORDER[use.phase] != _ORDER[attempt.phase]:
        return ("passed" if _ORDER[use.phase] < _ORDER[attempt.phase] else "later"), ""
    reason = core.check(use, gate, attempt, now)
    if reason is None:
        return "holds", gate.reason if gate else ""
    return ("says-no" if gate and gate.outcome == "blocking" else "waits"), reason.text
