"""Invariants of the user's own: what must always be so, resolved to the instances that it speaks of. ``config`` makes them."""

from __future__ import annotations

import msgspec

from setpoint.model.calendars.calendar import Calendar
from setpoint.model.grammars.selector import Selector


class Require(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What must hold; what is left out is not required. What each means stands with ``core.invariant``."""

    not_bad: bool = False
    finalized_in: tuple[str, ...] = ()
    """Channels as written."""
    same_as: str = ""
    """A channel as written."""
    runs: str = ""
    """A range of versions."""
    topic: str = ""
    approvers: int = 1
    """Of ``topic``."""
    beside: str = ""
    """The other service of ``skew``."""
    max_step: str = ""
    """Of ``skew``: ``major``, ``minor`` or ``patch``."""
    calendar: Calendar | None = None
    moving: str = ""
    """An amount of the members, ``5`` or ``10%``."""


class Member(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One instance that an invariant speaks of, and the others that it is compared with."""

    instance: str
    """``application/service@channel``."""
    labels: dict[str, str] = {}
    finalized_in: tuple[str, ...] = ()
    """Instances of the same service."""
    same_as: str = ""
    beside: str = ""
    """The other service's instance in this channel; empty: the channel does not have it."""
    lacks: tuple[str, ...] = ()
    """Named channels that do not have the service."""
    timezone: str = "UTC"
    """Of ``calendar``."""

    @property
    def others(self) -> tuple[str, ...]:
        """Every instance that it is compared with."""
        return tuple(one for one in (*self.finalized_in, self.same_as, self.beside) if one)


class Invariant(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One Invariant document."""

    name: str
    require: Require
    members: tuple[Member, ...] = ()
    when: Selector | None = None
    """Sees the labels of the instance and the facts of the attempt that moved it last."""
    stop: bool = False
    """A violation stops the line of its application."""
    select: str = "*"
    """As written, for people."""
