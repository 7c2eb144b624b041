"""The working copy of an instance during one turn: parts are replaced, never changed in place."""

from __future__ import annotations

from typing import NamedTuple, TypedDict, Unpack

from msgspec.structs import replace

from setpoint.core.facts import (
    Failed,
    Finalization,
    InstanceStatus,
    LineStatus,
    MemberResult,
    Need,
    Revoked,
    ScopeStatus,
    SetStatus,
    SetVote,
    TargetChange,
    TaskStatus,
    TopicStatus,
)
from setpoint.core.instance.gates.context import Context
from setpoint.core.instance.gates.verdict import Tier, Verdicts, evaluate
from setpoint.core.instance.state import (
    Adopting,
    Applying,
    Attempt,
    Barrier,
    Breaker,
    Current,
    Failure,
    Hold,
    InstanceState,
    Life,
    Reconfiguration,
    Rollout,
    Skip,
    Veto,
    offer_of,
    version_offer,
)
from setpoint.core.instance.transitions import TRANSITIONS, IllegalTransitionError, Stage, Transition, stage_of
from setpoint.core.instructions import AnyInstruction, Event, Record
from setpoint.core.wall import Wall
from setpoint.model.calendars.zones import LATEST
from setpoint.model.names import key_of
from setpoint.model.people import By
from setpoint.model.policy import Policy
from setpoint.model.reasons import Cause
from setpoint.model.release import Offer, Pair
from setpoint.model.time import Duration, Instant

NO_CAUSE = Cause()


class Evaluated(NamedTuple):
    """What gates came to for one attempt as it stood."""

    about: tuple[Tier, Tier | None]
    offer: Offer
    attempt: Attempt
    verdicts: Verdicts

    def is_of(self, offer: Offer, attempt: Attempt) -> bool:
        """Whether it is about these very objects: they are replaced when anything in them changes."""
        return self.offer is offer and self.attempt is attempt


class LifeChanges(TypedDict, total=False):
    """Parts of ``Life`` that a turn replaces."""

    attempts: int
    last_request_id: int
    offers: tuple[Offer, ...]
    configurations: tuple[Reconfiguration, ...]
    frontier: int
    configuration_frontier: int
    target: Pair
    goods: tuple[Pair, ...]
    ran: dict[str, str]
    change: int
    current: Current | None
    candidate: Attempt | None
    rollout: Rollout | None
    applying: Applying
    breaker: Breaker | None
    failure: Failure | None
    pin: int
    pinned_by: By | None
    pinned_at: Instant
    pinned_until: Instant
    hold: Hold | None
    observing: Hold | None
    down: Hold | None
    adopting: Adopting | None
    line: LineStatus | None
    scopes: dict[str, ScopeStatus]
    tainted: tuple[int, ...]
    vetoes: tuple[Veto, ...]
    skips: tuple[Skip, ...]
    topics: dict[str, TopicStatus]
    used: dict[str, int]
    upstream: dict[str, InstanceStatus]
    finalized: tuple[Finalization, ...]
    revoked: tuple[Revoked, ...]
    rolled_back: tuple[Failed, ...]
    abstains: tuple[int, ...]
    declined: dict[int, str]
    configured: int
    published: int
    target_change: TargetChange | None
    wall: Wall
    slot: tuple[int, int]
    signals: tuple[str, ...]
    joined: dict[str, SetVote | None]
    sets: dict[str, SetStatus]
    tasks: dict[str, TaskStatus]
    abandoned_tasks: dict[str, int]
    irreversible: Barrier | None
    votes: int
    voted: dict[str, MemberResult]


class ApplyingChanges(TypedDict, total=False):
    """Parts of ``Applying`` that a turn replaces."""

    count: int
    operation: str
    spec: str
    taken: Instant
    watch: int
    judges: int
    every: Duration
    look_requested: bool
    errors: int
    error: str
    terminal: bool
    retry_at: Instant


class RolloutChanges(TypedDict, total=False):
    """Parts of ``Rollout`` that a turn replaces."""

    attempt: Attempt
    to: Pair
    began: Instant
    offset: Duration
    back: bool
    by_hand: bool
    failure: str
    stuck: str
    progress: int
    idle: Duration
    sick: Duration
    passed: bool
    doubt: str
    lease: int


class Turn:
    """State under way, instructions so far, and the earliest time at which to be woken."""

    __slots__ = ("archive", "before", "entity", "evaluated", "life", "moves", "now", "out", "policy", "removed", "wake_at")

    def __init__(self, entity: str, before: InstanceState, now: Instant) -> None:
        self.entity = entity
        self.before = before
        self.policy: Policy | None = before.policy
        self.removed = before.removed
        self.archive = before.archive
        self.life: Life = before.life
        self.now = now
        self.out: list[AnyInstruction] = []
        self.moves: list[Transition] = []
        self.evaluated: list[Evaluated] = []
        self.wake_at: Instant | None = None

    @property
    def rules(self) -> Policy:
        """The policy, once there is one: no step but absorbing runs before."""
        assert self.policy is not None  # noqa: S101 - a turn without a policy ends after absorbing
        return self.policy

    @property
    def instance(self) -> str:
        """``application/service@channel``."""
        return key_of(self.entity)

    def set(self, **changes: Unpack[LifeChanges]) -> None:
        """Replace parts of ``life``."""
        self.life = replace(self.life, **changes)
        self.evaluated.clear()

    def set_applying(self, **changes: Unpack[ApplyingChanges]) -> None:
        """Replace parts of ``life.applying``."""
        self.set(applying=replace(self.life.applying, **changes))

    def set_rollout(self, rollout: Rollout, **changes: Unpack[RolloutChanges]) -> Rollout:
        """Store a changed rollout and return it."""
        changed = replace(rollout, **changes)
        self.set(rollout=changed)
        return changed

    def wake(self, at: Instant | None) -> None:
        """Ask to be woken at the latest then."""
        if at is not None and (self.wake_at is None or at < self.wake_at):
            self.wake_at = at

    def wake_at_the_end_of(self, need: Need) -> None:
        """Ask to be woken when the window of a budget ends, which it does by the wall clock."""
        end = self.life.wall.steady(need.until)
        if self.now < end < LATEST:
            self.wake(end)

    def move(self, attempt: Attempt, after: Stage) -> None:
        """Take an attempt, as it stands in ``life``, to its next stage.

        Raises:
            IllegalTransitionError: the table of transitions has no such step; the message describes what this turn did so far.
        """
        before = stage_of(self.life, attempt)
        if after not in TRANSITIONS[before]:
            steps = ", ".join(f"attempt {one.attempt} {one.before} -> {one.after}" for one in self.moves) or "nothing yet"
            done = "; ".join(given.event.text for given in self.out if isinstance(given, Record)) or "nothing"
            raise IllegalTransitionError(
                f"{self.entity}: attempt {attempt.number} of release {attempt.release} goes from {before} to {after}; "
                f"in this turn: {steps}; recorded: {done}; candidate {self.life.candidate}; rollout {self.life.rollout}"
            )
        self.moves.append(Transition(attempt.number, before, after))

    def context(self, offer: Offer, attempt: Attempt) -> Context:
        """What gates are evaluated against, at this point of the turn."""
        return Context(self.rules, self.life, offer, attempt, self.now)

    def unmet(self, offer: Offer, attempt: Attempt, first: Tier = Tier.CONDITIONS, last: Tier | None = None) -> Verdicts:
        """What an attempt lacks at this point of the turn; see ``evaluate``. Evaluated once, until something changes."""
        known = next((one for one in self.evaluated if one.about == (first, last) and one.is_of(offer, attempt)), None)
        if known is None:
            known = Evaluated((first, last), offer, attempt, evaluate(self.context(offer, attempt), first, last))
            self.evaluated.append(known)
        return known.verdicts

    def offer(self, pair: Pair) -> Offer | None:
        """The offer of a pair, if it is kept."""
        return offer_of(self.life, pair)

    def kept(self, pair: Pair) -> Offer:
        """The offer of a pair that is candidate, target or good: it is never forgotten."""
        offer = offer_of(self.life, pair)
        if offer is None:
            raise AssertionError(f"{self.entity}: {pair} is needed, but its offer is gone")
        return offer

    def name(self, pair: Pair) -> str:
        """A version's name, for people; with a newer configuration than its release's own, that too."""
        offer = self.offer(pair)
        if offer is None:
            return f"release {pair.release}"
        configuration = offer.configuration
        with_it = f" in the configuration of release {configuration.release}" if configuration and configuration.release else ""
        return f"{offer.version.name}{with_it}"

    def record(
        self,
        kind: str,
        text: str,
        *,
        attempt: Attempt | None = None,
        release: int = 0,
        by: By | None = None,
        outcome: str = "",
        cause: Cause = NO_CAUSE,
    ) -> None:
        """Write a line of history."""
        number = attempt.release if attempt else release
        offer = self.offer(attempt.pair) if attempt else version_offer(self.life, release)
        self.out.append(
            Record(
                Event(
                    kind,
                    text,
                    release=number,
                    version=offer.version.name if offer else "",
                    attempt=attempt.number if attempt else 0,
                    phase=str(attempt.phase) if attempt else "",
                    by=by,
                    outcome=outcome,
                    cause=str(cause.code or ""),
                    gate=cause.gate,
                    configuration=offer.configuration.release if attempt and offer and offer.configuration else 0,
                )
            )
        )

    def state(self) -> InstanceState:
        """The next state; the very same object when nothing changed."""
        before = self.before
        if self.life is not before.life and self.life == before.life:
            self.life = before.life
        same = self.life is before.life and self.policy is before.policy and self.removed == before.removed
        if same and self.archive is before.archive:
            return before
        return InstanceState(self.policy, self.removed, self.archive, self.life)
