"""A whole world before it begins, as data: what is configured, what will happen to it, and its fault rates."""

from __future__ import annotations

import msgspec

from setpoint.core.facts import AnyFact
from setpoint.model.checks import Outcome
from setpoint.model.people import Person
from setpoint.model.policy import Policy
from setpoint.model.time import HOUR, Duration
from setpoint.simulate.acts import Act
from setpoint.simulate.world.faults import Fault, Faults


class Plan(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Together with the code this is all that a run depends on."""

    seed: int
    """Of all random decisions: how long things take, who has its turn first, which facts a turn takes."""
    people: tuple[Person, ...]
    policies: dict[str, Policy]
    facts: tuple[tuple[str, AnyFact], ...] = ()
    """(entity, fact) sent to other entities than instances at the start: limits, invariants …"""
    acts: tuple[Act, ...] = ()
    timetable: dict[str, tuple[tuple[Duration, Outcome], ...]] = {}
    """Check -> (from when, its outcome), ascending, after the start; before that and for unknown ones: passing."""
    takes: dict[str, Duration] = {}
    """Check -> how long a run of it may take."""
    faults: Faults = Faults()
    script: tuple[Fault, ...] | None = None
    """Just these faults strike, instead of as many as ``faults`` makes likely."""
    unfair: Duration = 6 * HOUR
    """How long things go wrong before the world turns fair."""
    least: int = 0
    """So many faults must have changed something before it does; until then it all happens once more."""
    fair: Duration = 18 * HOUR
    """How long everything has to converge then; 0: it does not turn fair."""
