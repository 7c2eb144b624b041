"""Bad versions, cancelled releases: told by the application's line, heeded by each instance for itself."""

from __future__ import annotations

from tests.core.dsl import START, Actor, Instance, after, approval, hours
from tests.core.dsl.scopes import DEFECT, marked

from setpoint.core.facts import Cancelled, LineStatus, Marked, ReleaseRequested
from setpoint.core.line import LineState
from setpoint.model.people import By
from setpoint.model.release import Release, ServiceVersion
from setpoint.model.spec import Version
from setpoint.model.time import HOUR


def test_a_bad_version_is_never_selected():
    prod = marked(Instance().with_good(1, "1.0"), bad=("2.0",)).offer(2, "2.0")
    assert (prod.target, prod.wanted) == ("1.0", "")
    assert prod.waits_for("2.0 was marked bad by ann: loses orders")


def test_marking_a_version_bad_ends_its_candidate():
    prod = Instance(approvals=(approval(),)).offer(1, "1.0")
    assert marked(prod, bad=("1.0",)).wanted == ""
    assert any("1.0 is cancelled: 1.0 was marked bad by ann" in text for text in prod.history)


def test_marking_a_version_bad_fails_its_rollout():
    prod = Instance().with_good(1, "1.0").offer(2, "2.0").applied()
    assert marked(prod, bad=("2.0",)).target == "1.0"
    assert prod.comes_up("1.0").good == "1.0"


def test_a_version_marked_bad_that_never_ran_moves_nothing():
    prod = marked(Instance().with_good(1, "1.0"), bad=("7.0",))
    assert (prod.good, prod.target, prod.reasons) == ("1.0", "1.0", [])


def test_a_finalized_version_that_is_marked_bad_stays_and_says_so():
    prod = marked(Instance().with_good(1, "1.0").with_good(2, "2.0"), bad=("2.0",))
    assert prod.target == "2.0"
    assert prod.good == "1.0", "good is the newest finalized version that is not bad"
    assert prod.waits_for("runs on although 2.0 was marked bad by ann")
    assert prod.condition == "bad"
    assert prod.roll_back().target == "1.0"


def test_good_is_marked_bad_during_a_rollout():
    prod = Instance().with_good(1, "1.0").with_good(2, "2.0").offer(3, "3.0").applied()
    marked(prod, bad=("2.0",))
    marked(prod, number=2, bad=("2.0", "3.0"))
    assert prod.target == "1.0"


def test_good_is_marked_bad_during_a_rollback():
    prod = Instance().with_good(1, "1.0").with_good(2, "2.0").offer(3, "3.0").applied()
    marked(prod, bad=("3.0",))
    assert prod.target == "2.0"
    assert marked(prod, number=2, bad=("3.0", "2.0")).target == "1.0"


def test_a_bad_version_that_is_pinned_is_not_started():
    prod = marked(Instance().with_good(1, "1.0"), bad=("2.0",)).pin(2, "2.0")
    assert (prod.target, prod.wanted) == ("1.0", "")


def test_marking_good_lets_it_go_on_and_lifts_vetoes():
    prod = marked(Instance().with_good(1, "1.0").offer(2, "2.0").applied(), bad=("2.0",)).comes_up("1.0")
    assert prod.vetoed == {2}
    assert marked(prod, number=2, absolved=("2.0",)).target == "2.0"


def test_one_that_fails_once_more_after_it_was_marked_good_stays_vetoed_whatever_else_the_line_says():
    """In the same moment even: the person's word counts when it is heard, not by clocks."""
    prod = marked(Instance().with_good(1, "1.0"), absolved=("2.0",)).offer(2, "2.0").applied("broken", terminal=True)
    absolved = prod.line.absolved["2.0"]
    prod.comes_up("1.0").receive(LineStatus(application="app", number=2, absolved={"web/2.0": absolved, "web/7.0": prod.now}))
    assert (prod.vetoed, prod.target) == ({2}, "1.0")


def test_marking_good_counts_although_the_clock_was_set_back_since_it_failed():
    prod = Instance().with_good(1, "1.0").offer(2, "2.0").applied("broken", terminal=True).comes_up("1.0")
    prod.now -= HOUR
    assert marked(prod, absolved=("2.0",)).target == "2.0"


def test_an_older_word_of_the_line_is_dropped():
    prod = marked(Instance().with_good(1, "1.0"), number=5)
    assert marked(prod, number=4, bad=("2.0",)).offer(2, "2.0").target == "2.0"


def test_a_cancelled_release_ends_as_a_candidate_and_goes_back_as_a_rollout():
    waiting = Instance(approvals=(approval(),)).offer(1, "1.0")
    assert marked(waiting, cancelled=(1,)).wanted == ""
    moving = Instance().with_good(1, "1.0").offer(2, "2.0").applied()
    assert marked(moving, cancelled=(2,)).target == "1.0"


def test_cancelling_queued_work_does_not_disturb_later_work():
    prod = Instance().with_good(1, "1.0").offer(2, "2.0").offer(3, "3.0")
    marked(prod, cancelled=(3,))
    assert prod.target == "2.0"
    prod.offer(4, "4.0").comes_up("2.0")
    assert prod.target == "4.0"


# --- the line -----------------------------------------------------------------------------------------------------------


def released(number: int = 1) -> Actor[LineState]:
    line = Actor("line:app", LineState)
    for each in range(1, number + 1):
        wanted = Release("app", {"web": ServiceVersion(Version(f"{each}.0"))}, author="zoe")
        line.receive(ReleaseRequested(request=str(each), release=wanted, specs={}))
    return line


def test_the_line_publishes_marks_whole_and_numbered():
    mark = Marked(by=By("ann"), id="a", service="web", version="1.0", bad=True)
    line = released().receive(mark)
    assert [(status.number, list(status.bad)) for status in line.published(LineStatus)] == [(1, ["web/1.0"])]
    assert line.receive(mark).out == (), "the same act twice is one"
    line.at(START + 5).receive(Marked(by=By("bob"), id="b", service="web", version="1.0", bad=False))
    assert (line.state.bad, line.state.absolved) == ({}, {"web/1.0": START + 5})


def test_a_release_that_there_is_not_cannot_be_cancelled():
    line = released(2)
    assert line.receive(Cancelled(by=By("ann"), id="7", release=7)).state.cancelled == {}
    assert set(line.receive(Cancelled(by=By("ann"), id="2", release=2)).state.cancelled) == {2}
    assert line.receive(Cancelled(by=By("bob"), id="x", release=2)).state.cancelled[2].by.person == "ann"


def test_a_version_that_is_marked_bad_while_it_waits_for_its_window_never_starts():
    """Orderings and approvals that it had are of no use any more: standing conditions are read when target moves."""
    prod = Instance(orderings=(after(),), calendars=(hours(9, 17),)).offer(1, "1.0").upstream("staging", "1.0")
    assert prod.wanted == "1.0"
    marked(prod, bad=("1.0",)).wait(24 * HOUR)
    assert (prod.wanted, prod.applies) == ("", [])


def test_marking_bad_covers_every_revision_and_parameters_of_the_version():
    prod = marked(Instance().with_good(1, "1.0"), bad=("2.0",)).offer(2, "2.0", spec="other-configuration")
    assert (prod.target, prod.wanted) == ("1.0", "")


def test_bad_versions_of_other_services_are_none_of_ours():
    others = LineStatus(application="app", number=1, bad={"db/2.0": DEFECT, "web-2/2.0": DEFECT}, absolved={"db/1.0": START})
    prod = Instance().with_good(1, "1.0").receive(others)
    assert (prod.line.bad, prod.line.absolved) == ({}, {})
    assert prod.offer(2, "2.0").target == "2.0"


def test_a_pinned_version_that_is_marked_bad_while_it_runs_is_told_once():
    prod = marked(Instance().with_good(1, "1.0").pin(1, "1.0"), bad=("1.0",))
    assert prod.codes == ["version-bad"]
