"""Orderings over groups: members that do not take the version do not count; those that wait at a gate do."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from tests.core.dsl import START, Instance, WithTasks, a_task, after, approval, check, hours, version

from setpoint.model.calendars.calendar import Calendar, Window
from setpoint.model.policy import Accepts, Cadence, DriftPolicy, Ordering, Phase, Strategy
from setpoint.model.time import HOUR

A, B = "app/web@a", "app/web@b"


TENANTS = Ordering("tenants", (A, B), ("tenants",), members=(A, B))
DECLINED = {1: "its cadence admits nothing now"}


def group(**more: Any) -> Instance:
    return Instance(orderings=(replace(TENANTS, **more),)).offer(1, "1.0")


def migrating() -> WithTasks:
    """Its migration runs: it was let through though b does not take it."""
    prod = WithTasks(orderings=(TENANTS,), tasks=(a_task(),)).offer(1, "1.0")
    return prod.upstream("a", "1.0").upstream("b", declined=DECLINED)


def test_a_member_that_does_not_take_the_version_does_not_count():
    prod = group().upstream("a", "1.0")
    assert prod.waits_for("tenants has not finalized 1.0 yet")
    assert prod.upstream("b", declined={1: "pinned to 0.9"}).target == "1.0"


def test_a_channel_that_is_no_member_of_a_group_always_counts():
    prod = Instance(orderings=(Ordering("after", (A, B)),)).offer(1, "1.0").upstream("a", "1.0")
    prod.upstream("b", declined={1: "pinned to 0.9"})
    assert prod.waits_for("b has not finalized 1.0: pinned to 0.9")


def test_a_member_that_waits_at_a_gate_counts():
    assert group().upstream("a", "1.0").upstream("b").target == ""


def test_a_member_that_failed_or_was_rolled_back_by_hand_counts_though_it_is_held_since():
    assert group().upstream("a", "1.0").upstream("b", rolled_back=(1,), declined={1: "held by ann"}).target == ""
    assert group().upstream("a", "1.0").upstream("b", revoked=(version("1.0"),), declined={1: "held by ann"}).target == ""


def test_the_reason_is_about_the_member_that_it_is_up_to():
    def guilty(prod: Instance) -> tuple[str, str]:
        (found,) = prod.explained
        return found.subject, found.text

    assert guilty(group()) == (A, "tenants has not finalized 1.0 yet")
    assert guilty(group().upstream("a", "1.0")) == (B, "tenants has not finalized 1.0 yet")
    assert guilty(group().upstream("b", rolled_back=(1,))) == (B, "b rolled 1.0 back")
    pinned = group().upstream("a", declined={1: "pinned to 0.9"})
    assert guilty(pinned) == (B, "tenants has not finalized 1.0 yet"), "a does not count, so it is not up to a"
    soaking = group(soak=HOUR).upstream("a", "1.0").wait(HOUR // 2).upstream("b", "1.0")
    assert guilty(soaking)[0] == B, "the last one to be through"


def test_a_member_that_finalized_it_counts_whatever_it_declines_now():
    prod = group().upstream("b", "1.0", declined={1: "pinned to 0.9"}).upstream("a", declined={1: "held by ann"})
    assert prod.target == "1.0"


def test_a_member_that_went_on_without_it_does_not_count():
    assert group().upstream("a", "1.0").upstream("b", frontier=2).target == "1.0"


def test_a_member_that_takes_it_up_later_holds_what_only_waits():
    prod = (
        group().configure(calendars=(hours(9, 17),), orderings=(TENANTS,)).upstream("a", "1.0").upstream("b", declined=DECLINED)
    )
    assert prod.candidate.phase is Phase.PRE_DEPLOYMENT
    assert prod.upstream("b").waits_for("tenants has not finalized 1.0 yet")


def test_a_member_that_takes_it_up_later_does_not_hold_what_is_under_way():
    prod = migrating().upstream("b")
    assert prod.candidate.committed
    assert prod.succeeds().target == "1.0"


def test_an_ordering_over_a_group_that_is_added_later_does_not_hold_what_is_under_way():
    prod = WithTasks(tasks=(a_task(),)).offer(1, "1.0").configure(tasks=(a_task(),), orderings=(TENANTS,))
    assert prod.candidate.committed
    assert prod.succeeds().target == "1.0"


def test_a_member_that_takes_it_up_later_and_fails_holds_what_is_under_way():
    prod = migrating().upstream("b", rolled_back=(1,)).succeeds()
    assert (prod.target, prod.waits_for("b rolled 1.0 back")) == ("", True)


def test_where_nobody_takes_it_it_waits_and_says_so():
    prod = group().upstream("a", declined={1: "pinned to 0.9"}).upstream("b", declined={1: "held by ann"})
    assert prod.waits_for("no channel of tenants takes 1.0: a (pinned to 0.9), b (held by ann)")
    assert prod.skip(1, "tenants").target == "1.0"


def test_where_nobody_takes_it_allow_empty_lets_it_go_on():
    prod = group(allow_empty=True).upstream("a", declined={1: "pinned to 0.9"}).upstream("b", declined={1: "held by ann"})
    assert prod.target == "1.0"


def test_an_ordering_that_means_nobody_any_more_waits_and_says_so():
    prod = Instance(orderings=(Ordering("tenants", (), ("tenants",)),)).offer(1, "1.0")
    assert (prod.target, prod.waits_for("tenants: no channel there has this service now")) == ("", True)
    (reason,) = prod.explained
    assert (reason.code, reason.gate, reason.unblock) == ("ordering-not-met", "tenants", "skip tenants")
    assert prod.skip(1, "tenants").target == "1.0"


def test_soak_together_with_an_empty_channel_group():
    assert Instance(orderings=(Ordering("tenants", (), soak=HOUR, allow_empty=True),)).offer(1, "1.0").target == "1.0"


def test_soak_counts_for_those_who_count():
    prod = group(soak=HOUR).upstream("a", "1.0").upstream("b", declined={1: "held by ann"})
    assert prod.waits_for("1.0 soaks in tenants for another 1h")
    assert prod.wait(HOUR).target == "1.0"


def test_an_amount_is_at_most_those_who_count():
    prod = group(need=2).upstream("a", "1.0").upstream("b", declined={1: "held by ann"})
    assert prod.target == "1.0"


def test_a_train_leaves_behind_what_no_member_took_any_more():
    prod = Instance(strategy=Strategy.EVERY, orderings=(Ordering("tenants", (A, B), members=(A, B)),)).offer(1, "1.0")
    prod.offer(2, "1.1").upstream("a", "1.1", frontier=2).upstream("b", "1.0")
    assert (prod.wanted, prod.target) == ("", "1.0")
    other = Instance(strategy=Strategy.EVERY, orderings=(Ordering("tenants", (A, B), members=(A, B)),)).offer(1, "1.0")
    other.offer(2, "1.1").upstream("a", "1.1", frontier=2).upstream("b", "1.1", frontier=2)
    assert other.target == "1.1"


# --- what a member declines --------------------------------------------------------------------------------------------------


def test_it_says_which_releases_it_does_not_take_while_it_is_pinned():
    prod = Instance().with_good(1, "1.0").pin(1, "1.0").offer(2, "1.1")
    assert prod.published.declined == {2: "pinned to 1.0"}
    assert prod.unpin().published.declined == {}


def test_it_says_so_while_it_is_held_or_only_observed():
    assert Instance().hold().offer(1, "1.0").published.declined == {1: "held by ann"}
    assert Instance(drift=DriftPolicy("observe")).offer(1, "1.0").published.declined == {1: "only observed"}


def test_it_says_so_of_what_it_does_not_accept():
    prod = Instance(accepts=Accepts(min_step="major")).with_good(1, "1.0.0").offer(2, "1.1.0")
    assert prod.published.declined == {2: "1.1.0 is a smaller step from 1.0.0 than the major ones accepted here"}


def test_a_manual_channel_says_so_of_what_nobody_sent_to_it():
    prod = Instance(strategy=Strategy.MANUAL).offer(1, "1.0")
    assert prod.published.declined == {1: "takes only what a person sends to it"}
    assert Instance(strategy=Strategy.MANUAL).offer(1, "1.0", addressed=True).maybe_published is None


def test_a_closed_cadence_declines_until_it_opens():
    cadence = Cadence(Calendar("daily", open=(Window(hours=(0, 6 * 60)),)), "UTC")
    prod = Instance(cadence=cadence, orderings=(after(),))
    prod.now = START + 7 * HOUR
    prod.offer(1, "1.0")
    assert prod.published.declined == {1: "its cadence admits nothing now"}
    prod.wait(17 * HOUR)
    assert prod.published.declined == {}
    prod.wait(6 * HOUR)
    assert prod.published.declined == {1: "its cadence admits nothing now"}


@pytest.mark.parametrize("policy", [{"checks": (check("alerts"),)}, {"approvals": (approval(),)}, {"calendars": (hours(9, 17),)}])
def test_who_waits_at_a_gate_declines_nothing(policy: dict[str, Any]):
    assert Instance(**policy).offer(1, "1.0").life.declined == {}


def test_what_failed_here_is_not_declined():
    prod = Instance().with_good(1, "1.0").offer(2, "1.1").applied("broken", terminal=True).applied().observed("1.0").hold()
    assert (prod.vetoed, prod.life.declined) == ({2}, {})
