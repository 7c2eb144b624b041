"""Acts of people are told with who, why and of which release; each is one act however often it is delivered or repeated."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.core.dsl import START, Instance, after, approval, check

from setpoint.core.facts import (
    AnyFact,
    FinalizationRequested,
    Healing,
    Held,
    Observing,
    Pinned,
    Resumed,
    Retried,
    RolledBack,
    Skipped,
    Unpinned,
)
from setpoint.model.people import By
from setpoint.model.policy import Strategy
from setpoint.model.time import HOUR, MINUTE

ANN = By("ann", "it is late")
BOB = By("bob")
LATER = By("bob", "the audit", "https://tickets/7")


def moving() -> Instance:
    """1.0 and 1.1 were good; 1.2 waits for a check."""
    prod = Instance().with_good(1, "1.0").with_good(2, "1.1")
    return prod.configure(checks=(check("alerts"),)).offer(3, "1.2")


def failed() -> Instance:
    return Instance().with_good(1, "1.0").offer(2, "1.1").applied("broken", terminal=True).comes_up("1.0")


ACTS: list[tuple[Callable[[], Instance], Callable[[Instance], AnyFact], str, int]] = [
    (moving, lambda prod: Held(by=ANN), "ann holds", 0),
    (lambda: moving().hold(), lambda prod: Resumed(by=ANN), "ann resumes", 0),
    (moving, lambda prod: Observing(by=ANN), "ann only observes from now on", 0),
    (lambda: moving().receive(Observing(by=ANN)), lambda prod: Healing(by=ANN), "ann lets it be healed again", 0),
    (moving, lambda prod: Pinned(by=ANN, offer=prod.make(1, "1.0")), "ann pins 1.0", 1),
    (lambda: moving().pin(1, "1.0"), lambda prod: Unpinned(by=ANN), "ann unpins 1.0", 1),
    (moving, lambda prod: Skipped(by=ANN, release=3, gate="alerts"), "ann skips alerts", 3),
    (moving, lambda prod: Skipped(by=ANN, release=3, gate="*"), "ann skips all gates", 3),
    (moving, lambda prod: RolledBack(by=ANN), "ann rolls back", 0),
    (moving, lambda prod: RolledBack(by=ANN, offer=prod.make(1, "1.0")), "ann rolls back", 1),
    (failed, lambda prod: Retried(by=ANN), "ann retries release 2", 2),
]


@pytest.mark.parametrize(("made", "act", "words", "release"), ACTS, ids=[words for _, _, words, _ in ACTS])
def test_every_act_is_told_with_who_why_and_of_which_release(
    made: Callable[[], Instance], act: Callable[[Instance], AnyFact], words: str, release: int
):
    prod = made()
    before = len(prod.events)
    prod.receive(act(prod))
    told = [event for event in prod.events[before:] if event.kind == "signal"]
    assert [(event.text, event.by, event.release) for event in told] == [(f"{words}: it is late", ANN, release)]


@pytest.mark.parametrize(
    ("made", "act"),
    [
        (lambda: moving().hold(), lambda prod: Held(by=BOB)),
        (moving, lambda prod: Resumed(by=ANN)),
        (lambda: moving().receive(Observing(by=ANN)), lambda prod: Observing(by=By("bob"))),
        (moving, lambda prod: Healing(by=ANN)),
        (lambda: moving().pin(1, "1.0"), lambda prod: Pinned(by=BOB, offer=prod.make(1, "1.0"))),
        (moving, lambda prod: Unpinned(by=ANN)),
        (lambda: moving().skip(3, "other"), lambda prod: Skipped(by=BOB, release=3, gate="other")),
        (moving, lambda prod: Retried(by=ANN)),
        (moving, lambda prod: Retried(by=ANN, release=3)),
        (failed, lambda prod: Retried(by=ANN, release=1)),
    ],
)
def test_an_act_that_changes_nothing_tells_nothing(made: Callable[[], Instance], act: Callable[[Instance], AnyFact]):
    prod = made()
    before, lines = prod.state, len(prod.events)
    prod.receive(act(prod))
    assert (prod.state, len(prod.events)) == (before, lines)


STOOD: dict[str, tuple[Callable[[], Instance], Callable[[By, int], AnyFact]]] = {
    "hold": (lambda: moving().receive(Held(by=ANN)), lambda by, until: Held(by=by, until=until)),
    "observe": (lambda: moving().receive(Observing(by=ANN)), lambda by, until: Observing(by=by, until=until)),
    "pin": (
        lambda: moving().receive(Pinned(by=ANN, offer=moving().make(1, "1.0"))),
        lambda by, until: Pinned(by=by, until=until, offer=moving().make(1, "1.0")),
    ),
    "skip": (
        lambda: moving().receive(Skipped(by=ANN, release=3, gate="other")),
        lambda by, until: Skipped(by=by, until=until, release=3, gate="other"),
    ),
}


def stands(prod: Instance, order: str) -> tuple[By, int, int]:
    """Whose an order is, since when, and until when."""
    life = prod.life
    if order == "pin":
        assert life.pinned_by
        return life.pinned_by, life.pinned_at, life.pinned_until
    one = {"hold": life.hold, "observe": life.observing, "skip": (life.skips or (None,))[0]}[order]
    assert one
    return one.by, one.at, one.until


@pytest.mark.parametrize("order", sorted(STOOD))
def test_an_order_that_stands_takes_a_new_reason_link_or_end_and_keeps_its_beginning(order: str):
    made, again = STOOD[order]
    prod = made()
    _, since, _ = stands(prod, order)
    prod.wait(MINUTE)
    for by, until, whose in (
        (LATER, 0, LATER),
        (BOB, START + HOUR, LATER),
        (By("eve", "", "https://tickets/8"), START + HOUR, By("eve", "the audit", "https://tickets/8")),
    ):
        before = len(prod.events)
        prod.receive(again(by, until))
        assert stands(prod, order) == (whose, since, until)
        assert [event.kind for event in prod.events[before:]] == ["signal"]
        prod.receive(again(By("ann"), until))
        assert (stands(prod, order), len(prod.events)) == ((whose, since, until), before + 1)


def test_two_gates_of_a_release_are_skipped_one_by_one():
    prod = Instance(checks=(check("alerts"), check("load"))).offer(1, "1.0").skip(1, "alerts")
    assert (prod.target, set(prod.candidate.gates)) == ("", {"load"})
    assert prod.skip(1, "load").target == "1.0"


def test_whoever_pins_or_rolls_back_is_remembered_until_it_is_undone():
    prod = moving().pin(1, "1.0")
    assert prod.life.pinned_by == By("ann")
    assert prod.unpin().life.pinned_by is None
    assert prod.pin(1, "1.0").roll_back().life.pinned_by is None


# --- retry ----------------------------------------------------------------------------------------------------------------


def test_retry_of_one_release_lifts_no_other_veto():
    prod = Instance(approvals=(approval(),)).offer(1, "1.0").offer(2, "1.1").reject("bob", release=1).reject("bob", release=2)
    assert prod.vetoed == {1, 2}
    assert prod.retry(1).vetoed == {2}


def test_retry_without_a_release_means_the_newest_one_vetoed():
    prod = Instance(approvals=(approval(),)).offer(1, "1.0").offer(2, "1.1").reject("bob", release=2).reject("bob", release=1)
    assert prod.retry().vetoed == {1}


def test_retry_of_another_release_does_not_touch_what_failed():
    prod = Instance().offer(1, "1.0").applied("broken", terminal=True)
    assert prod.retry(7).condition == "failed"
    assert prod.retry().condition == "deploying"


# --- late and repeated releases -------------------------------------------------------------------------------------------


def test_a_release_that_comes_again_ends_no_hold_that_was_set_after_it():
    prod = Instance(checks=(check("alerts"),)).offer(1, "1.0", addressed=True).hold().offer(1, "1.0", addressed=True)
    assert prod.held


def test_a_release_older_than_the_frontier_that_comes_late_is_not_kept_and_ends_no_hold():
    prod = Instance().with_good(2, "1.1").hold().offer(1, "1.0", addressed=True)
    assert [offer.release for offer in prod.offers] == [2]
    assert prod.held


def test_an_older_release_of_a_vetoed_version_that_comes_late_lifts_no_veto():
    prod = Instance(strategy=Strategy.MIRROR, mirror="app/web@production").offer(1, "1.0").offer(3, "1.1")
    prod.upstream("production", good=1, change=1).comes_up("1.0").upstream("production", good=3, change=2)
    prod.applied("broken", terminal=True).comes_up("1.0")
    assert prod.offer(2, "1.1").vetoed == {3}
    assert prod.offer(4, "1.1").vetoed == set()


def test_a_mirror_keeps_older_releases_too():
    prod = Instance(strategy=Strategy.MIRROR, mirror="app/web@production").offer(2, "1.1")
    prod.upstream("production", good=2, change=1).comes_up("1.1").offer(1, "1.0").upstream("production", good=1, change=2)
    assert prod.target == "1.0"


def test_what_a_person_names_is_kept_once_and_asked_about():
    prod = moving().pin(1, "1.0")
    assert [offer.release for offer in prod.offers] == [1, 2, 3]
    other = Instance(orderings=(after(),)).upstream("staging", "0.9").pin(7, "0.7")
    assert [ask.version.name for ask in other.sent(FinalizationRequested)] == ["0.7"]
