"""Every failing result counts (§10.2): attempts and attachments together, so that no count is put in by hand."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from msgspec.structs import replace
from tests.core.dsl import Instance, check

from setpoint.core.facts import CheckFinished, CheckStatus, Configured, Offered, RunAssigned, ScopeStatus, StandingOrder
from setpoint.core.instance.explain import condition, explain
from setpoint.core.instance.state import InstanceState, offer_of
from setpoint.core.instructions import Apply
from setpoint.model.checks import Outcome
from setpoint.model.people import By
from setpoint.model.policy import CheckUse, Phase, Policy
from setpoint.model.release import Offer
from setpoint.model.spec import Version
from setpoint.model.time import HOUR, MINUTE, SECOND
from setpoint.simulate.explore.explorer import FixedRng
from setpoint.simulate.invariants import Invariants
from setpoint.simulate.world.checks import Checks
from setpoint.simulate.world.faults import Faults
from setpoint.simulate.world.host import START, World
from setpoint.simulate.world.runtimes import Runtimes

PASSING, FAILING, UNAVAILABLE = Outcome.PASSING, Outcome.BLOCKING, Outcome.UNAVAILABLE
ENTITY = "instance:app/web@production"


class Deployment:
    """One instance that runs 1.0, and its check; 1.1 comes after a minute."""

    def __init__(self, *uses: CheckUse, results: dict[int, Outcome]) -> None:
        """``results``: seconds after 1.1 came -> what runs of the check return from then on."""
        timetable = [(START + MINUTE + second * SECOND, outcome) for second, outcome in results.items()]
        self.world = World(FixedRng(0), Runtimes({}), Checks({"alerts": timetable}), Faults(split=0.0), Invariants())
        self.uses = uses
        self.world.post(ENTITY, Configured(policy=self.policy()))
        self.offer(1, "1.0")
        self.world.run(START + 59 * SECOND)
        self.world.post(ENTITY, Configured(policy=self.policy(*uses), number=2))
        self.offer(2, "1.1")
        self.world.run(START + MINUTE)

    def policy(self, *uses: CheckUse) -> Policy:
        return Policy("app/web@production", {"application": "app", "channel": "production"}, checks=uses)

    def offer(self, release: int, name: str) -> None:
        self.world.post(ENTITY, Offered(offer=Offer(release, Version(name), f"spec-{name}")))

    def run(self, duration: int) -> Deployment:
        self.world.run(self.world.now + duration)
        return self

    @property
    def state(self) -> InstanceState:
        state = self.world.states[ENTITY]
        assert isinstance(state, InstanceState)
        return state

    @property
    def condition(self) -> str:
        return condition(self.state, self.world.now)

    @property
    def target(self) -> str:
        offer = offer_of(self.state.life, self.state.life.target)
        return offer.version.name if offer else ""

    @property
    def reasons(self) -> list[str]:
        return [reason.text for reason in explain(self.state, self.world.now)]

    @property
    def vetoed(self) -> list[int]:
        return [veto.release for veto in self.state.life.vetoes]

    def runs(self) -> list[Outcome]:
        attachments = {use.check.attachment for use in self.uses}
        return [run.outcome for attachment in sorted(attachments) for run in self.world.checks.runs[attachment]]


def verifying(tolerate: int = 0, *, window: int = 2 * MINUTE, **more: Any) -> CheckUse:
    return check("alerts", Phase.POST_DEPLOYMENT, tolerate=tolerate, window=window, **more)


@pytest.mark.parametrize("tolerate", range(5))
@pytest.mark.parametrize("window", [0, 10 * SECOND, 2 * MINUTE, HOUR])
def test_a_check_that_fails_for_good_fails_the_attempt_whatever_is_tolerated(tolerate: int, window: int):
    """Outcome and reason stay the same from the first failure on: each is published all the same."""
    prod = Deployment(verifying(tolerate, window=window), results={0: FAILING}).run(10 * MINUTE)
    assert (prod.target, prod.vetoed) == ("1.0", [2])
    assert prod.runs() == [FAILING] * (tolerate + 1), "it ends in the turn that receives one more than is tolerated"


@pytest.mark.parametrize("tolerate", range(4))
@pytest.mark.parametrize("before", [1, 2, 3])
def test_so_does_one_that_fails_after_it_passed(tolerate: int, before: int):
    prod = Deployment(verifying(tolerate), results={0: PASSING, 20 * before - 10: FAILING}).run(10 * MINUTE)
    assert (prod.target, prod.vetoed) == ("1.0", [2])
    assert prod.runs() == [PASSING] * before + [FAILING] * (tolerate + 1)


@pytest.mark.parametrize("tolerate", range(4))
@pytest.mark.parametrize("beside", [PASSING, UNAVAILABLE, Outcome.MISCONFIGURED])
def test_so_does_one_that_fails_every_other_time(tolerate: int, beside: Outcome):
    results = {0: FAILING} | {10 + 20 * run: (beside, FAILING)[run % 2] for run in range(60)}
    prod = Deployment(verifying(tolerate, window=HOUR), results=results).run(HOUR)
    assert (prod.target, prod.vetoed) == ("1.0", [2])
    assert prod.runs().count(FAILING) == tolerate + 1


def test_as_many_failures_as_are_tolerated_do_not_fail_it():
    results = {0: PASSING, 10: FAILING, 50: PASSING}
    prod = Deployment(verifying(2), results=results).run(10 * MINUTE)
    assert (prod.target, prod.condition, prod.runs().count(FAILING)) == ("1.1", "converged", 2)


def test_failures_that_come_folded_with_a_later_pass_count():
    """Both results reach the instance in one turn: what came last hides nothing."""
    prod = Instance().with_good(1, "1.0").configure(checks=(verifying(1),)).offer(2, "1.1").comes_up("1.1")
    prod.passing("alerts", failures_total=0).passing("alerts", failures_total=2)
    assert prod.target == "1.0"
    assert any("alerts failed 2 times, where 1 are tolerated" in line for line in prod.history)


def test_a_failure_of_a_run_that_began_before_the_gate_is_not_held_against_it():
    """A run was under way when the gate began: its failure comes first, and is not one of the gate's own."""
    prod = Instance().with_good(1, "1.0").configure(checks=(verifying(0, window=0),)).offer(2, "1.1")
    gate = prod.comes_up("1.1").rollout.attempt.gates["alerts"]
    prod.state = before_the_answer(prod)
    prod.receive(RunAssigned(attachment=gate.attachment, request_id=gate.request_id, run=8, failures_total=1))
    prod.result("alerts", FAILING, run=7, failures_total=1)
    assert prod.target == "1.1"
    assert prod.result("alerts", PASSING, run=8, failures_total=1).condition == "converged"


def test_where_its_first_result_is_overtaken_the_doubt_is_in_its_favour():
    prod = Instance().with_good(1, "1.0").configure(checks=(verifying(0),)).offer(2, "1.1")
    gate = prod.comes_up("1.1").rollout.attempt.gates["alerts"]
    prod.state = before_the_answer(prod)
    prod.receive(RunAssigned(attachment=gate.attachment, request_id=gate.request_id, run=8, failures_total=1))
    assert prod.result("alerts", PASSING, run=9, failures_total=1).target == "1.1"
    assert prod.result("alerts", FAILING, run=10, failures_total=2).target == "1.0"


def before_the_answer(prod: Instance) -> InstanceState:
    """As it was before its attachment reported which run counts."""
    rollout = prod.maybe_rollout
    assert rollout is not None
    gates = {name: replace(gate, run=0) for name, gate in rollout.attempt.gates.items()}
    attempt = replace(rollout.attempt, gates=gates)
    return replace(prod.state, life=replace(prod.life, rollout=replace(rollout, attempt=attempt)))


def test_while_paused_it_is_judged_and_goes_back_when_the_pause_ends():
    prod = Deployment(verifying(1), results={0: PASSING, 30: FAILING}).run(20 * SECOND)
    scope, pause = "scope:application:app", StandingOrder(By("ann"), prod.world.now)
    prod.world.post(ENTITY, ScopeStatus(scope=scope, number=1, pause=pause))
    prod.run(5 * MINUTE)
    assert (prod.target, prod.vetoed, prod.condition) == ("1.0", [2], "rolling-back")
    assert applied(prod) == ["spec-1.0", "spec-1.1"], "nothing is applied while it is paused"
    prod.world.post(ENTITY, ScopeStatus(scope=scope, number=2))
    prod.run(5 * MINUTE)
    assert applied(prod) == ["spec-1.0", "spec-1.1", "spec-1.0"]
    assert prod.condition == "vetoed"


def applied(prod: Deployment) -> list[str]:
    decisions = (turn.decision for turn in prod.world.history if turn.entity == ENTITY)
    return [given.spec for decision in decisions for given in decision.instructions if isinstance(given, Apply)]


@pytest.mark.parametrize("tolerate", range(3))
def test_before_deployment_more_failures_than_are_tolerated_hold_it_and_veto_nothing(tolerate: int):
    use = check("alerts", Phase.PRE_DEPLOYMENT, tolerate=tolerate, window=2 * MINUTE)
    results = {0: PASSING} | {10 + 20 * run: (FAILING, PASSING)[run % 2] for run in range(60)} | {1500: PASSING}
    prod = Deployment(use, results=results).run(20 * MINUTE)
    assert (prod.target, prod.vetoed, prod.condition) == ("1.0", [], "waiting")
    assert any("alerts" in reason for reason in prod.reasons)
    prod.run(20 * MINUTE)
    assert (prod.target, prod.condition) == ("1.1", "converged")


def test_a_failing_check_of_the_deployment_phase_that_waits_ends_nothing():
    use = check("alerts", Phase.DEPLOYMENT, on_fail="wait")
    prod = Deployment(use, results={0: FAILING, 600: PASSING}).run(5 * MINUTE)
    assert (prod.target, prod.condition) == ("1.1", "deploying")
    assert prod.run(20 * MINUTE).condition == "converged"


def test_the_total_is_published_with_its_run_and_nothing_is_while_only_passes_repeat():
    prod = Deployment(verifying(5, window=HOUR), results={0: PASSING, 110: FAILING, 170: PASSING}).run(10 * MINUTE)
    told = [fact for turn in prod.world.history if turn.entity == ENTITY for fact in turn.facts if isinstance(fact, CheckStatus)]
    assert [(fact.run, fact.failures_total) for fact in told if fact.outcome is FAILING] == [(7, 1), (8, 2), (9, 3)]
    assert all(later.run > earlier.run for earlier, later in pairwise(told))
    ended = [fact for turn in prod.world.history for fact in turn.facts if isinstance(fact, CheckFinished)]
    assert len(told) == 5 < len(ended), "the first pass, each failure, the pass after them"
