"""The compiled policy of one instance: under which conditions a version may start there and is judged there.

Policy is not part of what runs: a new one counts immediately for every gate not yet passed. ``config`` makes it.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from setpoint.model.calendars.calendar import Calendar
from setpoint.model.checks import CheckDefinition
from setpoint.model.grammars.selector import Selector
from setpoint.model.tasks import TaskDefinition
from setpoint.model.time import MINUTE, SECOND, Duration


class Phase(StrEnum):
    """The lifecycle of an attempt, in order. An attempt that is through is finalized."""

    PRE_APPROVAL = "pre-approval"
    APPROVAL = "approval"
    PRE_DEPLOYMENT = "pre-deployment"
    DEPLOYMENT = "deployment"
    POST_DEPLOYMENT = "post-deployment"


class Strategy(StrEnum):
    """How an instance picks its release."""

    NEWEST_READY = "newest-ready"
    NEWEST = "newest"
    EVERY = "every"
    MANUAL = "manual"
    MIRROR = "mirror"


class CheckUse(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One attachment used in one phase of this instance's attempts."""

    name: str
    """For skipping and explaining; ``name`` of the entry."""
    phase: Phase
    check: CheckDefinition
    when: Selector | None = None
    """None: always. Sees the instance's labels and the facts of the attempt."""
    informational: bool = False
    after: str = ""
    """Name of a task of the same phase: the check runs only once that has succeeded."""
    window: Duration = 0
    """``for``: time the check must keep passing; 0: one pass."""
    delay: Duration = 0
    """Post-deployment only."""
    tolerate: int = 0
    on_fail: str = "fail"
    """Deployment phase: ``wait`` or ``fail``."""
    fail_after: Duration = 0
    """Without a decisive result for so long the attempt fails; 0: never."""
    override: tuple[str, ...] | None = None
    """Principals who may skip it; None: every principal with the right; empty: no principal."""


class Ordering(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One entry of a channel's ``after``, resolved to instances of the same service. All entries must hold."""

    name: str
    instances: tuple[str, ...]
    """``application/service@channel`` of those that must have finalized the version. Channels without the service are left out
    by the compiler, their own ``after`` in their place."""
    channels: tuple[str, ...] = ()
    """Their names as written, for people."""
    soak: Duration = 0
    need: int = 0
    """How many of ``instances``; 0: all of them."""
    members: tuple[str, ...] = ()
    """Those of ``instances`` that are members of a group: one that does not take the version does not count."""
    allow_empty: bool = False
    """Also met when no instance is left that counts."""
    when: Selector | None = None
    override: tuple[str, ...] | None = None


class ServiceOrdering(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One service of a service's ``after``: in the same channel it must have finalized what the release requires of it."""

    name: str
    instance: str
    """``application/service@channel`` of the other service in this channel."""
    range: str = "*"
    """And it must run a version in this range."""
    when: Selector | None = None
    override: tuple[str, ...] | None = None


class ApprovalUse(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One topic that must have its approvers before this instance's attempts go on."""

    name: str
    topic: str
    subject: str
    """What it is for: ``instance:saas/web@acme``, ``channel:saas/acme``, ``application:saas`` …; requested once each."""
    approvers: tuple[str, ...] | None = None
    """Principals; None: anyone with the right to approve."""
    min: int = 1
    allow_author: bool = False
    expires: Duration = 0
    """0: never."""
    when: Selector | None = None
    override: tuple[str, ...] | None = None


class CalendarUse(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A calendar that must be open for a deployment to start."""

    name: str
    calendar: Calendar
    timezone: str
    subject: str = ""
    """What a budget (``max`` of a window) is shared by: ``application:shop``, ``channel:shop/production`` …"""
    when: Selector | None = None
    override: tuple[str, ...] | None = None


class TaskUse(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One task that must succeed once in a phase of this instance's attempts. Those of a phase run one after the other."""

    name: str
    phase: Phase
    task: TaskDefinition
    key: str = ""
    """Attempts of one release with the same key share one run; may hold lookups of the attempt. Empty: of this instance alone."""
    retries: int = 3
    on_fail: str = "wait"
    """``wait`` (for a person's retry) or ``fail`` (the attempt)."""
    when: Selector | None = None
    override: tuple[str, ...] | None = None


class StepUse(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One step of a rollout that moves traffic; for runtimes that can. No runtime of this version does."""

    traffic: int
    """Per cent to the new version."""
    window: Duration = 0
    checks: tuple[CheckUse, ...] = ()
    approvals: tuple[ApprovalUse, ...] = ()


class LimitUse(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A lease that an attempt needs while it deploys: at most ``limit`` instances below one node deploy at the same time."""

    name: str
    """For skipping and explaining: ``limit-runtime`` …"""
    unit: str
    """``runtime:k8s``, ``application:saas``, ``group:saas/tenants``, ``channel:saas/acme``, ``instance:…``."""
    limit: int
    when: Selector | None = None
    override: tuple[str, ...] | None = None


class WaveUse(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """This instance's channel begins with one wave of its group; which ones there are, admission knows (``GroupWaves``)."""

    group: str
    """``application/group``."""
    number: int
    """From 1."""
    when: Selector | None = None
    """The wave's own: an attempt without these facts waits for no wave and counts in none."""
    override: tuple[str, ...] | None = None


class Wave(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Member channels of a group that begin together; the next wave opens when enough of them finalized, for the soak."""

    channels: tuple[str, ...]
    soak: Duration = 0
    need: str = "100%"
    """An amount (``5`` or ``95%``) of those that count."""


class GroupWaves(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """How a release goes through a group."""

    group: str
    """``application/group``."""
    waves: tuple[Wave, ...] = ()
    """Empty: all together; then only ``max_failures`` counts."""
    max_failures: str = "1"
    """An amount of the group's channels: so many failed, and nothing new of the release begins."""


class Cadence(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A calendar that admits ``max`` finalized releases per occurrence of its (single) open window."""

    calendar: Calendar
    timezone: str
    max: int = 1


class Accepts(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Which versions are taken at all. Steps count from *good*; without good everything passes."""

    range: str = "*"
    min_step: str = ""
    """``major``, ``minor``, ``patch`` or empty: ignore smaller steps."""
    max_step: str = ""
    """Likewise: refuse larger ones."""
    prereleases: bool = False
    when: Selector | None = None


class DriftPolicy(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What to do about a difference between target and what runs."""

    mode: str = "heal"
    """``heal``, ``report`` or ``observe``."""
    breaker: int = 5
    """So many applies in a row against the same difference, then hands off."""


class Policy(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Everything about *when* for one instance."""

    instance: str
    labels: dict[str, str]
    strategy: Strategy = Strategy.NEWEST_READY
    mirror: str = ""
    """The mirrored instance, with strategy ``mirror``."""
    accepts: Accepts | None = None
    orderings: tuple[Ordering, ...] = ()
    checks: tuple[CheckUse, ...] = ()
    approvals: tuple[ApprovalUse, ...] = ()
    calendars: tuple[CalendarUse, ...] = ()
    cadence: Cadence | None = None
    services: tuple[ServiceOrdering, ...] = ()
    tasks: tuple[TaskUse, ...] = ()
    """In the order in which those of a phase run: policy, runtime, application, channel, service."""
    limits: tuple[LimitUse, ...] = ()
    wave: WaveUse | None = None
    timezone: str = "UTC"
    progress_deadline: Duration = 10 * MINUTE
    auto_rollback: bool = True
    drift: DriftPolicy = DriftPolicy()
    poll_moving: Duration = 5 * SECOND
    poll_settled: Duration = 5 * MINUTE
    grace: Duration = 30 * SECOND
    """Before an apply that does not show is repeated, and for which a finalizing rollout may be observed unhealthy."""
    steps: tuple[StepUse, ...] = ()
    watched: bool = False
    """A user-defined invariant observes its moves."""
