"""Checks that must pass: by runs that started after the gate did, fresh, for their window."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from setpoint.core.instance.gates.context import Context, needed_by
from setpoint.core.instance.gates.task import waits
from setpoint.core.instance.state import Attempt, CheckProgress
from setpoint.model.checks import Outcome
from setpoint.model.policy import CheckUse, Phase
from setpoint.model.reasons import Code, Reason
from setpoint.model.time import Instant, approximate_duration


def uses(context: Context) -> Iterator[CheckUse]:
    """The checks that run in the attempt's phase by now, informational ones among them: not those that wait for a task."""
    policy, life, offer, attempt, _ = context
    for use in policy.checks:
        if use.phase is not attempt.phase or not needed_by(use.when, use.name, policy, life, offer):
            continue
        if not waits(use, context):
            yield use


def evaluate(context: Context) -> Iterator[Reason]:
    """Checks of the attempt's phase that do not hold; ``failed`` ones end it. Informational ones are shown and gate nothing."""
    attempt = context.attempt
    for use in uses(context):
        reason = None if use.informational else check(use, attempt.gates.get(use.name), attempt, context.now)
        if reason:
            yield reason


def check(use: CheckUse, gate: CheckProgress | None, attempt: Attempt, now: Instant) -> Reason | None:
    """One check: nothing, or what is missing."""
    if gate is None:
        return _wait(use, f"{use.name} runs after its initial delay", attempt.entered, until=attempt.entered + use.delay)
    if failed(use, gate):
        return _failed(use, gate)
    if not gate.decisive:
        return _undecided(use, gate, now)
    if gate.outcome is Outcome.BLOCKING:
        return _blocking(use, gate)
    return _window(use, gate, now) if use.window else _fresh(use, gate, now)


def _undecided(use: CheckUse, gate: CheckProgress, now: Instant) -> Reason:
    """No result, or one of a check that could not run: that fails the attempt by ``failAfter`` alone (§10.4)."""
    ran = gate.counts
    last = f"{use.name} could not run ({gate.outcome}): {gate.reason}" if ran else f"waits for a first result of {use.name}"
    reason = _wait(use, last, gate.since if ran else gate.requested_at, gate, awaits=f"a finished run of {use.name}")
    if not use.fail_after:
        since = now - (gate.doubted or gate.requested_at)
        stuck = since >= 2 * use.check.max_age
        return replace(reason, text=f"stuck for {approximate_duration(since)}: {last}", stuck=True) if stuck else reason
    if gate.undecided < use.fail_after:
        left = approximate_duration(use.fail_after - gate.undecided)
        return replace(reason, text=f"{last}; without a result it fails in {left}")
    text = f"{use.name} neither passed nor failed for {approximate_duration(use.fail_after)}"
    return replace(reason, text=f"{text}; last result: {gate.reason}" if gate.reason else text, failed=True)


def failed(use: CheckUse, gate: CheckProgress) -> bool:
    """Whether more results have failed than are tolerated, where that ends the attempt (§10.2)."""
    ends = use.phase is Phase.POST_DEPLOYMENT or (use.phase is Phase.DEPLOYMENT and use.on_fail == "fail")
    return ends and gate.failures > use.tolerate


def _failed(use: CheckUse, gate: CheckProgress) -> Reason:
    if gate.outcome is Outcome.BLOCKING:
        text = f"check `{use.name}` failed: {gate.reason}"
    else:
        text = f"{use.name} failed {gate.failures} times, where {use.tolerate} are tolerated; last result: {gate.reason}"
    return _wait(use, text, gate.since, gate, code=Code.CHECK_FAILING, awaits=f"{use.name} passing", failed=True)


def _blocking(use: CheckUse, gate: CheckProgress) -> Reason:
    return _wait(
        use, f"check `{use.name}` failed: {gate.reason}", gate.since, gate, code=Code.CHECK_FAILING, awaits=f"{use.name} passing"
    )


def _window(use: CheckUse, gate: CheckProgress, now: Instant) -> Reason | None:
    start = window_start(use, gate)
    if gate.ended - start >= use.window:
        return _fresh(use, gate, now)
    text = f"{use.name} must pass for another {approximate_duration(max(start + use.window - now, 0) + 999)}"
    return _wait(use, text, start, gate, code=Code.CHECK_WINDOW, until=start + use.window)


def refreshing(attempt: Attempt, reason: Reason) -> bool:
    """Whether this gate passed and only has to pass again: no grant is returned for that."""
    gate = attempt.gates.get(reason.gate)
    return gate is not None and gate.first > 0 and gate.outcome is Outcome.PASSING and not reason.failed


def window_start(use: CheckUse, gate: CheckProgress) -> Instant:
    """Since when the present unbroken series of fresh results has counted for this gate."""
    return max(gate.answered if use.tolerate else gate.covered, gate.first)


def _fresh(use: CheckUse, gate: CheckProgress, now: Instant) -> Reason | None:
    if now - gate.ended <= use.check.max_age:
        return None
    return _wait(
        use,
        f"the last pass of {use.name} is too old: it runs again once every other gate passes",
        gate.ended,
        gate,
        code=Code.CHECK_STALE,
        awaits=f"a finished run of {use.name}",
    )


def _wait(
    use: CheckUse,
    text: str,
    since: Instant,
    gate: CheckProgress | None = None,
    *,
    code: Code = Code.CHECK_PENDING,
    until: Instant | None = None,
    awaits: str = "",
    failed: bool = False,
) -> Reason:
    return Reason(
        code,
        text,
        phase=use.phase,
        gate=use.name,
        subject=gate.attachment if gate else "",
        since=since,
        until=until,
        awaits=awaits,
        unblock=f"skip {use.name}",
        failed=failed,
    )
