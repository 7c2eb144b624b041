"""Orders with an end (§10.8): nothing counts after it, and the end is a timer, a line of history and the person's act."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.core.dsl import START, Actor, Instance, hours

from setpoint.core.facts import (
    Held,
    Observing,
    Paused,
    Pinned,
    RolledBack,
    ScopeStatus,
    Skipped,
    Started,
    Stopped,
    Unpaused,
    Woken,
)
from setpoint.core.instructions import Publish, Record
from setpoint.core.scope import ScopeState
from setpoint.model.people import By
from setpoint.model.time import HOUR, MINUTE

ANN = By("ann", "the demo", "https://tickets/7")
CHANNEL = "scope:channel:app/production"


def waiting() -> Instance:
    """1.0 is good, and 1.1 comes when nothing keeps it off."""
    return Instance().with_good(1, "1.0")


GIVEN: dict[str, Callable[[Instance, int], Held | Observing | Pinned]] = {
    "hold": lambda prod, until: Held(by=ANN, until=until),
    "order to only observe": lambda prod, until: Observing(by=ANN, until=until),
    "pin to 1.0": lambda prod, until: Pinned(by=ANN, until=until, offer=prod.make(1, "1.0")),
}


@pytest.mark.parametrize("what", sorted(GIVEN))
def test_an_order_ends_when_its_time_has_come_as_an_act_of_whose_it_was(what: str):
    prod = waiting()
    end = prod.now + HOUR
    prod.receive(GIVEN[what](prod, end)).offer(2, "1.1")
    assert prod.target == "1.0"
    assert any("until 2026" in event.text for event in prod.events if event.kind == "signal")
    assert prod.wake_at == end
    prod.wait(HOUR - MINUTE)
    assert prod.target == "1.0"
    prod.wait(MINUTE)
    assert prod.target == "1.1"
    [ended] = [event for event in prod.events if event.kind == "expired"]
    assert (ended.text, ended.by) == (f"the {what} by ann has ended: the demo (https://tickets/7)", ANN)
    life = prod.life
    assert (life.hold, life.observing, life.pin, life.pinned_by, life.pinned_until) == (None, None, 0, None, 0)


@pytest.mark.parametrize("what", sorted(GIVEN))
def test_an_engine_that_slept_through_the_end_does_not_count_the_order(what: str):
    prod = waiting()
    prod.receive(GIVEN[what](prod, prod.now + HOUR))
    prod.now += 5 * HOUR
    prod.offer(2, "1.1")
    assert prod.target == "1.1"


@pytest.mark.parametrize("what", sorted(GIVEN))
def test_an_end_goes_by_the_wall_clock(what: str):
    prod = waiting()
    end = prod.now + HOUR
    prod.receive(GIVEN[what](prod, end)).offer(2, "1.1")
    prod.now += MINUTE
    prod.receive(Woken(offset=-2 * HOUR))
    assert prod.wake_at == end + 2 * HOUR
    prod.now += MINUTE
    prod.receive(Woken(offset=HOUR))
    assert prod.target == "1.1"


def test_a_skip_that_ended_before_target_moved_does_not_count():
    prod = Instance(calendars=(hours(1, 2),))
    prod.offer(1, "1.0")
    prod.receive(Held(by=ANN), Skipped(by=ANN, release=1, gate="hours", until=prod.now + MINUTE))
    assert prod.life.skips[0].until == prod.now + MINUTE
    prod.wait(MINUTE)
    assert prod.life.skips == ()
    [ended] = [event for event in prod.events if event.kind == "expired"]
    assert (ended.text, ended.release) == ("the skip of hours by ann has ended: the demo (https://tickets/7)", 1)
    prod.resume()
    assert prod.target == ""


def test_an_order_may_get_another_end_or_none():
    prod = waiting().receive(Held(by=ANN, until=START + HOUR))
    prod.receive(Held(by=ANN, until=START + 2 * HOUR))
    prod.wait(HOUR + MINUTE)
    assert prod.held
    prod.receive(Held(by=ANN))
    prod.wait(5 * HOUR)
    assert prod.held


def test_what_is_withdrawn_or_replaced_before_its_end_ends_nothing_then():
    prod = waiting().receive(Held(by=ANN, until=START + HOUR)).resume()
    prod.hold("bob")
    prod.wait(2 * HOUR)
    assert prod.held_by.person == "bob"
    prod = waiting().receive(Pinned(by=ANN, until=START + HOUR, offer=waiting().make(1, "1.0")))
    prod.unpin().pin(1, "1.0").wait(2 * HOUR)
    assert prod.life.pin == 1
    prod = Instance().with_good(1, "1.0").with_good(2, "1.1").receive(Held(by=ANN, until=START + HOUR))
    prod.receive(RolledBack(by=By("bob")))
    prod.wait(2 * HOUR)
    assert prod.held_by.person == "bob", "who rolls back holds for as long as it takes"


@pytest.mark.parametrize(("act", "name"), [(Stopped, "stop"), (Paused, "pause")])
def test_a_stop_and_a_pause_end_for_everyone_below(act: type[Stopped | Paused], name: str):
    channel = Actor(CHANNEL, ScopeState).receive(act(by=ANN, id="1", until=START + HOUR))
    first = channel.state
    assert channel.wake_at == START + HOUR
    assert getattr(first, name).until == START + HOUR
    channel.at(START + 1).receive(Woken())
    assert (channel.state, list(channel.out), channel.wake_at) == (first, [], START + HOUR)
    assert channel.at(START + HOUR).receive(Woken()).wake_at is None
    assert getattr(channel.state, name) is None
    record, publish = channel.out
    assert isinstance(record, Record)
    assert (record.event.kind, record.event.by) == ("expired", ANN)
    assert record.event.text == f"the {name} by ann has ended: the demo (https://tickets/7)"
    assert isinstance(publish, Publish)
    assert publish.fact == ScopeStatus(scope=CHANNEL, number=2)


def test_the_end_of_a_scope_goes_by_the_wall_clock_and_the_earlier_of_two_comes_first():
    def channel() -> Actor[ScopeState]:
        orders = (Stopped(by=ANN, until=START + HOUR), Paused(by=ANN, until=START + 2 * HOUR))
        return Actor(CHANNEL, ScopeState).receive(*orders)

    assert channel().at(START + 1).receive(Woken(offset=-HOUR)).wake_at == START + 2 * HOUR
    ended = channel().at(START + 2 * HOUR).receive(Woken(offset=-HOUR))
    assert (ended.state.stop, bool(ended.state.pause), ended.wake_at) == (None, True, START + 3 * HOUR)
    assert channel().receive(Started(by=ANN)).wake_at is not None
    assert channel().receive(Unpaused(by=ANN)).wake_at is not None
