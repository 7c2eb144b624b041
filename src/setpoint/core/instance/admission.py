"""Asking admission for leases, a place in a wave and in a budget, and giving back what is not needed any more."""

# ruff: noqa: ARG001 - under way

from __future__ import annotations

from setpoint.core.instance.draft import Draft
from setpoint.core.instance.state import Attempt, Rollout
from setpoint.model.release import Offer


def ask(draft: Draft, offer: Offer, candidate: Attempt) -> Attempt:
    """Ask for everything that the attempt needs, unless it was asked for already."""
    return candidate


def give_back(draft: Draft, candidate: Attempt, *, gone: bool) -> Attempt:
    """Return what was granted: a gate stopped holding (its place is kept), or the attempt is ``gone``."""
    return candidate


def begin(draft: Draft, candidate: Attempt) -> int:
    """Target moves: what was granted is used. The number to hold for ``end``; 0: nothing was granted."""
    return 0


def end(draft: Draft, rollout: Rollout) -> Rollout:
    """The rollout left deployment, or its rollback ended: leases are free. Twice is once."""
    return rollout


def tell(draft: Draft) -> None:
    """Tell admission how this instance stands to the releases of its waves, where that changed."""
