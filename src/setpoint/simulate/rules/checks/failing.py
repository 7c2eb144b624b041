"""Every failing result counts (§10.2): no attempt goes on beside more failures than are tolerated.

Judged by the runs that the world made and by the totals that were delivered, never by what a gate has counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from setpoint.core.attachment import AttachmentState
from setpoint.core.facts import CheckFinished, CheckStatus, Fact
from setpoint.core.instance.state import Attempt, InstanceState, offer_of
from setpoint.model.checks import Outcome
from setpoint.model.policy import CheckUse, Phase
from setpoint.model.time import Instant
from setpoint.simulate.checker.ledger import FAMILY_LEDGERS, FamilyLedger
from setpoint.simulate.checker.requirements import applies, skipped
from setpoint.simulate.checker.step import Moment, Step
from setpoint.simulate.rules.checks.evidence import LATE
from setpoint.simulate.rules.registry import Complaint, actor_rule, rule
from setpoint.simulate.world.checks import Run

LATER = 2
"""So many finished runs later a failure has been judged at the latest."""


@dataclass
class Counting:
    """From when on every failure counts for one check of the rollout: what began before may or may not."""

    attempt: int
    phase: Phase
    attachment: str
    since: Instant
    """True time of the first turn that had a result."""
    total: int
    """The highest total of failing results that was delivered by then."""


@dataclass
class Totals(FamilyLedger):
    """Attachment -> the highest total of failing results that was delivered here; check -> since when its failures count."""

    delivered: dict[str, int] = field(default_factory=dict)
    counting: dict[str, Counting] = field(default_factory=dict)

    def take(self, fact: Fact) -> None:
        """Write a delivered total down."""
        if isinstance(fact, CheckStatus):
            self.delivered[fact.attachment] = max(fact.failures_total, self.delivered.get(fact.attachment, 0))

    def write_down(self, step: Step) -> None:
        """Note whose failures count from now on."""
        attempt = _judged(step.after)
        self.counting = dict(self._counting(step, attempt)) if attempt else {}

    def _counting(self, step: Step, attempt: Attempt) -> Iterator[tuple[str, Counting]]:
        for name, gate in attempt.gates.items():
            known = self.counting.get(name)
            if not gate.first:
                continue
            had_result = self._had_result(step, attempt, name)
            if (
                had_result
                and known
                and (known.attempt, known.phase, known.attachment) == (attempt.number, attempt.phase, gate.attachment)
            ):
                yield name, known
            else:
                total = self.delivered.get(gate.attachment, 0)
                yield name, Counting(attempt.number, attempt.phase, gate.attachment, step.turn.now, total)

    @staticmethod
    def _had_result(step: Step, attempt: Attempt, name: str) -> bool:
        """Whether this gate had a result before; one whose policy changed is another gate of the same name."""
        before = _judged(step.before)
        gate = before.gates.get(name) if before and before.number == attempt.number else None
        return gate is not None and bool(gate.first)


FAMILY_LEDGERS.append(Totals)


@rule("judged")
def in_its_turn(step: Step) -> Iterator[Complaint]:
    """The attempt ends in the turn that receives one more failure than is tolerated, paused or not."""
    attempt, totals = _judged(step.after), step.ledger.of(Totals)
    if attempt is None:
        return
    for use in _uses(step.after, attempt):
        counting = totals.counting.get(use.name)
        if counting is None or not _same(counting, attempt, use) or step.skipped(attempt.release, use.name):
            continue
        step.saw("judged")
        failures = totals.delivered.get(counting.attachment, 0) - counting.total
        if failures > use.tolerate:
            yield f"{use.name} failed {failures} times, {use.tolerate} are tolerated, and the attempt goes on"


@actor_rule("judged", "attachment")
def soon(moment: Moment) -> Iterator[Complaint]:
    """It ends at the latest two finished runs later."""
    state = moment.turn.decision.state
    if not isinstance(state, AttachmentState) or not any(isinstance(fact, CheckFinished) for fact in moment.turn.facts):
        return
    for entity in moment.world.subscribers.get(moment.turn.entity, ()):
        instance, ledger = moment.world.states.get(entity), moment.memory.ledgers.get(entity)
        attempt = _judged(instance) if isinstance(instance, InstanceState) else None
        if ledger is None or attempt is None or not isinstance(instance, InstanceState):
            continue
        for use in _uses(instance, attempt):
            counting = ledger.of(Totals).counting.get(use.name)
            if counting and counting.attachment == moment.turn.entity and _same(counting, attempt, use):
                moment.saw("judged")
                yield from _overdue(moment, use, counting, entity)


def _overdue(moment: Moment, use: CheckUse, counting: Counting, entity: str) -> Iterator[Complaint]:
    runs = _finished(moment.world.checks.since(counting.attachment, counting.since + 1))
    failed = [place for place, run in enumerate(runs) if run.outcome is Outcome.BLOCKING]
    if len(failed) <= use.tolerate:
        return
    later = runs[failed[use.tolerate] + 1 :]
    slack = LATE if moment.world.ever_late else 0
    if len(later) >= LATER and later[LATER - 1].ended + slack < moment.turn.now + (not slack):
        yield f"{entity} goes on although {use.name} failed {len(failed)} times: {use.tolerate} are tolerated"


def _finished(runs: list[Run]) -> list[Run]:
    """One of each number: a run whose result was lost is made again."""
    return list({run.number: run for run in runs}.values())


def _same(counting: Counting, attempt: Attempt, use: CheckUse) -> bool:
    gate = attempt.gates.get(use.name)
    mine = (attempt.number, attempt.phase, gate.attachment) if gate and gate.first else None
    return mine == (counting.attempt, counting.phase, counting.attachment)


def _judged(state: InstanceState) -> Attempt | None:
    """The attempt of a rollout that a check may end."""
    rollout = state.life.rollout
    return rollout.attempt if rollout and not rollout.back and not rollout.doubt else None


def _uses(state: InstanceState, attempt: Attempt) -> Iterator[CheckUse]:
    """The checks that end it."""
    offer = offer_of(state.life, attempt.pair)
    if state.policy is None or offer is None:
        return
    for use in state.policy.checks:
        ends = use.phase is Phase.POST_DEPLOYMENT or (use.phase is Phase.DEPLOYMENT and use.on_fail == "fail")
        gates = ends and use.phase is attempt.phase and not use.informational
        if gates and not skipped(state.life, attempt.release, use.name) and applies(use.when, state.policy, state.life, offer):
            yield use
