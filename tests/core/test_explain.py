"""Why not yet: every reason says what it is about, since when, what would unblock it, and when the engine looks again or for what
it waits. An instance that is not converged has at least one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace
from tests.core.dsl import START, Instance, after, approval, check, hours, version
from tests.core.dsl.scopes import marked, paused, stopped
from tests.core.dsl.situations import mirror, settled, stubborn, train

from setpoint.core.facts import Observing
from setpoint.model.calendars.calendar import Calendar, Window
from setpoint.model.checks import Outcome
from setpoint.model.people import By
from setpoint.model.policy import Accepts, Cadence, CalendarUse, DriftPolicy, Phase, Strategy
from setpoint.model.reasons import Code, Reason
from setpoint.model.time import DAY, HOUR, MINUTE, SECOND

STAGING = "app/web@staging"
PRODUCTION = "app/web@production"
TOPIC = "topic:channel:app/production#release-manager#1"
CHANNEL = "scope:channel:app/production"
ALERTS = check("alerts").check.attachment
LATER = START + SECOND
CLOSED = CalendarUse("freeze", Calendar("freeze", closed=(Window(),)), "UTC")
DAILY = Cadence(Calendar("daily", open=(Window(hours=(0, 6 * 60)),)), "UTC")
ONCE = Cadence(Calendar("once", open=(Window(start="2026-01-01", end="2026-01-01"),)), "UTC")


def later(**policy: Any) -> Instance:
    """A second after the start, so that nothing is true since always."""
    return Instance(**policy).wait(SECOND)


def good(**policy: Any) -> Instance:
    prod = later().with_good(1, "1.0")
    return prod.configure(**policy) if policy else prod


def failed() -> Instance:
    return good().offer(2, "1.1").applied("broken", terminal=True)


def observing(prod: Instance) -> Instance:
    return prod.receive(Observing(by=By("ann")))


def asked(**more: Any) -> Instance:
    return later(checks=(check("alerts", **more),)).offer(1, "1.0").wait(SECOND)


def stopped_train() -> Instance:
    prod = train().wait(SECOND).with_good(1, "1.0").offer(2, "2.0").applied("refused", terminal=True)
    return prod.comes_up("1.0").wait(SECOND)


CASES: dict[str, tuple[Callable[[], Instance], list[Reason]]] = {}


def case(words: str, make: Callable[[], Instance], *reasons: Reason) -> None:
    CASES[words] = (make, list(reasons))


def before(phase: Phase, code: Code, gate: str, since: int = LATER, **more: Any) -> Reason:
    """A gate of a phase before the deployment."""
    return Reason(code, "", phase=phase, gate=gate, since=since, unblock=f"skip {gate}", **more)


RUNNING = Reason(Code.APPLY_IN_PROGRESS, "", phase=Phase.DEPLOYMENT, since=LATER, awaits="the end of the apply")
HELD = Reason(Code.HELD, "", since=LATER, awaits="resume", unblock="resume")
GOING_BACK = Reason(Code.ROLLING_BACK, "", since=LATER, awaits="1.0 observed")
LOOK = "the next look at the runtime"

# gates
ORDERED = before(Phase.PRE_APPROVAL, Code.ORDERING_NOT_MET, "after", subject=STAGING, awaits="1.0 finalized in staging")
case("an earlier channel", lambda: later(orderings=(after(),)).offer(1, "1.0").wait(SECOND), ORDERED)
case(
    "what an earlier channel rolled back",
    lambda: later(orderings=(after(),)).offer(1, "1.0").upstream("staging", rolled_back=(1,)).wait(SECOND),
    ORDERED,
)
case(
    "a soak",
    lambda: later(orderings=(after(soak=HOUR),)).offer(1, "1.0").upstream("staging", "1.0").wait(MINUTE),
    before(Phase.PRE_APPROVAL, Code.ORDERING_NOT_MET, "after", subject=STAGING, until=LATER + HOUR),
)
case(
    "an approval",
    lambda: later(approvals=(approval(),)).offer(1, "1.0").wait(SECOND),
    Reason(
        Code.APPROVAL_MISSING,
        "",
        phase=Phase.APPROVAL,
        gate="release-manager",
        subject=TOPIC,
        since=LATER,
        awaits="an approval of release-manager",
        unblock="approve release-manager",
    ),
)
case(
    "a calendar that opens",
    lambda: later(calendars=(hours(9, 17),)).offer(1, "1.0").wait(SECOND),
    before(Phase.PRE_DEPLOYMENT, Code.CALENDAR_CLOSED, "hours", until=START + 9 * HOUR),
)
case(
    "a calendar that never opens",
    lambda: later(calendars=(CLOSED,)).offer(1, "1.0").wait(SECOND),
    before(Phase.PRE_DEPLOYMENT, Code.CALENDAR_CLOSED, "freeze", awaits="a change of the calendar freeze"),
)
case(
    "a cadence",
    lambda: good(cadence=DAILY).with_good(2, "1.1").offer(3, "1.2").wait(SECOND),
    before(Phase.PRE_DEPLOYMENT, Code.CADENCE_CLOSED, "cadence", until=START + DAY),
)
case(
    "a cadence without another window",
    lambda: good(cadence=ONCE).with_good(2, "1.1").offer(3, "1.2").wait(SECOND),
    before(Phase.PRE_DEPLOYMENT, Code.CADENCE_CLOSED, "cadence", awaits="a change of the cadence"),
)
case(
    "the delay of a check",
    lambda: asked(delay=30 * SECOND),
    before(Phase.PRE_DEPLOYMENT, Code.CHECK_PENDING, "alerts", until=LATER + 30 * SECOND),
)
case(
    "a first result",
    asked,
    before(Phase.PRE_DEPLOYMENT, Code.CHECK_PENDING, "alerts", subject=ALERTS, awaits="a finished run of alerts"),
)
case(
    "a check that says no",
    lambda: asked().blocking("alerts").wait(SECOND),
    before(Phase.PRE_DEPLOYMENT, Code.CHECK_FAILING, "alerts", LATER + SECOND, subject=ALERTS, awaits="alerts passing"),
)
case(
    "a check that cannot run",
    lambda: asked().result("alerts", Outcome.UNAVAILABLE).wait(SECOND),
    before(Phase.PRE_DEPLOYMENT, Code.CHECK_PENDING, "alerts", LATER + SECOND, subject=ALERTS, awaits="a finished run of alerts"),
)
case(
    "a pass that grew old",
    lambda: later(checks=(check("alerts"),), calendars=(CLOSED,)).offer(1, "1.0").passing("alerts").wait(MINUTE),
    before(Phase.PRE_DEPLOYMENT, Code.CALENDAR_CLOSED, "freeze", awaits="a change of the calendar freeze"),
    before(Phase.PRE_DEPLOYMENT, Code.CHECK_STALE, "alerts", subject=ALERTS, awaits="a finished run of alerts"),
)
case(
    "a window",
    lambda: asked(phase=Phase.POST_DEPLOYMENT, window=MINUTE).comes_up("1.0").passing("alerts").wait(10 * SECOND),
    before(Phase.POST_DEPLOYMENT, Code.CHECK_WINDOW, "alerts", LATER + SECOND, subject=ALERTS, until=LATER + SECOND + MINUTE),
)

# people
case("a hold", lambda: good().hold().wait(SECOND).offer(2, "1.1"), HELD)
case("a hold at rest", lambda: good().hold().wait(SECOND), HELD)
case(
    "a stopped line",
    lambda: stopped(good()).offer(2, "1.1"),
    Reason(Code.FROZEN, "", subject=CHANNEL, since=START, awaits="start-the-line", unblock="start the line"),
)
case(
    "a pause",
    lambda: paused(good()).offer(2, "1.1"),
    Reason(Code.PAUSED, "", subject="scope:organization", since=START, awaits="unpause", unblock="unpause"),
)
case(
    "observing",
    lambda: observing(good()).wait(SECOND).offer(2, "1.1"),
    Reason(Code.OBSERVED_ONLY, "", since=LATER, awaits="heal", unblock="heal"),
)
case(
    "the drift mode observe",
    lambda: later(drift=DriftPolicy("observe")).offer(1, "1.0").wait(SECOND),
    Reason(Code.OBSERVED_ONLY, "", since=LATER, awaits="a change of its drift mode", unblock="set drift.mode to heal or report"),
)
case(
    "a pin that failed",
    lambda: failed().comes_up("1.0").pin(2, "1.1").applied("broken", terminal=True).comes_up("1.0"),
    Reason(Code.PINNED, "", since=LATER, awaits="unpin or retry", unblock="unpin, or retry"),
)
case(
    "a newer release than the pin that runs",
    lambda: good().pin(1, "1.0").wait(SECOND).offer(2, "1.1").wait(SECOND),
    Reason(Code.PINNED, "", since=LATER + 2 * SECOND, awaits="unpin", unblock="unpin"),
)
case(
    "a pin of a bad version",
    lambda: marked(good(), bad=("2.0",)).pin(2, "2.0"),
    Reason(Code.PINNED, "", since=LATER, awaits="unpin", unblock="unpin, or mark it good"),
)

# the runtime
case("an apply", lambda: good().offer(2, "1.1").wait(SECOND), RUNNING)
case(
    "an apply that failed",
    lambda: good().offer(2, "1.1").applied("no"),
    Reason(Code.APPLY_FAILED, "", phase=Phase.DEPLOYMENT, since=LATER, until=LATER + SECOND + 248, unblock="fix the runtime"),
)
case(
    "an apply that is tried again",
    lambda: good().offer(2, "1.1").applied("no").wait(MINUTE),
    RUNNING,
)
case(
    "a start",
    lambda: good().offer(2, "1.1").applied().observed("1.1", healthy=None).wait(SECOND),
    Reason(Code.NOT_HEALTHY_YET, "", phase=Phase.DEPLOYMENT, since=LATER, awaits=LOOK),
)
case(
    "a rollout that goes first",
    lambda: good().offer(2, "1.1").wait(SECOND).offer(3, "1.2"),
    RUNNING,
    Reason(Code.ROLLOUT_IN_PROGRESS, "", since=LATER, awaits="the end of the rollout of 1.1"),
)
case("a rollback", lambda: failed().wait(SECOND), GOING_BACK, RUNNING)
case(
    "a rollback that fails",
    lambda: failed().applied("no such image", terminal=True),
    GOING_BACK,
    Reason(Code.ROLLBACK_FAILED, "", since=LATER, awaits="the next try", unblock="release a fix", failed=True),
    Reason(Code.APPLY_FAILED, "", phase=Phase.DEPLOYMENT, since=LATER, until=LATER + SECOND + 248, unblock="fix the runtime"),
)
case(
    "a rollback while everything is paused",
    lambda: paused(good().offer(2, "1.1").applied()).roll_back().wait(SECOND),
    Reason(Code.PAUSED, "", subject="scope:organization", since=START, awaits="unpause", unblock="unpause"),
    GOING_BACK,
    HELD,
)
case(
    "a rollback of what is only observed",
    lambda: observing(good().offer(2, "1.1").applied()).roll_back().wait(SECOND),
    Reason(Code.OBSERVED_ONLY, "", since=LATER, awaits="heal", unblock="heal"),
    GOING_BACK,
    HELD,
)
case(
    "a failure",
    lambda: later().offer(1, "1.0").applied("broken", terminal=True).wait(SECOND),
    Reason(Code.ROLLOUT_FAILED, "", since=LATER, awaits="a newer release", unblock="retry release 1", failed=True),
)
case(
    "a runtime that cannot be reached",
    lambda: good().unobserved().wait(SECOND),
    Reason(Code.RUNTIME_UNREACHABLE, "", since=LATER, awaits="the runtime to answer again"),
)
case(
    "drift that is only reported",
    lambda: settled(drift=DriftPolicy("report")).observed("1.0", difference="a").wait(SECOND),
    Reason(Code.DRIFTED, "", since=START + MINUTE, awaits=LOOK),
)
case(
    "a tripped breaker",
    lambda: stubborn(settled(drift=DriftPolicy(breaker=2)), 6).wait(SECOND),
    Reason(Code.BREAKER_OPEN, "", since=START + MINUTE, awaits="a change of the difference", unblock="resume", person=True),
)
UNWELL = Reason(Code.UNHEALTHY, "", since=START + MINUTE, awaits=LOOK, unblock="fix the service, or roll back")
case("ill health", lambda: settled().observed("1.0", healthy=False).wait(SECOND), UNWELL)
case("an apply of what is put right", lambda: settled().observed("").wait(SECOND), UNWELL)
case("a heal that was not taken", lambda: settled().observed("").applied("no"), UNWELL)

# releases
case(
    "no policy",
    lambda: Instance(configured=False),
    Reason(Code.NOT_CONFIGURED, "", awaits="apply", unblock="apply a configuration that has it"),
)
case("no release", later, Reason(Code.NOTHING_RELEASED, "", since=LATER, awaits="a release", unblock="release a version"))
case(
    "no release for a train",
    lambda: train().wait(SECOND),
    Reason(Code.NOTHING_RELEASED, "", since=LATER, awaits="a release", unblock="release a version"),
)
case(
    "what left",
    lambda: good().remove(),
    Reason(Code.REMOVED, "", since=LATER, awaits="apply, or remove", unblock="add it again, or remove"),
)
case(
    "a veto",
    lambda: failed().comes_up("1.0").wait(SECOND),
    Reason(Code.VETOED, "", since=LATER, awaits="a newer release", unblock="retry release 2, or release another version"),
)
case(
    "a bad release",
    lambda: marked(good(), bad=("2.0",)).offer(2, "2.0", at=START),
    Reason(Code.RELEASE_NOT_TAKEN, "", since=START, awaits="a newer release"),
)
case(
    "a bad version that runs",
    lambda: marked(good(), bad=("1.0",)),
    Reason(Code.VERSION_BAD, "", since=LATER, awaits="a newer release", unblock="roll back, or mark it good"),
)
case(
    "a manual channel",
    lambda: later(strategy=Strategy.MANUAL).offer(1, "1.0"),
    Reason(Code.NOT_SENT_HERE, "", since=LATER, awaits="a release sent here", unblock="promote, or release --to"),
)
case(
    "what is not accepted",
    lambda: later(accepts=Accepts(range=">=2")).offer(1, "1.0.0", at=START),
    Reason(Code.NOT_ACCEPTED, "", since=START, awaits="a release that is accepted", unblock="release another version, or pin it"),
)
case(
    "a train that stops",
    lambda: (
        train().wait(SECOND).with_good(1, "1.0").offer(2, "2.0").applied("refused", terminal=True).comes_up("1.0").wait(SECOND)
    ),
    Reason(
        Code.TRAIN_STOPPED,
        "",
        since=LATER,
        awaits="a person",
        unblock="retry, skip or cancel release 2",
        failed=True,
        person=True,
    ),
)
case(
    "a train that was passed over",
    lambda: train(orderings=(after(),)).wait(SECOND).offer(1, "1.0").upstream("staging", "2.0", frontier=2),
    Reason(Code.NOTHING_RELEASED, "", since=LATER, awaits="a release"),
)
case(
    "a mirror of nothing",
    lambda: mirror().wait(SECOND).offer(1, "1.0"),
    Reason(Code.MIRROR_NOT_READY, "", subject=PRODUCTION, since=LATER, awaits="a finalized version in production"),
)
case(
    "a mirror of something unknown",
    lambda: mirror().wait(SECOND).upstream("production", good=7, version=version("1.7"), change=1),
    Reason(Code.MIRROR_NOT_READY, "", subject=PRODUCTION, since=LATER, awaits="a release in production"),
)


def mirroring() -> Instance:
    return mirror().wait(SECOND).offer(1, "1.0").offer(2, "1.1").upstream("production", good=1, change=1).comes_up("1.0")


case(
    "a mirror of a bad version",
    lambda: marked(mirroring(), bad=("1.1",)).upstream("production", good=2, change=2),
    Reason(Code.MIRROR_NOT_READY, "", since=LATER, awaits="a change in production"),
)
case(
    "a mirror of what failed here",
    lambda: mirroring().upstream("production", good=2, change=2).applied("broken", terminal=True).comes_up("1.0"),
    Reason(Code.VETOED, "", subject=PRODUCTION, since=LATER, awaits="a change in production", unblock="retry release 2"),
)


@pytest.mark.parametrize(("make", "expected"), CASES.values(), ids=list(CASES))
def test_a_reason_names_its_subject_since_when_and_what_would_unblock_it(make: Callable[[], Instance], expected: list[Reason]):
    prod = make()
    assert [replace(reason, text="") for reason in prod.explained] == expected


@pytest.mark.parametrize("make", [make for make, _ in CASES.values()], ids=list(CASES))
def test_every_reason_is_a_sentence_and_waits_for_a_time_an_event_or_a_person(make: Callable[[], Instance]):
    prod = make()
    reasons = prod.explained
    assert reasons
    for reason in reasons:
        assert reason.text
        assert reason.until or reason.awaits or reason.unblock
        assert reason.since <= prod.now


def test_a_pin_tells_of_the_release_that_would_be_next_without_it():
    prod = good().pin(1, "1.0").wait(SECOND)
    assert prod.explained == []
    prod.offer(2, "1.1").offer(3, "1.2")
    assert [reason.text for reason in prod.explained] == ["pinned to 1.0 by ann; 1.2 would be next"]
    vetoed = failed().comes_up("1.0").pin(1, "1.0")
    assert vetoed.explained == []


def test_a_converged_instance_has_no_reason():
    assert good().explained == []
