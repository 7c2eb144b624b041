"""The small worlds that are explored: one for each thing that people and configurations do with a few instances."""

from __future__ import annotations

from typing import Any

from setpoint.model.checks import CheckDefinition, Outcome
from setpoint.model.policy import ApprovalUse, CheckUse, Ordering, Phase, Policy, Strategy
from setpoint.model.time import MINUTE, SECOND
from setpoint.simulate.acts.marking import Cancel, Mark
from setpoint.simulate.acts.releasing import Release
from setpoint.simulate.acts.steering import Heal, Hold, Observe, Pin, Resume, Retry, RollBack, Unpin
from setpoint.simulate.acts.stopping import Pause, Stop
from setpoint.simulate.acts.voting import Vote
from setpoint.simulate.explore import FAULTS, Small
from setpoint.simulate.runtimes import Behaviour

STAGING, PRODUCTION, MIRROR = (f"app/web@{channel}" for channel in ("staging", "production", "mirror"))
FAILS = {STAGING: Behaviour(becomes="failing"), PRODUCTION: Behaviour(becomes="failing")}


def policy(instance: str, **more: Any) -> Policy:
    """A policy with short deadlines."""
    channel = instance.rpartition("@")[2]
    labels = {"application": "app", "channel": channel, "service": "web", "runtime": "local"}
    return Policy(instance, labels, progress_deadline=30 * SECOND, grace=10 * SECOND, **more)


def after(soak: int = 0) -> tuple[Ordering, ...]:
    """Production comes after staging."""
    return (Ordering("after", (STAGING,), ("staging",), soak=soak),)


def release(version: str, **more: Any) -> Release:
    """Of the one service, to every channel."""
    return Release(by="zoe", application="app", services={"web": version}, **more)


def check(name: str, phase: Phase, **more: Any) -> CheckUse:
    """One that runs every minute while somebody waits."""
    definition = CheckDefinition(
        name, "program", "channel:app/production", interval=MINUTE, timeout=5 * SECOND, max_age=125 * SECOND
    )
    return CheckUse(name, phase, definition, **more)


APPROVAL = ApprovalUse("lead", "lead", "channel:app/production", approvers=("group:leads",))
LATE = {"alerts": ((0, Outcome.BLOCKING), (3 * MINUTE, Outcome.PASSING))}

WORLDS = (
    Small(
        "ordering and soak",
        (policy(STAGING), policy(PRODUCTION, orderings=after(5 * MINUTE))),
        (release("1.0"), release("1.1"), release("1.2")),
        faults=FAULTS,
    ),
    Small(
        "approval and rejection",
        (policy(PRODUCTION, approvals=(APPROVAL,)),),
        (release("1.0"), release("1.1")),
        (Vote(by="ann"), Vote(by="bob", yes=False), Vote(by="ann"), Retry(by="ann", instance=PRODUCTION)),
        faults=("crash", "again"),
    ),
    Small(
        "failure, rollback by hand, retry",
        (policy(PRODUCTION),),
        (release("1.0"), release("1.1", behaves=FAILS), release("1.2")),
        (RollBack(by="ann", instance=PRODUCTION), Retry(by="bob", instance=PRODUCTION), Resume(by="ann", instance=PRODUCTION)),
        faults=("crash-in-turn",),
    ),
    Small(
        "pin, hold, resume",
        (policy(PRODUCTION),),
        (release("1.0"), release("1.1"), release("1.2")),
        (
            Pin(by="ann", instance=PRODUCTION, which=1),
            Unpin(by="ann", instance=PRODUCTION),
            Hold(by="bob", instance=PRODUCTION),
            Resume(by="bob", instance=PRODUCTION),
        ),
        faults=("crash",),
    ),
    Small(
        "mirror",
        (policy(STAGING), policy(MIRROR, strategy=Strategy.MIRROR, mirror=STAGING)),
        (release("1.0"), release("1.1")),
        (RollBack(by="ann", instance=STAGING), RollBack(by="ann", instance=MIRROR), Resume(by="ann", instance=STAGING)),
        faults=("crash", "again"),
    ),
    Small(
        "release train",
        (policy(STAGING, strategy=Strategy.EVERY), policy(PRODUCTION, strategy=Strategy.EVERY, orderings=after())),
        (release("1.0"), release("1.1", behaves=FAILS), release("1.2", urgent=True), release("1.3")),
        (Retry(by="ann", instance=STAGING),),
        faults=("crash",),
        most=2,
    ),
    Small(
        "mark bad, cancel",
        (policy(STAGING), policy(PRODUCTION, orderings=after())),
        (release("1.0"), release("1.1")),
        (
            Mark(by="ann", application="app", service="web", version="1.1"),
            Mark(by="ann", application="app", service="web", version="1.1", bad=False),
            Cancel(by="bob", application="app", release=2),
        ),
        faults=("again",),
    ),
    Small(
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
    Small(
        "checks before and after, and a crash at each point",
        (policy(PRODUCTION, checks=(check("alerts", Phase.PRE_DEPLOYMENT), check("probe", Phase.POST_DEPLOYMENT))),),
        (release("1.0"), release("1.1")),
        faults=FAULTS,
        timetable=LATE,
    ),
)
