"""Stories of failures are short, replay exactly, and can be kept as cases that are expected to hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from setpoint.core.instance.gates import blockers
from setpoint.simulate.acts.applying import ChangeConfiguration
from setpoint.simulate.generators.plans import draw
from setpoint.simulate.scenario import Scenario, failure
from setpoint.simulate.search import cases
from setpoint.simulate.search.shrinking import fewer, shrink, written_down
from setpoint.simulate.search.timeline import render

CASES = sorted((Path(__file__).parent / "cases").glob("*.json"))


def test_what_does_not_matter_is_left_out():
    assert fewer(range(40), lambda kept: {3, 17} <= set(kept)) == (3, 17)
    assert fewer(range(7), lambda kept: True) == ()
    assert fewer((1, 2), lambda kept: len(kept) == 2) == (1, 2)


def test_a_run_that_was_written_down_depends_on_chance_no_more():
    first = Scenario(draw(1))
    first.run()
    again = Scenario(written_down(first))
    again.run()
    came = [act for act in first.arranged if act.at <= again.plan.unfair]
    assert sorted(map(str, again.arranged)) == sorted(map(str, came))
    assert any(isinstance(act, ChangeConfiguration) for act in came)
    assert [event for _, _, event in again.world.events] == [event for _, _, event in first.world.events]
    assert again.world.fault_injector.counted == first.world.fault_injector.counted


@pytest.fixture
def holds_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """A deliberate bug: a hold keeps nothing from starting."""
    blocks = blockers.operator_blocks
    monkeypatch.setattr(
        blockers, "operator_blocks", lambda *about, **more: (reason for reason in blocks(*about, **more) if reason.code != "held")
    )


def failing(name: str) -> int:
    """The first seed that breaks this invariant first: a bug breaks several."""
    broken = ((seed, failure(draw(seed))[1]) for seed in range(60))
    return next(seed for seed, found in broken if found is not None and found.name == name)


def test_the_story_of_an_ignored_hold_is_short(holds_are_ignored: None, tmp_path: Path):
    seed = failing("hands-off")
    found = shrink(draw(seed), 20)
    assert found is not None
    assert found.broken.name == "hands-off"
    acts, faults = found.after
    assert acts <= 5
    assert faults <= 2
    assert found.before[0] > acts
    scenario, broken = failure(found.plan)
    timeline = render(scenario, broken)
    assert "! app/" in timeline
    assert "held, but a rollout began" in timeline
    saved = tmp_path / "hold.json"
    cases.write(saved, found.plan, found.broken.name, timeline)
    plan, name = cases.read(saved)
    assert (plan, name) == (found.plan, "hands-off")


def test_a_file_that_is_no_case_is_told_apart(tmp_path: Path):
    path = tmp_path / "case.json"
    path.write_text('{"invariant": "gated"}')
    with pytest.raises(cases.CaseError, match=r"case\.json is not a valid case of the simulator"):
        cases.read(path)


def test_a_plan_that_holds_has_no_story():
    assert shrink(draw(3), 1) is None


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_what_once_broke_holds_now(case: Path):
    plan, _ = cases.read(case)
    _, broken = failure(plan)
    assert broken is None
