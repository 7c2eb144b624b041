"""What those who wait are told: everything that they wait for, who has it and since when, and how many come before them.

Everybody is told when it begins to wait; then the first few of a queue, whenever that changes, and all of it when a release
stops. So ten thousand who wait cost no ten thousand messages each time that one of them begins.
"""

from __future__ import annotations

import zlib
from bisect import bisect_left
from collections.abc import Iterator
from itertools import islice

from setpoint.core.admission import waves
from setpoint.core.admission.draft import AdmissionDraft
from setpoint.core.admission.granting import spent, used, weight
from setpoint.core.admission.state import (
    Passage,
    Place,
    RequestStage,
    View,
)
from setpoint.core.facts import MemberResult, Need, Queued
from setpoint.model.names import (
    budget_calendar,
    is_budget,
    is_lease,
    is_wave,
    key_of,
    kind_of,
    last_name,
    passage_key,
    place_key,
    short_name,
    wave_unit,
)
from setpoint.model.policy import GroupWaves
from setpoint.model.reasons import Code, Reason
from setpoint.model.time import Instant, approximate_duration, format_instant

FIRST_FEW = 5
"""So many of each queue are told of every change."""
NAMED = 3
"""So many holders are named."""


def advance(draft: AdmissionDraft) -> None:
    """Tell those of whom something changed what they wait for."""
    told: dict[str, None] = dict.fromkeys(key for key in draft.joined if key in draft.places)
    for line in draft.queues.values() if draft.stirred else ():
        first = draft.places[line[0][1]] if line else None
        if first is None or draft.stirred.isdisjoint(need.unit for need in first.needs):
            continue
        told.update((key, None) for _, key in (line if _loud(draft, first) else islice(line, FIRST_FEW)))
    for key in told:
        if draft.places[key].stage is RequestStage.WAITING:
            _tell(draft, draft.places[key])


def _loud(draft: AdmissionDraft, place: Place) -> bool:
    return any(passage_key(key_of(need.unit), need.release) in draft.loud for need in place.needs)


def _tell(draft: AdmissionDraft, place: Place) -> None:
    reasons = tuple(why(draft, place, draft.now))
    said = zlib.crc32("\n".join(reason.text for reason in reasons).encode())
    if place.said == said and place.told:
        return
    place = draft.change(place, told=place.told + 1, said=said)
    draft.send(place.asker, Queued(ask=place.ask, number=place.told, reasons=reasons))


def why(view: View, place: Place, now: Instant) -> Iterator[Reason]:
    """Everything that a place waits for; its units are the reasons' subjects."""
    if place.stage is not RequestStage.WAITING:
        return
    found = [reason for need in dict.fromkeys(place.needs) if (reason := _why(view, place, need, now))]
    yield from found or [_kept(view, place)]


def _why(view: View, place: Place, need: Need, now: Instant) -> Reason | None:
    if is_wave(need.unit):
        return _wave(view, place, need, now)
    if is_budget(need.unit):
        return _budget(view, place, need)
    if used(view, need, place.asker) + min(weight(place, need.unit), need.limit) > need.limit:
        return _lease(view, place, need)
    return None


def _lease(view: View, place: Place, need: Need) -> Reason:
    holders = [view.places[key] for key in view.holders.get(need.unit, ())]
    named = [f"{_name(holder.asker)} since {format_instant(holder.since)}" for holder in holders[:NAMED]]
    more = f" and {len(holders) - NAMED} more" if len(holders) > NAMED else ""
    before = _before(view, place, need.unit)
    text = f"{unit_name(need.unit)} has {need.limit} deploying at most: {', '.join(named)}{more}; {before} before it"
    return Reason(Code.LEASE_TAKEN, text, subject=need.unit, since=place.asked, awaits=f"a free place at {unit_name(need.unit)}")


def _before(view: View, place: Place, unit: str) -> str:
    """How many of those that need a unit asked earlier."""
    spot = (place.order, place_key(place.asker, place.attempt))
    earlier = 0
    for line in view.queues.values():
        if line and any(need.unit == unit for need in view.places[line[0][1]].needs):
            earlier += bisect_left(line, spot)
    return f"{earlier} wait{'s' if earlier == 1 else ''}" if earlier else "nobody waits"


def _kept(view: View, place: Place) -> Reason:
    """All that it needs is free, but kept for one that has waited longer and needs something else as well."""
    units = [need.unit for need in place.needs if not is_wave(need.unit)] or [place.needs[0].unit]
    where = " and ".join(unit_name(unit) for unit in units)
    text = f"the free place at {where} is kept for one that has waited longer; {_before(view, place, units[0])} before it"
    return Reason(Code.LEASE_TAKEN, text, subject=units[0], since=place.asked, awaits=f"a free place at {where}")


def _budget(view: View, place: Place, need: Need) -> Reason | None:
    begun, taken = spent(view, need), used(view, need, place.asker)
    if taken < need.limit:
        return None
    name = budget_calendar(need.unit)
    text = f"{name} lets {need.limit} start in each window, and {begun} have" + (
        f", {taken - begun} more are about to" * (taken > begun)
    )
    return Reason(Code.BUDGET_USED, text, subject=need.unit, since=place.asked, until=need.until)


def _wave(view: View, place: Place, need: Need, now: Instant) -> Reason | None:
    group, release = key_of(need.unit), need.release
    number, name = waves.number_of(place), waves.name_of(group)
    if waves.permits(view, group, release, number):
        return None
    passage, rules = view.passages.get(passage_key(group, release)), view.groups.get(group)
    if waves.is_halted(view, group, release):
        text = f"release {release} did not get through {name}: some of it failed long ago"
        unblock = f"resume {name} --release {release}"
        return Reason(
            Code.WAVE_STOPPED, text, subject=wave_unit(group), since=place.asked, awaits="resume", unblock=unblock, person=True
        )
    if passage is None or rules is None or not passage.members:
        text = f"which channels of {name} release {release} names is not known yet"
        return Reason(Code.WAVE_NOT_OPEN, text, subject=wave_unit(group), since=place.asked, awaits="the line's word")
    if passage.stopped:
        names = ", ".join(waves.failed(passage))
        text = f"release {release} stopped in {name}" + (f": {names} failed" if names else " after a failure")
        unblock = f"resume {name} --release {release}"
        return Reason(
            Code.WAVE_STOPPED,
            text,
            subject=wave_unit(group),
            since=passage.stopped,
            awaits="resume",
            unblock=unblock,
            person=True,
        )
    wave = rules.waves[passage.open - 1]
    if passage.met:
        until = passage.met + wave.soak
        text = f"wave {number} of {name} waits for wave {passage.open}, which soaks for another "
        text += approximate_duration(until - now + 999)
        return Reason(Code.WAVE_NOT_OPEN, text, subject=wave_unit(group), since=passage.met, until=until)
    return _progress(passage, rules, place, number)


def _progress(passage: Passage, rules: GroupWaves, place: Place, number: int) -> Reason:
    wave, name = rules.waves[passage.open - 1], waves.name_of(passage.group)
    counted, finalized = waves.tally(passage, wave)
    need = waves.need_of(wave, counted)
    bad = [channel for channel in wave.channels if passage.channels.get(channel) is MemberResult.FAILED]
    text = f"wave {number} of {name} waits for wave {passage.open}: {finalized} of {need} finalized"
    text += f"; {', '.join(bad)} failed" if bad else ""
    return Reason(
        Code.WAVE_NOT_OPEN, text, subject=wave_unit(passage.group), since=place.asked, awaits=f"wave {passage.open} of {name}"
    )


def unit_name(unit: str) -> str:
    """For people: ``runtime k8s`` of ``lease:runtime:k8s``, ``group tenants`` of ``lease:group:saas/tenants``."""
    subject = key_of(unit) if is_lease(unit) else unit
    kind, key = kind_of(subject), key_of(subject)
    return f"{kind} {last_name(key)}" if key else f"the {kind}"


def _name(asker: str) -> str:
    """``web@acme`` of ``instance:saas/web@acme``."""
    return short_name(key_of(asker)) or asker
