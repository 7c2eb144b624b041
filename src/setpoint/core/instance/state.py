"""What an instance remembers. Releases are known by their numbers, specs by their digests; the texts of people stay short."""

from __future__ import annotations

from bisect import bisect_left
from enum import StrEnum
from functools import cached_property

import msgspec

from setpoint.core.facts import (
    Failed,
    Finalization,
    InstanceStatus,
    LineStatus,
    MemberResult,
    Need,
    Part,
    Revoked,
    ScopeStatus,
    SetStatus,
    SetVote,
    TargetChange,
    TaskStatus,
    TopicStatus,
)
from setpoint.core.wall import Wall
from setpoint.model.checks import Outcome
from setpoint.model.people import By
from setpoint.model.policy import Phase, Policy
from setpoint.model.reasons import Reason
from setpoint.model.release import Configuration, Offer, Pair
from setpoint.model.spec import Version
from setpoint.model.time import Duration, Instant

PUBLISHED = 16
"""So many finalizations are published and held in the part of the state that is written at every turn."""
KEPT_GOODS = 5
"""So many former good versions are kept to go back to, each in at most ``KEPT_PAIRS`` configurations (§10.1)."""
KEPT_PAIRS = 2


class Kind(StrEnum):
    """Why an attempt was made."""

    FORWARD = "forward"
    PIN = "pin"
    MIRROR = "mirror"
    BACK = "rollback"


class Vetoed(StrEnum):
    """What a veto covers (§10.1: vetoed is what changed)."""

    VERSION = "version"
    """The version, in every configuration."""
    PAIR = "pair"
    """One version in one configuration."""
    CONFIGURATION = "configuration"
    """One configuration release, with every version."""


class CheckProgress(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What an attempt knows about one check in its present phase."""

    attachment: str
    request_id: int
    """Id of the last request; a reply to an earlier one does not count."""
    requested_at: Instant
    run: int = 0
    """First run that counts; 0: not assigned yet."""
    failures_before: int = 0
    """The total of failing results before those that count for ``tolerate``."""
    seen: int = 0
    """Run of the result below; it counts only from ``run`` on."""
    outcome: Outcome | None = None
    reason: str = ""
    ended: Instant = 0
    covered: Instant = 0
    answered: Instant = 0
    failures_total: int = 0
    since: Instant = 0
    """Since when the outcome has been what it is."""
    first: Instant = 0
    """End of the first result that counted, before deployment since a window failed: windows begin there."""

    doubted: Instant = 0
    """Since when results have been undecided; 0: the last one decided, or there is none."""
    undecided: Duration = 0
    """With ``failAfter``: time without a decisive result, as far as the engine looked."""
    counted: Instant = 0
    """Up to when that was added up; 0: the last result decided, or nothing was added yet."""

    @property
    def decisive(self) -> bool:
        """Whether a result that counts passed or failed (§10.4)."""
        return self.counts and self.outcome in {Outcome.PASSING, Outcome.BLOCKING}

    @property
    def counts(self) -> bool:
        """Whether there is a result of a run that started after the gate did."""
        return 0 < self.run <= self.seen

    @property
    def failures(self) -> int:
        """How many of the results that count have failed, whatever came after them (§10.2)."""
        return self.failures_total - self.failures_before if self.first else 0


class Admission(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What an attempt requested of admission, and the reply."""

    request_id: int
    needs: tuple[Need, ...]
    requested_at: Instant
    granted: bool = False
    returned: bool = False
    """Returned, and not requested again yet: a reply to this request does not count, but its place in the queue is kept."""
    number: int = 0
    """Of the last ``Queued``."""
    reasons: tuple[Reason, ...] = ()


class TaskClaim(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Claim of an attempt on the run of a task, which it shares from then on."""

    at: Instant
    seen: int
    """Number of the last status that it had seen then: only later ones count for it."""
    blind: bool = False
    """It had seen none, and does not know yet that the run goes on: the first status may be an old failure."""


class Barrier(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Tasks that cannot be undone were started: nothing goes back past what they belong to automatically."""

    release: int
    """Newest version release of which one was started."""
    task: str
    """The last one."""
    configured: int = 0
    """Newest configuration of which one was started."""

    def bars(self, pair: Pair) -> bool:
        """Whether going back to this pair would pass one of them."""
        return pair.release < self.release or pair.configured < self.configured


class Attempt(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One try to bring this instance to one release."""

    number: int
    release: int
    kind: Kind
    phase: Phase
    began: Instant
    entered: Instant
    """When the present phase was entered."""
    gates: dict[str, CheckProgress] = {}
    """Check's name -> what is known, in the present phase only."""
    change: int = 0
    """On a mirroring channel: the mirrored change that this attempt follows."""
    tasks: dict[str, TaskClaim] = {}
    """Entity of a run -> how it came to it; in every phase so far."""
    admission: Admission | None = None
    committed: bool = False
    """A task before deployment was started: the attempt counts as under way, and leases are not given back."""
    added: tuple[str, ...] = ()
    """Orderings that the configuration got since then: they do not hold what is committed (§10.14)."""
    configured: int = 0
    """See ``Pair``."""

    @property
    def pair(self) -> Pair:
        """The version release and the configuration that it brings."""
        return Pair(self.release, self.configured)

    @property
    def granted(self) -> bool:
        """Whether admission's last reply to this attempt was yes."""
        return self.admission is not None and self.admission.granted


class Rollout(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The attempt whose version is target (or was, while it goes back), until it ends."""

    attempt: Attempt
    to: Pair
    """What target stands for now: the attempt's pair, or the one it goes back to."""
    began: Instant
    offset: Duration = 0
    """Of the wall clock when it began: the cadence's slot that it used lies there (§10.17)."""
    back: bool = False
    by_hand: bool = False
    failure: str = ""
    """Why it goes back."""
    stuck: str = ""
    """``rollback-failed``, and why."""
    progress: int = 0
    """Most healthy objects seen at the version."""
    idle: Duration = 0
    """Observed time since the last progress."""
    sick: Duration = 0
    """Observed time of being unhealthy in post-deployment."""
    passed: bool = False
    """It reported to its set that it passed: from then on only the set ends it, or a person."""
    doubt: str = ""
    """Why it failed after that."""
    lease: int = 0
    """Id of the request whose leases are held; 0: none, or returned."""


class Current(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """*Current*: the last look, in short."""

    look: int
    watch: int
    at: Instant
    versions: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    """Of active objects, each once, sorted."""
    present: int = 0
    """Objects of any kind, active or not."""
    total: int = 0
    """Active objects."""
    healthy: int = 0
    unknown: int = 0
    """Active objects whose health is not known yet."""
    fresh: int = 0
    """Healthy objects at target's spec."""
    complete: bool = False
    difference: str = ""
    message: str = ""
    unreachable: str = ""
    """Why the runtime is unreachable; everything else is then as it was before."""


class Applying(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What is done to the runtime."""

    count: int = 0
    """Applies so far: the last one's number."""
    operation: str = ""
    """The one in flight; empty: none."""
    spec: str = ""
    """What was applied last (in flight or taken on); empty since target moved: it must be applied again."""
    taken: Instant = 0
    """When the last one was taken on; 0: it was not."""
    watch: int = 0
    """The last ``Watch`` given."""
    judges: int = 0
    """Observations under watches lower than this started before the last apply ended, and judge nothing."""
    every: Duration = 0
    """Interval of the last watch; 0: none."""
    look_requested: bool = False
    """An observation was requested that has not arrived yet."""
    errors: int = 0
    error: str = ""
    terminal: bool = False
    """The last apply failed in a way that trying again cannot help."""
    retry_at: Instant = 0


class Breaker(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """How often the same difference was healed in a row."""

    difference: str
    count: int
    since: Instant
    tripped: bool = False
    away: Instant = 0
    """Since when it has not been seen; 0: it was seen last."""


class Veto(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What automation does not select here again until a person lifts it."""

    release: int
    """The version release; of a vetoed configuration release, that."""
    version: Version
    reason: str
    at: Instant
    configured: int = 0
    """Of a pair."""
    scope: Vetoed = Vetoed.VERSION
    rejected: bool = False
    """A person rejected it before it started here."""
    configures: int = 0
    """Of a pair: the configuration release that brought the configuration; a person retries that."""

    @property
    def pair(self) -> Pair:
        """The pair that failed."""
        return Pair(self.release, self.configured)


class Reconfiguration(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A configuration release that may still be taken here."""

    configuration: Configuration
    parts: dict[int, Part] = {}
    """Version release -> that version in this configuration, until the version release itself arrives."""
    lacking: dict[int, str] = {}
    """Version release -> why it cannot come with this configuration."""


class Failure(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A rollout that failed and was not rolled back: nothing more is applied until a person or a newer release acts."""

    release: int
    reason: str
    why_not: str
    at: Instant


class Skip(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A person's word that one gate (or ``*``) of one release does not count here."""

    release: int
    gate: str
    by: By
    at: Instant
    until: Instant = 0
    """When it ends; 0: with its release."""


class Hold(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """Automation keeps off."""

    by: By
    at: Instant
    until: Instant = 0
    """When it ends; 0: only when it is withdrawn."""


class Adopting(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A person's word on what runs already, until a look has shown it; or why it has not."""

    pair: Pair
    at: Instant
    watch: int
    """The first watch whose looks compare with it."""
    failed: str = ""


class Life(msgspec.Struct, frozen=True, omit_defaults=True, dict=True):
    """What changes from turn to turn. Its parts are replaced, never changed: what follows from it is computed once."""

    attempts: int = 0
    last_request_id: int = 0
    offers: tuple[Offer, ...] = ()
    """Ascending by pair; those that may still be wanted, or that hold a spec to go back to."""
    configurations: tuple[Reconfiguration, ...] = ()
    """Ascending; configuration releases that may still be wanted."""
    frontier: int = 0
    """Newest version release that automatic selection has started here."""
    configuration_frontier: int = 0
    """Newest configuration (``Pair.configured``) that automatic selection has started here."""
    target: Pair = Pair()
    """``Pair()``: none, and nothing is applied or removed."""
    goods: tuple[Pair, ...] = ()
    """*Good* and what was good before it, newest last."""
    ran: dict[str, str] = {}
    """Task -> digest of the definition with which it succeeded for the version of *good* (§10.1: not repeated for it)."""
    change: int = 0
    """Counts changes of *good*."""
    current: Current | None = None
    candidate: Attempt | None = None
    rollout: Rollout | None = None
    applying: Applying = Applying()
    breaker: Breaker | None = None
    failure: Failure | None = None
    pin: int = 0
    pinned_by: By | None = None
    pinned_at: Instant = 0
    pinned_until: Instant = 0
    """When the pin ends; 0: only when it is withdrawn."""
    hold: Hold | None = None
    observing: Hold | None = None
    down: Hold | None = None
    """What is left of an instance that is no longer configured is to be taken down."""
    adopting: Adopting | None = None
    line: LineStatus | None = None
    """What the application's line published last, as far as it concerns the offers kept here."""
    scopes: dict[str, ScopeStatus] = {}
    """What the scopes above published last, if ever."""
    tainted: tuple[int, ...] = ()
    """Releases among the offers kept here whose version is marked bad."""
    vetoes: tuple[Veto, ...] = ()
    skips: tuple[Skip, ...] = ()
    topics: dict[str, TopicStatus] = {}
    used: dict[str, int] = {}
    """Topic -> number of its status whose approvals are used up by a failed attempt."""
    upstream: dict[str, InstanceStatus] = {}
    """What those that it is ordered after, or mirrors, published last; their finalizations are of releases still open here."""
    finalized: tuple[Finalization, ...] = ()
    revoked: tuple[Revoked, ...] = ()
    rolled_back: tuple[Failed, ...] = ()
    abstains: tuple[int, ...] = ()
    """Recent configuration releases in which this instance takes no part."""
    declined: dict[int, str] = {}
    """Recent releases that are not taken here -> why."""
    configured: int = 0
    """Revision of the configuration that was received last."""
    published: int = 0
    target_change: TargetChange | None = None
    """The last move of target, kept only where an invariant watches."""
    wall: Wall = Wall()
    """Calendars and expiries go by it."""
    slot: tuple[int, int] = (0, 0)
    """Cadence: start of the last occurrence used, and how many releases it admitted."""
    signals: tuple[str, ...] = ()
    """Identities of the most recent acts of people: one delivered again is dropped."""
    joined: dict[str, SetVote | None] = {}
    """Sets that this instance is a member of -> its last vote, without its number; None: it has not voted yet."""
    sets: dict[str, SetStatus] = {}
    """What the sets of the offers kept here published last."""
    tasks: dict[str, TaskStatus] = {}
    """Entity of a run that may matter here -> what it published last."""
    abandoned_tasks: dict[str, int] = {}
    """Runs that ended attempts came to and that may be under way -> ``TaskClaim.seen``. They end before anything new starts."""
    irreversible: Barrier | None = None
    votes: int = 0
    """Number of the last vote given to a set or to admission."""
    voted: dict[str, MemberResult] = {}
    """Group and release -> the last result reported."""

    @cached_property
    def good(self) -> Pair:
        """*Good*: the newest finalized pair whose version is not marked bad; ``Pair()``: none."""
        return next((good for good in reversed(self.goods) if good.release not in self.tainted), NOTHING)

    @cached_property
    def good_offer(self) -> Offer | None:
        """The offer of *good*, which is kept."""
        return offer_of(self, self.good)

    @cached_property
    def in_waves(self) -> dict[int, tuple[str, list[Offer]]]:
        """Releases that go through the waves of a group -> that group, and the pairs that bring them."""
        found: dict[int, tuple[str, list[Offer]]] = {}
        for offer in self.offers:
            configuration = offer.configuration
            if offer.waves:
                found.setdefault(offer.release, (offer.waves, []))[1].append(offer)
            if configuration is not None and configuration.waves:
                found.setdefault(configuration.release, (configuration.waves, []))[1].append(offer)
        for one in self.configurations:
            if one.configuration.waves:
                found.setdefault(one.configuration.release, (one.configuration.waves, []))
        return found

    @property
    def needs_admission(self) -> bool:
        """Whether something was requested of admission that is not used up or returned yet."""
        requested = self.candidate is not None and self.candidate.admission is not None
        return requested or (self.rollout is not None and self.rollout.lease > 0)


NOTHING = Pair()


class InstanceState(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """``policy`` and ``archive`` change seldom and are stored apart from ``life``."""

    policy: Policy | None = None
    removed: bool = False
    archive: tuple[Finalization, ...] = ()
    """Finalizations older than those in ``life``, oldest first."""
    life: Life = Life()


def offer_of(life: Life, pair: Pair) -> Offer | None:
    """The offer of a pair, if it is still kept."""
    at = bisect_left(life.offers, (pair.release, pair.configured), key=_place)
    found = life.offers[at] if at < len(life.offers) else None
    return found if found and found.release == pair.release and found.configured == pair.configured else None


def own_offer(life: Life, release: int) -> Offer | None:
    """The offer of a version release in its own configuration: the oldest that it may come in."""
    at = bisect_left(life.offers, (release, 0), key=_place)
    found = life.offers[at] if at < len(life.offers) else None
    return found if found and found.release == release and found.configuration is None else None


def _place(offer: Offer) -> tuple[int, int]:
    return offer.release, offer.configured


def version_offer(life: Life, release: int) -> Offer | None:
    """The offer of a version release in its newest configuration, if any is still kept."""
    return next((offer for offer in reversed(life.offers) if offer.release == release), None)


def offer_for(life: Life, release: int) -> Offer | None:
    """What a release means here: its version in the newest configuration; of a configuration release, *good* in it."""
    reconfiguration = next((one for one in life.configurations if one.configuration.release == release), None)
    if reconfiguration is None:
        attempts = (life.candidate, life.rollout.attempt if life.rollout else None)
        pair = next((attempt.pair for attempt in attempts if attempt and attempt.release == release), NOTHING)
        return offer_of(life, pair) or version_offer(life, release)
    return offer_of(life, Pair(life.good.release, reconfiguration.configuration.configured))


def matches_spec(seen: Current | None, spec: str) -> bool:
    """Whether the runtime shows just this spec: every object healthy, one active version, no difference."""
    return (
        seen is not None
        and not seen.unreachable
        and seen.complete
        and not seen.difference
        and seen.healthy == seen.total
        and seen.digests in {(spec,), ()}
    )


def is_conclusive(life: Life) -> bool:
    """Whether the last look started after target's last apply ended, so that it may judge it."""
    applying, seen = life.applying, life.current
    if seen is None or applying.operation or not applying.taken or not applying.spec:
        return False
    return seen.watch >= applying.judges
