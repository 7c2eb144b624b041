"""Invariants of the user's own: what each requires, when it is violated, and what a violation does."""

from __future__ import annotations

from typing import Any, Self

import pytest
from msgspec.structs import replace
from tests.core.dsl import START, Actor, Instance, after, approval

from setpoint.core.facts import (
    Finalization,
    InstanceStatus,
    InvariantConfigured,
    InvariantStatus,
    LineStatus,
    StandingOrder,
    Stopped,
    TargetChange,
    Woken,
)
from setpoint.core.instance.status import status
from setpoint.core.instructions import Send, Subscribe, Unsubscribe
from setpoint.core.invariants.actor import SETTLE, InvariantState
from setpoint.core.invariants.violations import violations
from setpoint.model.calendars.calendar import Calendar, Window
from setpoint.model.grammars.selector import parse_selector
from setpoint.model.invariants import Invariant, Member, Require
from setpoint.model.people import By
from setpoint.model.spec import Version
from setpoint.model.time import HOUR, SECOND

STAGING, PRODUCTION, GLOBEX = ("app/web@staging", "app/web@production", "app/web@globex")


def says(instance: str = PRODUCTION, name: str = "2.0", *, number: int = 1, release: int = 2, **more: Any) -> InstanceStatus:
    """What an instance publishes whose target moved to a version."""
    facts = {key: more.pop(key) for key in ("at", "labels", "approvals", "back") if key in more}
    move = TargetChange(release, Version(name), **{"at": START, **facts})
    return InstanceStatus(instance=instance, number=number, target_change=move, version=Version(more.pop("good", name)), **more)


def finalized(instance: str, *names: str, **more: Any) -> InstanceStatus:
    done = tuple(Finalization(Version(name), number, START) for number, name in enumerate(names, 1))
    return InstanceStatus(instance=instance, number=1, finalized=done, version=Version(names[-1]) if names else None, **more)


def staged(**more: Any) -> Invariant:
    member = Member(PRODUCTION, {"channel": "production"}, (STAGING,))
    return Invariant("staged", Require(finalized_in=("staging",)), (member,), **more)


def required(require: Require, **member: Any) -> Invariant:
    return Invariant("rule", require, (Member(PRODUCTION, **member),))


def violated(invariant: Invariant, *states: InstanceStatus, bad: tuple[str, ...] = ()) -> list[str]:
    return [f"{one.what}: {one.text}" for one in violations(invariant, {one.instance: one for one in states}, set(bad))]


class Watcher(Actor[InvariantState]):
    """An invariant, and what it watches."""

    def __init__(self, invariant: Invariant | None = None) -> None:
        super().__init__("invariant:rule", InvariantState)
        if invariant:
            self.receive(InvariantConfigured(number=1, invariant=invariant))

    def settle(self) -> Self:
        return self.at(self.due).receive(Woken())

    @property
    def violated(self) -> list[str]:
        return [one.text for one in self.maybe_state.violations] if self.maybe_state else []


# --- what each requires


def test_what_never_was_moved_violates_nothing():
    assert violated(staged(), InstanceStatus(instance=PRODUCTION, number=1)) == []
    assert violated(staged()) == []


def test_finalized_in_wants_the_version_finalized_there_before():
    assert violated(staged(), says(), finalized(STAGING, "1.0")) == [
        "finalizedIn: web@production was brought to 2.0, which staging has not finalized"
    ]
    assert violated(staged(), says(), finalized(STAGING, "2.0", "3.0")) == []


def test_what_staging_finalized_too_long_ago_to_tell_is_not_held_against_production():
    assert violated(staged(), says(), finalized(STAGING, "3.0", truncated=True)) == []


def test_a_channel_that_lacks_the_service_violates_it():
    rule = required(Require(finalized_in=("qa",)), lacks=("qa",))
    assert violated(rule, says()) == ["finalizedIn: qa does not have what web@production runs"]
    rule = required(Require(same_as="qa"), lacks=("qa",))
    assert violated(rule, says()) == ["sameAs: qa does not have what web@production runs"]


def test_not_bad():
    rule = required(Require(not_bad=True))
    assert violated(rule, says(), bad=("app/web/1.0", "app/db/2.0")) == []
    assert violated(rule, says(), bad=("app/web/2.0",)) == ["notBad: web@production was brought to 2.0, which is marked bad"]


@pytest.mark.parametrize(("given", "fine"), [({}, False), ({"go": 1}, False), ({"go": 2}, True), ({"stop": 2}, False)])
def test_approved_wants_so_many_when_it_moved_forward(given: dict[str, int], fine: bool):
    rule = required(Require(topic="go", approvers=2))
    assert violated(rule, says(approvals=given)) == (
        [] if fine else [f"approved: web@production was brought to 2.0 with {given.get('go', 0)} of 2 for go"]
    )


def test_open_wants_moves_forward_only_while_the_calendar_was_open():
    rule = required(Require(calendar=Calendar("office", open=(Window(hours=(9 * 60, 16 * 60)),))))
    assert violated(rule, says(at=START + 10 * HOUR)) == []
    assert violated(rule, says(at=START + 20 * HOUR)) == ["open: web@production was brought to 2.0 while office was closed"]


def test_the_calendar_is_read_in_the_time_zone_of_the_channel():
    rule = required(Require(calendar=Calendar("office", open=(Window(hours=(9 * 60, 16 * 60)),))), timezone="Australia/Sydney")
    assert violated(rule, says(at=START + 23 * HOUR)) == []


@pytest.mark.parametrize("more", [{"back": True}, {"at": 0}], ids=["a rollback", "nobody watched"])
def test_of_a_move_back_or_one_that_nobody_saw_neither_approval_nor_hour_is_asked(more: dict[str, Any]):
    closed = Calendar("freeze", closed=(Window(),))
    assert violated(required(Require(topic="go", calendar=closed)), says(**more)) == []


def test_runs_wants_a_version_in_the_range():
    rule = required(Require(runs="^1.4"))
    assert violated(rule, says(name="1.5.0")) == []
    assert violated(rule, says(name="2.0.0")) == ["runs: web@production was brought to 2.0.0, which is not in ^1.4"]


def test_same_as_compares_what_is_finalized_unless_one_is_being_deployed():
    rule = required(Require(same_as="globex"), same_as=GLOBEX)
    other = says(GLOBEX, good="1.0")
    assert violated(rule, says(), other) == ["sameAs: web@production has finalized 2.0, and globex 1.0"]
    assert violated(rule, says(), says(GLOBEX)) == []
    assert violated(rule, replace(says(), moving=True), other) == []
    assert violated(rule, says(), replace(other, moving=True)) == []
    revised = replace(other, version=Version("2.0", revision="r2"))
    assert violated(rule, says(), revised) == [
        "sameAs: web@production has finalized 2.0, and globex 2.0 in another configuration"
    ]


@pytest.mark.parametrize(
    ("mine", "its", "text"),
    [
        ("2.4.1", "2.0.0", ""),
        ("2.0.0", "2.4.1", ""),
        ("3.0.0", "2.9.9", "web@production 3.0.0 and db@production 2.9.9 are a major step apart"),
        ("2.9.9", "3.0.0", "web@production 2.9.9 and db@production 3.0.0 are a major step apart"),
        ("nightly", "2.0.0", "web@production nightly and db@production 2.0.0 cannot be compared"),
    ],
)
def test_skew_is_the_step_between_two_services_of_a_channel(mine: str, its: str, text: str):
    rule = required(Require(beside="db", max_step="minor"), beside="app/db@production")
    found = violated(rule, says(name=mine), says("app/db@production", its))
    assert found == ([f"skew: {text}"] if text else [])


@pytest.mark.parametrize(("amount", "most"), [("1", 1), ("50%", 2), ("1%", 1), ("0", 0), ("0%", 0)])
def test_moving_bounds_how_many_are_deployed_at_once(amount: str, most: int):
    names = [f"app/web@c{number}" for number in range(3)]
    rule = Invariant("rule", Require(moving=amount), tuple(Member(name) for name in names))
    few = [replace(says(name), moving=number < most) for number, name in enumerate(names)]
    many = [replace(says(name), moving=number < most + 1) for number, name in enumerate(names)]
    assert violated(rule, *few) == []
    (text,) = violated(rule, *many)
    assert text.startswith(f"moving: {most + 1} are being deployed at once, and {most} may be: web@c0")


def test_when_sees_the_labels_of_the_instance_and_the_facts_of_the_attempt():
    rule = staged(when=parse_selector("channel=production, !urgent"))
    assert violated(rule, says(), finalized(STAGING))
    assert violated(rule, says(labels={"urgent": "true"}), finalized(STAGING)) == []


# --- the actor


def test_it_listens_to_what_it_speaks_of_and_no_longer_than_that():
    watcher = Watcher(staged())
    assert [one.to for one in watcher.gave(Subscribe)] == ["instance:app/web@production", "instance:app/web@staging"]
    watcher.receive(InvariantConfigured(number=2, invariant=required(Require(not_bad=True))))
    assert [one.to for one in watcher.gave(Subscribe)] == ["line:app"]
    assert [one.to for one in watcher.gave(Unsubscribe)] == ["instance:app/web@staging"]
    watcher.receive(InvariantConfigured(number=3))
    assert [one.to for one in watcher.gave(Unsubscribe)] == ["instance:app/web@production", "line:app"]
    assert watcher.receive(InvariantConfigured(number=2, invariant=staged())).out == ()


def test_a_violation_is_recorded_and_published_once_it_has_stood_for_a_while():
    watcher = Watcher(staged()).receive(says(), finalized(STAGING, "1.0"))
    assert watcher.violated == []
    assert watcher.wake_at == START + SETTLE
    watcher.settle()
    text = "web@production was brought to 2.0, which staging has not finalized"
    assert [(event.kind, event.text, event.release) for event in watcher.events] == [("violated", f"rule: {text}", 2)]
    (status,) = watcher.published(InvariantStatus)
    assert [(one.text, one.since) for one in status.violations] == [(text, START)]
    assert watcher.gave(Send) == []
    assert watcher.receive(says(number=2)).out == ()
    assert watcher.wake_at is None


def test_a_status_that_was_only_late_violates_nothing():
    watcher = Watcher(staged()).receive(says())
    watcher.now += 2 * SECOND
    watcher.receive(finalized(STAGING, "2.0"))
    assert (watcher.violated, watcher.wake_at) == ([], None)


def test_a_clock_that_was_set_back_does_not_put_it_off():
    watcher = Watcher(staged()).receive(says())
    watcher.now -= HOUR
    watcher.receive(Woken())
    assert watcher.wake_at == watcher.now + SETTLE


def test_what_one_status_says_by_itself_counts_at_once():
    assert Watcher(required(Require(topic="go"))).receive(says()).violated == [
        "web@production was brought to 2.0 with 0 of 1 for go"
    ]


def test_an_older_status_is_dropped():
    watcher = Watcher(required(Require(runs="^1"))).receive(says(name="1.0.0", number=5)).receive(says(number=4))
    assert watcher.violated == []


def test_the_line_says_what_is_bad():
    watcher = Watcher(required(Require(not_bad=True))).receive(says())
    marked = {"web/2.0": StandingOrder(By("ann"), START)}
    watcher.receive(LineStatus(application="app", number=2, bad=marked)).settle()
    assert watcher.violated == ["web@production was brought to 2.0, which is marked bad"]
    watcher.receive(LineStatus(application="app", number=1))
    assert watcher.violated
    watcher.receive(LineStatus(application="app", number=3))
    assert watcher.violated == []
    assert [event.kind for event in watcher.events] == ["holds-again"]


def test_a_violation_stops_the_line_of_its_application_once():
    watcher = Watcher(staged(stop=True)).receive(says(), finalized(STAGING, "1.0")).settle()
    (sent,) = watcher.gave(Send)
    assert sent.to == "scope:application:app"
    assert isinstance(sent.fact, Stopped)
    assert sent.fact.by.person == "invariant rule"
    assert sent.fact.by.why == "web@production was brought to 2.0, which staging has not finalized"
    assert watcher.receive(says(number=2)).gave(Send) == []
    watcher.receive(says(name="3.0", release=3, number=3)).settle()
    assert [stop.id for stop in watcher.sent(Stopped)] == [f"rule/finalizedIn/app/web@production/3/{watcher.now - SETTLE}"]


def test_another_violation_says_nothing_again_of_the_one_that_stands():
    members = (Member(PRODUCTION), Member(GLOBEX))
    watcher = Watcher(Invariant("rule", Require(runs="^1"), members, stop=True)).receive(says(number=1))
    watcher.receive(says(GLOBEX, "3.0"))
    assert [event.text for event in watcher.events] == ["rule: web@globex was brought to 3.0, which is not in ^1"]
    assert len(watcher.gave(Send)) == 1
    assert len(watcher.violated) == 2


def test_when_nothing_changes_nothing_is_written():
    watcher = Watcher(staged()).receive(says(), finalized(STAGING, "2.0"))
    before = watcher.state
    assert watcher.receive(says(), Woken()).state is before
    assert watcher.out == ()


def test_without_a_document_there_is_nothing_to_violate():
    watcher = Watcher(staged()).receive(says()).settle()
    assert watcher.violated
    watcher.receive(InvariantConfigured(number=2))
    assert (watcher.violated, watcher.wake_at) == ([], None)


# --- what an instance says of itself


def of(prod: Instance) -> InstanceStatus:
    return status(PRODUCTION, prod.life, prod.policy, older=False)


def test_an_instance_tells_of_its_moves_only_where_somebody_watches():
    assert Instance().offer(1, "1.0").maybe_published is None
    prod = Instance(watched=True, approvals=(approval(),)).offer(1, "1.0", urgent=True).approve("ann")
    assert of(prod).moving
    move = of(prod).target_change
    assert move is not None
    assert (move.release, move.version.name, move.at, move.back) == (1, "1.0", START, False)
    assert move.approvals == {"release-manager": 1}
    assert move.labels["urgent"] == "true"
    told = prod.comes_up("1.0").published
    assert (told.moving, told.target_change) == (False, move)


def test_a_rollback_is_told_as_such():
    prod = Instance(watched=True).with_good(1, "1.0").offer(2, "2.0").applied().roll_back()
    move = of(prod).target_change
    assert move is not None
    assert (move.version.name, move.back, move.approvals) == ("1.0", True, {})
    assert of(prod).moving


def test_one_that_is_watched_from_now_on_tells_what_it_runs_and_not_since_when():
    prod = Instance().with_good(1, "1.0").configure(watched=True)
    move = of(prod).target_change
    assert move == TargetChange(1, Version("1.0"))
    assert of(prod.offer(2, "2.0")).target_change != move


def test_a_pin_past_an_ordering_is_what_an_invariant_finds():
    prod = Instance(watched=True, orderings=(after(),)).upstream("staging", "1.0")
    prod.offer(1, "1.0").comes_up("1.0").pin(2, "2.0").skip(2, "after")
    assert prod.target == "2.0"
    assert violated(staged(), of(prod), finalized(STAGING, "1.0")) == [
        "finalizedIn: web@production was brought to 2.0, which staging has not finalized"
    ]
