"""Facts: everything that can happen to an actor. Each is stamped (``at``) by its maker; a turn's ``now`` is its newest stamp.

Facts may come twice, late and out of order: the numbers they carry decide what still counts, never the stamps.

A file per conversation:

``base``        What every fact and every act of a person has.
``instances``   What instances receive from the configuration, from releases, from their runtimes and from each other.
``checks``      What passes between gates and attachments.
``people``      Acts of people on instances, scopes and topics; what scopes and topics publish.
``lines``       What a line is asked for and told, and what it publishes.
``tasks``       What passes between attempts and the runs of their tasks.
``admission``   What passes between attempts and admission: leases, waves, budgets.
``sets``        What passes between a set and its members.
``invariants``  What an invariant of the user's own is told, and publishes.
"""

from __future__ import annotations

from setpoint.core.facts.admission import (
    AskAdmission,
    Began,
    Ended,
    Granted,
    LimitsConfigured,
    MemberResult,
    Need,
    Queued,
    Returned,
    Rostered,
    WavesResumed,
    WaveVote,
)
from setpoint.core.facts.base import Fact, Order, Signal, Standing, Woken
from setpoint.core.facts.checks import Ask, CheckFinished, CheckStatus, CheckUnwanted, From
from setpoint.core.facts.instances import (
    Applied,
    AskFinalized,
    Configured,
    Failed,
    Finalization,
    Move,
    Neighbour,
    Observed,
    Offered,
    Reconfigured,
    Removed,
    Revoked,
    ToldFinalized,
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
    Woken | Configured | Removed | Offered | Neighbour | AskFinalized | ToldFinalized | From | CheckStatus | TopicStatus
    | Applied | Observed | Unobserved | Skipped | Pinned | Unpinned | Held | Resumed | RolledBack | Retried
    | Reconfigured | ConfigurationRequested
    | Ask | CheckFinished | CheckUnwanted | Voted | ReleaseRequested
    | TaskStatus | Granted | Queued | SetStatus | TaskWanted | TaskLeft | TaskFinished | TaskRetried
    | InvariantConfigured | InvariantStatus
    | LimitsConfigured | AskAdmission | Returned | Began | Ended | Rostered | WaveVote | WavesResumed | SetFormed | SetVote
    | TakenDown | Observing | Healing | Marked | Cancelled | Stopped | Started | Paused | Unpaused | ScopeStatus | LineStatus
)  # fmt: skip
"""The union by which facts are decoded."""

__all__ = [
    "AnyFact",
    "Applied",
    "Ask",
    "AskAdmission",
    "AskFinalized",
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
    "From",
    "Granted",
    "Healing",
    "Held",
    "InvariantConfigured",
    "InvariantStatus",
    "LimitsConfigured",
    "LineStatus",
    "Marked",
    "MemberResult",
    "MemberState",
    "Move",
    "Need",
    "Neighbour",
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
    "Rostered",
    "ScopeStatus",
    "SetFormed",
    "SetStage",
    "SetStatus",
    "SetVote",
    "Signal",
    "Skipped",
    "Standing",
    "Started",
    "Stopped",
    "TakenDown",
    "TaskFinished",
    "TaskLeft",
    "TaskRetried",
    "TaskStatus",
    "TaskWanted",
    "ToldFinalized",
    "TopicStatus",
    "Unobserved",
    "Unpaused",
    "Unpinned",
    "Violation",
    "Vote",
    "Voted",
    "WaveVote",
    "WavesResumed",
    "Woken",
]
