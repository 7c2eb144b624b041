"""Other services of the same channel that must have finalized what the release asks of them."""

# ruff: noqa: ARG001 - under way

from __future__ import annotations

from collections.abc import Iterator

from setpoint.core.instance.state import Life
from setpoint.model.policy import Policy
from setpoint.model.reasons import Reason
from setpoint.model.release import Offer
from setpoint.model.time import Instant


def services(policy: Policy, life: Life, offer: Offer, now: Instant) -> Iterator[Reason]:
    """Services of ``after`` that are not there yet, and are not skipped."""
    yield from ()
