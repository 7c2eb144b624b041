"""Acts of people on an instance, on everything below a scope and on a topic; and what scopes and topics publish."""

from __future__ import annotations

import msgspec

from setpoint.core.facts.base import Fact, Order, Signal, StandingOrder
from setpoint.model.people import Person
from setpoint.model.release import Offer
from setpoint.model.time import Instant


class Skipped(Order, frozen=True, gc=False, kw_only=True):
    """Skip one gate of one release; ``*`` means all gates before deployment."""

    release: int
    gate: str


class Pinned(Order, frozen=True, gc=False, kw_only=True):
    """Exactly this version, until unpinned."""

    offer: Offer


class Unpinned(Signal, frozen=True, gc=False, kw_only=True):
    """Selection decides again."""


class Held(Order, frozen=True, gc=False, kw_only=True):
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
    """For its tasks that failed, or whose end is unknown: the person reports that they succeeded."""


class TakenDown(Signal, frozen=True, gc=False, kw_only=True):
    """Take down what is left of an instance that is no longer configured."""


class Observing(Order, frozen=True, gc=False, kw_only=True):
    """Look, never touch: no apply at all until ``Healing``."""


class Healing(Signal, frozen=True, gc=False, kw_only=True):
    """Observing ends."""


class Stopped(Order, frozen=True, gc=False, kw_only=True):
    """Stop the line: no forward start below this scope. Healing and rollbacks go on."""

    in_flight: str = "finish"
    """What is under way finishes, or pauses: ``finish`` or ``pause``."""


class Started(Signal, frozen=True, gc=False, kw_only=True):
    """The freeze ends: the line goes on."""


class Paused(Order, frozen=True, gc=False, kw_only=True):
    """No apply at all below this scope, rollbacks included; deadlines stand still."""


class Unpaused(Signal, frozen=True, gc=False, kw_only=True):
    """Applies go on."""


class ScopeStatus(Fact, frozen=True, gc=False):
    """What a scope publishes."""

    scope: str
    number: int
    stop: StandingOrder | None = None
    pause: StandingOrder | None = None


class Voted(Fact, frozen=True, gc=False):
    """A person approved or rejected one release at one subject."""

    person: Person
    yes: bool
    why: str = ""
    id: str = ""
    """Identity of the act: the same one twice is one. Empty: identified by person, vote and stamp."""


class Vote(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One person's yes or no."""

    person: Person
    yes: bool
    at: Instant
    """By the wall clock, as its expiry is."""
    why: str = ""
    id: str = ""


class TopicStatus(Fact, frozen=True, gc=False):
    """What a topic publishes: every yes and no so far, in the order in which they came."""

    topic: str
    number: int
    votes: tuple[Vote, ...] = ()
