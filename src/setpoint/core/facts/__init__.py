"""Facts: everything that can happen to an actor. Each is stamped (``at``) by its maker; a turn's ``now`` is its newest stamp.

Facts may come twice, late and out of order: the numbers they carry decide what still counts, never the stamps.

A file per conversation:

``base``        What every fact and every act of a person has.
``instances``   What instances are told by the configuration and by releases, and what they tell each other.
``runtimes``    What comes back from a runtime: ends of applies, and looks.
``checks``      What passes between gates and attachments.
``votes``       What people say to a topic, and what it publishes.
``people``      A person's act on one instance.
``scopes``      A person's act on everything below a scope, and what the scope publishes.
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
    AskFinalized,
    Configured,
    Failed,
    Finalization,
    Move,
    Neighbour,
    Offered,
    Reconfigured,
    Removed,
    Revoked,
    ToldFinalized,
)
from setpoint.core.facts.invariants import InvariantConfigured, InvariantStatus, Violation
from setpoint.core.facts.lines import Cancelled, ConfigurationRequested, LineStatus, Marked, Part, ReleaseRequested
from setpoint.core.facts.people import (
    Healing,
    Held,
    Observing,
    Pinned,
    Resumed,
    Retried,
    RolledBack,
    Skipped,
    TakenDown,
    Unpinned,
)
from setpoint.core.facts.runtimes import Applied, Observed, Unobserved
from setpoint.core.facts.scopes import Paused, ScopeStatus, Started, Stopped, Unpaused
from setpoint.core.facts.sets import MemberState, SetFormed, SetStage, SetStatus, SetVote
from setpoint.core.facts.tasks import TaskFinished, TaskLeft, TaskRetried, TaskStatus, TaskWanted
from setpoint.core.facts.votes import TopicStatus, Vote, Voted

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
