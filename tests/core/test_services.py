"""Services that come after others in the same channel, and how far back a service may go."""

from __future__ import annotations

from typing import Any, Self

import pytest
from tests.core.dsl import NAME, START, Actor, Instance, check, short, version
from tests.core.dsl.situations import failing

from setpoint.core.facts import (
    Cancelled,
    Finalization,
    FinalizationReported,
    FinalizationRequested,
    InstanceStatus,
    Offered,
    ReleaseRequested,
)
from setpoint.core.instructions import Subscribe
from setpoint.core.line import LineState
from setpoint.model.checks import Outcome
from setpoint.model.grammars.selector import parse_selector
from setpoint.model.people import By
from setpoint.model.policy import Phase, ServiceOrdering
from setpoint.model.release import Offer, Release, RequiredVersion, ServiceVersion

LEDGER = "app/ledger@production"


def portal(**more: Any) -> Instance:
    return Instance(services=(ServiceOrdering("ledger", LEDGER, **more),))


def asks(name: str, release: int = 1) -> dict[str, RequiredVersion]:
    return {LEDGER: RequiredVersion(release, version(name))}


def ledger(instance: Instance, *names: str, runs: str = "", **more: Any) -> Instance:
    """The other service says what it has finalized, and what is good there."""
    instance.numbers[LEDGER] += 1
    done = tuple(Finalization(version(name), index, instance.now) for index, name in enumerate(names, 1))
    runs = runs or (names[-1] if names else "")
    good = {"good": len(names), "version": version(runs)} if runs else {}
    return instance.receive(
        InstanceStatus(instance=LEDGER, number=instance.numbers[LEDGER], finalized=done, **short({**good, **more}))
    )


# --- after: services -----------------------------------------------------------------------------------------------------


def test_it_waits_until_the_other_service_has_finalized_what_this_release_asks_of_it():
    prod = portal().offer(1, "1.0", beside=asks("3.2"))
    assert prod.waits_for("ledger has not finalized 3.2 here yet")
    assert ledger(prod, "3.1").target == ""
    assert ledger(prod, "3.1", "3.2").target == "1.0"


def test_it_listens_to_the_other_service():
    assert f"instance:{LEDGER}" in {given.to for given in portal().out if isinstance(given, Subscribe)}


def test_it_must_run_a_version_in_the_range():
    prod = portal(range=">=3.2").offer(1, "1.0", beside=asks("3.1.0"))
    ledger(prod, "3.1.0")
    assert prod.waits_for("ledger must run >=3.2 here, and 3.1.0 is not in it")
    assert ledger(prod, "3.1.0", "3.2.0").target == "1.0"


def test_what_it_finalized_once_counts_though_it_runs_something_newer():
    assert ledger(portal().offer(1, "1.0", beside=asks("3.2")), "3.2", "3.3").target == "1.0"


def test_a_service_that_went_on_to_something_newer_is_through():
    """Else what it passed over would hold the other one for ever."""
    prod = ledger(portal().offer(4, "1.0", beside=asks("3.2", 3)), "3.3", good=5)
    assert prod.target == "1.0"


def test_a_service_pinned_to_something_older_is_not():
    prod = ledger(portal().offer(4, "1.0", beside=asks("3.2", 3)), "3.1", good=2, declined={3: "pinned to 3.1"})
    assert prod.waits_for("ledger does not take 3.2 here: pinned to 3.1")


def test_it_waits_where_nothing_was_ever_released_of_the_other_service():
    prod = portal().offer(1, "1.0")
    assert prod.waits_for("nothing of ledger is finalized here yet")
    assert ledger(prod, "3.0").target == "1.0"


def test_a_rollback_by_hand_of_the_other_service_revokes_it():
    prod = ledger(portal().offer(1, "1.0", beside=asks("3.2")), revoked=(version("3.2"),))
    assert prod.waits_for("ledger rolled 3.2 back here")


def test_it_waits_when_the_other_service_failed():
    prod = ledger(portal().offer(2, "1.0", beside=asks("3.2", 2)), "3.1", rolled_back=(2,))
    assert prod.waits_for("ledger rolled 3.2 back here")


def test_an_ordering_between_services_can_be_skipped_or_not_concern_a_release():
    assert portal().offer(1, "1.0", beside=asks("3.2")).skip(1, "ledger").target == "1.0"
    assert portal(when=parse_selector("!urgent")).offer(1, "1.0", urgent=True).target == "1.0"


def test_what_was_finalized_long_ago_is_asked_for():
    prod = ledger(portal(), "3.3", "3.4", truncated=True, good=1)
    prod.offer(3, "1.0", beside=asks("3.2", 2))
    (asked,) = prod.sent(FinalizationRequested)
    assert asked.version == version("3.2")
    prod.receive(FinalizationReported(instance=LEDGER, finalization=Finalization(version("3.2"), 2, START)))
    assert prod.target == "1.0"


def test_it_is_read_again_at_the_moment_at_which_target_moves():
    prod = Instance(services=(ServiceOrdering("ledger", LEDGER),), checks=(check("alerts"),))
    ledger(prod.offer(1, "1.0", beside=asks("3.2")), "3.2")
    assert prod.candidate.phase is Phase.PRE_DEPLOYMENT
    ledger(prod, revoked=(version("3.2"),)).result("alerts", Outcome.PASSING, run=9)
    assert (prod.target, prod.candidate.phase) == ("", Phase.PRE_APPROVAL)


def test_newest_ready_takes_the_newest_whose_other_services_are_through():
    prod = portal().offer(1, "1.0", beside=asks("3.1")).offer(2, "1.1", beside=asks("3.2", 2))
    assert ledger(prod, "3.1").target == "1.0"


# --- what the line asks of whom ---------------------------------------------------------------------------------------------

WEB, WORKER = "app/web@production", "app/worker@production"


class Line(Actor[LineState]):
    """The line of the application ``app``."""

    def __init__(self) -> None:
        super().__init__("line:app", LineState)

    def release(self, services: dict[str, str]) -> Self:
        release = Release("app", {name: ServiceVersion(version(text)) for name, text in services.items()})
        specs = {f"app/{name}@production": "digest" for name in services}
        number = self.maybe_state.number + 1 if self.maybe_state else 1
        return self.receive(ReleaseRequested(request=str(number), release=release, specs=specs, after={WEB: (WORKER,)}))

    @property
    def offer(self) -> Offer:
        """What the last turn offered web."""
        return dict(self.sent_to(Offered))[f"instance:{WEB}"].offer


def test_the_line_says_what_this_release_or_the_latest_before_it_asks_of_the_other_service():
    line = Line().release({"web": "1.0", "worker": "5.0"})
    assert line.offer.beside == {WORKER: RequiredVersion(1, version("5.0"))}
    line.release({"worker": "5.1"}).release({"web": "1.1"})
    assert line.offer.beside == {WORKER: RequiredVersion(2, version("5.1"))}


def test_the_line_asks_for_nothing_cancelled_and_for_nothing_sent_elsewhere():
    line = Line().release({"worker": "5.0"}).release({"worker": "5.1"})
    elsewhere = Release("app", {"worker": ServiceVersion(version("5.2"))}, channels=("staging",))
    line.receive(ReleaseRequested(request="x", release=elsewhere, specs={})).receive(Cancelled(by=By("ann"), release=2))
    assert line.release({"web": "1.0"}).offer.beside == {WORKER: RequiredVersion(1, version("5.0"))}


def test_the_line_asks_for_nothing_of_what_was_never_released():
    assert Line().release({"web": "1.0"}).offer.beside == {}


# --- rollback: notBelow -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("good", ["1.4.0", "v1.4.0", "1.5.0-rc.1"])
def test_a_failed_rollout_goes_back_to_a_good_version_at_or_above_the_bound(good: str):
    assert failing(good, "1.4.0").target == good


def test_a_failed_rollout_never_goes_back_below_the_bound():
    prod = failing("1.3.9", "1.4.0")
    assert (prod.condition, prod.target) == ("failed", "2.0.0")
    assert prod.waits_for("not rolled back: 1.3.9 is older than 1.4.0, below which 2.0.0 must not be rolled back")


def test_what_cannot_be_compared_is_not_gone_back_to():
    prod = failing("nightly", "1.4.0")
    assert prod.waits_for("it is not known whether nightly is older than 1.4.0")
    assert failing("nightly", "nightly").target == "nightly"


def test_the_bound_is_that_of_the_release_that_failed():
    prod = Instance().with_good(1, "1.0.0").offer(2, "2.0.0", not_below="2.0.0").comes_up("2.0.0")
    assert prod.offer(3, "2.1.0", not_below="1.0.0").applied("broken", terminal=True).target == "2.0.0"


def test_rolling_back_by_hand_minds_the_bound_unless_a_version_is_named():
    prod = Instance().with_good(1, "1.0.0").offer(2, "2.0.0", not_below="1.5.0").comes_up("2.0.0")
    assert prod.roll_back().target == "2.0.0"
    assert prod.held
    assert any("2.0.0 stays: 1.0.0 is older than 1.5.0" in line for line in prod.history)
    assert prod.roll_back(prod.make(1, "1.0.0")).target == "1.0.0"


def test_rolling_back_by_hand_during_a_rollout_minds_the_bound():
    prod = Instance().with_good(1, "1.0.0").offer(2, "2.0.0", not_below="1.5.0").roll_back()
    assert (prod.condition, prod.target) == ("failed", "2.0.0")


def test_an_offer_of_another_instance_is_kept_as_it_came():
    prod = portal().receive(Offered(offer=Offer(1, version("1.0"), "spec-1.0", beside=asks("3.2"))))
    assert prod.offers[0].required_version(LEDGER) == version("3.2")
    assert prod.offers[0].required_version(NAME) == version("1.0")
