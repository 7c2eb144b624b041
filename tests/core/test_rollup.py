"""What holds up many: the way from everybody who waits leads to the one thing that they wait for."""

from __future__ import annotations

from collections.abc import Iterable

from setpoint.core import rollup
from setpoint.core.admission.state import AdmissionRequest, AdmissionState, ReportedResult, RequestStage, WaveProgress
from setpoint.core.facts import MemberResult, Need
from setpoint.core.rollup import Culprit, First, Takers, takers_of
from setpoint.model.policy import GroupWaves, Wave
from setpoint.model.reasons import Code, Reason

STAGING, PRODUCTION, EU = "app/web@staging", "app/web@production", "app/web@eu"
TENANTS = [f"app/web@tenants-{number:03}" for number in range(187)]
APPROVAL = Reason(
    Code.APPROVAL_MISSING,
    "release-manager: approval by group:release-managers",
    gate="release-manager",
    subject="topic:channel:app/production#release-manager#3",
    since=1_000,
    awaits="an approval of release-manager",
    unblock="approve release-manager",
)


def culprits(asked: Iterable[str], first: First, takers: Takers) -> list[Culprit]:
    """Each for its first reason."""
    return rollup.culprits({one: [reason] for one in asked if (reason := first[one])}, first, takers)


def after(instance: str, since: int = 5_000) -> Reason:
    return Reason(
        Code.ORDERING_NOT_MET,
        f"{instance} has not finalized 1.1 yet",
        gate="after",
        subject=instance,
        since=since,
        awaits="1.1",
    )


def test_everybody_behind_a_channel_waits_for_what_that_channel_waits_for() -> None:
    first = {PRODUCTION: APPROVAL} | dict.fromkeys(TENANTS, after(PRODUCTION))
    (found,) = culprits(first, first, {})
    assert found.reason == APPROVAL
    assert found.leaves == (PRODUCTION,)
    assert found.behind == tuple(TENANTS)
    assert found.held_up == 188
    assert found.through == ()


def test_the_leaf_may_lie_outside_of_what_was_asked_about() -> None:
    first = {PRODUCTION: APPROVAL, EU: after(PRODUCTION)} | dict.fromkeys(TENANTS, after(EU))
    (found,) = culprits(TENANTS, first, {})
    assert (found.leaves, found.behind, found.through) == ((PRODUCTION,), tuple(TENANTS), (EU,))


def test_where_nobody_further_has_a_reason_the_waiting_itself_is_the_leaf() -> None:
    first = {PRODUCTION: after(STAGING), STAGING: None}
    (found,) = culprits([PRODUCTION, STAGING], first, {})
    assert (found.reason, found.leaves, found.behind) == (after(STAGING), (PRODUCTION,), ())


def test_a_soak_ends_by_itself_whatever_the_channel_before_is_at_by_now() -> None:
    soak = Reason(Code.ORDERING_NOT_MET, "1.1 soaks in staging for another 3m", subject=STAGING, since=1, until=200_000)
    first = {PRODUCTION: soak, STAGING: Reason(Code.HELD, "held by ann", since=1)}
    found = culprits([PRODUCTION], first, {})
    assert [one.reason for one in found] == [soak]


def test_a_check_that_many_share_is_one_thing() -> None:
    first = {
        one: Reason(
            Code.CHECK_FAILING,
            "check `alerts` failed: 3 alerts fire",
            subject="attachment:alerts:1",
            since=50 + number,
            until=90 - number,
        )
        for number, one in enumerate(TENANTS[:3])
    }
    (found,) = culprits(first, first, {})
    assert found.leaves == tuple(TENANTS[:3])
    assert (found.reason.since, found.reason.until) == (50, 88)


def test_those_that_move_are_one_row_however_far_each_of_them_is() -> None:
    first = {
        one: Reason(
            Code.NOT_HEALTHY_YET,
            f"1.1 is starting: {number} healthy at 1.1",
            since=number,
            awaits="the next look at the runtime",
        )
        for number, one in enumerate(TENANTS[:5], start=1)
    }
    (found,) = culprits(first, first, {})
    assert found.leaves == tuple(TENANTS[:5])
    assert found.reason.text == "1.1 is starting: 1 healthy at 1.1"


def test_people_who_hold_are_told_apart() -> None:
    first = {EU: Reason(Code.HELD, "held by ann", since=1), PRODUCTION: Reason(Code.HELD, "held by bob", since=2)}
    assert [one.leaves for one in culprits(first, first, {})] == [(EU,), (PRODUCTION,)]


def test_what_failed_comes_first_then_what_holds_up_most_then_what_does_so_longest() -> None:
    first = {
        "app/web@a": Reason(Code.HELD, "held by ann", since=10),
        "app/web@b": Reason(Code.HELD, "held by bob", since=5),
        "app/web@c": Reason(Code.VETOED, "1.1 failed here", since=90, failed=True),
        PRODUCTION: APPROVAL,
    } | dict.fromkeys(TENANTS, after(PRODUCTION))
    assert [one.reason.code for one in culprits(first, first, {})] == ["vetoed", "approval-missing", "held", "held"]
    assert [one.reason.text for one in culprits(first, first, {})][2:] == ["held by bob", "held by ann"]


def test_a_circle_is_told_once_and_hangs_nobody() -> None:
    first = {PRODUCTION: after(EU), EU: after(PRODUCTION)} | dict.fromkeys(TENANTS[:2], after(PRODUCTION))
    (found,) = culprits(first, first, {})
    assert found.leaves == (EU,)
    assert found.behind == (PRODUCTION, *TENANTS[:2])


def test_one_that_waits_for_itself_is_its_own_leaf() -> None:
    first = {EU: after(EU)}
    (found,) = culprits(first, first, {})
    assert (found.leaves, found.behind) == ((EU,), ())


def test_one_that_waits_for_two_things_is_held_up_by_both() -> None:
    first = {PRODUCTION: APPROVAL, EU: after(PRODUCTION)}
    held = Reason(Code.HELD, "held by ann", since=70)
    found = rollup.culprits({EU: [after(PRODUCTION), held, after(PRODUCTION)]}, first, {})
    assert [(one.reason, one.leaves, one.behind) for one in found] == [
        (APPROVAL, (PRODUCTION,), (EU,)),
        (held, (EU,), ()),
    ]


def test_a_member_of_a_set_waits_for_what_another_member_waits_for() -> None:
    worker = "app/worker@production"
    together = Reason(Code.SET_NOT_READY, "moves together with worker", subject=f"instance:{worker}", since=8)
    check = Reason(Code.CHECK_FAILING, "alerts fire", subject="attachment:alerts:1", since=3, awaits="alerts passing")
    (found,) = culprits([PRODUCTION], {PRODUCTION: together, worker: check}, {})
    assert (found.reason, found.leaves, found.behind) == (check, (worker,), (PRODUCTION,))


# --- leases and waves ---------------------------------------------------------------------------------------------------


def test_who_waits_for_a_lease_waits_for_what_its_holder_waits_for() -> None:
    need = Need("lease:runtime:k8s", 1)
    place = AdmissionRequest(f"instance:{EU}", 1, 1, 3, (need,), stage=RequestStage.STARTED)
    takers = takers_of(AdmissionState(requests={"p": place}, holders={need.unit: ("p",)}))
    lease = Reason(
        Code.LEASE_TAKEN, "runtime k8s allows 1 to deploy at a time", subject=need.unit, since=9, awaits="a free place"
    )
    starting = Reason(Code.NOT_HEALTHY_YET, "1.1 is starting", since=4, awaits="the next look at the runtime")
    first = dict.fromkeys(TENANTS, lease) | {EU: starting}
    (found,) = culprits(TENANTS, first, takers)
    assert (found.reason, found.leaves, len(found.behind)) == (starting, (EU,), 187)


def waves(*channels: tuple[str, str], stopped: int = 0) -> AdmissionState:
    rules = GroupWaves("app/tenants", (Wave(tuple(name for name, _ in channels)), Wave(("tenants-009",))), "3")
    members: dict[str, tuple[str, ...]] = {name: (f"app/web@{name}",) for name, _ in channels}
    results = {f"app/web@{name}": ReportedResult(1, MemberResult(state)) for name, state in channels}
    ended: dict[str, MemberResult] = {
        name: MemberResult(state) for name, state in channels if state in {"finalized", "failed", "out"}
    }
    passage = WaveProgress("app/tenants", 3, members, results, ended, stopped=stopped)
    return AdmissionState(groups={"app/tenants": rules}, wave_progress={"app/tenants#3": passage})


def test_who_waits_for_a_wave_waits_for_those_in_it_that_failed_then_for_those_still_to_come() -> None:
    state = waves(("tenants-000", "finalized"), ("tenants-001", "started"), ("tenants-002", "failed"))
    assert takers_of(state)["wave:app/tenants"] == (TENANTS[2], TENANTS[1])
    wave = Reason(
        Code.WAVE_NOT_OPEN,
        "wave 2 of tenants waits for wave 1",
        subject="wave:app/tenants",
        since=9,
        awaits="wave 1 of tenants",
    )
    veto = Reason(Code.VETOED, "1.1 failed here", since=3, awaits="a newer release")
    first = {TENANTS[9]: wave, TENANTS[2]: veto, TENANTS[1]: Reason(Code.NOT_HEALTHY_YET, "1.1 is starting", since=2)}
    (found,) = culprits([TENANTS[9]], first, takers_of(state))
    assert (found.reason, found.leaves, found.behind) == (veto, (TENANTS[2],), (TENANTS[9],))


def test_a_release_that_stopped_in_a_group_waits_for_a_person_and_for_nobody_else() -> None:
    takers = takers_of(waves(("tenants-000", "failed"), stopped=7))
    stopped = Reason(
        Code.WAVE_STOPPED, "release 3 stopped in tenants", subject="wave:app/tenants", since=7, awaits="resume", unblock="resume"
    )
    first = {TENANTS[9]: stopped, TENANTS[0]: Reason(Code.VETOED, "1.1 failed here", since=3)}
    (found,) = culprits([TENANTS[9]], first, takers)
    assert found.reason == stopped
