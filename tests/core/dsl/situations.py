"""Instances in situations from which several files of tests begin."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace
from tests.core.dsl.builders import NAME
from tests.core.dsl.instance import Instance

from setpoint.core.facts import (
    Configured,
    Offered,
    Removed,
)
from setpoint.model.people import By
from setpoint.model.policy import Policy, Strategy
from setpoint.model.time import MINUTE, SECOND

ANN = By("ann", "it is left over")


def settled(**policy: Any) -> Instance:
    """1.0 is good, and a minute has passed."""
    return Instance(**policy).with_good(1, "1.0").wait(MINUTE)


def stubborn(prod: Instance, times: int, difference: str = "a") -> Instance:
    """The same difference is observed again after each apply that was to correct it."""
    for _ in range(times):
        prod.observed("1.0", difference=difference)
        prod.wait(11 * SECOND)
        if prod.applying.operation:
            prod.applied()
    return prod


def mirror(**more: Any) -> Instance:
    return Instance(strategy=Strategy.MIRROR, mirror="app/web@production", **more)


def train(**more: Any) -> Instance:
    return Instance(strategy=Strategy.EVERY, **more)


def gone(**more: Any) -> Instance:
    """Finalized at 1.0, and no longer configured."""
    return Instance().with_good(1, "1.0").receive(Removed(number=1, **more))


def back(prod: Instance, number: int = 2) -> Instance:
    """It is configured again."""
    return prod.receive(Configured(policy=Policy(NAME, {"channel": "production"}), number=number))


def adopting(**more: Any) -> Instance:
    """1.0 is adopted, and not observed yet."""
    prod = Instance(**more)
    return prod.receive(Offered(offer=replace(prod.make(1, "1.0"), adopt=True)))


def failing(good: str, bound: str) -> Instance:
    """2.0.0 failed, which permits no rollback below a bound."""
    prod = Instance().with_good(1, good)
    return prod.offer(2, "2.0.0", not_below=bound).applied("broken", terminal=True)
