"""What a line makes of a request: who is offered what, which sets and waves hear of it; and which acts it remembers."""

from __future__ import annotations

from typing import Any, Self

import pytest
from tests.core.dsl import START, Actor

from setpoint.core import orders
from setpoint.core.admission import ENTITY as ADMISSION
from setpoint.core.facts import (
    Cancelled,
    LineStatus,
    Marked,
    Offered,
    ReleaseRequested,
    SetFormed,
    StandingOrder,
    WaveMembersNamed,
)
from setpoint.core.instructions import Event
from setpoint.core.line import KEPT_ABSOLVED, KEPT_CANCELLED, LineState
from setpoint.model.people import By
from setpoint.model.release import Offer, Release, RequiredVersion, ServiceVersion
from setpoint.model.spec import Version

API, WEB, JOBS = "saas/api@acme", "saas/web@acme", "saas/jobs@acme"
LINE = "line:saas"
ANN = By("ann", "it loses orders")


class Line(Actor[LineState]):
    """The line of ``saas``, and what is requested of it."""

    def __init__(self) -> None:
        super().__init__(LINE, LineState)

    def release(self, request: str, *instances: str, name: str = "1.0", channels: tuple[str, ...] = (), **more: Any) -> Self:
        """Versions called ``name`` of these instances' services."""
        own = {field: more.pop(field) for field in ("automatic", "labels") if field in more}
        services = {one.partition("/")[2].partition("@")[0]: ServiceVersion(Version(name)) for one in instances}
        release = Release("saas", services, channels=channels, author="zoe", **own)
        return self.receive(ReleaseRequested(request, release, {one: f"spec-{one}" for one in instances}, **more))

    def offers(self) -> dict[str, Offer]:
        return {to.partition(":")[2]: fact.offer for to, fact in self.sent_to(Offered)}

    @property
    def marks(self) -> LineStatus:
        (status,) = self.published(LineStatus)
        return status


# --- sets and waves ------------------------------------------------------------------------------------------------------------


def test_those_who_move_as_one_get_a_set_that_knows_their_order_among_themselves():
    after = {WEB: (API, JOBS), API: (JOBS,)}
    line = Line().release("a", WEB, API, JOBS, after=after, sets={"saas/acme": (WEB, API)})
    assert line.sent_to(SetFormed) == [
        ("set:saas/acme#1", SetFormed(release=1, members=(API, WEB), after={WEB: (API,)})),
    ], "jobs is no member, and what is after nobody in it need not be said"
    offers = line.offers()
    assert {name: offer.set for name, offer in offers.items()} == {API: "set:saas/acme#1", WEB: "set:saas/acme#1", JOBS: ""}
    assert offers[WEB].beside == {
        API: RequiredVersion(1, Version("1.0"), together=True),
        JOBS: RequiredVersion(1, Version("1.0")),
    }


def test_admission_hears_of_those_whom_a_release_names_in_a_group_with_waves():
    waves = {"saas/tenants": (WEB, "saas/web@other"), "saas/nobody": ("saas/web@other",)}
    line = Line().release("a", WEB, API, waves=waves)
    assert line.sent_to(WaveMembersNamed) == [(ADMISSION, WaveMembersNamed(group="saas/tenants", release=1, instances=(WEB,)))]
    assert {name: offer.waves for name, offer in line.offers().items()} == {API: "", WEB: "saas/tenants"}


def test_an_offer_names_the_version_below_which_nothing_goes_back():
    offers = Line().release("a", WEB, API, floors={WEB: "0.9"}).offers()
    assert {name: offer.not_below for name, offer in offers.items()} == {API: "", WEB: "0.9"}


# --- what is asked of others ---------------------------------------------------------------------------------------------------


def test_what_a_release_does_not_name_is_asked_as_the_latest_before_it_did():
    def asked(line: Line) -> dict[str, RequiredVersion]:
        return line.release("last", WEB, after={WEB: (API,)}).offers()[WEB].beside

    assert asked(Line()) == {}, "nobody ever released it"
    line = Line().release("a", API, name="1.0").release("b", API, name="1.1").release("c", WEB)
    assert asked(line) == {API: RequiredVersion(2, Version("1.1"))}
    line = Line().release("a", API, name="1.0").release("b", API, name="1.1").receive(Cancelled(by=ANN, release=2))
    assert asked(line) == {API: RequiredVersion(1, Version("1.0"))}
    line = Line().release("a", API, name="1.0", channels=("acme",)).release("b", API, name="1.1", channels=("other",))
    assert asked(line) == {API: RequiredVersion(1, Version("1.0"))}, "the later one was for others"


def test_parameters_are_carried_over_from_the_newest_release_of_a_service():
    def newest(line: Line) -> dict[str, str]:
        return {service: wanted.version.name for service, wanted in line.state.latest.items()}

    line = Line().release("a", API, WEB, name="1.0").release("b", WEB, name="1.1")
    assert newest(line) == {"api": "1.0", "web": "1.1"}
    line.release("c", WEB, JOBS, name="1.0", automatic=True, channels=("new",))
    assert newest(line) == {"api": "1.0", "web": "1.1", "jobs": "1.0"}, "new channels are only brought to where others are"
    assert newest(line.release("d", WEB, name="1.2", automatic=True))["web"] == "1.2"
    assert newest(line.release("e", WEB, name="1.3", channels=("acme",)))["web"] == "1.3"


# --- marks and cancellations ---------------------------------------------------------------------------------------------------


def test_a_mark_stands_with_who_made_it_first_and_is_told_whole():
    line = Line().receive(Marked(by=ANN, service="web", version="1.0", bad=True))
    first = StandingOrder(ANN, START)
    assert line.marks == LineStatus(application="saas", number=1, bad={"web/1.0": first})
    assert line.events == [Event("signal", "ann marks web 1.0 bad: it loses orders", version="1.0", by=ANN, service="web")]
    line.now += 1
    bob = By("bob")
    assert line.receive(Marked(by=bob, service="web", version="1.0", bad=True)).published(LineStatus) == []
    assert line.events == []
    late = By("bob", "it loses invoices, too")
    line.receive(Marked(by=late, service="web", version="1.0", bad=True))
    first = StandingOrder(late, START)
    assert line.marks.bad == {"web/1.0": first}, "a new reason is recorded"
    line.receive(Marked(by=bob, service="api", version="1.0", bad=True))
    assert line.marks.bad == {"web/1.0": first, "api/1.0": StandingOrder(bob, line.now)}
    line.receive(Marked(by=bob, service="web", version="1.0", bad=False))
    assert line.marks == LineStatus(
        application="saas", number=4, bad={"api/1.0": StandingOrder(bob, line.now)}, absolved={"web/1.0": line.now}
    )
    line.receive(Marked(by=bob, service="api", version="2.0", bad=False))
    assert list(line.marks.absolved) == ["web/1.0", "api/2.0"]
    line.receive(Marked(by=bob, service="web", version="1.0", bad=True))
    assert list(line.marks.absolved) == ["api/2.0"], "what is bad again is not absolved"
    assert line.events[0].text == "bob marks web 1.0 bad"


def test_a_version_that_is_absolved_once_more_is_the_newest_of_those_that_are_remembered():
    line = Line()
    for number in range(KEPT_ABSOLVED + 2):
        line.receive(Marked(by=ANN, service="web", version=str(number), bad=False))
        line.receive(Marked(by=ANN, service="web", version="0", bad=False))
    assert len(line.state.absolved) == KEPT_ABSOLVED
    assert list(line.state.absolved)[-2:] == [f"web/{KEPT_ABSOLVED + 1}", "web/0"]


def test_a_cancellation_is_told_with_who_and_why_and_counts_for_releases_that_there_are():
    line = Line().release("a", WEB).receive(Cancelled(by=By("ann"), release=1))
    assert line.marks == LineStatus(application="saas", number=1, cancelled={1: StandingOrder(By("ann"), START)})
    assert line.events == [Event("signal", "ann cancels release 1", release=1, by=By("ann"))]
    for release in (1, 0, -1, 2):
        assert line.receive(Cancelled(by=ANN, release=release)).out == ()


def test_only_so_many_cancellations_are_remembered():
    line = Line()
    for number in range(KEPT_CANCELLED + 3):
        line.release(str(number), WEB).receive(Cancelled(by=ANN, release=number + 1))
    assert sorted(line.state.cancelled) == list(range(4, KEPT_CANCELLED + 4))


@pytest.mark.parametrize("identity", ["", "7"])
def test_an_act_that_is_told_twice_is_one_if_it_has_an_identity(identity: str):
    bad = Marked(by=ANN, service="web", version="1.0", bad=True, id=identity)
    line = Line().receive(bad).receive(Marked(by=ANN, service="web", version="1.0", bad=False)).receive(bad)
    assert bool(line.state.bad) == (not identity)


def test_only_so_many_acts_are_remembered():
    line = Line()
    for number in range(orders.KEPT + 3):
        line.receive(Marked(by=ANN, service="web", version="1.0", bad=bool(number % 2), id=str(number)))
    assert line.state.signals == tuple(str(number) for number in range(3, orders.KEPT + 3))
