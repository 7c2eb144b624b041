"""What scopes and the line publish to an instance."""

from __future__ import annotations

from tests.core.dsl.builders import START
from tests.core.dsl.instance import Instance

from setpoint.core.facts import (
    LineStatus,
    ScopeStatus,
    StandingOrder,
)
from setpoint.model.people import By

INCIDENT = StandingOrder(By("ann", "an incident"), START)
OUTAGE = StandingOrder(By("ann", "the network is down"), START)
DEFECT = StandingOrder(By("ann", "loses orders"), START)
CHANNEL = "scope:channel:app/production"


def stopped(prod: Instance, *, number: int = 1, stop: StandingOrder | None = OUTAGE) -> Instance:
    return prod.receive(ScopeStatus(scope=CHANNEL, number=number, stop=stop))


def paused(prod: Instance, *, number: int = 1, pause: StandingOrder | None = OUTAGE) -> Instance:
    return prod.receive(ScopeStatus(scope="scope:organization", number=number, pause=pause))


def marked(
    prod: Instance, *, number: int = 1, bad: tuple[str, ...] = (), absolved: tuple[str, ...] = (), cancelled: tuple[int, ...] = ()
) -> Instance:
    return prod.receive(
        LineStatus(
            application="app",
            number=number,
            bad={f"web/{name}": DEFECT for name in bad},
            absolved={f"web/{name}": prod.now for name in absolved},
            cancelled=dict.fromkeys(cancelled, DEFECT),
        )
    )
