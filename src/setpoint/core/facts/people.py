"""A person's act on one instance."""

from __future__ import annotations

from setpoint.core.facts.base import Order, Signal
from setpoint.model.release import Offer


class Skipped(Order, frozen=True, gc=False, kw_only=True):
    """One gate of one attempt shall not count; ``*`` means all gates before deployment."""

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
    """Of its tasks that failed, or whose end nobody saw: it did succeed, says the person."""


class TakenDown(Signal, frozen=True, gc=False, kw_only=True):
    """Take down what is left of an instance that is no longer configured."""


class Observing(Order, frozen=True, gc=False, kw_only=True):
    """Look, never touch: no apply at all until ``Healing``."""


class Healing(Signal, frozen=True, gc=False, kw_only=True):
    """Observing ends."""
