"""What passes between a set and its members."""

from __future__ import annotations

from setpoint.core.facts.admission import Need
from setpoint.core.facts.base import Fact
from setpoint.model.reasons import Reason


class SetFormed(Fact, frozen=True, gc=False):
    """A release has named these members."""

    release: int
    members: tuple[str, ...]
    after: dict[str, tuple[str, ...]] = {}
    """Member -> members that it starts after."""


class SetVote(Fact, frozen=True, gc=False):
    """How a member stands. A lower number than the last one seen is dropped."""

    member: str
    number: int
    state: str
    """``waiting`` (at a gate), ``ready``, ``locked`` (its tasks are done as well), ``begun``, ``passed``, ``failed`` (goes back),
    ``stuck`` (fails to go back), ``ended`` (finalized, and target), ``vetoed``, ``gone`` (does not take the release now), ``out``
    (never will), or ``left`` (is not configured any more)."""
    epoch: int = 0
    """In which it is ready or locked."""
    reason: str = ""
    level: int = 0
    """As in the status, of this member."""
    needs: tuple[Need, ...] = ()
    """What it needs from admission."""
    committed: bool = False
    """A task has been started: what was granted is not given back."""
    back: int = 0
    """The last epoch of which it heard that the set goes back."""


class SetStatus(Fact, frozen=True, gc=False):
    """What a set publishes to its members. Whole and numbered."""

    set: str
    number: int
    epoch: int = 0
    """Rises when the gathering begins anew; who was ready or locked in an earlier one is not any more."""
    stage: str = "gathering"
    """``gathering`` (until every member's gates hold), ``preparing`` (tasks, then everything once more), ``going`` (they start),
    ``finalizing`` (all have passed), ``going-back`` (one failed) or ``ended``."""
    start: tuple[str, ...] = ()
    """Members that may start by now, in stage ``going``."""
    went: tuple[str, ...] = ()
    """Members that it was told to go for, in stages ``going`` and ``finalizing``: any other starts when the set has ended."""
    level: int = 0
    """How ready the release is at every member: 1, what it is ordered after is met; 2, its approvals are complete as well."""
    reason: str = ""
    """Why it goes back."""
    out: str = ""
    """Why no member takes this release any more; empty: they do."""
    waiting: dict[str, str] = {}
    """Some of the members that the stage waits for -> what they said, for people."""
    queued: tuple[Reason, ...] = ()
    """What admission waits for."""
