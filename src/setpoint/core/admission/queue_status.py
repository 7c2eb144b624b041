"""Queue status: everything that a request waits for, which instance holds it and since when, and how many requests are ahead.

It is reported to a request when it starts to wait; later to the first few of a queue, whenever it changes, and to the whole queue
when a release stops. So with ten thousand waiting requests, a start does not cost ten thousand messages.
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
    AdmissionRequest,
    RequestStage,
    View,
    WaveProgress,
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
    request_key,
    short_name,
    wave_progress_key,
    wave_unit,
)
from setpoint.model.policy import GroupWaves
from setpoint.model.reasons import Code, Reason
from setpoint.model.time import Instant, approximate_duration, format_instant

FIRST_FEW = 5
"""Requests at the head of each queue that every change is reported to."""
NAMED = 3
"""Holders that a reason names at most."""


def advance(draft: AdmissionDraft) -> None:
    """Report what they wait for to requests for which it changed."""
    queue_number: dict[str, None] = dict.fromkeys(key for key in draft.joined if key in draft.requests)
    for line in draft.queues.values() if draft.changed_units else ():
        first = draft.requests[line[0][1]] if line else None
        if first is None or draft.changed_units.isdisjoint(need.unit for need in first.needs):
            continue
        queue_number.update((key, None) for _, key in (line if _is_announced(draft, first) else islice(line, FIRST_FEW)))
    for key in queue_number:
        if draft.requests[key].stage is RequestStage.WAITING:
            _report(draft, draft.requests[key])


def _is_announced(draft: AdmissionDraft, request: AdmissionRequest) -> bool:
    return any(wave_progress_key(key_of(need.unit), need.release) in draft.announce for need in request.needs)


def _report(draft: AdmissionDraft, request: AdmissionRequest) -> None:
    reasons = tuple(why(draft, request, draft.now))
    text_checksum = zlib.crc32("\n".join(reason.text for reason in reasons).encode())
    if request.text_checksum == text_checksum and request.queue_number:
        return
    request = draft.change(request, queue_number=request.queue_number + 1, text_checksum=text_checksum)
    draft.send(request.requester, Queued(request_id=request.request_id, number=request.queue_number, reasons=reasons))


def why(view: View, request: AdmissionRequest, now: Instant) -> Iterator[Reason]:
    """Yield everything that a request waits for; its units are the subjects of the reasons."""
    if request.stage is not RequestStage.WAITING:
        return
    found = [reason for need in dict.fromkeys(request.needs) if (reason := _why(view, request, need, now))]
    yield from found or [_kept(view, request)]


def _why(view: View, request: AdmissionRequest, need: Need, now: Instant) -> Reason | None:
    if is_wave(need.unit):
        return _wave(view, request, need, now)
    if is_budget(need.unit):
        return _budget(view, request, need)
    if used(view, need, request.requester) + min(weight(request, need.unit), need.limit) > need.limit:
        return _lease(view, request, need)
    return None


def _lease(view: View, request: AdmissionRequest, need: Need) -> Reason:
    holders = [view.requests[key] for key in view.holders.get(need.unit, ())]
    named = [f"{_name(holder.requester)} since {format_instant(holder.since)}" for holder in holders[:NAMED]]
    more = f" and {len(holders) - NAMED} more" if len(holders) > NAMED else ""
    before = _before(view, request, need.unit)
    text = f"{unit_name(need.unit)} allows {need.limit} to deploy at a time: {', '.join(named)}{more}; {before} ahead"
    return Reason(
        Code.LEASE_TAKEN, text, subject=need.unit, since=request.requested_at, awaits=f"a free place at {unit_name(need.unit)}"
    )


def _before(view: View, request: AdmissionRequest, unit: str) -> str:
    """Describe how many requests that need a unit are ahead."""
    spot = (request.order, request_key(request.requester, request.attempt))
    earlier = 0
    for line in view.queues.values():
        if line and any(need.unit == unit for need in view.requests[line[0][1]].needs):
            earlier += bisect_left(line, spot)
    if not earlier:
        return "no request is"
    return "1 request is" if earlier == 1 else f"{earlier} requests are"


def _kept(view: View, request: AdmissionRequest) -> Reason:
    """Everything that it needs is free, but reserved for a request that has waited longer and needs something else as well."""
    units = [need.unit for need in request.needs if not is_wave(need.unit)] or [request.needs[0].unit]
    where = " and ".join(unit_name(unit) for unit in units)
    text = f"the free place at {where} is kept for one that has waited longer; {_before(view, request, units[0])} ahead"
    return Reason(Code.LEASE_TAKEN, text, subject=units[0], since=request.requested_at, awaits=f"a free place at {where}")


def _budget(view: View, request: AdmissionRequest, need: Need) -> Reason | None:
    started, taken = spent(view, need), used(view, need, request.requester)
    if taken < need.limit:
        return None
    name = budget_calendar(need.unit)
    text = f"{name} lets {need.limit} start in each window, and {started} have" + (
        f", {taken - started} more are about to" * (taken > started)
    )
    return Reason(Code.BUDGET_USED, text, subject=need.unit, since=request.requested_at, until=need.until)


def _wave(view: View, request: AdmissionRequest, need: Need, now: Instant) -> Reason | None:
    group, release = key_of(need.unit), need.release
    number, name = waves.number_of(request), waves.name_of(group)
    if waves.permits(view, group, release, number):
        return None
    progress, rules = view.wave_progress.get(wave_progress_key(group, release)), view.groups.get(group)
    if waves.is_halted(view, group, release):
        text = f"release {release} did not get through {name}: some of it failed long ago"
        unblock = f"resume {name} --release {release}"
        return Reason(
            Code.WAVE_STOPPED,
            text,
            subject=wave_unit(group),
            since=request.requested_at,
            awaits="resume",
            unblock=unblock,
            person=True,
        )
    if progress is None or rules is None or not progress.members:
        text = f"which channels of {name} release {release} names is not known yet"
        return Reason(
            Code.WAVE_NOT_OPEN, text, subject=wave_unit(group), since=request.requested_at, awaits="the line's list of members"
        )
    if progress.stopped:
        names = ", ".join(waves.failed(progress))
        text = f"release {release} stopped in {name}" + (f": {names} failed" if names else " after a failure")
        unblock = f"resume {name} --release {release}"
        return Reason(
            Code.WAVE_STOPPED,
            text,
            subject=wave_unit(group),
            since=progress.stopped,
            awaits="resume",
            unblock=unblock,
            person=True,
        )
    wave = rules.waves[progress.open - 1]
    if progress.met:
        until = progress.met + wave.soak
        text = f"wave {number} of {name} waits for wave {progress.open}, which soaks for another "
        text += approximate_duration(until - now + 999)
        return Reason(Code.WAVE_NOT_OPEN, text, subject=wave_unit(group), since=progress.met, until=until)
    return _progress(progress, rules, request, number)


def _progress(progress: WaveProgress, rules: GroupWaves, request: AdmissionRequest, number: int) -> Reason:
    wave, name = rules.waves[progress.open - 1], waves.name_of(progress.group)
    counted, finalized = waves.tally(progress, wave)
    need = waves.need_of(wave, counted)
    bad = [channel for channel in wave.channels if progress.channels.get(channel) is MemberResult.FAILED]
    text = f"wave {number} of {name} waits for wave {progress.open}: {finalized} of {need} finalized"
    text += f"; {', '.join(bad)} failed" if bad else ""
    return Reason(
        Code.WAVE_NOT_OPEN,
        text,
        subject=wave_unit(progress.group),
        since=request.requested_at,
        awaits=f"wave {progress.open} of {name}",
    )


def unit_name(unit: str) -> str:
    """For people: ``runtime k8s`` of ``lease:runtime:k8s``, ``group tenants`` of ``lease:group:saas/tenants``."""
    subject = key_of(unit) if is_lease(unit) else unit
    kind, key = kind_of(subject), key_of(subject)
    return f"{kind} {last_name(key)}" if key else f"the {kind}"


def _name(requester: str) -> str:
    """``web@acme`` of ``instance:saas/web@acme``."""
    return short_name(key_of(requester)) or requester
