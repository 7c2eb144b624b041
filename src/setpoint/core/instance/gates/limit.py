"""Leases, waves and deploy budgets: granted by admission, all in one answer."""

# ruff: noqa: ARG001 - under way

from __future__ import annotations

from collections.abc import Iterator

from setpoint.core.instance.state import Attempt, Life
from setpoint.model.policy import Policy
from setpoint.model.reasons import Reason
from setpoint.model.release import Offer
from setpoint.model.time import Instant


def limits(policy: Policy, life: Life, offer: Offer, attempt: Attempt, now: Instant) -> Iterator[Reason]:
    """What admission has not granted yet."""
    yield from ()
