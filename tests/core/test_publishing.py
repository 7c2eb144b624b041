"""What an instance tells others – whole, numbered, and only when something is new – and whom it listens to."""

from __future__ import annotations

from tests.core.dsl import NAME, Instance, after, approval, check, failed, version
from tests.core.dsl.situations import mirror

from setpoint.core.facts import Finalization, InstanceStatus, Revoked
from setpoint.core.instructions import Publish, Subscribe, Unsubscribe
from setpoint.model.policy import Phase
from setpoint.model.release import Pair
from setpoint.model.time import HOUR


def heard(prod: Instance) -> set[str]:
    return {given.to for given in prod.gave(Subscribe)}


def left(prod: Instance) -> set[str]:
    return {given.to for given in prod.gave(Unsubscribe)}


def test_what_is_told_is_whole():
    prod = Instance().with_good(1, "1.0").wait(HOUR).with_good(2, "1.1").offer(3, "1.2").applied("broken", terminal=True)
    prod.comes_up("1.1").roll_back().comes_up("1.0")
    done = prod.finalized[0].at
    assert prod.published == InstanceStatus(
        instance=NAME,
        number=5,
        good=Pair(1),
        version=version("1.0"),
        change=3,
        finalized=(Finalization(version("1.0"), 1, done),),
        revoked=(Revoked(version("1.1")),),
        rolled_back=(failed(3, "1.2"), failed(2, "1.1")),
        frontier=3,
    )


def test_before_anything_is_good_there_is_no_version_to_tell():
    prod = Instance().offer(1, "1.0").applied("broken", terminal=True)
    assert prod.published == InstanceStatus(instance=NAME, number=1, rolled_back=(failed(1, "1.0"),), frontier=1)


def test_it_says_that_there_are_older_ones_when_there_are():
    prod = Instance()
    for release in range(1, 18):
        prod.with_good(release, f"1.{release}")
        assert prod.published.truncated == (release > 16)


def test_a_failure_a_rollback_and_a_finalization_are_told_each_with_the_next_number():
    prod = Instance().with_good(1, "1.0")
    assert prod.published.number == 1
    prod.offer(2, "1.1")
    assert prod.maybe_published is None, "that something is under way is nobody else's business"
    prod.applied("broken", terminal=True)
    assert (prod.published.number, prod.published.rolled_back) == (2, (failed(2, "1.1"),))
    prod.comes_up("1.0")
    assert prod.maybe_published is None, "the same version is good as before"
    prod.roll_back()
    assert prod.maybe_published is None, "there is nowhere to go"


def test_nothing_is_told_and_nobody_is_listened_to_anew_when_nothing_changed():
    prod = Instance(orderings=(after(),), approvals=(approval(),)).offer(1, "1.0").upstream("staging", "1.0")
    prod.upstream("staging", "1.0")
    assert (prod.gave(Publish), prod.gave(Subscribe), prod.gave(Unsubscribe)) == ([], [], [])


# --- listening --------------------------------------------------------------------------------------------------------------


def test_it_listens_to_earlier_channels_and_to_the_one_that_it_mirrors():
    assert "instance:app/web@staging" in heard(Instance(orderings=(after(),)))
    assert "instance:app/web@production" in heard(mirror())


def test_it_listens_to_an_attachment_as_long_as_a_gate_asks_it():
    prod = Instance(checks=(check("alerts"), check("slow", Phase.POST_DEPLOYMENT)), approvals=(approval(),)).offer(1, "1.0")
    alerts, slow = check("alerts").check.attachment, check("slow").check.attachment
    assert alerts not in heard(prod), "approvals come first"
    prod.approve("ann")
    assert alerts in heard(prod)
    prod.passing("alerts")
    assert alerts in left(prod)
    assert slow in heard(prod.comes_up("1.0"))
    assert slow in left(prod.passing("slow"))


def test_it_listens_to_the_votes_on_every_release_that_may_still_come():
    prod = Instance(approvals=(approval(),)).offer(1, "1.0")
    topic = "topic:channel:app/production#release-manager#{}".format
    assert heard(prod) == {topic(1)}
    assert heard(prod.offer(2, "1.1")) == {topic(2)}
    prod.approve("ann", release=2).comes_up("1.1")
    assert not {given for given in prod.state.life.topics if given == topic(3)}
    assert heard(prod.offer(3, "1.2")) == {topic(3)}


def test_it_stops_listening_to_votes_when_they_decide_nothing_any_more():
    prod = Instance(approvals=(approval(),)).offer(1, "1.0").offer(2, "1.1").approve("ann", release=2)
    assert {name.rpartition("#")[2] for name in left(prod)} == {"1", "2"}


def test_on_a_mirror_the_votes_are_those_on_the_mirrored_change():
    prod = mirror(approvals=(approval(),)).offer(1, "1.0").offer(2, "1.1").upstream("production", good=2, change=7)
    assert {name.rpartition("#")[2] for name in heard(prod) if name.startswith("topic:")} == {"2~7"}


def test_what_left_the_configuration_listens_to_what_it_still_needs_only():
    prod = (
        Instance(orderings=(after(),), checks=(check("slow", Phase.POST_DEPLOYMENT),)).offer(1, "1.0").upstream("staging", "1.0")
    )
    prod.comes_up("1.0").remove()
    assert "instance:app/web@staging" in left(prod)
    assert check("slow").check.attachment not in left(prod)


def test_a_policy_that_no_longer_has_an_ordering_listens_to_it_no_more():
    prod = Instance(orderings=(after(),)).offer(1, "1.0").configure(orderings=(after("qa"),))
    assert (heard(prod), left(prod)) == ({"instance:app/web@qa"}, {"instance:app/web@staging"})
