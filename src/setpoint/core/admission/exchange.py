"""What those who ask say: they ask, return, begin, end. Each word counts once, whenever it comes, and only for its own place."""

from __future__ import annotations

from setpoint.core.admission import waves
from setpoint.core.admission.draft import AdmissionDraft
from setpoint.core.admission.state import Place, RequestStage, Spent
from setpoint.core.facts import AskAdmission, Began, Ended, Returned
from setpoint.model.names import is_budget, occurrence_key
from setpoint.model.time import DAY

KEPT_BUDGETS = 7 * DAY
"""So long an occurrence that is over is remembered: clocks may be set back."""


def ask(draft: AdmissionDraft, fact: AskAdmission) -> None:
    """An attempt asks for the first time, or anew: what it had and heard of an earlier asking is over, its order is kept."""
    if fact.ask <= draft.heard(fact.asker):
        _give_up_before(draft, fact)
        return  # it comes late, or once more: what was granted has been told
    draft.hear(fact.asker, fact.ask)
    number = waves.number_of(fact)
    for place in draft.overtaken(fact.asker, fact.attempt):
        draft.drop(place)
    known = draft.asking(fact.asker, fact.attempt)
    if known is None:
        draft.take(fact, number)
        return
    kept = draft.withdraw(known)
    draft.enqueue(draft.change(kept, ask=fact.ask, needs=fact.needs, members=fact.members, told=0, said=0), number)


def _give_up_before(draft: AdmissionDraft, fact: AskAdmission) -> None:
    """It was given up before it came; so is what the same attempt had asked for before, and cannot begin with any more."""
    known = draft.asking(fact.asker, fact.attempt)
    if known is not None and known.ask < fact.ask:
        draft.drop(known)


def give_back(draft: AdmissionDraft, fact: Returned) -> None:
    """A grant that cannot be used now, or a place that is not wanted any more. What has begun is not given back."""
    if fact.gone:
        draft.hear(fact.asker, fact.ask)
    draft.hear_returned(fact.asker, fact.ask)
    place = draft.place(fact.asker, fact.ask)
    if place is None or place.stage is RequestStage.BEGUN:
        return
    if fact.gone:
        draft.drop(place)
    elif place.stage is not RequestStage.RETURNED:
        draft.withdraw(place)


def begin(draft: AdmissionDraft, fact: Began) -> None:
    """Target moved: leases are held from now on, a deployment of the budget is spent."""
    place = draft.place(fact.asker, fact.ask)
    if place is not None and place.stage is RequestStage.GRANTED:
        _spend(draft, place)


def end(draft: AdmissionDraft, fact: Ended) -> None:
    """Leases are free. An end that overtakes the beginning stands for both."""
    draft.hear(fact.asker, fact.ask)
    place = draft.place(fact.asker, fact.ask)
    if place is None or place.stage not in {RequestStage.GRANTED, RequestStage.BEGUN}:
        return
    if place.stage is RequestStage.GRANTED:
        place = _spend(draft, place)
    draft.drop(place)


def _spend(draft: AdmissionDraft, place: Place) -> Place:
    budgets = [need for need in place.needs if is_budget(need.unit)]
    for need in budgets:
        key = occurrence_key(need.unit, need.occurrence)
        known = draft.spent.get(key)
        draft.spent[key] = Spent(need.until, (known.count if known else 0) + 1)
    if budgets:
        draft.spent = {key: spent for key, spent in draft.spent.items() if spent.until + KEPT_BUDGETS > draft.wall}
    return draft.begun(place, budgets)
