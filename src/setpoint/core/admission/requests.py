"""Handlers for request, return, begin and end. Each is idempotent and affects only the request it names."""

from __future__ import annotations

from setpoint.core.admission import waves
from setpoint.core.admission.draft import AdmissionDraft
from setpoint.core.admission.state import AdmissionRequest, RequestStage, Spent
from setpoint.core.facts import AdmissionRequested, Began, Ended, Returned
from setpoint.model.names import is_budget, occurrence_key
from setpoint.model.time import DAY

KEPT_BUDGETS = 7 * DAY
"""How long an occurrence that is over is remembered: clocks may be set back."""


def ask(draft: AdmissionDraft, fact: AdmissionRequested) -> None:
    """Record a request. A newer one of the same attempt replaces the earlier one and keeps its order."""
    if fact.request_id <= draft.last_request_id(fact.requester):
        _give_up_before(draft, fact)
        return  # it arrives late, or again: the grant was reported already
    draft.note_request(fact.requester, fact.request_id)
    number = waves.number_of(fact)
    for request in draft.overtaken(fact.requester, fact.attempt):
        draft.drop(request)
    known = draft.open_request(fact.requester, fact.attempt)
    if known is None:
        draft.take(fact, number)
        return
    kept = draft.withdraw(known)
    draft.enqueue(
        draft.change(kept, request_id=fact.request_id, needs=fact.needs, members=fact.members, queue_number=0, text_checksum=0),
        number,
    )


def _give_up_before(draft: AdmissionDraft, fact: AdmissionRequested) -> None:
    """Drop what the attempt requested before: this later request was given up already, so neither can start any more."""
    known = draft.open_request(fact.requester, fact.attempt)
    if known is not None and known.request_id < fact.request_id:
        draft.drop(known)


def give_back(draft: AdmissionDraft, fact: Returned) -> None:
    """Take back a grant that cannot be used now, or drop a request that is not wanted any more, unless it has started."""
    if fact.gone:
        draft.note_request(fact.requester, fact.request_id)
    draft.note_returned(fact.requester, fact.request_id)
    request = draft.request(fact.requester, fact.request_id)
    if request is None or request.stage is RequestStage.STARTED:
        return
    if fact.gone:
        draft.drop(request)
    elif request.stage is not RequestStage.RETURNED:
        draft.withdraw(request)


def begin(draft: AdmissionDraft, fact: Began) -> None:
    """Hold the leases and spend a deployment of each budget: target moved."""
    request = draft.request(fact.requester, fact.request_id)
    if request is not None and request.stage is RequestStage.GRANTED:
        _spend(draft, request)


def end(draft: AdmissionDraft, fact: Ended) -> None:
    """Free the leases. An end that arrives before the start stands for both."""
    draft.note_request(fact.requester, fact.request_id)
    request = draft.request(fact.requester, fact.request_id)
    if request is None or request.stage not in {RequestStage.GRANTED, RequestStage.STARTED}:
        return
    if request.stage is RequestStage.GRANTED:
        request = _spend(draft, request)
    draft.drop(request)


def _spend(draft: AdmissionDraft, request: AdmissionRequest) -> AdmissionRequest:
    budgets = [need for need in request.needs if is_budget(need.unit)]
    for need in budgets:
        key = occurrence_key(need.unit, need.occurrence)
        known = draft.spent.get(key)
        draft.spent[key] = Spent(need.until, (known.count if known else 0) + 1)
    if budgets:
        draft.spent = {key: spent for key, spent in draft.spent.items() if spent.until + KEPT_BUDGETS > draft.wall}
    return draft.started(request, budgets)
