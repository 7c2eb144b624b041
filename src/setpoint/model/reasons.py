"""Reasons: why something is not so yet, as data. The UI, the CLI, notifications and the timeline all render these."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

import msgspec

from setpoint.model.time import Instant


class Code(StrEnum):
    """What kind of reason it is. Part of the API: no decision and no client depends on the text."""

    # Gates of an attempt, in the order of their phases.
    ORDERING_NOT_MET = "ordering-not-met"
    DEPENDENCY_NOT_READY = "dependency-not-ready"
    APPROVAL_MISSING = "approval-missing"
    APPROVAL_REJECTED = "approval-rejected"
    CALENDAR_CLOSED = "calendar-closed"
    CADENCE_CLOSED = "cadence-closed"
    CHECK_PENDING = "check-pending"
    """It has no result that counts yet, or could not run."""
    CHECK_FAILING = "check-failing"
    CHECK_WINDOW = "check-window"
    """It passes, but not for its whole window yet."""
    CHECK_STALE = "check-stale"
    SET_NOT_READY = "set-not-ready"
    SET_FAILED = "set-failed"
    """Another member of its set failed."""
    ADMISSION_PENDING = "admission-pending"
    LEASE_TAKEN = "lease-taken"
    BUDGET_USED = "budget-used"
    WAVE_NOT_OPEN = "wave-not-open"
    WAVE_STOPPED = "wave-stopped"
    TASK_PENDING = "task-pending"
    """It starts once everything else in its phase holds."""
    TASK_QUEUED = "task-queued"
    """It is about to start, or starts after another task."""
    TASK_RUNNING = "task-running"
    TASK_RETRYING = "task-retrying"
    TASK_FAILED = "task-failed"
    TASK_UNKNOWN = "task-unknown"
    """Its end was not observed, and it must not run twice."""

    # Orders of people, and what is under way.
    FROZEN = "frozen"
    PAUSED = "paused"
    HELD = "held"
    OBSERVED_ONLY = "observed-only"
    ROLLOUT_IN_PROGRESS = "rollout-in-progress"

    # Why nothing is a candidate.
    NOTHING_RELEASED = "nothing-released"
    NOT_SENT_HERE = "not-sent-here"
    NOT_ACCEPTED = "not-accepted"
    RELEASE_NOT_TAKEN = "release-not-taken"
    VETOED = "vetoed"
    VERSION_BAD = "version-bad"
    CONFIGURATION_NOT_TAKEN = "configuration-not-taken"
    TRAIN_STOPPED = "train-stopped"
    PINNED = "pinned"
    MIRROR_NOT_READY = "mirror-not-ready"

    # The rollout, and what runs.
    APPLY_IN_PROGRESS = "apply-in-progress"
    APPLY_FAILED = "apply-failed"
    NOT_HEALTHY_YET = "not-healthy-yet"
    ROLLING_BACK = "rolling-back"
    ROLLBACK_FAILED = "rollback-failed"
    ROLLOUT_FAILED = "rollout-failed"
    RUNTIME_UNREACHABLE = "runtime-unreachable"
    BREAKER_OPEN = "breaker-open"
    DRIFTED = "drifted"
    UNHEALTHY = "unhealthy"

    # The instance itself.
    NOT_CONFIGURED = "not-configured"
    REMOVED = "removed"
    ADOPTION_PENDING = "adoption-pending"
    ADOPTION_FAILED = "adoption-failed"
    ENGINE_PROBLEM = "engine-problem"


class Cause(NamedTuple):
    """Why an attempt failed, as data: history keeps it beside the sentence."""

    code: Code | None = None
    """None: a person's act."""
    gate: str = ""


class Reason(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One thing that is waited for, or that went wrong."""

    code: Code
    text: str
    """A sentence for people, without the names of the instance and the phase."""
    phase: str = ""
    gate: str = ""
    """The gate's name, for ``skip``; empty: nothing that could be skipped."""
    subject: str = ""
    """The entity it is about: an attachment, a topic, another instance."""
    since: Instant = 0
    until: Instant | None = None
    """When the engine looks again without an event."""
    awaits: str = ""
    """The event that is waited for."""
    unblock: str = ""
    """What a person could do."""
    failed: bool = False
    """It ends the attempt, or ended it."""
    stuck: bool = False
    """A check has had no decisive result for long, and nothing will end that (§10.4): shown first."""
    person: bool = False
    """Only a person's act clears it, and no person ordered it on purpose."""

    @property
    def cause(self) -> Cause:
        """What history keeps of it when it ends an attempt."""
        return Cause(self.code, self.gate)
