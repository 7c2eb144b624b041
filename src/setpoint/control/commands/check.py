"""Check: one protection run by hand, as the engine would run it for an attempt, and how its result would count.

It changes nothing: no attachment, no gate and no attempt receives the result. It runs a program with the engine's rights, and so
needs an administrator's token.
"""

from __future__ import annotations

from collections.abc import Iterator

from setpoint.control.context import RequestContext
from setpoint.control.errors import NotFound, Refused
from setpoint.control.permissions import Permission
from setpoint.control.reading.states import offer_named, open_attempt, state_of
from setpoint.control.reading.targets import instance as find_instance
from setpoint.control.reading.targets import suggestion
from setpoint.control.registry import Answer, Request, command
from setpoint.core.instance.explain import desired
from setpoint.core.instance.gates.context import applies, definition, skipped
from setpoint.core.instance.state import Attempt, InstanceState, Kind, Life
from setpoint.core.instructions import RunCheck
from setpoint.model.checks import Outcome
from setpoint.model.names import short_name
from setpoint.model.policy import CheckUse, Phase, Policy
from setpoint.model.release import Offer
from setpoint.model.time import Duration, approximate_duration


class CheckRequest(Request):
    """Which check, and for what."""

    gate: str
    """Its name as `setpoint explain` shows it, or that of its protection."""
    target: str
    """One instance."""
    release: int = 0
    """0: the one under way, else the one that is wanted or runs."""


class PhaseResult(Answer):
    """How the result would count in one phase."""

    gate: str
    phase: str
    text: str


class Checked(Answer):
    """The end of one run."""

    protection: str
    instance: str
    release: int
    version: str
    outcome: str
    """``passing``, ``blocking``, ``misconfigured`` or ``unavailable``."""
    code: int | None
    """A program's exit code; a signal's number, negative."""
    reason: str
    output: str
    took: Duration
    counts: list[PhaseResult]


@command(
    "check",
    Permission.ADMINISTER,
    CheckRequest,
    Checked,
    "Run one check by hand, and show how its result would count; no gate receives it.",
    subject=lambda request: f"{request.gate} for {request.target}",
    instead="It changes nothing in Setpoint: run it.",
)
async def check(context: RequestContext, request: CheckRequest) -> Checked:
    """By the same runner, with the same arguments and environment."""
    configuration = context.configuration
    instance = find_instance(configuration, request.target)
    policy, state = configuration.policy(instance), await state_of(context, instance)
    uses = _named(policy, request.gate, request.target)
    offer = _offer(context, instance, state, request.release)
    attempt = _attempt(state, offer, uses[0].phase)
    what = definition(uses[0].check, policy, state.life, offer, attempt)
    began = context.services.clock()
    operation = f"by-hand:{context.request or began}"
    result = await context.services.effects.run_check(RunCheck(operation, what))
    return Checked(
        protection=what.protection,
        instance=instance,
        release=offer.release,
        version=offer.version.name,
        outcome=result.outcome,
        code=result.code,
        reason=result.reason,
        output=result.output,
        took=max(context.services.clock() - began, 0),
        counts=list(_consequences(uses, policy, state.life, offer, result.outcome)),
    )


def _named(policy: Policy, name: str, target: str) -> list[CheckUse]:
    """Its uses in all phases: of a gate's name, else of a protection's. Raises NotFound, Refused."""
    uses = [use for use in policy.checks if use.name == name] or [use for use in policy.checks if use.check.protection == name]
    if not uses:
        known = [use.name for use in policy.checks]
        raise NotFound(f'{target} has no check "{name}".', suggestion(name, known, "check"))
    if len({use.check.attachment for use in uses}) > 1:
        names = ", ".join(sorted({use.name for use in uses}))
        raise Refused(f'{target} has several checks by the protection "{name}".', f"Name one of its gates: {names}.")
    return uses


def _offer(context: RequestContext, instance: str, state: InstanceState, release: int) -> Offer:
    """What it is checked for. Raises NotFound, Refused."""
    if release or open_attempt(state):
        return offer_named(instance, state, release)
    offer = desired(state, context.steady)
    if offer is None:
        raise Refused(f"No release has come to {short_name(instance)} yet.", "Release a version first.")
    return offer


def _attempt(state: InstanceState, offer: Offer, phase: Phase) -> Attempt:
    """The one under way at this release; else what one would be that came to the check's phase now."""
    under_way = open_attempt(state)
    if under_way and under_way.release == offer.release:
        return under_way
    return Attempt(state.life.attempts + 1, offer.release, Kind.FORWARD, phase, 0, 0)


def _consequences(uses: list[CheckUse], policy: Policy, life: Life, offer: Offer, outcome: Outcome) -> Iterator[PhaseResult]:
    for use in uses:
        if skipped(life, offer.release, use.name):
            text = "is skipped for this release"
        elif not applies(use.when, policy, life, offer):
            text = "does not concern this release: its `when` does not match"
        else:
            text = "is shown, and gates nothing" if use.informational else _consequence(use, outcome)
        yield PhaseResult(gate=use.name, phase=str(use.phase), text=text)


def _consequence(use: CheckUse, outcome: Outcome) -> str:
    if outcome is Outcome.PASSING:
        return (
            f"counts as passing; it must pass for {approximate_duration(use.window)}" if use.window else "lets the attempt go on"
        )
    if outcome is not Outcome.BLOCKING:
        if use.fail_after:
            return f"decides nothing; after {approximate_duration(use.fail_after)} without a result the attempt fails"
        return "decides nothing; the attempt waits for a result that passes or fails"
    if use.phase is Phase.POST_DEPLOYMENT or (use.phase is Phase.DEPLOYMENT and use.on_fail == "fail"):
        return (
            f"is a failure, of which {use.tolerate} are tolerated" if use.tolerate else "fails the attempt, which is rolled back"
        )
    return "holds the attempt until it passes"
