"""Releases get their numbers, votes their order."""

from __future__ import annotations

import pytest
from tests.core.dsl import START

from setpoint.core.decide import decide
from setpoint.core.facts import Cancelled, Marked, Offered, ReleaseRequested, TopicStatus, Voted, Woken
from setpoint.core.instructions import Publish, Record, Send
from setpoint.core.line import KEPT_RELEASES
from setpoint.model.people import By, Person
from setpoint.model.release import Offer, Release, ServiceVersion, Source
from setpoint.model.spec import Version

SPECS = {"saas/web@staging": "d1", "saas/web@acme": "d2"}


def request(identity: str, name: str = "1.0", **more) -> ReleaseRequested:
    release = Release("saas", {"web": ServiceVersion(Version(name), {"size": 1})}, author="ann", **more)
    return ReleaseRequested(request=identity, release=release, specs=SPECS, at=START)


def test_releases_are_numbered_from_one_and_offered_to_whom_they_name():
    decision = decide("line:saas", None, [request("a"), request("b", "1.1", channels=("acme",))], START)
    offers = [(given.to, given.fact.offer) for given in decision.instructions if isinstance(given, Send)]
    assert [(to, offer.release, offer.addressed) for to, offer in offers] == [
        ("instance:saas/web@acme", 1, False),
        ("instance:saas/web@staging", 1, False),
        ("instance:saas/web@acme", 2, True),
        ("instance:saas/web@staging", 2, False),
    ]
    assert offers[0][1].spec == "d2"
    assert decision.state.latest["web"].version.name == "1.1"


def test_the_same_request_twice_is_one_release():
    first = decide("line:saas", None, [request("a")], START).state
    again = decide("line:saas", first, [request("a"), Woken()], START)
    assert (again.state, again.instructions) == (first, ())


def test_parameters_of_an_instance_go_before_those_of_the_release():
    asked = request("a")
    asked = ReleaseRequested(request="a", release=asked.release, specs=SPECS, parameters={"saas/web@acme": {"size": 9}})
    decision = decide("line:saas", None, [asked], START)
    sizes = {given.to: given.fact.offer.parameters["size"] for given in decision.instructions if isinstance(given, Send)}
    assert sizes == {"instance:saas/web@acme": 9, "instance:saas/web@staging": 1}


def test_a_line_does_not_grow_without_bound():
    state = None
    for number in range(KEPT_RELEASES + 150):
        state = decide("line:saas", state, [request(str(number))], START).state
    assert len(state.releases) == KEPT_RELEASES
    assert len(state.requests) == 200
    assert state.number == KEPT_RELEASES + 150


TOPIC = "topic:channel:saas/acme#release-manager#7"


def voted(name: str, *, yes: bool = True, at: int = START, why: str = "") -> Voted:
    return Voted(person=Person(name), yes=yes, why=why, at=at)


def test_votes_are_published_whole_in_the_order_in_which_they_came():
    decision = decide(TOPIC, None, [voted("ann"), voted("bob", yes=False, why="no")], START)
    published = next(given.fact for given in decision.instructions if isinstance(given, Publish))
    assert isinstance(published, TopicStatus)
    assert [(vote.person.name, vote.yes) for vote in published.votes] == [("ann", True), ("bob", False)]
    texts = [given.event.text for given in decision.instructions if isinstance(given, Record)]
    assert texts == ["ann approves release 7 for release-manager", "bob rejects release 7 for release-manager: no"]


def test_a_vote_delivered_again_even_after_a_later_one_is_dropped():
    state = decide(TOPIC, None, [voted("ann"), voted("ann", yes=False, at=START + 1)], START).state
    again = decide(TOPIC, state, [voted("ann")], START)
    assert (again.state, again.instructions) == (state, ())


def test_a_topic_of_a_mirrored_change_knows_its_release():
    decision = decide(TOPIC + "~3", None, [voted("ann")], START)
    assert next(given.event.release for given in decision.instructions if isinstance(given, Record)) == 7


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
    sent = [given.fact for given in decide("line:saas", None, [asked], START).instructions if isinstance(given, Send)]
    (offer,) = [fact.offer for fact in sent if isinstance(fact, Offered)]
    assert offer == Offer(
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
    events = [given.event for given in decide("line:saas", None, acts, START).instructions if isinstance(given, Record)]
    assert [(event.text, event.by, event.release) for event in events] == [
        ("release 1: web 1.0", By("ann", "a fix"), 1),
        ("bob marks web 1.0 bad: loses orders", By("bob", "loses orders"), 0),
        ("cleo marks web 1.0 good", By("cleo"), 0),
        ("dan cancels release 1: not today", By("dan", "not today"), 1),
    ]


def test_what_is_published_of_a_line_is_whole_and_names_its_application():
    acts = (request("a"), request("b"), Cancelled(by=By("ann"), release=1), Cancelled(by=By("bob"), release=2))
    published = [given.fact for given in decide("line:saas", None, acts, START).instructions if isinstance(given, Publish)]
    assert [(fact.application, fact.number, sorted(fact.cancelled)) for fact in published] == [("saas", 1, [1, 2])]


def test_a_vote_is_told_with_who_and_why_and_other_facts_are_none():
    decision = decide(TOPIC, None, [Woken(), voted("bob", yes=False, why="no")], START)
    (event,) = [given.event for given in decision.instructions if isinstance(given, Record)]
    assert (event.by, event.release, event.kind) == (By("bob", "no"), 7, "vote")
