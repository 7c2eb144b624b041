"""The admission actor, one of an organization: leases, waves and deploy budgets.

It grants everything that one attempt (or set) requests in one turn, or nothing: with separate pools, two requests could each
hold what the other needs.

``state``          state of admission             ``granting``   which requests are granted
``requests``       request, return, begin, end    ``waves``      how releases go through groups
``queue_status``   what a request waits for       ``draft``      one turn's working copy
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from setpoint.core.admission import granting, queue_status, requests, waves
from setpoint.core.admission.draft import AdmissionDraft
from setpoint.core.admission.queue_status import why
from setpoint.core.admission.state import AdmissionState
from setpoint.core.facts import (
    AdmissionRequested,
    AnyFact,
    Began,
    Ended,
    LimitsConfigured,
    Returned,
    WaveMembersNamed,
    WavesResumed,
    WaveVote,
)
from setpoint.core.instructions import Decision
from setpoint.core.wall import wall_of
from setpoint.model.time import Instant

ENTITY = "admission:organization"

_HANDLERS: dict[type, Callable[[AdmissionDraft, Any], None]] = {
    AdmissionRequested: requests.ask,
    Returned: requests.give_back,
    Began: requests.begin,
    Ended: requests.end,
    LimitsConfigured: waves.configured,
    WaveMembersNamed: waves.rostered,
    WaveVote: waves.voted,
    WavesResumed: waves.resumed,
}


def decide(entity: str, state: AdmissionState | None, facts: Sequence[AnyFact], now: Instant) -> Decision:  # noqa: ARG001 - every actor takes the same
    """Record requests, open or stop waves, grant what is free, report to waiting requesters what they wait for."""
    draft = AdmissionDraft(state or AdmissionState(), now, wall_of(facts, now))
    for fact in facts:
        handle = _HANDLERS.get(type(fact))
        if handle is not None:
            handle(draft, fact)
    waves.advance(draft)
    granting.advance(draft)
    queue_status.advance(draft)
    return draft.decision()


__all__ = ["ENTITY", "AdmissionState", "decide", "why"]
