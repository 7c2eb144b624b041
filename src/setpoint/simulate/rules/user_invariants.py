"""Invariants of the user: what the documents of a configuration require at all times."""

from __future__ import annotations

from collections.abc import Iterator

from setpoint.core.invariants.actor import InvariantState
from setpoint.model.names import key_of
from setpoint.simulate.checker.step import Moment
from setpoint.simulate.rules.registry import Complaint, actor_rule


@actor_rule("yours", "invariant")
def kept(moment: Moment) -> Iterator[Complaint]:
    """Nothing violates the document."""
    state = moment.turn.decision.state
    if isinstance(state, InvariantState) and state.invariant is not None:
        moment.saw(f"invariant {key_of(moment.turn.entity)}")
        yield from (violation.text for violation in state.violations)
