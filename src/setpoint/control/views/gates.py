"""The gates of an instance by name: who may skip which, and what each came to at this moment."""

from __future__ import annotations

from setpoint.control.registry import Answer
from setpoint.core.instance.gates import limit, task
from setpoint.core.instance.gates.context import EVERY_GATE, Context
from setpoint.core.instance.gates.verdict import GATES, ORDER, Result, Verdict, verdicts
from setpoint.core.instance.state import Attempt, InstanceState
from setpoint.model.checks import Outcome
from setpoint.model.policy import Phase, Policy
from setpoint.model.release import Offer
from setpoint.model.time import Instant

EVERY = EVERY_GATE
_STATES = {Result.PASS: "holds", Result.WAIT: "waits", Result.STALE: "waits", Result.FAIL: "says-no", Result.SKIPPED: "skipped"}


def skippable(policy: Policy) -> dict[str, tuple[str, ...] | None]:
    """Every gate's name -> who may skip it (None: administrators). Gates of one name are skipped together."""
    found: dict[str, tuple[str, ...] | None] = {}
    for use in (use for gate in GATES for use in gate.uses(policy)):
        found[use.name] = _narrower(found[use.name], use.override) if use.name in found else use.override
    return found


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
    if state.policy is None:
        return []
    context = Context(state.policy, state.life, offer, attempt, now)
    through = {"wave"} if not limit.waves_of(state.policy, state.life, offer) else set()
    found = [_view(context, verdict) for verdict in verdicts(context) if verdict.use.kind not in through]
    return sorted(found, key=lambda view: ORDER[Phase(view.phase)])


def _view(context: Context, verdict: Verdict) -> GateView:
    if verdict.use.kind == "check":
        return _check(context, verdict)
    if verdict.use.kind == "task":
        return _task(context, verdict)
    past = context.life.candidate is None or context.life.candidate.number != context.attempt.number
    if verdict.result is not Result.SKIPPED and past:
        return _shown(verdict, "passed")
    reason = verdict.reason if verdict.result is not Result.SKIPPED else None
    return _shown(verdict, _STATES[verdict.result], reason.text if reason else "", subject=reason.subject if reason else "")


def _shown(verdict: Verdict, state: str, text: str = "", *, subject: str = "") -> GateView:
    use, text = verdict.use, "skipped by a person" if state == "skipped" else text
    return GateView(name=use.name, kind=use.kind, phase=use.phase, state=state, text=text, subject=subject)


def _check(context: Context, verdict: Verdict) -> GateView:
    use = next(use for use in context.policy.checks if use.name == verdict.use.name and use.phase is verdict.use.phase)
    here = use.phase is context.attempt.phase
    progress = context.attempt.gates.get(use.name) if here else None
    last = progress.reason if progress else ""
    if use.informational:
        view = _shown(verdict, "informational", last)
    elif verdict.result is Result.SKIPPED or not here:
        view = _shown(verdict, "skipped" if verdict.result is Result.SKIPPED else _other_phase(context, verdict))
    elif verdict.reason is None:
        view = _shown(verdict, "holds", last)
    else:
        failing = progress is not None and progress.outcome is Outcome.BLOCKING
        view = _shown(verdict, "says-no" if failing else "waits", verdict.reason.text)
    if progress is None:
        return view
    return view.model_copy(
        update={"outcome": str(progress.outcome or ""), "ended": progress.ended, "subject": progress.attachment}
    )


def _task(context: Context, verdict: Verdict) -> GateView:
    use = next(use for use in context.policy.tasks if use.name == verdict.use.name and use.phase is verdict.use.phase)
    entity = task.run_of(use, context.policy, context.life, context.offer, context.attempt)
    if verdict.reason and use.phase is context.attempt.phase:
        return _shown(verdict, "says-no" if task.stuck(context.life, entity) else "waits", verdict.reason.text, subject=entity)
    if verdict.result is Result.SKIPPED:
        return _shown(verdict, "skipped", subject=entity)
    succeeded = task.succeeded(context.life, entity)
    return _shown(verdict, "holds" if succeeded else _other_phase(context, verdict), subject=entity)


def _other_phase(context: Context, verdict: Verdict) -> str:
    return "passed" if ORDER[verdict.use.phase] < ORDER[context.attempt.phase] else "later"
