"""Stories: the same facts lead to the same decisions, in any later version, whatever the words."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from setpoint.core.decide import decide
from setpoint.core.instance.state import InstanceState
from setpoint.core.instructions import Apply, Decision, Event, Record
from setpoint.core.recording import trace
from setpoint.core.recording.canonical import plain
from setpoint.core.scope import ScopeState
from setpoint.model.time import HOUR
from setpoint.simulate.generators.plans import draw
from setpoint.simulate.scenario import Scenario
from setpoint.simulate.search.recording import Recorder
from setpoint.simulate.world.host import START


def recorder(seed: int) -> Recorder:
    """Everything that happens in the first hours of a drawn world."""
    scenario = Scenario(draw(seed))
    found = Recorder(scenario.world)
    scenario.prepare()
    scenario.world.run(START + 3 * HOUR)
    return found


@pytest.fixture(scope="module")
def told() -> trace.Trace:
    """The longest story of an instance in the first world in which that comes to something good."""
    return next(found for found in map(longest, range(7, 100)) if found.ends["goods"])


def longest(seed: int) -> trace.Trace:
    """Of the instances of one world."""
    found = recorder(seed)
    entity = max((one for one in found.turns if one.startswith("instance:")), key=lambda one: len(found.turns[one]))
    return found.trace(entity, "a drawn world")


@pytest.mark.parametrize("seed", range(4))
def test_every_story_of_a_world_comes_out_the_same_after_being_written_and_read(seed: int) -> None:
    found = recorder(seed)
    assert {entity.partition(":")[0] for entity in found.turns} >= {"instance", "line"}
    for entity in found.turns:
        told = found.trace(entity)
        again = trace.read(trace.written(told))
        assert again == told
        assert trace.replay(again) == []
        assert trace.recorded(entity, None, [(turn.now, turn.facts) for turn in told.turns]) == told


def test_a_story_may_begin_in_the_middle(told: trace.Trace) -> None:
    middle = len(told.turns) // 2
    state: Any = None
    for turn in told.turns[:middle]:
        state = decide(told.entity, state, turn.facts, turn.now).state
    rest = trace.recorded(told.entity, state, [(turn.now, turn.facts) for turn in told.turns[middle:]], first=middle + 1)
    assert rest.turns == told.turns[middle:]
    assert rest.ends == told.ends
    again = trace.read(trace.written(rest))
    assert again == rest
    assert trace.base_of(again) == state
    assert trace.replay(again) == []


def test_a_story_is_json_with_a_line_for_each_turn(told: trace.Trace) -> None:
    text = trace.written(told)
    data = json.loads(text)
    assert list(data) == ["schema", "entity", "about", "first", "base", "ends", "turns"]
    assert sum(line.startswith('    {"now":') for line in text.splitlines()) == len(told.turns) == len(data["turns"])


def test_other_words_are_no_difference(told: trace.Trace) -> None:
    def reworded(entity: str, state: Any, facts: Any, now: int) -> Decision:
        decision = decide(entity, state, facts, now)
        return replace(decision, instructions=tuple(_reworded(one) for one in decision.instructions))

    assert trace.replay(told, reworded) == []


def _reworded(instruction: Any) -> Any:
    if isinstance(instruction, Record):
        return replace(instruction, event=replace(instruction.event, text="in other words"))
    return instruction


def test_an_instruction_less_is_told_with_its_turn(told: trace.Trace) -> None:
    def lazy(entity: str, state: Any, facts: Any, now: int) -> Decision:
        decision = decide(entity, state, facts, now)
        return replace(decision, instructions=tuple(one for one in decision.instructions if not isinstance(one, Apply)))

    applies = [
        (number, one) for number, turn in enumerate(told.turns, start=1) for one in turn.instructions if isinstance(one, Apply)
    ]
    found = trace.replay(told, lazy)
    assert [one.turn for one in found] == [number for number, _ in applies]
    assert found[0].what == "instructions"
    assert applies[0][1].operation in found[0].recorded
    assert found[0].now == told.turns[applies[0][0] - 1].now


def test_another_time_to_be_woken_is_a_difference(told: trace.Trace) -> None:
    def late(entity: str, state: Any, facts: Any, now: int) -> Decision:
        decision = decide(entity, state, facts, now)
        return replace(decision, wake_at=decision.wake_at + 1 if decision.wake_at else None)

    found = trace.replay(told, late)
    assert {one.what for one in found} == {"wake_at"}
    assert int(found[0].today) == int(found[0].recorded) + 1


def test_another_end_is_a_difference(told: trace.Trace) -> None:
    def forgetful(entity: str, state: Any, facts: Any, now: int) -> Decision:
        decision = decide(entity, state, facts, now)
        last = facts is told.turns[-1].facts
        assert isinstance(decision.state, InstanceState)
        life = replace(decision.state.life, goods=(), finalized=()) if last else decision.state.life
        return replace(decision, state=replace(decision.state, life=life))

    assert {"goods", "good", "finalized"} <= {one.what for one in trace.replay(told, forgetful)}


def test_what_an_older_version_did_not_tell_of_is_no_difference(told: trace.Trace) -> None:
    ends = {name: value for name, value in told.ends.items() if name != "vetoes"}
    assert trace.replay(replace(told, ends=ends)) == []
    missing = trace.replay(replace(told, ends={**told.ends, "colour": "blue"}))
    assert [(one.what, one.recorded, one.today) for one in missing] == [("colour", "blue", "nothing")]


def test_a_field_that_says_nothing_is_no_difference_whichever_version_has_it() -> None:
    assert plain(ScopeState(number=1)) == {"is": "ScopeState", "number": 1}
    assert plain(ScopeState(number=1, signals=("7",))) == {"is": "ScopeState", "number": 1, "signals": ["7"]}


def test_sentences_count_by_whether_they_are_said() -> None:
    assert plain(Event("failed", "it failed")) == plain(Event("failed", "it broke")) != plain(Event("failed", ""))


def test_a_decision_that_raises_ends_the_replay(told: trace.Trace) -> None:
    def breaks(entity: str, state: Any, facts: Any, now: int) -> Decision:
        if now >= told.turns[3].now:
            raise ArithmeticError("no such number")
        return decide(entity, state, facts, now)

    (found,) = trace.replay(told, breaks)
    assert (found.what, found.today) == ("error", "ArithmeticError: no such number")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"entity": "instance:a/b@c"}',
        '{"entity": "instance:a/b@c", "ends": {}, "turns": [{"now": 1, "facts": [{"type": "Magic"}]}]}',
    ],
)
def test_what_is_no_story_is_refused(text: str) -> None:
    with pytest.raises(trace.UnreadableTrace):
        trace.read(text)


@pytest.mark.parametrize(("entity", "base"), [("dragon:smaug", None), ("instance:a/b@c", {"life": {"target": "yes"}})])
def test_a_story_that_this_version_cannot_begin_is_refused(entity: str, base: dict[str, Any] | None) -> None:
    with pytest.raises(trace.UnreadableTrace):
        trace.replay(trace.Trace(entity=entity, base=base, turns=(), ends={}))
