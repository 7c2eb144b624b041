"""What every fact and every act of a person has."""

from __future__ import annotations

import msgspec

from setpoint.model.people import By
from setpoint.model.time import Instant


class Fact(msgspec.Struct, frozen=True, gc=False, omit_defaults=True, kw_only=True, tag=True):
    """What happened, and when."""

    at: Instant = 0


class Woken(Fact, frozen=True, gc=False):
    """The time asked for with ``wake_at`` has come."""


class Signal(Fact, frozen=True, gc=False, kw_only=True):
    """Always with who and why."""

    by: By
    id: str = ""
    """Identity of the act: the same one twice is one. Empty: not checked."""


class Standing(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A person's act that stands until it is withdrawn."""

    by: By
    at: Instant
    in_flight: str = "finish"
    """Of a stop: ``finish`` or ``pause``."""
