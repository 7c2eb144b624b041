"""What the design left open, decided (§10.14): expiry within a set, orderings that are added, what a retry lifts."""

from __future__ import annotations

from typing import Any

import pytest
from tests.core.dsl import NAME, Instance, WithTasks, a_task, after, approval, check, version
from tests.core.dsl.scopes import OUTAGE
from tests.core.dsl.sets import B, Member

from setpoint.core.facts import LineStatus, SetStage, SetStatus
from setpoint.model.policy import Ordering, Phase, ServiceOrdering
from setpoint.model.time import HOUR

EXPIRES = (approval(expires=HOUR),)
PLAIN = after("qa")
GROUP = Ordering("tenants", ("app/web@a", "app/web@b"), ("tenants",), members=("app/web@a", "app/web@b"))
SERVICE = ServiceOrdering("after-api", "app/api@production")


# --- an approval that expires while its set is going


def approved() -> Member:
    """A member that was approved, and is locked."""
    web = Member(approvals=EXPIRES).member().vote("ann", release=2)
    assert isinstance(web, Member)
    web.set_is("preparing")
    assert web.vote_given == "locked"
    return web


def test_an_approval_expires_while_its_set_is_going_invariant_8():
    """Expiry is judged when the set starts, not at each member: the set is not taken back by a late starter."""
    web = approved().set_is("going", start=(B,), waiting={B: "is being rolled out"})
    web.wait(2 * HOUR)
    assert (web.vote_given, web.target, web.candidate.phase) == ("locked", "", Phase.PRE_DEPLOYMENT)
    assert not web.waits_for("waits for release-manager")
    assert web.set_is("going", start=(B, NAME)).target == "1.1"


def test_an_approval_of_a_configuration_expires_while_its_set_is_going():
    """A configuration release has a set of its own, beside those of the versions that it comes with (§10.1 Sets)."""
    entity = "set:app/production#3"
    web = Member(approvals=EXPIRES).offer(1, "1.0").vote("ann", release=1).comes_up("1.0")
    web.reconfigure(3, 1, set=entity).vote("ann", release=3)
    web.receive(SetStatus(set=entity, number=1, epoch=1, stage=SetStage.PREPARING))
    web.receive(SetStatus(set=entity, number=2, epoch=1, stage=SetStage.GOING, start=(B,), went=(NAME, B)))
    web.wait(2 * HOUR)
    assert not web.waits_for("waits for release-manager")
    web.receive(SetStatus(set=entity, number=3, epoch=1, stage=SetStage.GOING, start=(B, NAME), went=(NAME, B)))
    assert web.target_in == "1.0/R1"


def test_an_approval_that_expires_before_its_set_starts_counts_no_more():
    web = approved()
    web.wait(2 * HOUR)
    assert web.vote_given == "waiting"
    assert web.waits_for("an earlier yes has expired")


def test_an_approval_that_expired_while_the_set_was_going_is_asked_for_anew_once_it_gathers_again():
    web = approved().set_is("going", start=(B,))
    web.wait(2 * HOUR)
    web.set_is("going-back", reason="b: failed")
    web.set_is("gathering", epoch=2).retry(2)
    assert web.waits_for("waits for release-manager")


def test_an_approval_of_who_the_set_went_without_expires_as_ever():
    web = approved().set_is("going", start=(B,), went=(B,))
    web.wait(2 * HOUR)
    assert web.waits_for("an earlier yes has expired")


def test_a_rejection_takes_a_set_back_that_is_going():
    web = approved().set_is("going", start=(B,))
    web.vote("bob", yes=False, release=2)
    assert web.vote_given == "vetoed"


def test_an_approval_that_expires_while_a_task_runs_does_not_count_when_target_would_move():
    """Nobody else has started yet: what is asked is whether it had expired when target moved."""
    prod = WithTasks(tasks=(a_task(),), approvals=EXPIRES).offer(1, "1.0").vote("ann")
    assert prod.candidate.committed
    prod.wait(2 * HOUR)
    assert (prod.succeeds().target, prod.waits_for("an earlier yes has expired")) == ("", True)


# --- an ordering that is added while an attempt is committed


def migrating(**policy: Any) -> WithTasks:
    prod = WithTasks(tasks=(a_task(),), **policy).offer(1, "1.0")
    assert isinstance(prod, WithTasks)
    assert prod.candidate.committed
    return prod


ADDED = [{"orderings": (PLAIN,)}, {"orderings": (GROUP,)}, {"services": (SERVICE,)}]


@pytest.mark.parametrize("added", ADDED, ids=["channel", "group", "service"])
def test_an_ordering_of_any_kind_that_is_added_does_not_hold_what_is_committed(added: dict[str, Any]):
    prod = migrating()
    prod.configure(tasks=(a_task(),), **added)
    assert prod.candidate.committed
    assert prod.succeeds().target == "1.0"


@pytest.mark.parametrize("added", ADDED, ids=["channel", "group", "service"])
def test_an_ordering_that_is_added_holds_what_is_not_committed(added: dict[str, Any]):
    prod = Instance(checks=(check("alerts"),)).offer(1, "1.0").configure(checks=(check("alerts"),), **added)
    assert prod.passing("alerts").target == ""
    assert prod.candidate.phase is Phase.PRE_APPROVAL


@pytest.mark.parametrize("added", ADDED, ids=["channel", "group", "service"])
def test_an_ordering_that_is_added_does_not_take_a_set_back_that_is_going(added: dict[str, Any]):
    web = Member().member().set_is("preparing").set_is("going", start=(B,))
    web.configure(**added)
    assert (web.vote_given, web.target) == ("locked", "")
    assert web.set_is("going", start=(B, NAME)).target == "1.1"


def test_an_ordering_that_was_there_holds_what_is_committed_once_it_is_revoked():
    prod = WithTasks(tasks=(a_task(),), orderings=(PLAIN,)).offer(1, "1.0").upstream("qa", "1.0")
    assert prod.candidate.committed
    prod.configure(tasks=(a_task(),), orderings=(PLAIN, GROUP)).upstream("qa", revoked=(version("1.0"),))
    assert (prod.succeeds().target, prod.waits_for("qa rolled 1.0 back")) == ("", True)


def test_the_next_attempt_is_held_by_what_was_added():
    prod = migrating()
    prod.configure(tasks=(a_task(),), orderings=(PLAIN,))
    prod.succeeds().comes_up("1.0")
    prod.offer(2, "1.1")
    assert (prod.target, prod.waits_for("qa has not finalized 1.1 yet")) == ("1.0", True)


# --- what a retry lifts


def failed_check() -> Instance:
    prod = Instance(checks=(check("alerts", Phase.POST_DEPLOYMENT),)).offer(1, "1.0").comes_up("1.0").passing("alerts")
    return prod.offer(2, "1.1").comes_up("1.1").blocking("alerts").comes_up("1.0")


def rejected() -> Instance:
    return Instance(approvals=(approval(),)).offer(2, "1.1").vote("ann", yes=False)


def refused_by_the_runtime() -> Instance:
    return Instance().offer(2, "1.1").applied("no such image", terminal=True)


def rolled_back_by_hand() -> Instance:
    prod = Instance().with_good(1, "1.0").with_good(2, "1.1").roll_back()
    return prod.comes_up("1.0").resume()


def went_back_with_its_set() -> Instance:
    web = Member().member().set_is("preparing").set_is("going", start=(B,))
    return web.set_is("going-back", reason="b: failed").set_is("gathering", epoch=2)


@pytest.mark.parametrize("vetoed", [failed_check, rejected, refused_by_the_runtime, rolled_back_by_hand, went_back_with_its_set])
def test_retry_lifts_every_veto_of_the_release_whatever_made_it(vetoed: Any):
    prod = vetoed()
    assert 2 in prod.vetoed, prod.reasons
    prod.retry(2)
    assert (prod.vetoed, prod.maybe_failure) == (set(), None)
    again = prod.maybe_candidate or prod.rollout.attempt
    assert again.release == 2


def test_a_bad_mark_stays_when_the_release_is_retried():
    prod = failed_check().receive(LineStatus(application="app", number=1, bad={"web/1.1": OUTAGE}))
    prod.retry(2)
    assert (prod.maybe_candidate, prod.target) == (None, "1.0")


def test_a_cancellation_stays_when_the_release_is_retried():
    prod = failed_check().receive(LineStatus(application="app", number=1, cancelled={2: OUTAGE}))
    prod.retry(2)
    assert (prod.maybe_candidate, prod.target) == (None, "1.0")
