"""The set that an instance moves with: its members start together, and none is finalized before all have passed."""

# ruff: noqa: ARG001 - under way

from __future__ import annotations

from collections.abc import Iterator

from setpoint.core.instance.state import Attempt, Life
from setpoint.model.policy import Policy
from setpoint.model.reasons import Reason
from setpoint.model.release import Offer
from setpoint.model.time import Instant


def start(policy: Policy, life: Life, offer: Offer, attempt: Attempt, now: Instant) -> Iterator[Reason]:
    """What keeps the set from preparing: members that are not ready."""
    yield from ()


def go(policy: Policy, life: Life, offer: Offer, attempt: Attempt, now: Instant) -> Iterator[Reason]:
    """What keeps a prepared set from starting: members that are not locked."""
    yield from ()


def end(policy: Policy, life: Life, offer: Offer, attempt: Attempt, now: Instant) -> Iterator[Reason]:
    """What keeps a member that has passed from being finalized: members that have not."""
    yield from ()
