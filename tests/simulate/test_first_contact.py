"""First contact in the simulator: what runs is adopted only as a look shows it, and the rule finds each way to get that wrong."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from setpoint.core.instance import adoption
from setpoint.model.time import HOUR, MINUTE, SECOND
from setpoint.simulate.acts import Act, Upon
from setpoint.simulate.acts.accidents import Outage
from setpoint.simulate.acts.adopting import Adopt, RunsAlready
from setpoint.simulate.acts.overrides import RollBack
from setpoint.simulate.explore.small_worlds import PRODUCTION, policy, release
from setpoint.simulate.generators.plan_builder import PEOPLE
from setpoint.simulate.invariants import Broken
from setpoint.simulate.plan import Plan
from setpoint.simulate.scenario import Scenario, failure
from setpoint.simulate.world.runtimes import Behaviour

RUNS = RunsAlready(instance=PRODUCTION, version="1.0")
OTHER = RunsAlready(instance=PRODUCTION, version="0.9")
SICK = RunsAlready(instance=PRODUCTION, version="1.0", behaves=Behaviour(takes=1, sickens=1))
DIFFERENT = RunsAlready(instance=PRODUCTION, version="1.0", difference="a")
ADOPT = Adopt(at=MINUTE, by="ann", instance=PRODUCTION, version="1.0")


def run(*acts: Act) -> tuple[Scenario, Broken | None]:
    return failure(Plan(seed=1, people=PEOPLE, policies={PRODUCTION: policy(PRODUCTION)}, acts=acts, unfair=HOUR, fair=0))


def kinds(scenario: Scenario) -> list[str]:
    return [event.kind for _, entity, event in scenario.world.events if entity == f"instance:{PRODUCTION}"]


def test_what_runs_is_good_and_nothing_was_applied():
    scenario, broken = run(RUNS, ADOPT)
    assert broken is None
    assert kinds(scenario) == ["adopted", "finalized"]
    assert scenario.state(PRODUCTION).life.good.release == 1
    assert scenario.runtimes.place(PRODUCTION).applies == []
    assert scenario.net.preconditions["adopted"] == 1
    assert scenario.net.moves["new", "converged"] == 1


@pytest.mark.parametrize("runs", [OTHER, SICK, DIFFERENT])
def test_what_runs_instead_is_not_adopted_until_a_release_ends_that(runs: RunsAlready):
    scenario, broken = run(runs, ADOPT, release("2.0", at=5 * MINUTE))
    assert broken is None
    assert kinds(scenario)[:2] == ["adopt-failed", "attempt-started"]
    assert kinds(scenario)[-1] == "finalized"
    life = scenario.state(PRODUCTION).life
    assert (life.adopting, life.good.release) == (None, 2)


def test_an_adoption_waits_until_the_runtime_can_be_observed():
    scenario, broken = run(RUNS, Outage(at=SECOND, instance=PRODUCTION, lasts=5 * MINUTE), ADOPT)
    assert broken is None
    assert kinds(scenario) == ["adopted", "finalized"]
    adopted = scenario.state(PRODUCTION).life.finalized[0]
    assert adopted.at - scenario.performed[0][0] > 5 * MINUTE


def test_what_was_deployed_is_not_adopted():
    scenario, _ = run(release("1.0"), RUNS, ADOPT)
    assert "adopted" not in kinds(scenario)
    assert scenario.requests == 1


def _without_a_look(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(adoption, "_look", lambda turn, offer, _: adoption._take_over(turn, offer))


def _whatever_runs(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(adoption, "matches_spec", lambda *_: True)


def _by_an_apply(patch: pytest.MonkeyPatch) -> None:
    take_over = adoption._take_over

    def applied(turn, offer):
        take_over(turn, offer)
        turn.set_applying(taken=0)

    patch.setattr(adoption, "_take_over", applied)


@pytest.mark.parametrize(
    ("bug", "runs", "complaint"),
    [
        (_without_a_look, RUNS, "no look began after"),
        (_whatever_runs, OTHER, "the newest look shows"),
        (_whatever_runs, SICK, "the newest look shows"),
        (_whatever_runs, DIFFERENT, "the newest look shows"),
        (_by_an_apply, RUNS, "applied 1.0/"),
    ],
)
def test_the_rule_finds_a_deliberate_bug(
    bug: Callable[[pytest.MonkeyPatch], None], runs: RunsAlready, complaint: str, monkeypatch: pytest.MonkeyPatch
):
    bug(monkeypatch)
    _, broken = run(runs, ADOPT)
    assert broken is not None
    assert broken.name == "adopted"
    assert complaint in broken.complaint


def test_a_person_names_another_version_while_a_rollback_fails():
    scenario, broken = run(
        release("1.0"),
        release("2.0", at=5 * MINUTE, behaves={PRODUCTION: Behaviour(spoils=True)}),
        release("3.0", at=10 * MINUTE),
        RollBack(at=15 * MINUTE, by="ann", instance=PRODUCTION),
        RollBack(at=SECOND, upon=Upon("rollback-failed", PRODUCTION), by="ann", instance=PRODUCTION, named=2),
    )
    assert broken is None
    assert scenario.net.moves["rollback-failed", "reverting"] == 1
    assert scenario.state(PRODUCTION).life.target.release == 1
