"""Facts: everything that can happen to an actor. Each is stamped (``at``) by its maker; a turn's ``now`` is its newest stamp.

Facts may come twice, late and out of order: the numbers they carry decide what still counts, never the stamps.

A file per conversation:

``base``        What every fact and every act of a person has.
``instances``   What instances receive from the configuration, from releases, from their runtimes and from each other.
``checks``      What passes between gates and attachments.
``people``      Acts of people on instances, scopes and topics; what scopes and topics publish.
``lines``       What a line receives and publishes.
``tasks``       What passes between attempts and the runs of their tasks.
``admission``   What passes between attempts and admission: leases, waves, budgets.
``sets``        What passes between a set and its members.
``invariants``  What an invariant of the user's own receives and publishes.
"""

from __future__ import annotations

from setpoint.core.facts.admission import (
    AdmissionRequested,
    Began,
    Ended,
    Granted,
    LimitsConfigured,
    MemberResult,
    Need,
    Queued,
    Returned,
    WaveMembersNamed,
    WavesResumed,
    WaveVote,
)
from setpoint.core.facts.base import Fact, Order, Signal, StandingOrder, Woken
from setpoint.core.facts.checks import CheckFinished, CheckStatus, CheckUnwanted, RunAssigned, RunRequested
from setpoint.core.facts.instances import (
    Applied,
    Configured,
    Failed,
    Finalization,
    FinalizationReported,
    FinalizationRequested,
    InstanceStatus,
    Observed,
    Offered,
    Reconfigured,
    Removed,
    Revoked,
    TargetChange,
    Unobserved,
)
from setpoint.core.facts.invariants import InvariantConfigured, InvariantStatus, Violation
from setpoint.core.facts.lines import Cancelled, ConfigurationRequested, LineStatus, Marked, Part, ReleaseRequested
from setpoint.core.facts.people import (
    Healing,
    Held,
    Observing,
    Paused,
    Pinned,
    Resumed,
    Retried,
    RolledBack,
    ScopeStatus,
    Skipped,
    Started,
    Stopped,
    TakenDown,
    TopicStatus,
    Unpaused,
    Unpinned,
    Vote,
    Voted,
)
from setpoint.core.facts.sets import MemberState, SetFormed, SetStage, SetStatus, SetVote
from setpoint.core.facts.tasks import TaskFinished, TaskLeft, TaskRetried, TaskStatus, TaskWanted

AnyFact = (
    Woken | Configured | Removed | Offered | InstanceStatus | FinalizationRequested | FinalizationReported | RunAssigned
    | CheckStatus | TopicStatus
    | Applied | Observed | Unobserved | Skipped | Pinned | Unpinned | Held | Resumed | RolledBack | Retried
    | Reconfigured | ConfigurationRequested
    | RunRequested | CheckFinished | CheckUnwanted | Voted | ReleaseRequested
    | TaskStatus | Granted | Queued | SetStatus | TaskWanted | TaskLeft | TaskFinished | TaskRetried
    | InvariantConfigured | InvariantStatus
    | LimitsConfigured | AdmissionRequested | Returned | Began | Ended | WaveMembersNamed | WaveVote | WavesResumed
    | SetFormed | SetVote
    | TakenDown | Observing | Healing | Marked | Cancelled | Stopped | Started | Paused | Unpaused | ScopeStatus | LineStatus
)  # fmt: skip
"""The union by which facts are decoded."""

__all__ = [
    "AdmissionRequested",
    "AnyFact",
    "Applied",
    "Began",
    "Cancelled",
    "CheckFinished",
    "CheckStatus",
    "CheckUnwanted",
    "ConfigurationRequested",
    "Configured",
    "Ended",
    "Fact",
    "Failed",
    "Finalization",
    "FinalizationReported",
    "FinalizationRequested",
    "Granted",
    "Healing",
    "Held",
    "InstanceStatus",
    "InvariantConfigured",
    "InvariantStatus",
    "LimitsConfigured",
    "LineStatus",
    "Marked",
    "MemberResult",
    "MemberState",
    "Need",
    "Observed",
    "Observing",
    "Offered",
    "Order",
    "Part",
    "Paused",
    "Pinned",
    "Queued",
    "Reconfigured",
    "ReleaseRequested",
    "Removed",
    "Resumed",
    "Retried",
    "Returned",
    "Revoked",
    "RolledBack",
    "RunAssigned",
    "RunRequested",
    "ScopeStatus",
    "SetFormed",
    "SetStage",
    "SetStatus",
    "SetVote",
    "Signal",
    "Skipped",
    "StandingOrder",
    "Started",
    "Stopped",
    "TakenDown",
    "TargetChange",
    "TaskFinished",
    "TaskLeft",
    "TaskRetried",
    "TaskStatus",
    "TaskWanted",
    "TopicStatus",
    "Unobserved",
    "Unpaused",
    "Unpinned",
    "Violation",
    "Vote",
    "Voted",
    "WaveMembersNamed",
    "WaveVote",
    "WavesResumed",
    "Woken",
]
