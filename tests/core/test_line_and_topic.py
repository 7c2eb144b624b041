"""Releases get their numbers, votes their order."""

from __future__ import annotations

from typing import Any, Self

import pytest
from tests.core.dsl import START, Actor

from setpoint.core.decide import decide
from setpoint.core.facts import (
    Cancelled,
    ConfigurationRequested,
    LineStatus,
    Marked,
    Offered,
    Part,
    Reconfigured,
    ReleaseRequested,
    TopicStatus,
    Voted,
    Woken,
)
from setpoint.core.instructions import Send
from setpoint.core.line import KEPT_RELEASES, LineState
from setpoint.core.topic import TopicState
from setpoint.model.people import By, Person
from setpoint.model.release import Offer, Release, ServiceVersion
from setpoint.model.spec import Source, Version

SPECS = {"saas/web@staging": "d1", "saas/web@acme": "d2"}


def request(identity: str, name: str = "1.0", **more: Any) -> ReleaseRequested:
    release = Release("saas", {"web": ServiceVersion(Version(name), {"size": 1})}, author="ann", **more)
    return ReleaseRequested(request=identity, release=release, specs=SPECS, at=START)


def test_releases_are_numbered_from_one_and_offered_to_whom_they_name():
    line = Line().receive(request("a"), request("b", "1.1", channels=("acme",)))
    offers = line.sent_to(Offered)
    assert [(to, fact.offer.release, fact.offer.addressed) for to, fact in offers] == [
        ("instance:saas/web@acme", 1, False),
        ("instance:saas/web@staging", 1, False),
        ("instance:saas/web@acme", 2, True),
        ("instance:saas/web@staging", 2, False),
    ]
    assert offers[0][1].offer.spec == "d2"
    assert line.state.latest["web"].version.name == "1.1"


def test_the_same_request_twice_is_one_release():
    line = Line().receive(request("a"))
    first = line.state
    line.receive(request("a"), Woken())
    assert (line.state, line.out) == (first, ())


def test_parameters_of_an_instance_go_before_those_of_the_release():
    asked = request("a")
    asked = ReleaseRequested(request="a", release=asked.release, specs=SPECS, parameters={"saas/web@acme": {"size": 9}})
    sizes = {to: fact.offer.parameters["size"] for to, fact in Line().receive(asked).sent_to(Offered)}
    assert sizes == {"instance:saas/web@acme": 9, "instance:saas/web@staging": 1}


def test_a_line_does_not_grow_without_bound():
    line = Line()
    for number in range(KEPT_RELEASES + 150):
        line.receive(request(str(number)))
    assert len(line.state.releases) == KEPT_RELEASES
    assert len(line.state.requests) == 200
    assert line.state.number == KEPT_RELEASES + 150


# --- configurations (§10.1) ----------------------------------------------------------------------------------------------


class Line(Actor[LineState]):
    """The application ``saas``: web in staging and in acme."""

    def __init__(self) -> None:
        super().__init__("line:saas", LineState)

    def release(self, identity: str, name: str, revision: str, **more: Any) -> Self:
        wanted = ServiceVersion(Version(name, revision=revision), {"size": 1})
        release = Release("saas", {"web": wanted}, author="ann", **more)
        return self.receive(ReleaseRequested(request=identity, release=release, specs=SPECS, at=START))

    def apply(self, configured: int, revision: str, *, seen: int = 0, **more: Any) -> Self:
        parts = {one: {1: Part(Version("1.0", revision=revision), f"{spec}/{revision}")} for one, spec in SPECS.items()}
        changed = ("web",) if configured > 1 else ()
        return self.receive(
            ConfigurationRequested(
                request=f"configure:{configured}:saas",
                release=Release("saas", {}, author="cora", automatic=True, revisions={"web": revision}),
                configured=configured,
                seen=seen,
                changed=changed,
                parts=parts if configured > 1 else {},
                at=START,
                **more,
            )
        )

    @property
    def given(self) -> list[tuple[str, int, int]]:
        """(instance, release, applied revision) of the configurations that the last turn sent."""
        found = ((to, fact.configuration) for to, fact in self.sent_to(Reconfigured))
        return [(to, configuration.release, configuration.configured) for to, configuration in found]

    @property
    def offered(self) -> list[tuple[int, str, int]]:
        """(release, revision, applied revision) of what the last turn offered acme."""
        found = (fact.offer for to, fact in self.sent_to(Offered) if to.endswith("@acme"))
        return [(offer.release, offer.version.revision, offer.configured) for offer in found]


def released() -> Line:
    """Release 1 is web 1.0, in the configuration of the first apply."""
    return Line().apply(1, "r1").release("a", "1.0", "r1")


def test_a_release_compiled_before_an_apply_and_numbered_after_it_is_compiled_again():
    line = released().apply(2, "r2", seen=1).release("b", "1.1", "r1")
    assert (line.state.number, line.state.stale, line.gave(Send)) == (2, ("b",), [])
    line.release("b", "1.1", "r2")
    assert (line.state.number, line.state.stale, line.offered) == (3, (), [(3, "r2", 2)])


def test_a_release_numbered_during_an_apply_is_kept():
    line = released().release("b", "1.1", "r1")
    assert line.offered == [(2, "r1", 0)]
    line.apply(2, "r2", seen=1)
    assert (line.state.number, line.gave(Send)) == (2, []), "what was compiled lacks release 2"
    line.apply(2, "r2", seen=2)
    assert line.given == [("instance:saas/web@acme", 3, 2), ("instance:saas/web@staging", 3, 2)]
    assert (line.state.latest["web"].version.name, line.state.stale) == ("1.1", ())


def test_two_applies_in_the_same_moment_make_two_configuration_releases_in_their_order():
    line = released().apply(2, "r2", seen=1).apply(3, "r3", seen=1)
    assert [(one.number, one.revisions) for one in line.state.releases[1:]] == [(2, {"web": "r2"}), (3, {"web": "r3"})]
    assert line.state.configured["web"].identity == "r3"
    assert line.release("b", "1.1", "r2").state.stale == ("b",), "the newer configuration is in force"
    assert line.release("b", "1.1", "r3").offered == [(4, "r3", 3)]


def test_an_older_apply_that_comes_after_a_newer_one_takes_nobody_back():
    line = released().apply(3, "r3", seen=1)
    state = line.state
    line.apply(2, "r2", seen=1)
    assert (line.gave(Send), line.state.number, line.state.configured) == ([], state.number, state.configured)
    assert line.state.requests["configure:2:saas"] == 0, "it is done, and made no release"
    assert line.release("b", "1.1", "r3").offered == [(3, "r3", 3)]


def test_an_apply_that_was_killed_between_storing_and_numbering_makes_one_configuration_release():
    line = released().apply(2, "r2", seen=1)
    state = line.state
    assert line.apply(2, "r2", seen=2).state == state
    assert (line.gave(Send), [one.number for one in state.releases]) == ([], [1, 2])


def test_a_configuration_release_names_no_version_and_nothing_is_carried_over_from_it():
    line = released().apply(2, "r2", seen=1)
    made = line.state.releases[-1]
    assert (made.services, made.configures, made.revisions) == ({}, True, {"web": "r2"})
    assert line.state.latest["web"] == ServiceVersion(Version("1.0", revision="r1"), {"size": 1})


def test_an_instance_that_comes_later_is_offered_what_was_released_everywhere_in_the_configuration_in_force():
    line = released().apply(2, "r2", seen=1, extends={"saas/web@acme": (1,)})
    assert line.offered == [(1, "r2", 2)]


def test_a_configuration_before_the_first_release_makes_none():
    line = Line().apply(1, "r1").apply(2, "r2")
    assert (line.state.number, line.state.releases, line.given) == (0, (), [])
    assert line.release("a", "1.0", "r1").state.stale == ("a",)
    assert line.release("a", "1.0", "r2").offered == [(1, "r2", 2)]


def test_a_configuration_that_rides_is_in_force_and_not_released():
    line = released().apply(2, "r2", seen=1, rides=True)
    assert (line.state.number, line.given) == (1, [])
    assert line.release("b", "1.1", "r1").state.stale == ("b",)
    assert line.release("b", "1.1", "r2").offered == [(2, "r2", 2)]


TOPIC = "topic:channel:saas/acme#release-manager#7"


class Topic(Actor[TopicState]):
    """Approvals of release 7 in one channel."""

    def __init__(self, entity: str = TOPIC) -> None:
        super().__init__(entity, TopicState)


def voted(name: str, *, yes: bool = True, why: str = "") -> Voted:
    return Voted(person=Person(name), yes=yes, why=why)


def test_votes_are_published_whole_in_the_order_in_which_they_came():
    topic = Topic().receive(voted("ann"), voted("bob", yes=False, why="no"))
    (status,) = topic.published(TopicStatus)
    assert [(vote.person.name, vote.yes) for vote in status.votes] == [("ann", True), ("bob", False)]
    assert [event.text for event in topic.events] == [
        "ann approves release 7 for release-manager",
        "bob rejects release 7 for release-manager: no",
    ]


def test_a_vote_delivered_again_even_after_a_later_one_is_dropped():
    topic = Topic().receive(voted("ann")).at(START + 1).receive(voted("ann", yes=False))
    state = topic.state
    topic.at(START).receive(voted("ann"))
    assert (topic.state, topic.out) == (state, ())


def test_a_topic_of_a_mirrored_change_knows_its_release():
    assert Topic(TOPIC + "~3").receive(voted("ann")).events[0].release == 7


def test_an_entity_of_an_unknown_kind_is_a_mistake():
    with pytest.raises(KeyError):
        decide("ghost:x", None, [], START)


def test_an_offer_carries_all_that_the_release_says():
    release = Release(
        "saas",
        {"web": ServiceVersion(Version("1.0"), {"size": 1}, Source(commit="c0ffee"))},
        channels=("acme",),
        author="ann",
        reason="a fix",
        labels={"kind": "hotfix"},
        urgent=True,
        automatic=True,
        adopt=True,
    )
    acme = "saas/web@acme"
    asked = ReleaseRequested(request="a", release=release, specs={acme: "d2"}, waves={"tenants": (acme,)}, at=START)
    (offered,) = Line().receive(asked).sent(Offered)
    assert offered.offer == Offer(
        release=1,
        version=Version("1.0"),
        spec="d2",
        parameters={"size": 1},
        source=Source(commit="c0ffee"),
        author="ann",
        reason="a fix",
        labels={"kind": "hotfix"},
        urgent=True,
        automatic=True,
        adopt=True,
        addressed=True,
        at=START,
        waves="tenants",
    )


def test_a_release_a_mark_and_a_cancellation_are_told_with_who_and_why():
    acts = (
        request("a", reason="a fix"),
        Marked(by=By("bob", "loses orders"), service="web", version="1.0", bad=True),
        Marked(by=By("cleo"), service="web", version="1.0", bad=False),
        Cancelled(by=By("dan", "not today"), release=1),
    )
    assert [(event.text, event.by, event.release) for event in Line().receive(*acts).events] == [
        ("release 1: web 1.0", By("ann", "a fix"), 1),
        ("bob marks web 1.0 bad: loses orders", By("bob", "loses orders"), 0),
        ("cleo marks web 1.0 good", By("cleo"), 0),
        ("dan cancels release 1: not today", By("dan", "not today"), 1),
    ]


def test_what_is_published_of_a_line_is_whole_and_names_its_application():
    acts = (request("a"), request("b"), Cancelled(by=By("ann"), release=1), Cancelled(by=By("bob"), release=2))
    (status,) = Line().receive(*acts).published(LineStatus)
    assert (status.application, status.number, sorted(status.cancelled)) == ("saas", 1, [1, 2])


def test_a_vote_is_told_with_who_and_why_and_other_facts_are_none():
    (event,) = Topic().receive(Woken(), voted("bob", yes=False, why="no")).events
    assert (event.by, event.release, event.kind) == (By("bob", "no"), 7, "vote")
