"""Granting: everything that an attempt needs is granted in one turn, or nothing is.

Earlier requests come first. Requests for other units may overtake a waiting one – but of each unit one place is reserved for the
request that has waited for it longest, so that an attempt that needs two units gets both in the end, and no request starves.
"""

from __future__ import annotations

import heapq
from collections import Counter

from setpoint.core.admission import waves
from setpoint.core.admission.draft import AdmissionDraft
from setpoint.core.admission.state import AdmissionRequest, View, unit_key
from setpoint.core.facts import Granted, Need
from setpoint.model.names import is_budget, is_wave, key_of, occurrence_key


def advance(draft: AdmissionDraft) -> None:
    """Evaluate the first request of each queue, oldest first; once it is granted, the next of its queue."""
    if not draft.changed_units and not draft.joined:
        return
    heads = [(*line[0], queue) for queue, line in draft.queues.items() if line]
    heapq.heapify(heads)
    kept: dict[str, int] = {}
    """Unit -> how much of it is reserved for the request that has waited for it longest."""
    while heads:
        _, key, queue = heapq.heappop(heads)
        request = draft.requests[key]
        if not _permitted(draft, request):
            continue
        if all(_free(draft, request, need, kept) for need in _counted(request)):
            draft.grant(request)
            draft.send(request.requester, Granted(request_id=request.request_id))
            if draft.queues[queue]:
                heapq.heappush(heads, (*draft.queues[queue][0], queue))
        else:
            for need in _counted(request):
                kept.setdefault(unit_key(need), _wanted(request, need))


def _counted(request: AdmissionRequest) -> list[Need]:
    """Leases and budgets, each once."""
    return list({need.unit: need for need in request.needs if not is_wave(need.unit)}.values())


def _permitted(draft: AdmissionDraft, request: AdmissionRequest) -> bool:
    """Whether its wave is open and its budgets are not spent: a request that waits for these reserves nothing."""
    number = waves.number_of(request)
    for need in request.needs:
        if is_wave(need.unit) and not waves.permits(draft, key_of(need.unit), need.release, number):
            return False
        if is_budget(need.unit) and spent(draft, need) >= need.limit:
            return False
    return True


def _free(draft: AdmissionDraft, request: AdmissionRequest, need: Need, kept: dict[str, int]) -> bool:
    return used(draft, need, request.requester) + kept.get(unit_key(need), 0) + _wanted(request, need) <= need.limit


def _wanted(request: AdmissionRequest, need: Need) -> int:
    """Return how many places it takes; a set that is larger than a limit starts when no other request holds any of it."""
    return min(weight(request, need.unit), need.limit)


def weight(request: AdmissionRequest, unit: str) -> int:
    """Return how many places of a unit a request takes: more than one only for a set, one for each member that needs it."""
    return sum(need.unit == unit for need in request.needs)


def used(view: View, need: Need, requester: str) -> int:
    """Return how much of a unit others hold: of a lease each requester counts once, for a rollout that gives way holds it."""
    found: Counter[str] = Counter()
    for key in view.holders.get(unit_key(need), ()):
        request = view.requests[key]
        if is_budget(need.unit):
            found[key] = weight(request, need.unit)
        elif request.requester != requester:
            found[request.requester] = max(found[request.requester], weight(request, need.unit))
    return found.total() + (spent(view, need) if is_budget(need.unit) else 0)


def spent(view: View, need: Need) -> int:
    """Return how many deployments started in a budget's occurrence."""
    known = view.spent.get(occurrence_key(need.unit, need.occurrence))
    return known.count if known else 0
