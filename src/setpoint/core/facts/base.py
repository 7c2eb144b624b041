"""What every fact and every act of a person has."""

from __future__ import annotations

import msgspec

from setpoint.model.people import By
from setpoint.model.time import Duration, Instant


class Fact(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, kw_only=True, tag=True):
    """What happened, and when.

    A host goes by two clocks (§10.17). ``at`` is steady: no one can set it, so durations are measured by it. ``wall`` is what the
    clock of the machine showed: calendars, and everything that a person gives an end, go by it.
    """

    at: Instant = 0
    offset: Duration = 0
    """``wall`` minus ``at``."""

    @property
    def wall(self) -> Instant:
        """Wall-clock time."""
        return self.at + self.offset


class Woken(Fact, frozen=True, gc=False):
    """The time requested by ``wake_at`` has come."""


class Signal(Fact, frozen=True, gc=False, kw_only=True):
    """Act of a person: always with who and why."""

    by: By
    id: str = ""
    """Identity of the act: the same one twice is one. Empty: not checked."""


class Order(Signal, frozen=True, gc=False, kw_only=True):
    """An act that stands until it is withdrawn, or until its end (§10.8)."""

    until: Instant = 0
    """When it ends; 0: only when it is withdrawn."""


class StandingOrder(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A person's act that stands until it is withdrawn."""

    by: By
    at: Instant
    in_flight: str = "finish"
    """Of a stop: ``finish`` or ``pause``."""
    until: Instant = 0
    """When it ends; 0: only when it is withdrawn."""
