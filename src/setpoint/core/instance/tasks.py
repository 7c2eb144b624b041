"""Runs of an attempt's tasks: one after the other, once everything else in their phase holds."""

# ruff: noqa: ARG001 - under way

from __future__ import annotations

from setpoint.core.instance.draft import Draft
from setpoint.core.instance.state import Attempt
from setpoint.model.release import Offer


def run(draft: Draft, offer: Offer, attempt: Attempt) -> Attempt:
    """Start the next task of the phase if it is its turn."""
    return attempt
