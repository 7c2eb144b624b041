"""A person's act on everything below a scope, and what the scope publishes."""

from __future__ import annotations

from setpoint.core.facts.base import Fact, Order, Signal, Standing


class Stopped(Order, frozen=True, gc=False, kw_only=True):
    """Stop the line: no forward start below this scope. Healing and rollbacks go on."""

    in_flight: str = "finish"
    """What is under way finishes, or pauses: ``finish`` or ``pause``."""


class Started(Signal, frozen=True, gc=False, kw_only=True):
    """The line goes on."""


class Paused(Order, frozen=True, gc=False, kw_only=True):
    """No apply at all below this scope, rollbacks included; deadlines stand still."""


class Unpaused(Signal, frozen=True, gc=False, kw_only=True):
    """Applies go on."""


class ScopeStatus(Fact, frozen=True, gc=False):
    """What a scope publishes."""

    scope: str
    number: int
    stop: Standing | None = None
    pause: Standing | None = None
