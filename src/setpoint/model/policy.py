"""The compiled policy of one instance: under which conditions a version may start there and is judged there.

Policy is not part of what runs: a new one counts at once for every gate not yet left behind. ``config`` makes it.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from setpoint.model.calendars import Calendar
from setpoint.model.checks import CheckDefinition
from setpoint.model.selector import Selector
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
    window: Duration = 0
    """``for``: must say yes this long without a break; 0: once."""
    delay: Duration = 0
    """Post-deployment only."""
    tolerate: int = 0
    on_fail: str = "fail"
    """Deployment phase: ``wait`` or ``fail``."""
    override: tuple[str, ...] | None = None
    """Principals who may skip it; None: whoever has the right; empty: nobody."""


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
    when: Selector | None = None
    override: tuple[str, ...] | None = None


class ApprovalUse(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One topic that must have its approvers before this instance's attempts go on."""

    name: str
    topic: str
    subject: str
    """What it is for: ``instance:saas/web@acme``, ``channel:saas/acme``, ``application:saas`` …; one subject is asked once."""
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
    when: Selector | None = None
    override: tuple[str, ...] | None = None


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


class Drift(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
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
    timezone: str = "UTC"
    progress_deadline: Duration = 10 * MINUTE
    auto_rollback: bool = True
    drift: Drift = Drift()
    poll_moving: Duration = 5 * SECOND
    poll_settled: Duration = 5 * MINUTE
    grace: Duration = 30 * SECOND
    """Before an apply that does not show is repeated, and for which a finalizing rollout may be observed unhealthy."""
