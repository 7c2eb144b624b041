"""Facts: everything that can happen to an actor. Each is stamped (``at``) by its maker; a turn's ``now`` is its newest stamp.

Facts may come twice, late and out of order: the numbers they carry decide what still counts, never the stamps.
"""

from __future__ import annotations

import msgspec

from setpoint.model.checks import CheckDefinition, CheckResult, Outcome
from setpoint.model.observation import Observation
from setpoint.model.people import By, Person
from setpoint.model.policy import Policy
from setpoint.model.release import Offer, Release
from setpoint.model.spec import Scalar, Version
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


AnyFact = (
    Woken | Configured | Removed | Offered | Neighbour | AskFinalized | ToldFinalized | From | CheckStatus | TopicStatus
    | Applied | Observed | Unobserved | Skipped | Pinned | Unpinned | Held | Resumed | RolledBack | Retried
    | Ask | CheckFinished | CheckUnwanted | Voted | ReleaseRequested
    | Observing | Healing | Marked | Cancelled | Stopped | Started | Paused | Unpaused | ScopeStatus | LineStatus
)  # fmt: skip
"""The union by which facts are decoded."""
