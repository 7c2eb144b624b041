"""Tasks of a phase that have not succeeded yet."""

# ruff: noqa: ARG001 - under way

from __future__ import annotations

from collections.abc import Iterator

from setpoint.core.instance.state import Attempt, Life
from setpoint.model.policy import Policy
from setpoint.model.reasons import Reason
from setpoint.model.release import Offer
from setpoint.model.time import Instant


def tasks(policy: Policy, life: Life, offer: Offer, attempt: Attempt, now: Instant) -> Iterator[Reason]:
    """Tasks of the attempt's phase that are not through; ``failed`` ones end it."""
    yield from ()
