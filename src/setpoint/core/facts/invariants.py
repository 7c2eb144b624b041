"""What an invariant of the user's own receives and publishes."""

from __future__ import annotations

import msgspec

from setpoint.core.facts.base import Fact
from setpoint.model.invariants import Invariant
from setpoint.model.names import violation_key
from setpoint.model.time import Instant


class InvariantConfigured(Fact, frozen=True, gc=False):
    """What must always be so, new or changed; None: the document left the configuration."""

    number: int
    """Revision of the configuration: one lower than the last one received is dropped."""
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
        return violation_key(self.what, self.instance, self.release)
