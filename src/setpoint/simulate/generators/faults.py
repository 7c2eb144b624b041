"""What goes wrong: the rate of each kind of fault, clock changes, and accidents of runtimes."""

from __future__ import annotations

from random import Random

from setpoint.model.time import DAY, HOUR, MINUTE, SECOND
from setpoint.simulate.acts import Act
from setpoint.simulate.acts.accidents import Asleep, ClockSet, Drift, Outage, Vanish
from setpoint.simulate.generators.plan_builder import PlanBuilder
from setpoint.simulate.world.faults import MOST, Faults

SMALL = 3
"""Instances below which little happens, so that more of it must go wrong."""
SHARES = {
    "deliveries": {"duplicate": 1.0, "delay": 1.0, "reorder": 4.0},
    "engine": {"crash": 0.06, "forget": 0.2, "clock": 0.8},
    "effects": {"lost": 1.5, "half": 1.0, "slow": 1.0, "blind": 4.0, "broken": 1.5, "flap": 1.0, "task": 2.0},
}
"""What goes wrong -> how likely each kind of it is, as a multiple of the world's level."""


def fault_rates(draw: Random, instances: int) -> Faults:
    """Two of three kinds of fault, or all of them, at a level at which a day brings a few hundred."""
    kinds = sorted(SHARES)
    spared = draw.choice((*kinds, ""))
    level = draw.choice((0.04, 0.06, 0.1)) * (2 if instances < SMALL else 1)
    chances = {name: min(share * level, MOST) for kind in kinds if kind != spared for name, share in SHARES[kind].items()}
    return Faults(**chances, split=draw.choice((0.0, 0.5)))


def clocks(builder: PlanBuilder, draw: Random) -> None:
    """In some worlds a person sets the wall clock now and then, forward or back, or the machine is suspended."""
    if draw.random() < 0.6:
        return
    for _ in range(builder.some(draw, 1, 3)):
        most = draw.choice((30 * SECOND, 5 * MINUTE, 2 * HOUR, DAY))
        by = draw.randint(-most, most) or SECOND
        at = builder.sometime(draw)
        asleep = draw.random() < 0.2
        builder.acts.append(Asleep(at=at, lasts=abs(by)) if asleep else ClockSet(at=at, by=by))


def accidents(builder: PlanBuilder, draw: Random) -> None:
    """Outages, drift, everything taken down."""
    for _ in range(builder.some(draw, 0, 6)):
        builder.acts.append(_accident(draw.choice(builder.instances), builder.sometime(draw), draw))


def _accident(instance: str, at: int, draw: Random) -> Act:
    kind = draw.random()
    if kind < 0.4:
        return Outage(at=at, instance=instance, lasts=draw.randint(1, 20) * MINUTE)
    if kind < 0.7:
        return Drift(at=at, instance=instance, difference=draw.choice(("a", "b")), stubborn=draw.random() < 1 / 3)
    return Vanish(at=at, instance=instance)
