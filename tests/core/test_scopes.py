"""Stop the line, pause, observe: what stops, what goes on, and what the reasons say."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from tests.core.dsl import START, Actor, Instance
from tests.core.dsl.scopes import CHANNEL, paused, stopped

from setpoint.core import scope
from setpoint.core.facts import Healing, Observing, Paused, ScopeStatus, Started, Stopped, Unpaused
from setpoint.core.instructions import Subscribe
from setpoint.core.scope import ScopeState
from setpoint.model.people import By
from setpoint.model.policy import DriftPolicy
from setpoint.model.time import HOUR, MINUTE

Act = Stopped | Started | Paused | Unpaused


def test_a_stopped_line_keeps_new_things_from_starting():
    prod = stopped(Instance().with_good(1, "1.0")).offer(2, "2.0")
    assert prod.target == "1.0"
    assert prod.waits_for("ann froze channel production: the network is down")
    assert stopped(prod, number=2, stop=None).target == "2.0"


def test_an_older_word_of_a_scope_is_dropped():
    prod = stopped(Instance().with_good(1, "1.0"), number=4, stop=None)
    assert stopped(prod, number=3).offer(2, "2.0").target == "2.0"


def test_a_stopped_line_lets_rollouts_finish_and_roll_back_and_heals():
    prod = stopped(Instance().with_good(1, "1.0").offer(2, "2.0"))
    assert prod.comes_up("2.0").good == "2.0"
    prod.wait(MINUTE).observed("2.0", complete=False, difference="a file changed")
    assert prod.applies[-1] == "spec-2.0"
    assert len(prod.applies) == 3
    prod.applied().observed("2.0").roll_back()
    assert prod.target == "1.0"


def test_a_pause_stops_every_apply_rollbacks_included():
    prod = paused(Instance().with_good(1, "1.0").offer(2, "2.0").applied())
    prod.roll_back()
    before = len(prod.applies)
    assert prod.waits_for("the rollback waits for resume: ann paused the organization")
    prod.wait(HOUR)
    assert len(prod.applies) == before
    paused(prod, number=2, pause=None)
    assert prod.applies[before:] == ["spec-1.0"]


def test_deadlines_stand_still_while_paused():
    prod = paused(Instance(progress_deadline=2 * MINUTE).with_good(1, "1.0").offer(2, "2.0").applied())
    prod.observed("1.0+2.0", healthy=None)
    for _ in range(10):
        prod.wait(MINUTE).observed("1.0+2.0", healthy=None)
    assert prod.target == "2.0"
    paused(prod, number=2, pause=None)
    prod.wait(MINUTE).observed("1.0+2.0", healthy=None)
    assert prod.target == "2.0", "what passed during the pause does not count afterwards"
    for _ in range(3):
        prod.wait(MINUTE).observed("1.0+2.0", healthy=None)
    assert prod.target == "1.0"


def test_an_observed_instance_is_not_touched_until_it_is_healed():
    prod = Instance().with_good(1, "1.0").receive(Observing(by=By("ann", "debugging")))
    prod.observed("1.0", complete=False, difference="ann changed it").offer(2, "2.0")
    assert prod.applies == ["spec-1.0"]
    assert prod.waits_for("only observed, by order of ann")
    prod.receive(Healing(by=By("ann")))
    assert prod.target == "2.0"


def test_an_observed_drift_mode_waits_as_well():
    prod = Instance(drift=DriftPolicy("observe")).offer(1, "1.0")
    assert prod.target == ""
    assert prod.waits_for("only observed")


def test_an_instance_listens_to_its_line_and_to_every_scope_above():
    entities = {given.to for given in Instance().out if isinstance(given, Subscribe)}
    assert {"scope:organization", CHANNEL.replace("app", ""), "line:"} <= entities


def test_an_instance_of_a_group_listens_to_its_group_as_well():
    labels = {"application": "app", "channel": "tenants-a", "runtime": "east"}
    scopes = ("scope:organization", "scope:application:app", "scope:channel:app/tenants-a", "scope:runtime:east")
    assert scope.above(labels) == scopes
    assert set(scope.above({**labels, "group": "tenants"})) == {*scopes, "scope:group:app/tenants"}


# --- the scope ----------------------------------------------------------------------------------------------------------


def test_what_stands_stands_until_it_is_withdrawn():
    channel, statuses = Actor(CHANNEL, ScopeState), list[ScopeStatus]()
    acts: tuple[type[Act], ...] = (Stopped, Stopped, Paused, Paused, Started, Started, Unpaused)
    for number, act in enumerate(acts, 1):
        channel.at(START + number).receive(act(by=By(f"person-{number}"), id=str(number)))
        statuses += channel.published(ScopeStatus)
    assert [status.stop.by.person if status.stop else "" for status in statuses] == ["person-1", "person-1", "", ""]
    assert [bool(status.pause) for status in statuses] == [False, True, True, False]
    assert [status.number for status in statuses] == [1, 2, 3, 4]


@pytest.mark.parametrize("act", [Stopped, Paused])
def test_what_stands_takes_a_new_reason_link_or_end_and_keeps_its_beginning(act: type[Stopped | Paused]):
    channel = Actor(CHANNEL, ScopeState).receive(act(by=By("ann", "fire drill"), id="1"))
    recorded = []
    later = By("bob", "the audit", "https://tickets/7")
    acts = (act(by=later), act(by=By("eve")), act(by=By("eve"), until=START + 50), act(by=By("ann"), until=START + 50))
    for number, fact in enumerate(acts, 2):
        channel.at(START + number).receive(replace(fact, id=str(number)))
        recorded.append([event.text.partition(" ")[0] for event in channel.events])
    assert recorded == [["bob"], [], ["eve"], []]
    stands = channel.state.stop or channel.state.pause
    assert stands
    assert (stands.by, stands.at, stands.until) == (By("eve", "the audit", "https://tickets/7"), START, START + 50)


def test_the_same_act_twice_is_one():
    act = Stopped(by=By("ann"), id="7")
    channel = Actor(CHANNEL, ScopeState).receive(act)
    first = channel.state
    assert channel.receive(act).out == ()
    assert channel.state == first


def test_scopes_are_called_as_people_call_them():
    assert scope.name_of("scope:organization") == "the organization"
    assert scope.name_of("scope:channel:saas/acme") == "channel acme"
    assert scope.name_of("scope:runtime:local") == "runtime local"
