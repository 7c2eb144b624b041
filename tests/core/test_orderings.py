"""Earlier channels first, and the soak."""

from __future__ import annotations

from tests.core.dsl import NAME, Instance, after, hours, version

from setpoint.core.facts import Finalization, FinalizationReported, FinalizationRequested, InstanceStatus
from setpoint.model.grammars.selector import parse_selector
from setpoint.model.policy import Ordering, Strategy
from setpoint.model.release import Pair
from setpoint.model.spec import Version
from setpoint.model.time import DAY, HOUR, MINUTE


def test_it_waits_until_the_earlier_channel_has_finalized_the_version():
    prod = Instance(orderings=(after(),)).offer(1, "1.0")
    assert prod.waits_for("staging has not finalized 1.0 yet")
    prod.upstream("staging", "1.0")
    assert prod.target == "1.0"


def test_soak_counts_from_the_finalization_by_the_clock():
    prod = Instance(orderings=(after(soak=HOUR),)).offer(1, "1.0").upstream("staging", "1.0")
    assert prod.waits_for("1.0 soaks in staging for another 1h")
    prod.wait(HOUR - 1)
    assert prod.target == ""
    prod.wait(1)
    assert prod.target == "1.0"


def test_the_clock_jumps_back_and_soak_counts_from_now():
    prod = Instance(orderings=(after(soak=HOUR),)).offer(1, "1.0").upstream("staging", "1.0", at=Instance().now + 24 * HOUR)
    prod.wait(HOUR)
    assert prod.target == "1.0"


def test_any_of_two_is_one_of_them():
    either = Ordering("either", ("app/web@a", "app/web@b"), ("a", "b"), need=1)
    prod = Instance(orderings=(either,)).offer(1, "1.0").upstream("b", "1.0")
    assert prod.target == "1.0"


def test_soak_of_the_last_one_needed():
    both = Ordering("both", ("app/web@a", "app/web@b"), soak=HOUR)
    prod = Instance(orderings=(both,)).offer(1, "1.0").upstream("a", "1.0").wait(30 * MINUTE).upstream("b", "1.0")
    assert prod.waits_for("1.0 soaks in a, b for another 1h")
    prod.wait(HOUR)
    assert prod.target == "1.0"


def test_downstream_waits_and_says_that_staging_rolled_it_back():
    prod = Instance(orderings=(after(),)).offer(1, "1.0").upstream("staging", rolled_back=(1,))
    assert prod.waits_for("staging rolled 1.0 back")


def test_rollback_by_hand_upstream_while_downstream_waits_for_its_window():
    prod = Instance(orderings=(after(),), calendars=(hours(9, 17),)).offer(1, "1.0").upstream("staging", "1.0")
    assert prod.candidate.phase == "pre-deployment"
    prod.upstream("staging", revoked=(version("1.0"),))
    assert prod.waits_for("staging rolled 1.0 back")
    prod.wait(10 * HOUR)
    assert prod.target == ""


def test_a_lower_status_is_dropped():
    prod = Instance(orderings=(after(),)).offer(1, "1.0").upstream("staging", revoked=(version("1.0"),), number=5)
    prod.upstream("staging", "1.0", number=4)
    assert prod.target == ""


def test_an_ordering_that_does_not_concern_this_release_is_left_out():
    prod = Instance(orderings=(after(when=parse_selector("!urgent")),)).offer(1, "1.0", urgent=True)
    assert prod.target == "1.0"


def test_a_skipped_ordering_holds():
    prod = Instance(orderings=(after(),)).offer(1, "1.0").skip(1, "after")
    assert prod.target == "1.0"
    assert "ann skips after: I know better" in prod.history


# --- what was finalized long ago is asked for ------------------------------------------------------------------------------


def test_a_truncated_status_is_asked_about_the_offers_that_are_open():
    prod = Instance(orderings=(after(),)).offer(1, "1.0").upstream("staging", "0.9", truncated=True)
    assert [ask.version.name for ask in prod.sent(FinalizationRequested)] == ["1.0"]
    prod.receive(FinalizationReported(instance="app/web@staging", finalization=Finalization(version("1.0"), 1, prod.now)))
    assert prod.target == "1.0"


def test_a_new_offer_of_an_old_version_is_asked_about():
    prod = Instance(orderings=(after(),)).upstream("staging", "0.9").offer(1, "1.0")
    assert [ask.version.name for ask in prod.sent(FinalizationRequested)] == ["1.0"]


def test_an_answer_for_what_was_revoked_meanwhile_is_dropped():
    prod = Instance(orderings=(after(),)).offer(1, "1.0").upstream("staging", revoked=(version("1.0"),))
    prod.receive(FinalizationReported(instance="app/web@staging", finalization=Finalization(version("1.0"), 1, prod.now)))
    assert prod.target == ""


def test_an_answer_of_somebody_unknown_is_dropped():
    prod = Instance().receive(FinalizationReported(instance="app/web@nowhere", finalization=Finalization(version("1.0"), 1, 0)))
    assert prod.life.upstream == {}


def asked(prod: Instance, name: str) -> list[FinalizationReported]:
    return prod.receive(FinalizationRequested(requester="instance:app/web@acme", version=version(name))).sent(
        FinalizationReported
    )


def test_only_a_yes_is_answered():
    prod = Instance().with_good(1, "1.0")
    assert [(told.instance, told.finalization.version.name) for told in asked(prod, "1.0")] == [(NAME, "1.0")]
    assert asked(prod, "2.0") == []


def test_what_was_gone_back_from_by_hand_is_not_confirmed():
    prod = Instance().with_good(1, "1.0").with_good(2, "1.1").roll_back().comes_up("1.0")
    assert asked(prod, "1.1") == []


def test_ever_finalized_does_not_grow_without_bound():
    prod = Instance()
    for release in range(1, 41):
        prod.with_good(release, f"1.{release}")
    assert len(prod.finalized) == 16
    assert len(prod.state.archive) == 24
    assert len(prod.offers) < 10
    assert asked(prod, "1.3")


def test_published_finalizations_carry_the_first_time():
    prod = Instance().with_good(1, "1.0")
    first = prod.finalized[0].at
    prod.wait(HOUR).with_good(2, "1.1").offer(3, "1.0").comes_up("1.0")
    assert prod.finalized[-1].version.name == "1.0"
    assert prod.finalized[-1].at == first


def test_old_news_of_neighbours_is_forgotten_with_the_release():
    prod = Instance(orderings=(after(),))
    for release in range(1, 12):
        prod.offer(release, f"1.{release}").upstream("staging", f"1.{release}").comes_up(f"1.{release}")
    known = {offer.version for offer in prod.offers}
    assert len(known) == 5
    assert {done.version for done in prod.life.upstream["app/web@staging"].finalized} == known


# --- ever finalized -------------------------------------------------------------------------------------------------------


def test_it_is_enough_that_the_earlier_channel_ever_finalized_it_though_it_has_moved_on():
    prod = Instance(orderings=(after(),), strategy=Strategy.EVERY).offer(1, "1.0").offer(2, "1.1")
    prod.upstream("staging", "1.0", "1.1", "1.2", good=3)
    assert prod.target == "1.0"


def test_the_soak_goes_on_although_the_earlier_channel_has_moved_on():
    prod = Instance(orderings=(after(soak=HOUR),)).offer(1, "1.0").upstream("staging", "1.0")
    began = prod.now
    prod.wait(30 * MINUTE)
    prod.receive(
        InstanceStatus(
            instance="app/web@staging",
            number=7,
            good=Pair(2),
            finalized=(Finalization(version("1.0"), 1, began), Finalization(version("1.1"), 2, prod.now)),
        )
    )
    assert prod.wait(30 * MINUTE).target == "1.0"


def test_downstream_waits_for_what_failed_upstream_and_does_not_fail():
    prod = Instance(orderings=(after(),)).offer(1, "1.0").upstream("staging", "1.0").comes_up("1.0")
    prod.offer(2, "1.1").upstream("staging", "1.0", rolled_back=(2,)).wait(24 * HOUR)
    assert (prod.condition, prod.target, prod.vetoed) == ("waiting", "1.0", set())
    assert prod.waits_for("staging rolled 1.1 back")


def test_every_channel_of_after_must_have_finalized_it():
    prod = Instance(orderings=(Ordering("after", ("app/web@a", "app/web@b"), ("a", "b")),)).offer(1, "1.0").upstream("a", "1.0")
    assert prod.waits_for("a, b has not finalized 1.0 yet")
    assert prod.upstream("b", "1.0").target == "1.0"


def test_an_ordering_concerns_the_very_images_that_were_finalized():
    """§10.7: the same name whose tag was resolved to another image was not finalized there."""
    prod = Instance(orderings=(after(),)).offer(1, "1.0").upstream("staging", "0.9")
    other = Version("1.0", digest="another")
    prod.receive(InstanceStatus(instance="app/web@staging", number=9, finalized=(Finalization(other, 1, prod.now),)))
    assert prod.target == ""


def test_an_ordering_concerns_the_very_configuration_that_was_finalized():
    """Orderings compare name, parameters and revision: the same name with another configuration was not finalized there."""
    prod = Instance(orderings=(after(),)).offer(1, "1.0").upstream("staging", "0.9")
    other = Version("1.0", revision="another")
    prod.receive(InstanceStatus(instance="app/web@staging", number=9, finalized=(Finalization(other, 1, prod.now),)))
    assert prod.target == ""


# --- what neighbours say, kept short ---------------------------------------------------------------------------------------


def finalized_in(prod: Instance, channel: str) -> list[str]:
    return [done.version.name for done in prod.life.upstream[f"app/web@{channel}"].finalized]


def told(channel: str, name: str, at: int) -> FinalizationReported:
    return FinalizationReported(instance=f"app/web@{channel}", finalization=Finalization(version(name), 1, at))


def test_only_what_is_open_here_is_remembered_of_what_others_finalized():
    prod = Instance(orderings=(after(),)).offer(3, "1.2").upstream("staging", "1.0", "1.1", "1.2", "1.3")
    assert finalized_in(prod, "staging") == ["1.2"]


def test_nobody_is_asked_about_what_is_known_or_cannot_be():
    prod = Instance(orderings=(after(),)).offer(1, "1.0").upstream("staging", "0.9")
    assert prod.sent(FinalizationRequested) == [], "it told all there is"
    prod.upstream("staging", "0.9", truncated=True)
    assert prod.sent(FinalizationRequested) == [], "what came before was asked for when it was first heard of"
    other = Instance(orderings=(after(),)).upstream("staging", "1.0").offer(1, "1.0")
    other.upstream("staging", "1.0").offer(2, "1.0", spec="other", addressed=True)
    assert other.sent(FinalizationRequested) == []


def test_an_answer_adds_to_what_is_known_once():
    both = Ordering("both", ("app/web@a", "app/web@b"), soak=HOUR)
    prod = Instance(orderings=(both,)).offer(1, "1.0").offer(2, "1.1").upstream("a", "1.0", truncated=True).upstream("b", "0.9")
    for _ in range(2):
        prod.receive(told("a", "1.1", prod.now + DAY))
    assert finalized_in(prod, "a") == ["1.0", "1.1"]
    assert set(prod.life.upstream) == {"app/web@a", "app/web@b"}
    prod.receive(told("b", "1.1", prod.now)).wait(HOUR)
    assert prod.target == "1.1", "a start that lies later than now became now"
