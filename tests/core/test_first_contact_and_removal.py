"""First contact and goodbye: what runs already is adopted; what leaves the configuration is left alone, unless asked for."""

from __future__ import annotations

from msgspec.structs import replace
from tests.core.dsl import NAME, Instance, approval
from tests.core.dsl.situations import ANN, adopting, back, gone

from setpoint.core.facts import Configured, Healing, LineStatus, Observing, Offered, Removed, StandingOrder, TakenDown
from setpoint.core.instructions import Apply, Unwatch, Watch
from setpoint.model.people import By
from setpoint.model.policy import Policy

# --- goodbye ------------------------------------------------------------------------------------------------------------


def test_what_runs_is_left_alone_when_its_configuration_goes():
    prod = gone()
    assert prod.applies == ["spec-1.0"]
    assert prod.gave(Unwatch)
    assert (prod.target, prod.condition) == ("1.0", "orphaned")
    assert prod.reasons == ["it left the configuration; 1.0, which runs, is left alone"]


def test_a_rollout_under_way_ends_first():
    prod = Instance().with_good(1, "1.0").offer(2, "2.0").receive(Removed(number=1, down=True))
    assert "it left the configuration once its rollout has ended" in prod.reasons
    assert not any(given.down for given in prod.gave(Apply))
    prod.applied().observed("2.0")
    assert [given.down for given in prod.gave(Apply)] == [True]


def test_a_candidate_ends_at_once_and_nothing_new_is_taken():
    prod = Instance().with_good(1, "1.0").receive(Removed(number=1)).offer(2, "2.0")
    assert (prod.wanted, prod.target) == ("", "1.0")


def test_it_is_taken_down_only_when_a_person_asks_and_only_until_nothing_is_seen():
    prod = gone().receive(TakenDown(by=ANN))
    (taking,) = prod.gave(Apply)
    assert (taking.down, taking.spec) == (True, "spec-1.0")
    assert prod.reasons == ["1.0 is being taken down by ann"]
    prod.applied().observed("1.0")
    assert prod.condition == "orphaned"
    prod.receive(prod.look(""))
    assert (prod.target, prod.condition) == ("", "empty")
    assert prod.gave(Unwatch)
    assert prod.reasons == ["it left the configuration, and nothing of it is left"]
    assert "1.0 was taken down" in prod.history


def test_a_pin_that_was_rejected_where_nothing_runs_any_more_is_a_reason():
    """Taken down, it comes back empty; what was good is rejected then, and pinned all the same."""
    prod = gone().receive(TakenDown(by=ANN)).applied()
    prod = prod.receive(prod.look(""))
    prod.receive(Configured(policy=Policy(NAME, {"channel": "production"}, approvals=(approval(),)), number=2))
    prod.pin(1, "1.0").reject("bob")
    assert (prod.target, prod.wanted, prod.codes) == ("", "", ["pinned"])


def test_an_adoption_that_came_to_nothing_is_forgotten_once_something_was_deployed():
    prod = Instance(approvals=(approval(),)).offer(1, "1.0")
    prod.receive(Offered(offer=replace(prod.make(2, "2.0"), adopt=True))).receive(prod.look("0.9"))
    assert prod.adopting.failed
    prod.approve("ann", release=1).comes_up("1.0")
    assert (prod.good, prod.condition, prod.codes) == ("1.0", "converged", [])


def test_an_adoption_that_ended_with_the_configuration_leaves_a_reason():
    prod = Instance()
    prod.receive(Offered(offer=replace(prod.make(1, "1.0"), adopt=True))).receive(Removed(number=1))
    assert back(prod).codes == ["nothing-released"]


def test_nothing_that_is_configured_is_taken_down():
    prod = Instance().with_good(1, "1.0").receive(TakenDown(by=ANN))
    assert not prod.gave(Apply)
    assert prod.life.down is None


def test_the_configuration_may_ask_for_it():
    assert [given.down for given in gone(down=True).gave(Apply)] == [True]


def test_taking_down_is_tried_again_with_back_off_and_its_error_is_told():
    prod = gone(down=True).applied("no route to it")
    assert prod.waits_for("the last try failed: no route to it")
    assert not prod.gave(Apply)
    prod.wait(3_000)
    assert prod.applying.count == 3


def test_what_does_not_show_is_taken_down_again_after_its_grace():
    prod = gone(down=True).applied().observed("1.0")
    assert prod.applying.count == 2
    prod.wait(11_000)
    assert prod.applying.count == 3


def test_what_nobody_could_look_at_is_not_taken_down_again_before_a_look_shows_it():
    prod = gone(down=True).applied().unobserved().wait(60_000)
    assert prod.applying.count == 2
    assert prod.observed("1.0").applying.count == 3


def test_a_pause_keeps_even_that_from_happening():
    prod = Instance().with_good(1, "1.0").receive(Observing(by=ANN)).receive(Removed(number=1, down=True))
    assert not prod.gave(Apply)
    prod.receive(Healing(by=ANN))
    assert [given.down for given in prod.gave(Apply)] == [True]


def test_what_comes_back_before_it_was_taken_down_stays():
    prod = back(gone(down=True))
    prod.applied()
    assert prod.life.down is None
    assert not prod.gave(Apply) or not prod.gave(Apply)[-1].down
    assert prod.applies[-1] == "spec-1.0"
    assert prod.target == "1.0"


def test_what_comes_back_after_it_was_taken_down_is_rolled_out_again():
    prod = gone(down=True).applied()
    prod.receive(prod.look(""))
    back(prod)
    assert prod.target == "1.0"
    prod.comes_up("1.0")
    assert prod.condition == "converged"


def test_what_was_cancelled_meanwhile_does_not_come_back_and_says_so():
    prod = gone(down=True).applied()
    prod.receive(prod.look(""))
    cancelled = {1: StandingOrder(By("bob"), prod.now)}
    back(prod.receive(LineStatus(application="app", number=1, cancelled=cancelled)))
    assert (prod.target, prod.condition) == ("", "empty")
    assert prod.reasons == ["release 1: cancelled by bob"]


# --- first contact ------------------------------------------------------------------------------------------------------


def test_what_runs_already_is_adopted_once_a_look_has_shown_it():
    prod = adopting()
    assert [(given.spec) for given in prod.gave(Watch)] == ["spec-1.0"]
    assert prod.reasons == ["1.0 is to be adopted: waits for an observation of the runtime"]
    prod.observed("1.0")
    assert (prod.good, prod.target, prod.condition) == ("1.0", "1.0", "converged")
    assert prod.applies == []
    assert [done.version.name for done in prod.published.finalized] == ["1.0"]


def test_what_runs_instead_is_told_and_nothing_is_touched():
    prod = adopting().observed("0.9")
    assert (prod.good, prod.target, prod.applies) == ("", "", [])
    assert "what runs is not 1.0: 0.9 runs" in prod.reasons
    prod.observed("1.0")
    assert prod.good == ""


def test_a_look_from_before_shows_nothing():
    prod = Instance()
    early = prod.look("1.0")
    prod.receive(Offered(offer=replace(prod.make(1, "1.0"), adopt=True))).receive(early)
    assert prod.good == ""
    assert prod.observed("1.0").good == "1.0"


def test_a_release_goes_on_where_an_adoption_came_to_nothing():
    prod = adopting().observed("0.9").offer(2, "2.0")
    assert prod.applies == ["spec-2.0"]
    assert not prod.waits_for("what runs is not 1.0")


def test_where_something_was_deployed_there_is_nothing_to_adopt():
    prod = Instance().with_good(1, "1.0")
    prod.receive(Offered(offer=replace(prod.make(2, "2.0"), adopt=True))).observed("2.0")
    assert (prod.good, prod.wanted) == ("1.0", "")


def test_drift_of_what_was_adopted_is_healed():
    prod = adopting().observed("1.0").wait(60_000).receive(replace(Instance().look(""), watch=99, look=99))
    prod.observed("")
    assert prod.applies == ["spec-1.0"]
