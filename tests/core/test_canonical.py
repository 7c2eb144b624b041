"""What a state comes to, whole: what a story is held to, whatever the words."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace
from tests.core.dsl import START, Instance, after, check
from tests.core.dsl.situations import settled, stubborn

from setpoint.core.decide import decide
from setpoint.core.facts import AnyFact, Observing, Removed, Woken
from setpoint.core.instance.state import InstanceState
from setpoint.core.instructions import AnyInstruction, Decision, Event, Publish, Record
from setpoint.core.recording import trace
from setpoint.core.recording.canonical import canonical, plain
from setpoint.core.topic import TopicState
from setpoint.model.people import By
from setpoint.model.policy import DriftPolicy, Phase
from setpoint.model.release import Offer
from setpoint.model.spec import Version
from setpoint.model.time import HOUR

ENTITY = "instance:app/web@production"


def named(name: str) -> dict[str, str]:
    return {"is": "Version", "name": name}


def of(prod: Instance, *names: str) -> dict[str, object]:
    found = canonical(prod.state)
    return {name: found[name] for name in names}


def test_an_instance_comes_to_what_it_has_wants_and_was_told():
    prod = Instance().with_good(1, "1.0").wait(HOUR).with_good(2, "1.1")
    prod.configure(orderings=(after(),)).offer(3, "1.2").pin(2, "1.1").unpin()
    prod.hold()
    assert canonical(prod.state) == {
        "target": [2, named("1.1")],
        "goods": [[1, named("1.0")], [2, named("1.1")]],
        "good": [2, named("1.1")],
        "frontier": 2,
        "finalized": [[named("1.0"), 1], [named("1.1"), 2]],
        "revoked": [],
        "candidate": [prod.candidate.number, 3, "forward", "pre-approval"],
        "rollout": None,
        "goes back to": 0,
        "failed": 0,
        "vetoes": [],
        "pin": 0,
        "held": True,
        "observed only": False,
        "tripped": False,
        "applied": "spec-1.1",
        "applies": 2,
        "removed": False,
    }


def test_an_instance_that_never_had_anything_comes_to_nothing():
    found = canonical(InstanceState())
    assert (found["target"], found["candidate"], found["applies"]) == ([0, None], None, 0)


def test_a_rollout_comes_to_where_it_is_and_where_it_goes_back_to():
    prod = Instance().with_good(1, "1.0").configure(checks=(check("alerts", Phase.DEPLOYMENT),)).offer(2, "1.1")
    assert of(prod, "rollout", "goes back to") == {"rollout": [2, 2, "forward", "deployment"], "goes back to": 0}
    prod.roll_back()
    assert of(prod, "rollout", "goes back to", "vetoes", "held") == {
        "rollout": [2, 2, "forward", "deployment"],
        "goes back to": 1,
        "vetoes": [2],
        "held": True,
    }
    prod.comes_up("1.0").roll_back(prod.make(1, "1.0"))
    left = Instance().with_good(1, "1.0").with_good(2, "1.1").roll_back()
    assert of(left, "revoked", "finalized") == {
        "revoked": [{"is": "Revoked", "version": named("1.1")}],
        "finalized": [[named("1.0"), 1]],
    }


def test_what_failed_what_is_pinned_observed_tripped_and_removed_is_told_apart():
    assert of(Instance().offer(1, "1.0").applied("broken", terminal=True), "failed") == {"failed": 1}
    pinned = Instance().with_good(1, "1.0").with_good(2, "1.1")
    assert of(pinned.pin(1, "1.0"), "pin") == {"pin": 1}
    prod = stubborn(settled(drift=DriftPolicy(breaker=2)), 1)
    assert of(prod, "tripped") == {"tripped": False}
    assert of(stubborn(prod, 6), "tripped") == {"tripped": True}
    assert of(prod.receive(Observing(by=By("ann"))), "observed only") == {"observed only": True}
    assert of(prod.receive(Removed()), "removed") == {"removed": True}


def test_other_entities_come_to_all_that_they_remember():
    assert canonical(TopicState()) == plain(TopicState())
    assert canonical(None) == {}


def test_plain_data_holds_what_is_not_usual_in_the_order_in_which_it_is():
    offer = Offer(1, Version("1.0"), "s", parameters={"size": 1, "debug": True}, reason="a fix")
    assert plain(offer) == {
        "is": "Offer",
        "release": 1,
        "version": named("1.0"),
        "spec": "s",
        "parameters": [["size", 1], ["debug", True]],
        "reason": True,
    }
    assert plain((Phase.APPROVAL, [None])) == ["approval", [None]]
    assert type(plain(Phase.APPROVAL)) is str, "as JSON would hold it"


def test_of_declined_releases_it_counts_which_and_not_why():
    prod = Instance().with_good(1, "1.0").hold().offer(2, "1.1")
    one = prod.published
    assert one.declined == {2: "held by ann"}
    assert plain(one)["declined"] == [2]
    assert plain(one) == plain(replace(one, declined={2: "in other words"})) != plain(replace(one, declined={}))


# --- differences ---------------------------------------------------------------------------------------------------------------


def told() -> trace.Trace:
    """A short one: something is offered, and then nothing happens."""
    prod = Instance().offer(1, "1.0")
    return trace.recorded(
        ENTITY, prod.state, [(START + 1, (Woken(at=START + 1),)), (START + 2, (Woken(at=START + 2),))], about="x"
    )


def also(*instructions: AnyInstruction) -> trace.Decide:
    """Decide as it is decided, and give these instructions besides."""

    def decided(entity: str, state: object, facts: Sequence[AnyFact], now: int) -> Decision:
        decision = decide(entity, state, facts, now)
        return replace(decision, instructions=(*decision.instructions, *instructions)) if now == START + 2 else decision

    return decided


def test_a_story_says_what_it_is_about_and_begins_with_its_first_turn():
    one = told()
    assert (one.about, one.first, one.base is None) == ("x", 1, False)
    assert trace.recorded(ENTITY, None, []).base is None


def test_what_is_decided_besides_or_no_more_is_told_in_short():
    extra = Record(Event("note", "hello"))
    (found,) = trace.replay(told(), also(extra, Record(Event("note", "again"))))
    assert (found.turn, found.now, found.what) == (2, START + 2, "instructions")
    assert (found.recorded, found.today) == ("nothing more", "Record note: hello")
    one = told()
    recorded = replace(one, turns=(one.turns[0], replace(one.turns[1], instructions=(extra,))))
    (found,) = trace.replay(recorded)
    assert (found.recorded, found.today) == ("Record note: hello", "nothing more")
    (found,) = trace.replay(recorded, also(Record(Event("other", "hello"))))
    assert (found.recorded, found.today) == ("Record note: hello", "Record other: hello")


def test_an_instruction_is_shown_as_data_whatever_its_keys():
    status = Instance().with_good(1, "1.0").hold().offer(2, "1.1").published
    (found,) = trace.replay(told(), also(Publish(status)))
    assert found.today.startswith("Publish {")
    assert '"2":"held by ann"' in found.today


def test_what_it_comes_to_is_told_last_and_of_the_last_turn():
    one = told()
    changed = replace(one, ends={**one.ends, "applies": 9})
    (found,) = trace.replay(changed)
    assert found == trace.Difference(0, START + 2, "applies", "9", "1")
    (found,) = trace.replay(replace(changed, turns=()))
    assert found.now == 0
    broken = trace.replay(replace(changed, turns=(one.turns[0], replace(one.turns[1], wake_at=7))), also())
    assert [difference.what for difference in broken] == ["wake_at", "applies"]


def test_a_decision_that_raises_is_told_after_the_differences_before_it():
    one = told()
    recorded = replace(one, turns=(replace(one.turns[0], wake_at=7), one.turns[1]))

    def breaks(entity: str, state: object, facts: Sequence[AnyFact], now: int) -> Decision:
        if now == START + 2:
            raise ArithmeticError("no such number")
        return decide(entity, state, facts, now)

    assert [(found.turn, found.what) for found in trace.replay(recorded, breaks)] == [(1, "wake_at"), (2, "error")]


def test_a_story_of_numbers_as_keys_can_be_written_and_read():
    prod = Instance().with_good(1, "1.0").hold().offer(2, "1.1")
    one = trace.recorded(ENTITY, prod.state, [(prod.now, (Woken(at=prod.now),))])
    assert one.base
    assert one.base["life"]["declined"] == {"2": "held by ann"}
    again = trace.read(trace.written(one))
    assert (again, trace.base_of(again)) == (one, prod.state)
