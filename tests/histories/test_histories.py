"""What earlier versions decided is still decided: an upgrade strands no deployment that is under way."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from tests.histories.record import HERE, files_of, names

from setpoint.core.decide import decide
from setpoint.core.instructions import Record
from setpoint.core.recording import trace as traces
from setpoint.core.recording.codec import Codec

HISTORIES = sorted(HERE.glob("*.json"))


@pytest.fixture(params=HISTORIES, ids=lambda path: path.stem)
def history(request: pytest.FixtureRequest) -> traces.Trace:
    path: Path = request.param
    return traces.read(path.read_bytes())


def test_it_is_decided_again_as_it_was(history: traces.Trace) -> None:
    differences = traces.replay(history)
    assert not differences, f"{len(differences)} differences, the first: {differences[0]}"


def test_its_facts_states_and_instructions_are_read_and_written_as_an_engine_does(history: traces.Trace) -> None:
    codec = Codec()
    state = traces.base_of(history)
    for turn in history.turns:
        facts = tuple(codec.decode_fact(codec.encode_fact(fact)) for fact in turn.facts)
        assert facts == turn.facts
        decision = decide(history.entity, state, facts, turn.now)
        for instruction in decision.instructions:
            assert codec.decode_instruction(codec.encode_instruction(instruction)) == instruction
        fixed, changing = codec.encode_state(history.entity, decision.state, None)
        state = codec.decode_state(history.entity, fixed or b"", changing)
        assert state == decision.state


def test_it_describes_what_happens(history: traces.Trace) -> None:
    assert history.about.endswith(".")
    assert history.turns


def test_every_scene_was_recorded_and_every_record_has_its_scene() -> None:
    assert all(files_of(name) for name in names())
    assert {path.name.partition(".")[0] for path in HISTORIES} == set(names())


def test_every_kind_of_entity_and_event_occurs() -> None:
    found: Counter[str] = Counter()
    for path in HISTORIES:
        story = traces.read(path.read_bytes())
        found[story.entity.partition(":")[0]] += 1
        found.update(one.event.kind for turn in story.turns for one in turn.instructions if isinstance(one, Record))
    kinds = {"instance", "line", "scope", "attachment", "topic", "task", "admission"}
    events = {"attempt-started", "phase-entered", "target-moved", "finalized", "rolling-back", "rolled-back", "failed"}
    assert kinds | events | {"signal", "vote", "drift", "breaker"} <= set(found)
    assert len(HISTORIES) >= 12
