"""A gate as a value, and the one table of all gates: what may hold an attempt, in which phase, and in which order.

Deciding, explaining, sets and the overview for people all read this table. A new kind of gate is a module beside this one and a
row here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import Enum, IntEnum
from operator import attrgetter
from typing import Any, NamedTuple

from setpoint.core.instance.gates import approval, blockers, calendar, check, dependency, limit, ordering, task
from setpoint.core.instance.gates import set as with_set
from setpoint.core.instance.gates.context import Context, applies, halves, set_of, skipped
from setpoint.core.instance.state import Attempt
from setpoint.model.grammars.selector import Selector
from setpoint.model.policy import Phase, Policy
from setpoint.model.reasons import Code, Reason

ORDER: dict[Phase, int] = {phase: number for number, phase in enumerate(Phase)}
"""Phase -> its place in the life of an attempt."""


class Tier(IntEnum):
    """A tier is evaluated only when every gate of the lower ones passes: what it needs is requested only then (§4)."""

    CONDITIONS = 0
    """Gates proper: of the attempt's phase, and standing ones of the phases before."""
    BLOCKERS = 1
    """Orders of people, and what is in progress here."""
    SET_PREPARES = 2
    NOTHING_MOVES = 3
    """No task starts beside a rollout."""
    ADMISSION = 4
    TASKS = 5
    SET_STARTS = 6
    """The members of a set start together."""


class Result(Enum):
    """What a gate came to."""

    PASS = "pass"  # noqa: S105 - of a gate, not a password
    WAIT = "wait"
    STALE = "stale"
    """It passed, but too long ago."""
    FAIL = "fail"
    """It ends the attempt."""
    SKIPPED = "skipped"


class Use(NamedTuple):
    """One gate of a kind, as a policy has it."""

    kind: str
    """As people see it: ``ordering``, ``approval``, ``calendar``, ``cadence``, ``check``, ``lease``, ``wave`` or ``task``."""
    name: str
    """By which it is skipped."""
    when: Selector | None
    override: tuple[str, ...] | None
    """Who may skip it; None: every person with the right."""
    phase: Phase


class Verdict(NamedTuple):
    """What one gate came to for one attempt."""

    use: Use
    result: Result
    reason: Reason | None = None


class Verdicts(tuple[Reason, ...]):
    """What does not pass, of one tier; empty: everything passes."""

    __slots__ = ()

    @property
    def failed(self) -> Reason | None:
        """The first that ends the attempt."""
        return next((reason for reason in self if reason.failed), None)

    @property
    def only_stale(self) -> bool:
        """Whether nothing is missing but that checks which passed run once more."""
        return bool(self) and all(reason.code is Code.CHECK_STALE for reason in self)

    def earlier_phase(self, attempt: Attempt) -> Phase | None:
        """The earliest phase, before the attempt's own, of which a standing condition does not pass any more."""
        here = ORDER[attempt.phase]
        missing = [Phase(reason.phase) for reason in self if ORDER[Phase(reason.phase)] < here]
        return min(missing, key=ORDER.__getitem__, default=None)


PASSES = Verdicts()


class Gate(NamedTuple):
    """A kind of gate."""

    phase: Phase | None
    """From which phase on it holds: it is a standing condition (§4). None: in the phase of each use only."""
    tier: Tier
    evaluate: Callable[[Context], Iterable[Reason]]
    """Everything of this kind that does not pass."""
    concerns: Callable[[Context], object]
    """Whether there may be anything to evaluate at all."""
    uses: Callable[[Policy], Iterable[Use]] = lambda _: ()
    """What a person may skip."""

    def unmet(self, context: Context) -> Verdicts:
        """Everything of this kind that does not pass."""
        return Verdicts(self.evaluate(context)) if self.concerns(context) else PASSES


def _named(kind: str, pick: Callable[[Policy], Sequence[Any]], phase: Phase | None = None) -> Callable[[Policy], Iterator[Use]]:
    return lambda policy: (Use(kind, one.name, one.when, one.override, phase or one.phase) for one in pick(policy))


def _cadence(policy: Policy) -> Iterator[Use]:
    if policy.cadence:
        yield Use("cadence", calendar.CADENCE, None, None, Phase.PRE_DEPLOYMENT)


def _admission(policy: Policy) -> Iterator[Use]:
    yield from _named("lease", attrgetter("limits"), Phase.PRE_DEPLOYMENT)(policy)
    if policy.wave:
        yield Use("wave", limit.WAVE, policy.wave.when, policy.wave.override, Phase.PRE_DEPLOYMENT)


_BEFORE_APPROVAL, _APPROVAL, _BEFORE = Phase.PRE_APPROVAL, Phase.APPROVAL, Phase.PRE_DEPLOYMENT


def _in_a_set(context: Context) -> str:
    return set_of(context.life, context.offer)


ORDERINGS = Gate(
    _BEFORE_APPROVAL,
    Tier.CONDITIONS,
    ordering.evaluate,
    attrgetter("policy.orderings"),
    _named("ordering", attrgetter("orderings"), _BEFORE_APPROVAL),
)
DEPENDENCIES = Gate(
    _BEFORE_APPROVAL,
    Tier.CONDITIONS,
    dependency.evaluate,
    attrgetter("policy.services"),
    _named("ordering", attrgetter("services"), _BEFORE_APPROVAL),
)
APPROVALS = Gate(
    _APPROVAL,
    Tier.CONDITIONS,
    approval.evaluate,
    attrgetter("policy.approvals"),
    _named("approval", attrgetter("approvals"), _APPROVAL),
)
CALENDARS = Gate(
    _BEFORE,
    Tier.CONDITIONS,
    calendar.evaluate,
    lambda context: context.policy.calendars or context.life.scopes,
    _named("calendar", attrgetter("calendars"), _BEFORE),
)
CADENCE = Gate(_BEFORE, Tier.CONDITIONS, calendar.evaluate_cadence, attrgetter("policy.cadence"), _cadence)
CHECKS = Gate(None, Tier.CONDITIONS, check.evaluate, attrgetter("policy.checks"), _named("check", attrgetter("checks")))
BLOCKERS = Gate(None, Tier.BLOCKERS, blockers.start_blockers, lambda _: True)
SET_PREPARES = Gate(_BEFORE, Tier.SET_PREPARES, with_set.start, _in_a_set)
NOTHING_MOVES = Gate(
    _BEFORE,
    Tier.NOTHING_MOVES,
    blockers.rollout_in_progress,
    lambda context: context.policy.tasks and context.life.rollout,
)
LIMITS = Gate(
    _BEFORE,
    Tier.ADMISSION,
    limit.evaluate,
    lambda context: context.policy.limits or context.policy.wave or context.policy.calendars,
    _admission,
)
TASKS = Gate(
    None,
    Tier.TASKS,
    task.evaluate,
    lambda context: context.policy.tasks or context.attempt.tasks,
    _named("task", attrgetter("tasks")),
)
SET_STARTS = Gate(_BEFORE, Tier.SET_STARTS, with_set.go, _in_a_set)
GATES: tuple[Gate, ...] = (
    ORDERINGS,
    DEPENDENCIES,
    APPROVALS,
    CALENDARS,
    CADENCE,
    CHECKS,
    BLOCKERS,
    SET_PREPARES,
    NOTHING_MOVES,
    LIMITS,
    TASKS,
    SET_STARTS,
)
"""What an attempt needs before target moves."""
SET_PASSES = Gate(Phase.POST_DEPLOYMENT, Tier.SET_STARTS, with_set.end, _in_a_set)
"""What a member of a set needs before it is finalized."""
_BY_TIER = {tier: tuple(gate for gate in GATES if gate.tier is tier) for tier in Tier}


def evaluate(context: Context, first: Tier = Tier.CONDITIONS, last: Tier | None = None) -> Verdicts:
    """What does not pass, of the lowest tier in which anything does not; within a tier no gate hides another."""
    here = ORDER[context.attempt.phase]
    for tier in range(first, (first if last is None else last) + 1):
        found = Verdicts(
            reason
            for gate in _BY_TIER[Tier(tier)]
            if (gate.phase is None or ORDER[gate.phase] <= here) and gate.concerns(context)
            for reason in gate.evaluate(context)
        )
        if found:
            return found
    return PASSES


def verdicts(context: Context) -> Iterator[Verdict]:
    """Every gate that concerns the attempt, those that pass or are skipped among them."""
    for gate in GATES:
        uses = [use for use in gate.uses(context.policy) if applies(use.when, context.policy, context.life, context.offer)]
        reasons = {reason.gate: reason for reason in gate.evaluate(context)} if uses else {}
        for use in uses:
            reason = reasons.get(use.name)
            if _is_skipped(context, use.name):
                yield Verdict(use, Result.SKIPPED, reason)
            else:
                yield Verdict(use, _result(reason), reason)


def _is_skipped(context: Context, name: str) -> bool:
    """Whether a person skipped it for every release of the attempt."""
    return all(skipped(context.life, half.release, name) for half in halves(context.life, context.offer))


def _result(reason: Reason | None) -> Result:
    if reason is None:
        return Result.PASS
    if reason.failed:
        return Result.FAIL
    return Result.STALE if reason.code is Code.CHECK_STALE else Result.WAIT
