"""What every gate has in common: its name, by which a person may skip it for one release."""

from __future__ import annotations

from msgspec.structs import replace

from setpoint.core.instance.gates.context import Half, halves, matches
from setpoint.core.instance.state import Life
from setpoint.model.grammars.selector import Selector
from setpoint.model.policy import Policy
from setpoint.model.reasons import Code, Reason
from setpoint.model.release import Offer
from setpoint.model.time import Instant

EVERY_GATE = "*"


def skipped(life: Life, release: int, gate: str) -> bool:
    """Whether a person said that this gate of this release does not count here."""
    return bool(life.skips) and any(skip.release == release and skip.gate in {gate, EVERY_GATE} for skip in life.skips)


def needed_by(when: Selector | None, gate: str, policy: Policy, life: Life, offer: Offer) -> tuple[Half, ...]:
    """The releases of an attempt that need this gate: its ``when`` matches them, and a person has not skipped it for them."""
    return tuple(
        half for half in halves(life, offer) if matches(when, policy, life, offer, half) and not skipped(life, half.release, gate)
    )


def channel_of(instance: str) -> str:
    """The channel in ``application/service@channel``."""
    return instance.rpartition("@")[2]


def service_of(instance: str) -> str:
    """The service in ``application/service@channel``."""
    return instance.partition("/")[2].rpartition("@")[0]


def still_ahead(reason: Reason, life: Life, now: Instant) -> Reason:
    """A reason of admission, as of now: a time that is over is not waited for, but the word that follows it.

    A budget's window ends by the wall clock.
    """
    until = life.wall.until(reason.until) if reason.code is Code.BUDGET_USED else reason.until
    until = until if until is not None and until > now else None
    return replace(reason, until=until, awaits=reason.awaits or ("" if until else "admission's word"))
