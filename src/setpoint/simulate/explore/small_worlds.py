"""The small worlds that are explored: one for each thing that people and configurations do with a few instances."""

from __future__ import annotations

from typing import Any

from setpoint.model.calendars.calendar import Calendar, Window
from setpoint.model.checks import CheckDefinition, Outcome
from setpoint.model.names import parse_instance
from setpoint.model.policy import (
    ApprovalUse,
    CalendarUse,
    CheckUse,
    GroupWaves,
    LimitUse,
    Ordering,
    Phase,
    Policy,
    Strategy,
    TaskUse,
    Wave,
    WaveUse,
)
from setpoint.model.tasks import TaskDefinition
from setpoint.model.time import MINUTE, SECOND
from setpoint.simulate.acts.applying import ChangeConfiguration
from setpoint.simulate.acts.limiting import LetGoOn
from setpoint.simulate.acts.marking import CancelRelease, Mark
from setpoint.simulate.acts.overrides import Heal, HoldInstance, Observe, Pin, Resume, Retry, RollBack, Unpin
from setpoint.simulate.acts.releasing import RequestRelease
from setpoint.simulate.acts.stopping import Pause, Stop
from setpoint.simulate.acts.tasking import SayDone, TryAgain
from setpoint.simulate.acts.voting import CastVote
from setpoint.simulate.explore.explorer import FAULTS, SmallWorld
from setpoint.simulate.world.runtimes import Behaviour

STAGING, PRODUCTION, MIRROR = (f"app/web@{channel}" for channel in ("staging", "production", "mirror"))
WORKER, ACME, GLOBEX = "app/worker@production", "app/web@acme", "app/web@globex"
FAILS = {STAGING: Behaviour(becomes="failing"), PRODUCTION: Behaviour(becomes="failing")}


def policy(instance: str, **more: Any) -> Policy:
    """A policy with short deadlines."""
    _, service, channel = parse_instance(instance)
    labels = {"application": "app", "channel": channel, "service": service, "runtime": "local", **more.pop("labels", {})}
    return Policy(instance, labels, progress_deadline=30 * SECOND, grace=10 * SECOND, **more)


def after(soak: int = 0) -> tuple[Ordering, ...]:
    """Production comes after staging."""
    return (Ordering("after", (STAGING,), ("staging",), soak=soak),)


def release(version: str, *others: str, **more: Any) -> RequestRelease:
    """Of the one service, or of others with it, to every channel."""
    return RequestRelease(by="zoe", application="app", services=dict.fromkeys(("web", *others), version), **more)


def check(name: str, phase: Phase, **more: Any) -> CheckUse:
    """One that runs every minute while an instance waits."""
    definition = CheckDefinition(
        name, "program", "channel:app/production", interval=MINUTE, timeout=5 * SECOND, max_age=125 * SECOND
    )
    return CheckUse(name, phase, definition, **more)


def task(name: str, *, once: bool = False, **more: Any) -> TaskUse:
    """One before deployment, that is tried twice."""
    definition = TaskDefinition(name, "program", "channel:app/production", timeout=MINUTE, once=once)
    return TaskUse(name, Phase.PRE_DEPLOYMENT, definition, retries=1, **more)


def tenant(instance: str, wave: int) -> Policy:
    """A member of a group that goes in waves."""
    return policy(instance, labels={"group": "tenants"}, wave=WaveUse(TENANTS, wave))


def closed(start: str, end: str) -> CalendarUse:
    """An emergency: for a while nothing starts, and what is under way pauses."""
    window = Window(start=f"2026-01-01T00:{start}Z", end=f"2026-01-01T00:{end}Z", reason="an emergency")
    return CalendarUse("emergency", Calendar("emergency", closed=(window,), in_flight="pause"), "UTC")


TENANTS = "app/tenants"
WAVES = {TENANTS: GroupWaves(TENANTS, (Wave(("acme",), soak=MINUTE), Wave(("globex",))))}
ONE = (LimitUse("limit-runtime", "runtime:local", 1),)
TOGETHER = {"together": "production"}
APPROVAL = ApprovalUse("lead", "lead", "channel:app/production", approvers=("group:leads",))
LATE = {"alerts": ((0, Outcome.BLOCKING), (3 * MINUTE, Outcome.PASSING))}

WORLDS = (
    SmallWorld(
        "approval and rejection",
        (policy(PRODUCTION, approvals=(APPROVAL,)),),
        (release("1.0"), release("1.1")),
        (CastVote(by="ann"), CastVote(by="bob", yes=False), CastVote(by="ann"), Retry(by="ann", instance=PRODUCTION)),
        faults=("crash", "again"),
    ),
    SmallWorld(
        "failure, rollback by hand, retry",
        (policy(PRODUCTION),),
        (release("1.0"), release("1.1", behaves=FAILS), release("1.2")),
        (RollBack(by="ann", instance=PRODUCTION), Retry(by="bob", instance=PRODUCTION), Resume(by="ann", instance=PRODUCTION)),
        faults=("crash-in-turn",),
    ),
    SmallWorld(
        "a configuration, a version that fails, cancel",
        (policy(STAGING), policy(PRODUCTION, orderings=after())),
        (release("1.0"), release("2.0", behaves={PRODUCTION: Behaviour(becomes="failing")})),
        (
            ChangeConfiguration(by="ann", application="app"),
            ChangeConfiguration(by="bob", application="app", behaves={PRODUCTION: Behaviour(becomes="failing")}),
            CancelRelease(by="bob", application="app", release=2),
        ),
        faults=("crash",),
    ),
    SmallWorld(
        "a configuration, pin, rollback by hand",
        (policy(STAGING), policy(PRODUCTION, orderings=after())),
        (release("1.0"), release("2.0")),
        (
            ChangeConfiguration(by="ann", application="app"),
            Pin(by="ann", instance=PRODUCTION, which=1),
            Unpin(by="ann", instance=PRODUCTION),
            RollBack(by="bob", instance=PRODUCTION),
        ),
    ),
    SmallWorld(
        "pin, hold, resume",
        (policy(PRODUCTION),),
        (release("1.0"), release("1.1"), release("1.2")),
        (
            Pin(by="ann", instance=PRODUCTION, which=1),
            Unpin(by="ann", instance=PRODUCTION),
            HoldInstance(by="bob", instance=PRODUCTION),
            Resume(by="bob", instance=PRODUCTION),
        ),
        faults=("crash",),
    ),
    SmallWorld(
        "mirror",
        (policy(STAGING), policy(MIRROR, strategy=Strategy.MIRROR, mirror=STAGING)),
        (release("1.0"), release("1.1")),
        (RollBack(by="ann", instance=STAGING), RollBack(by="ann", instance=MIRROR), Resume(by="ann", instance=STAGING)),
        faults=("crash", "again"),
    ),
    SmallWorld(
        "mark bad, cancel",
        (policy(STAGING), policy(PRODUCTION, orderings=after())),
        (release("1.0"), release("1.1")),
        (
            Mark(by="ann", application="app", service="web", version="1.1"),
            Mark(by="ann", application="app", service="web", version="1.1", bad=False),
            CancelRelease(by="bob", application="app", release=2),
        ),
        faults=("again",),
    ),
    SmallWorld(
        "stop, pause, observe",
        (policy(PRODUCTION),),
        (release("1.0"), release("1.1")),
        (
            Stop(by="ann", scope="scope:channel:app/production", lasts=MINUTE),
            Pause(by="ann", scope="scope:application:app", lasts=MINUTE),
            Observe(by="bob", instance=PRODUCTION, lasts=MINUTE),
            Heal(by="bob", instance=PRODUCTION),
        ),
        faults=("crash",),
    ),
    SmallWorld(
        "checks before and after, and a crash at each point",
        (policy(PRODUCTION, checks=(check("alerts", Phase.PRE_DEPLOYMENT), check("probe", Phase.POST_DEPLOYMENT))),),
        (release("1.0"), release("1.1")),
        faults=FAULTS,
        timetable=LATE,
    ),
    SmallWorld(
        "a check that fails for good, with one failure tolerated",
        (policy(PRODUCTION, checks=(check("probe", Phase.POST_DEPLOYMENT, tolerate=1, window=3 * MINUTE),)),),
        (release("1.0"), release("1.1")),
        (Pause(by="ann", scope="scope:application:app", lasts=5 * MINUTE), Retry(by="ann", instance=PRODUCTION)),
        faults=("crash", "again", "reorder"),
        most=2,
        timetable={"probe": ((0, Outcome.PASSING), (5 * MINUTE, Outcome.BLOCKING))},
    ),
    SmallWorld(
        "a task that runs once",
        (policy(PRODUCTION, tasks=(task("migrate", once=True),)),),
        (release("1.0"), release("1.1")),
        (SayDone(by="ann", instance=PRODUCTION), TryAgain(by="bob"), HoldInstance(by="ann", instance=PRODUCTION)),
        faults=("crash", "crash-in-turn"),
        timetable={"task:migrate": ((0, Outcome.BLOCKING), (30 * SECOND, Outcome.PASSING))},
    ),
    SmallWorld(
        "a task that two share",
        tuple(policy(instance, tasks=(task("migrate", key="both"),)) for instance in (PRODUCTION, WORKER)),
        (release("1.0", "worker"), release("1.1", "worker")),
        (HoldInstance(by="ann", instance=WORKER), Resume(by="ann", instance=WORKER), Retry(by="bob", instance=PRODUCTION)),
        faults=("crash",),
        timetable={"task:migrate": ((0, Outcome.PASSING), (8 * SECOND, Outcome.BLOCKING), (12 * SECOND, Outcome.PASSING))},
    ),
    SmallWorld(
        "a lease that two need",
        (policy(STAGING, limits=ONE), policy(PRODUCTION, limits=ONE)),
        (release("1.0"), release("1.1", behaves={STAGING: Behaviour(becomes="failing")})),
        (
            HoldInstance(by="ann", instance=PRODUCTION),
            Resume(by="ann", instance=PRODUCTION),
            RollBack(by="bob", instance=STAGING),
        ),
        faults=("crash", "again"),
    ),
    SmallWorld(
        "waves, and a member that fails",
        (tenant(ACME, 1), tenant(GLOBEX, 2)),
        (release("1.0"), release("1.1", behaves={ACME: Behaviour(becomes="failing")})),
        (LetGoOn(by="ann"), Retry(by="bob", instance=ACME), HoldInstance(by="bob", instance=GLOBEX)),
        faults=("crash",),
        groups=WAVES,
    ),
    SmallWorld(
        "two services that go back together",
        (policy(PRODUCTION, labels=TOGETHER), policy(WORKER, labels=TOGETHER)),
        (release("1.0", "worker"), release("1.1", "worker", behaves={WORKER: Behaviour(becomes="failing")})),
        (RollBack(by="ann", instance=PRODUCTION), Retry(by="bob", instance=PRODUCTION), HoldInstance(by="ann", instance=WORKER)),
        faults=("crash", "reorder"),
    ),
    SmallWorld(
        "an emergency in which everything pauses",
        (policy(STAGING), policy(PRODUCTION, orderings=after(), calendars=(closed("00:10", "01:00"),))),
        (release("1.0"), release("1.1", behaves={PRODUCTION: Behaviour(becomes="failing")})),
        (Stop(by="ann", scope="scope:organization", lasts=MINUTE, in_flight="pause"), RollBack(by="bob", instance=PRODUCTION)),
        faults=("crash",),
    ),
    SmallWorld(
        "ordering and soak",
        (policy(STAGING), policy(PRODUCTION, orderings=after(5 * MINUTE))),
        (release("1.0"), release("1.1"), release("1.2")),
        faults=FAULTS,
    ),
    SmallWorld(
        "release train",
        (policy(STAGING, strategy=Strategy.EVERY), policy(PRODUCTION, strategy=Strategy.EVERY, orderings=after())),
        (release("1.0"), release("1.1", behaves=FAILS), release("1.2", urgent=True), release("1.3")),
        (Retry(by="ann", instance=STAGING),),
        faults=("crash",),
    ),
)
"""The largest last: they have all the time that those before them did not need."""
