"""Facts: everything that can happen to an actor. Each is stamped (``at``) by its maker; a turn's ``now`` is its newest stamp.

Facts may come twice, late and out of order: the numbers they carry decide what still counts, never the stamps.
"""

from __future__ import annotations

import msgspec

from setpoint.model.checks import CheckDefinition, CheckResult, Outcome
from setpoint.model.invariants import Invariant
from setpoint.model.observation import Observation
from setpoint.model.people import By, Person
from setpoint.model.policy import GroupWaves, Policy
from setpoint.model.reasons import Reason
from setpoint.model.release import Offer, Release
from setpoint.model.spec import Scalar, Version
from setpoint.model.tasks import TaskDefinition, TaskResult, TaskStage
from setpoint.model.time import Duration, Instant


class Fact(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, kw_only=True, tag=True):
    """What happened, and when."""

    at: Instant = 0


class Woken(Fact, frozen=True, gc=False):
    """The time asked for with ``wake_at`` has come."""


# --- to an instance ---------------------------------------------------------------------------------------------------


class Configured(Fact, frozen=True, gc=False):
    """The policy of an instance, new or changed. It counts at once for every gate not yet left behind."""

    policy: Policy
    number: int = 0
    """Revision of the configuration: one lower than the last one told is dropped."""


class Removed(Fact, frozen=True, gc=False):
    """The instance left the configuration: candidates end, a rollout ends, what runs is orphaned."""

    number: int = 0
    """As in ``Configured``."""
    down: bool = False
    """What runs shall be taken down then: the configuration asked for it, and it was shown and confirmed."""


class Offered(Fact, frozen=True, gc=False):
    """A release that names this instance (or, on a mirroring channel, one that its mirrored channel may take)."""

    offer: Offer


class Neighbour(Fact, frozen=True, gc=False):
    """What an instance publishes: to those ordered after it and those mirroring it. Whole and numbered."""

    instance: str
    number: int
    good: int = 0
    """Release number of *good*; 0: none."""
    version: Version | None = None
    """Version of *good*."""
    change: int = 0
    """Counts changes of *good*, back as well as forth."""
    finalized: tuple[Finalization, ...] = ()
    """The most recent finalizations, oldest first."""
    truncated: bool = False
    """There are older ones: ask for them by ``AskFinalized``."""
    revoked: tuple[Version, ...] = ()
    """Versions rolled back from by hand since they were finalized."""
    rolled_back: tuple[int, ...] = ()
    """Recent releases that failed or were rolled back here, for reasons downstream."""
    frontier: int = 0
    """As it was when *good* changed last: releases before it that are not finalized here were passed over."""
    declined: dict[int, str] = {}
    """Recent releases that this instance does not take (pinned, held, not accepted …) -> why."""
    moving: bool = False
    """A rollout is in its deployment, or goes back. Told, as ``move`` is, only where an invariant watches."""
    move: Move | None = None


class Move(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The last move of target, as far as an invariant asks for it."""

    release: int
    version: Version
    at: Instant = 0
    """0: it was made before anybody watched, so that neither when nor with whose approval is known."""
    labels: dict[str, str] = {}
    """The facts of the attempt, as ``when`` sees them."""
    approvals: dict[str, int] = {}
    """Topic -> how many approvals counted."""
    back: bool = False
    """A rollback, which no gate before deployment holds up."""


class Finalization(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """An attempt ended ``converged``."""

    version: Version
    release: int
    at: Instant


class AskFinalized(Fact, frozen=True, gc=False):
    """From one ordered after: has this version ever been finalized here?"""

    asker: str
    version: Version


class ToldFinalized(Fact, frozen=True, gc=False):
    """The answer, only ever given when it is yes."""

    instance: str
    finalization: Finalization


class From(Fact, frozen=True, gc=False):
    """An attachment's answer to ``Ask``: results of this run and later ones started after the asking."""

    attachment: str
    ask: int
    """Number of the asking that is answered."""
    run: int
    nos: int = 0
    """How many results had said no before that run."""


class CheckStatus(Fact, frozen=True, gc=False):
    """What an attachment publishes: its last finished run. Only changes are published, and what somebody asked for."""

    attachment: str
    run: int
    outcome: Outcome
    reason: str
    ended: Instant
    covered: Instant = 0
    """Since when fresh passes have followed each other without a gap; 0: the last result is no pass."""
    answered: Instant = 0
    """Since when fresh results, passing or blocking, have followed each other without a gap; 0: the last run had no result."""
    nos: int = 0
    """How many results have said no, ever."""


class TopicStatus(Fact, frozen=True, gc=False):
    """What a topic publishes: every yes and no so far, in the order in which they came."""

    topic: str
    number: int
    votes: tuple[Vote, ...] = ()


class Vote(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One person's yes or no."""

    person: Person
    yes: bool
    at: Instant
    why: str = ""


class Applied(Fact, frozen=True, gc=False):
    """An apply ended: taken on by the runtime, or not."""

    operation: str
    error: str = ""
    """One sentence; empty: it was taken on."""
    terminal: bool = False
    """Trying again cannot help."""


class Observed(Fact, frozen=True, gc=False):
    """A look at the runtime. Posted for the first look that began after a ``Watch`` was given, then when something changed."""

    watch: int
    """Number of the ``Watch`` under which the look started."""
    look: int
    """Rises with every look at this instance, over restarts of the engine too."""
    observation: Observation
    gap: Duration = 0
    """Observed time since the last ``Observed`` or ``Unobserved`` posted for this instance: gaps between successful looks, each
    counted at most twice the polling interval; 0 for the first look after a start."""


class Unobserved(Fact, frozen=True, gc=False):
    """A look failed: the runtime cannot be reached. Posted once, when it begins."""

    watch: int
    look: int
    message: str
    gap: Duration = 0


class TaskStatus(Fact, frozen=True, gc=False):
    """What a task-run publishes. Whole and numbered."""

    task: str
    """Entity of the run."""
    number: int
    state: TaskStage
    tries: int = 0
    """How many were started, ever."""
    most: int = 0
    """How many there are, as long as no person lets it be tried again."""
    reason: str = ""
    """How the last try ended, if one did."""
    since: Instant = 0
    """When the last try began or ended."""
    retry_at: Instant = 0
    irreversible: bool = False
    """It was started, and cannot be undone."""


class Granted(Fact, frozen=True, gc=False):
    """Admission's yes to everything that was asked for under this number, in one turn."""

    ask: int


class Queued(Fact, frozen=True, gc=False):
    """Admission's not yet, and why; told again when it changes."""

    ask: int
    number: int
    """Rises with each telling."""
    reasons: tuple[Reason, ...] = ()


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


# --- signals: a person's act on one instance ---------------------------------------------------------------------------


class Signal(Fact, frozen=True, gc=False, kw_only=True):
    """Always with who and why."""

    by: By
    id: str = ""
    """Identity of the act: the same one twice is one. Empty: not checked."""


class Skipped(Signal, frozen=True, gc=False, kw_only=True):
    """One gate of one attempt shall not count; ``*`` means all gates before deployment."""

    release: int
    gate: str


class Pinned(Signal, frozen=True, gc=False, kw_only=True):
    """Exactly this version, until unpinned."""

    offer: Offer


class Unpinned(Signal, frozen=True, gc=False, kw_only=True):
    """Selection decides again."""


class Held(Signal, frozen=True, gc=False, kw_only=True):
    """Automation keeps off."""


class Resumed(Signal, frozen=True, gc=False, kw_only=True):
    """A hold ends, a tripped breaker is reset."""


class RolledBack(Signal, frozen=True, gc=False, kw_only=True):
    """Go back: to ``offer``, or to *good* (while a rollout is under way), or to the good version before it. Implies a hold."""

    offer: Offer | None = None


class Retried(Signal, frozen=True, gc=False, kw_only=True):
    """Vetoes of this release (0: of the newest vetoed one) are lifted here; a failed rollout may be tried once more."""

    release: int = 0
    succeeded: bool = False
    """Of its tasks that failed, or whose end nobody saw: it did succeed, says the person."""


class TakenDown(Signal, frozen=True, gc=False, kw_only=True):
    """Take down what is left of an instance that is no longer configured."""


class Observing(Signal, frozen=True, gc=False, kw_only=True):
    """Look, never touch: no apply at all until ``Healing``."""


class Healing(Signal, frozen=True, gc=False, kw_only=True):
    """Observing ends."""


# --- to a line or a scope: a person's act on many ----------------------------------------------------------------------


class Marked(Signal, frozen=True, gc=False, kw_only=True):
    """A version of a service is bad (every revision of it), or good again, which lifts its vetoes everywhere."""

    service: str
    version: str
    bad: bool


class Cancelled(Signal, frozen=True, gc=False, kw_only=True):
    """A release shall go nowhere any more: its candidates end, its rollouts go back to good."""

    release: int


class Stopped(Signal, frozen=True, gc=False, kw_only=True):
    """Stop the line: no forward start below this scope. Healing and rollbacks go on."""

    in_flight: str = "finish"
    """What is under way finishes, or pauses: ``finish`` or ``pause``."""


class Started(Signal, frozen=True, gc=False, kw_only=True):
    """The line goes on."""


class Paused(Signal, frozen=True, gc=False, kw_only=True):
    """No apply at all below this scope, rollbacks included; deadlines stand still."""


class Unpaused(Signal, frozen=True, gc=False, kw_only=True):
    """Applies go on."""


class Standing(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A person's act that stands until it is withdrawn."""

    by: By
    at: Instant
    in_flight: str = "finish"
    """Of a stop: ``finish`` or ``pause``."""


class ScopeStatus(Fact, frozen=True, gc=False):
    """What a scope publishes."""

    scope: str
    number: int
    stop: Standing | None = None
    pause: Standing | None = None


class LineStatus(Fact, frozen=True, gc=False):
    """What a line publishes: which versions are bad, which were absolved, which releases were cancelled."""

    application: str
    number: int
    bad: dict[str, Standing] = {}
    """``service/version`` -> who said so."""
    absolved: dict[str, Instant] = {}
    """``service/version`` -> when: vetoes of it up to then are lifted."""
    cancelled: dict[int, Standing] = {}


# --- to an attachment --------------------------------------------------------------------------------------------------


class Ask(Fact, frozen=True, gc=False):
    """A gate waits for a run that starts from now on."""

    asker: str
    ask: int
    definition: CheckDefinition


class CheckFinished(Fact, frozen=True, gc=False):
    """A run ended."""

    operation: str
    result: CheckResult


class CheckUnwanted(Fact, frozen=True, gc=False):
    """A run was not made: nobody waited any more when it was about to start."""

    operation: str


# --- to a topic --------------------------------------------------------------------------------------------------------


class Voted(Fact, frozen=True, gc=False):
    """A person said yes or no to one release at one subject."""

    person: Person
    yes: bool
    why: str = ""


# --- to a line (application) -------------------------------------------------------------------------------------------


class ReleaseRequested(Fact, frozen=True, gc=False):
    """Somebody (or a changed configuration) asks for versions in channels; the line gives the number."""

    request: str
    """Identity of the request: the same request twice is one release."""
    release: Release
    """Its number is 0 and is filled in."""
    specs: dict[str, str]
    """Instance -> digest of the spec compiled for it."""
    parameters: dict[str, dict[str, Scalar]] = {}
    """Instance -> every parameter's value there, defaults included; absent: what the release says for the service."""

    after: dict[str, tuple[str, ...]] = {}
    """Instance -> instances of other services in its channel that it comes after."""
    sets: dict[str, tuple[str, ...]] = {}
    """Name of a set, such as ``saas/production`` -> the instances that move as one; the release's number is added to the name."""
    floors: dict[str, str] = {}
    """Instance -> version that it is never rolled back below."""
    waves: dict[str, tuple[str, ...]] = {}
    """``application/group`` that has waves -> the instances that the release names there."""


# --- to a task-run -----------------------------------------------------------------------------------------------------


class TaskWanted(Fact, frozen=True, gc=False):
    """An attempt has come to this task; the first one to come starts it, and one that has failed is told of again.

    It counts only if its asker has seen the run as it is: so one that comes late starts nothing.
    """

    asker: str
    definition: TaskDefinition
    seen: int = 0
    """Number of the last status that the asker has seen; 0: none."""
    retries: int = 3


class TaskLeft(Fact, frozen=True, gc=False):
    """An attempt that came to it has ended: no further try is made until somebody who still wants it says so again."""

    asker: str
    seen: int
    """As in ``TaskWanted``."""


class TaskFinished(Fact, frozen=True, gc=False):
    """A try ended."""

    operation: str
    result: TaskResult


class TaskRetried(Signal, frozen=True, gc=False, kw_only=True):
    """A person lets a task that has failed, or whose end is unknown, be tried again; or says that it did succeed."""

    succeeded: bool = False


# --- to an invariant (document) ------------------------------------------------------------------------------------------


class InvariantConfigured(Fact, frozen=True, gc=False):
    """What must always be so, new or changed; None: the document left the configuration."""

    number: int
    """Revision of the configuration: one lower than the last one told is dropped."""
    invariant: Invariant | None = None


class InvariantStatus(Fact, frozen=True, gc=False):
    """What an invariant publishes: everything that violates it now."""

    invariant: str
    number: int
    violations: tuple[Violation, ...] = ()


class Violation(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One instance (or all of them together) that is not as an invariant wants it."""

    what: str
    """The key of ``require``."""
    text: str
    instance: str = ""
    """Empty: all members together."""
    release: int = 0
    version: str = ""
    since: Instant = 0

    @property
    def key(self) -> str:
        """The same violation has the same key, however its text changes."""
        return f"{self.what}/{self.instance}/{self.release}"


# --- to admission (one of an organization) -------------------------------------------------------------------------------


class LimitsConfigured(Fact, frozen=True, gc=False):
    """The waves of every group that has some."""

    number: int
    groups: dict[str, GroupWaves] = {}
    """``application/group`` -> its waves."""


class Need(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One unit that an attempt needs. A set names a unit as often as members need it."""

    unit: str
    """``lease:runtime:k8s``, ``wave:saas/tenants`` or ``budget:application:shop/office-hours``."""
    limit: int = 0
    """Of a lease or budget."""
    occurrence: Instant = 0
    """Of a budget: start of the window's occurrence."""
    until: Instant = 0
    """Of a budget: when that occurrence ends."""


class AskAdmission(Fact, frozen=True, gc=False):
    """An attempt whose other gates hold asks for everything that it needs. The same ask again is one."""

    asker: str
    ask: int
    attempt: int
    release: int
    needs: tuple[Need, ...]
    members: tuple[str, ...] = ()
    """Of a set, which asks for all of them at once."""


class Returned(Fact, frozen=True, gc=False):
    """Another gate stopped holding, or the attempt ended before it began: the grant goes back, its place in the queue stays."""

    asker: str
    ask: int
    gone: bool = False
    """It is not wanted any more: the place is given up too."""


class Began(Fact, frozen=True, gc=False):
    """Target moved: what was granted is used."""

    asker: str
    ask: int


class Ended(Fact, frozen=True, gc=False):
    """The rollout left deployment, or its rollback ended: leases are free."""

    asker: str
    ask: int


class Rostered(Fact, frozen=True, gc=False):
    """From a line: these instances of a group that has waves are named by a release. Until it says so, none of them begins."""

    group: str
    release: int
    instances: tuple[str, ...]


class WaveVote(Fact, frozen=True, gc=False):
    """How one member instance of a group stands to one release. A lower number than the last one seen is dropped."""

    instance: str
    group: str
    release: int
    number: int
    state: str
    """``waiting``, ``out`` (does not take it), ``begun``, ``finalized`` or ``failed``. Who says nothing is waiting."""


class WavesResumed(Signal, frozen=True, gc=False, kw_only=True):
    """A person lets a release go on that stopped in a group because too many members failed; those are forgiven."""

    group: str
    release: int


# --- to a set ------------------------------------------------------------------------------------------------------------


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
    ``ended`` (finalized, and target), ``vetoed``, ``gone`` (does not take the release now), ``out`` (never will), or ``left``
    (is not configured any more)."""
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


AnyFact = (
    Woken | Configured | Removed | Offered | Neighbour | AskFinalized | ToldFinalized | From | CheckStatus | TopicStatus
    | Applied | Observed | Unobserved | Skipped | Pinned | Unpinned | Held | Resumed | RolledBack | Retried
    | Ask | CheckFinished | CheckUnwanted | Voted | ReleaseRequested
    | TaskStatus | Granted | Queued | SetStatus | TaskWanted | TaskLeft | TaskFinished | TaskRetried
    | InvariantConfigured | InvariantStatus
    | LimitsConfigured | AskAdmission | Returned | Began | Ended | Rostered | WaveVote | WavesResumed | SetFormed | SetVote
    | TakenDown | Observing | Healing | Marked | Cancelled | Stopped | Started | Paused | Unpaused | ScopeStatus | LineStatus
)  # fmt: skip
"""The union by which facts are decoded."""
