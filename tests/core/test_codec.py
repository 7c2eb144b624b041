"""States and facts survive being written and read; foreign bytes are refused, not guessed."""

from __future__ import annotations

import msgspec
import pytest
from tests.core.dsl import Instance, check

from setpoint.core.decide import decide, watch
from setpoint.core.facts import Voted, Woken
from setpoint.core.instance.state import InstanceState
from setpoint.core.instructions import Unwatch
from setpoint.core.recording.codec import SCHEMA, Codec
from setpoint.core.topic import TopicState
from setpoint.model.people import Person

CODEC = Codec()


def test_an_instance_is_the_same_after_being_read():
    prod = Instance(checks=(check("alerts"),)).offer(1, "1.0").passing("alerts").comes_up("1.0").hold()
    fixed, changing = CODEC.encode_state(prod.entity, prod.state, None)
    assert fixed is not None
    assert CODEC.decode_state(prod.entity, fixed, changing) == prod.state


def test_what_seldom_changes_is_written_only_when_it_did():
    prod = Instance().offer(1, "1.0")
    before = prod.state
    assert CODEC.encode_state(prod.entity, prod.applied().state, before)[0] is None
    before = prod.state
    assert CODEC.encode_state(prod.entity, prod.remove().state, before)[0]
    other = Instance()
    assert CODEC.encode_state(other.entity, other.configure(auto_rollback=False).state, Instance().state)[0]
    for release in range(1, 18):
        before = other.with_good(release, f"1.{release}").state
    assert len(before.archive) == 1
    assert CODEC.encode_state(other.entity, other.with_good(18, "1.18").state, before)[0]


def test_an_instance_without_its_fixed_part_is_unconfigured():
    _, changing = CODEC.encode_state("instance:a", InstanceState(), None)
    assert CODEC.decode_state("instance:a", b"", changing) == InstanceState()


def test_other_actors_have_no_fixed_part():
    state = decide("topic:a#b#1", None, [Voted(person=Person("ann"), yes=True)], 0).state
    fixed, changing = CODEC.encode_state("topic:a#b#1", state, None)
    assert fixed == b""
    assert CODEC.decode_state("topic:a#b#1", fixed, changing) == state
    assert CODEC.encode_state("topic:a#b#1", state, TopicState())[0] is None


@pytest.mark.parametrize(
    ("data", "said"),
    [(b"", "schema version 0"), (bytes([SCHEMA + 1, 7]) + b"\x80", "schema version 2"), (bytes([SCHEMA]) + b"\xc1", "malformed")],
)
def test_bytes_of_another_schema_or_damaged_ones_are_refused(data: bytes, said: str):
    with pytest.raises(msgspec.DecodeError, match=said):
        CODEC.decode_state("topic:a#b#1", b"", data)


def test_facts_and_instructions_survive():
    assert CODEC.decode_fact(CODEC.encode_fact(Woken(at=5))) == Woken(at=5)
    assert CODEC.decode_instruction(CODEC.encode_instruction(Unwatch())) == Unwatch()


# --- what a host looks at after a start -----------------------------------------------------------------------------------


def test_a_settled_instance_is_watched_for_its_spec():
    prod = Instance().with_good(1, "1.0")
    standing = watch(prod.state)
    assert standing
    assert (standing.number, standing.every, standing.spec) == (prod.applying.watch, 300_000, "spec-1.0")


def test_an_instance_without_a_target_is_watched_for_nothing():
    standing = watch(Instance().state)
    assert standing
    assert standing.spec == ""


def test_what_left_the_configuration_is_not_watched_any_more():
    assert watch(Instance().with_good(1, "1.0").remove().state) is None


def test_nothing_is_watched_during_an_apply_nor_without_a_policy_nor_for_other_actors():
    assert watch(Instance().offer(1, "1.0").state) is None
    assert watch(Instance(configured=False).state) is None
    assert watch(TopicState()) is None
