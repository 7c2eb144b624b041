"""What an attempt says about leases, waves and budgets, whole; and what it asks of admission, to the last word."""

from __future__ import annotations

from typing import TypeVar

from msgspec.structs import replace
from tests.core.dsl import START, Instance, WithTasks, a_task, check, hours
from tests.core.dsl.limits import DAILY, GROUP, LEASE, Limited, Member, budgeted

from setpoint.core.admission import ENTITY
from setpoint.core.facts import AdmissionRequested, Began, Ended, Granted, Need, Queued, Returned
from setpoint.core.instance.gates import limit
from setpoint.core.instance.gates.context import Context
from setpoint.core.instructions import Send
from setpoint.model.calendars.calendar import Calendar, Window
from setpoint.model.grammars.selector import parse_selector
from setpoint.model.policy import CalendarUse, DriftPolicy, Phase, WaveUse
from setpoint.model.reasons import Code, Reason
from setpoint.model.time import DAY, HOUR, MINUTE

NEED = Need("lease:runtime:k8s", 2)
BUSY = Reason(Code.LEASE_TAKEN, "runtime k8s is busy", subject=NEED.unit, since=START, awaits="a free place")


P = TypeVar("P", bound=Instance)


def queued(prod: P, *reasons: Reason, number: int = 1) -> P:
    return prod.receive(Queued(request_id=prod.admission.request_id, number=number, reasons=reasons))


def granted(prod: Instance) -> Instance:
    return prod.receive(Granted(request_id=prod.admission.request_id))


def to_admission(prod: Instance) -> list[object]:
    """Everything that the last telling said to admission."""
    return [given.fact for given in prod.out if isinstance(given, Send) and given.to == ENTITY]


# --- reasons -----------------------------------------------------------------------------------------------------------------


def test_a_lease_that_admission_has_not_spoken_of_is_told_whole():
    prod = Limited().wait(MINUTE).offer(1, "1.0")
    asking = Reason(
        Code.ADMISSION_PENDING,
        "limit-runtime is requested",
        phase=Phase.PRE_DEPLOYMENT,
        gate="limit-runtime",
        since=START + MINUTE,
        awaits="admission's reply",
        unblock="skip limit-runtime",
    )
    assert prod.explained == [asking]


def test_one_that_will_be_asked_for_says_so():
    prod = Limited(checks=(check("alerts"),)).offer(1, "1.0").passing("alerts").wait(HOUR).grant()
    candidate = prod.blocking("alerts").candidate
    assert prod.admission.returned
    (reason,) = limit.evaluate(Context(prod.policy, prod.life, prod.offers[0], candidate, prod.now))
    assert (reason.text, reason.awaits) == ("limit-runtime is requested once every other gate passes", "every other gate")
    fresh = replace(candidate, admission=None)
    assert list(limit.evaluate(Context(prod.policy, prod.life, prod.offers[0], fresh, prod.now))) == [reason]


def test_a_reason_of_admission_is_told_with_what_a_person_can_do():
    prod = queued(Limited().offer(1, "1.0"), BUSY)
    told = replace(BUSY, phase=Phase.PRE_DEPLOYMENT, gate="limit-runtime", unblock="skip limit-runtime")
    assert prod.explained == [told]
    wave = Reason(
        Code.WAVE_STOPPED,
        "it stopped",
        subject=f"wave:{GROUP}",
        since=START,
        awaits="resume",
        unblock="resume tenants",
    )
    member = queued(Member().offer(1, "1.0"), wave)
    both = "resume tenants, or skip wave"
    assert member.explained == [replace(wave, phase=Phase.PRE_DEPLOYMENT, gate="wave", unblock=both)]
    spent = Reason(Code.BUDGET_USED, "it is spent", subject="budget:application:app/hours", since=START, until=START + HOUR)
    prod = queued(budgeted().offer(1, "1.0"), spent)
    told = replace(spent, phase=Phase.PRE_DEPLOYMENT, gate="hours", unblock="skip hours")
    assert prod.explained == [told]


def test_a_time_that_admission_named_and_that_is_over_is_not_waited_for():
    prod = queued(
        Member().offer(1, "1.0"),
        Reason(
            Code.WAVE_NOT_OPEN,
            "it soaks",
            subject=f"wave:{GROUP}",
            since=START,
            until=START + HOUR,
        ),
    )
    prod.now = START + HOUR - 1
    assert (prod.explained[0].until, prod.explained[0].awaits) == (START + HOUR, "")
    prod.now = START + HOUR
    assert (prod.explained[0].until, prod.explained[0].awaits) == (None, "admission's reply")


def test_a_lease_that_was_granted_is_no_reason_any_more_and_one_that_changed_since_is():
    prod = Limited(checks=(check("alerts"),)).offer(1, "1.0").passing("alerts").wait(HOUR)
    prod.grant()
    assert [reason.gate for reason in prod.explained] == ["alerts"]
    prod.configure(limits=(replace(LEASE, limit=5),), checks=())
    assert [need.limit for need in prod.requested.needs] == [5]
    assert (prod.target, prod.grant().target) == ("", "1.0")


def test_what_was_granted_counts_however_limits_change_once_a_task_has_started():
    prod = WithTasks(limits=(LEASE,), tasks=(a_task(),)).offer(1, "1.0")
    prod.receive(Granted(request_id=1))
    assert prod.tried == ["migrate"]
    prod.configure(limits=(replace(LEASE, limit=5), replace(LEASE, name="other", unit="application:app")), tasks=(a_task(),))
    assert to_admission(prod) == []
    prod.succeeds()
    assert (prod.target, to_admission(prod)) == ("1.0", [Began(requester=prod.entity, request_id=1)])


def test_a_grant_is_kept_once_a_task_has_started_whatever_a_check_says_then():
    prod = WithTasks(limits=(LEASE,), tasks=(a_task(),), checks=(check("alerts"),)).offer(1, "1.0").passing("alerts")
    granted(prod).blocking("alerts")
    assert (prod.tried, to_admission(prod)) == (["migrate"], [])


def test_a_lease_that_is_asked_of_an_attempt_whose_task_has_started_is_waited_for():
    prod = WithTasks(tasks=(a_task(),)).offer(1, "1.0").configure(limits=(LEASE,), tasks=(a_task(),))
    assert len(prod.sent(AdmissionRequested)) == 1
    assert prod.succeeds().target == ""
    assert granted(prod).target == "1.0"


def test_what_was_granted_and_is_not_needed_any_more_is_not_used():
    prod = Limited(checks=(check("alerts"),)).offer(1, "1.0").passing("alerts").wait(HOUR).grant()
    prod.skip(1, "limit-runtime").passing("alerts")
    assert (prod.target, prod.rollout.lease) == ("1.0", 0)
    assert to_admission(prod) == [Returned(requester=prod.entity, request_id=2, gone=True)]


# --- needs -------------------------------------------------------------------------------------------------------------------


def test_all_is_asked_for_at_once_in_fixed_order():
    other = replace(LEASE, name="limit-app", unit="application:app", limit=1)
    calendar = CalendarUse("hours", DAILY, "UTC", "application:app")
    prod = Limited(limits=(LEASE, other), wave=WaveUse(GROUP, 2), calendars=(calendar,)).offer(3, "1.0", waves=GROUP)
    needs = (
        Need("budget:application:app/hours", 2, START, START + 12 * HOUR),
        Need("lease:application:app", 1),
        NEED,
        Need(f"wave:{GROUP}", 2, release=3),
    )
    assert to_admission(prod) == [AdmissionRequested(requester=prod.entity, request_id=1, attempt=1, release=3, needs=needs)]
    assert prod.wake_at == START + 12 * HOUR, "then the budget's window ends"


def test_a_budget_is_asked_for_only_where_its_calendar_concerns_the_attempt():
    use = CalendarUse("hours", DAILY, "UTC", "application:app", when=parse_selector("!urgent"))
    assert Limited(limits=(), calendars=(use,)).offer(1, "1.0").requested
    assert Limited(limits=(), calendars=(use,)).offer(1, "1.0", urgent=True).target == "1.0"


def test_a_calendar_that_is_only_closed_at_times_has_no_budget():
    closed = Calendar("freeze", closed=(Window(hours=(12 * 60, 13 * 60)),))
    assert Limited(limits=(), calendars=(CalendarUse("freeze", closed, "UTC"),)).offer(1, "1.0").target == "1.0"


def test_of_overlapping_windows_the_first_one_that_is_open_says_how_many_may_start():
    def requested(*windows: Window) -> list[tuple[int, int]]:
        use = CalendarUse("hours", Calendar("hours", open=windows), "UTC", "application:app")
        prod = Limited(limits=(), calendars=(use,)).offer(1, "1.0")
        return [(need.limit, need.until - START) for requested in prod.sent(AdmissionRequested) for need in requested.needs]

    whole, few, later = Window(), Window(hours=(0, 12 * 60), max=2), Window(hours=(13 * 60, 14 * 60), max=1)
    assert requested(few, whole) == [(2, 12 * HOUR)]
    assert requested(whole, few) == [], "whoever comes within the first is not counted"
    assert requested(later, few) == [(2, 12 * HOUR)]
    assert requested(later, whole) == []


# --- exchange ------------------------------------------------------------------------------------------------------------------


def test_what_is_said_to_admission_in_the_life_of_a_rollout():
    prod = Limited().offer(1, "1.0")
    assert to_admission(prod) == [AdmissionRequested(requester=prod.entity, request_id=1, attempt=1, release=1, needs=(NEED,))]
    assert to_admission(prod.grant()) == [Began(requester=prod.entity, request_id=1)]
    assert to_admission(prod.comes_up("1.0")) == [Ended(requester=prod.entity, request_id=1)]
    assert to_admission(prod.offer(2, "1.1")) == [
        AdmissionRequested(requester=prod.entity, request_id=2, attempt=2, release=2, needs=(NEED,))
    ]
    replaced = to_admission(prod.offer(3, "1.2"))
    assert replaced == [
        AdmissionRequested(requester=prod.entity, request_id=3, attempt=3, release=3, needs=(NEED,)),
        Returned(requester=prod.entity, request_id=2, gone=True),
    ]


def test_a_grant_that_cannot_be_used_goes_back_once_and_its_place_is_kept():
    prod = Limited().offer(1, "1.0").hold()
    assert to_admission(prod) == []
    prod.grant()
    assert to_admission(prod) == [Returned(requester=prod.entity, request_id=1)]
    known = prod.admission
    assert (known.granted, known.returned, known.reasons) == (False, True, ())
    assert to_admission(prod.wait(HOUR).configure(limits=(LEASE,), drift=DriftPolicy())) == []
    assert prod.resume().admission.requested_at == START, "when it requested first"
    assert to_admission(prod) == [AdmissionRequested(requester=prod.entity, request_id=2, attempt=1, release=1, needs=(NEED,))]


def test_a_word_of_admission_that_is_late_or_for_somebody_else_changes_nothing():
    prod = queued(Limited().offer(1, "1.0"), BUSY, number=2)
    assert queued(prod, replace(BUSY, text="again"), number=2).reasons == [BUSY.text], "the same number is the same word"
    prod.receive(Queued(request_id=7, number=9, reasons=(replace(BUSY, text="for another"),)))
    assert prod.reasons == [BUSY.text]
    prod.hold().grant()
    prod.receive(Queued(request_id=1, number=9, reasons=(replace(BUSY, text="after it was given back"),)))
    assert prod.admission.reasons == ()


def test_a_yes_ends_what_admission_said_before():
    prod = queued(Limited(checks=(check("alerts"),)).offer(1, "1.0").passing("alerts"), BUSY).wait(HOUR)
    assert prod.grant().admission.reasons == ()
    assert not prod.waits_for(BUSY.text)
    assert queued(prod, BUSY, number=9).admission.reasons == (), "it was on its way before"


def test_a_yes_for_nobody_is_said_nothing_to():
    prod = Limited(checks=(check("slow", Phase.POST_DEPLOYMENT),)).rolls(1, "1.0")
    assert to_admission(prod.receive(Granted(request_id=1))) == to_admission(prod.receive(Granted(request_id=9))) == []
    assert to_admission(Instance().receive(Granted(request_id=1))) == []


def test_a_lease_that_is_needed_no_more_is_given_up_and_asked_for_when_it_is_needed_again():
    prod = Limited().offer(1, "1.0").hold().grant().configure(limits=()).resume()
    assert (prod.target, to_admission(prod)) == ("1.0", [Returned(requester=prod.entity, request_id=1, gone=True)])


def test_a_rollback_by_hand_during_a_rollout_keeps_its_lease_until_it_ended():
    prod = Limited().rolls(1, "1.0").comes_up("1.0").rolls(2, "1.1")
    assert to_admission(prod.roll_back()) == []
    assert prod.rollout.lease == 2
    assert to_admission(prod.applied().comes_up("1.0")) == [Ended(requester=prod.entity, request_id=2)]


def test_a_calendar_that_pauses_or_not_has_no_budget_of_its_own():
    prod = Limited(limits=(), calendars=(hours(0, 24),)).wait(DAY).offer(1, "1.0")
    assert (prod.target, to_admission(prod)) == ("1.0", [])
