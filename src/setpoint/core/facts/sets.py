"""What passes between a set and its members."""

from __future__ import annotations

from enum import StrEnum

from setpoint.core.facts.admission import Need
from setpoint.core.facts.base import Fact
from setpoint.model.reasons import Reason


class SetStage(StrEnum):
    """What a set is doing."""

    GATHERING = "gathering"
    """Until the gates of every member pass."""
    PREPARING = "preparing"
    """The members run their tasks, then evaluate everything once more."""
    GOING = "going"
    """The members start and roll out."""
    FINALIZING = "finalizing"
    """All members have passed."""
    GOING_BACK = "going-back"
    """One member failed."""
    ENDED = "ended"


class MemberState(StrEnum):
    """What a member of a set reports."""

    WAITING = "waiting"
    """A gate holds it."""
    READY = "ready"
    LOCKED = "locked"
    """Its tasks have succeeded as well."""
    STARTED = "started"
    PASSED = "passed"
    FAILED = "failed"
    """It goes back."""
    STUCK = "stuck"
    """It fails to go back."""
    ENDED = "ended"
    """The release is finalized here, and target."""
    VETOED = "vetoed"
    GONE = "gone"
    """It does not take the release now."""
    OUT = "out"
    """It never will."""
    LEFT = "left"
    """It is not configured any more."""


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
    state: MemberState
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
    """The last epoch for which it was informed that the set goes back."""


class SetStatus(Fact, frozen=True, gc=False):
    """What a set publishes to its members. Whole and numbered."""

    set: str
    number: int
    epoch: int = 0
    """Rises when the gathering restarts; a member that was ready or locked in an earlier one is not any more."""
    stage: SetStage = SetStage.GATHERING
    start: tuple[str, ...] = ()
    """Members that may start by now, in stage ``going``."""
    went: tuple[str, ...] = ()
    """Members that start with it, in stages ``going`` and ``finalizing``: any other starts when the set has ended."""
    level: int = 0
    """How ready the release is at every member: 1, what it is ordered after is met; 2, its approvals are complete as well."""
    reason: str = ""
    """Why it goes back."""
    out: str = ""
    """Why no member takes this release any more; empty: they do."""
    waiting: dict[str, str] = {}
    """Some of the members that the stage waits for -> their reasons, for people."""
    queued: tuple[Reason, ...] = ()
    """What admission waits for."""
