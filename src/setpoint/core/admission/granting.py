"""Who may begin: everything that an attempt needs is granted in one turn, or nothing is.

Who asked earlier comes first. One that waits may be passed by those that need other units – but of each unit one place is kept
for the one that has waited for it longest, so that an attempt that needs two units gets both in the end, and nobody starves.
"""

from __future__ import annotations

import heapq
from collections import Counter

from setpoint.core.admission import waves
from setpoint.core.admission.draft import AdmissionDraft
from setpoint.core.admission.state import Place, View, unit_key
from setpoint.core.facts import Granted, Need
from setpoint.model.names import is_budget, is_wave, key_of, occurrence_key


def advance(draft: AdmissionDraft) -> None:
    """Look at the first of each queue, oldest first; behind one that is granted the next of its queue comes up."""
    if not draft.stirred and not draft.joined:
        return
    heads = [(*line[0], queue) for queue, line in draft.queues.items() if line]
    heapq.heapify(heads)
    kept: dict[str, int] = {}
    """Unit -> so much of it is kept for the one that has waited for it longest."""
    while heads:
        _, key, queue = heapq.heappop(heads)
        place = draft.places[key]
        if not _permitted(draft, place):
            continue
        if all(_free(draft, place, need, kept) for need in _counted(place)):
            draft.grant(place)
            draft.send(place.asker, Granted(ask=place.ask))
            if draft.queues[queue]:
                heapq.heappush(heads, (*draft.queues[queue][0], queue))
        else:
            for need in _counted(place):
                kept.setdefault(unit_key(need), _wanted(place, need))


def _counted(place: Place) -> list[Need]:
    """Leases and budgets, each once."""
    return list({need.unit: need for need in place.needs if not is_wave(need.unit)}.values())


def _permitted(draft: AdmissionDraft, place: Place) -> bool:
    """Whether its wave is open and its budgets are not spent: who waits for these keeps no place of anything."""
    number = waves.number_of(place)
    for need in place.needs:
        if is_wave(need.unit) and not waves.permits(draft, key_of(need.unit), need.release, number):
            return False
        if is_budget(need.unit) and spent(draft, need) >= need.limit:
            return False
    return True


def _free(draft: AdmissionDraft, place: Place, need: Need, kept: dict[str, int]) -> bool:
    return used(draft, need, place.asker) + kept.get(unit_key(need), 0) + _wanted(place, need) <= need.limit


def _wanted(place: Place, need: Need) -> int:
    """A set that is larger than a limit begins when nobody else has any of it."""
    return min(weight(place, need.unit), need.limit)


def weight(place: Place, unit: str) -> int:
    """How many places of a unit somebody takes: more than one only for a set, once for each member that needs it."""
    return sum(need.unit == unit for need in place.needs)


def used(view: View, need: Need, asker: str) -> int:
    """How much of a unit others have: of a lease each asker counts once, for a rollout that gives way holds it still."""
    found: Counter[str] = Counter()
    for key in view.holders.get(unit_key(need), ()):
        place = view.places[key]
        if is_budget(need.unit):
            found[key] = weight(place, need.unit)
        elif place.asker != asker:
            found[place.asker] = max(found[place.asker], weight(place, need.unit))
    return found.total() + (spent(view, need) if is_budget(need.unit) else 0)


def spent(view: View, need: Need) -> int:
    """How many deployments have begun in a budget's occurrence."""
    known = view.spent.get(occurrence_key(need.unit, need.occurrence))
    return known.count if known else 0
