"""The working copy of admission during one turn. Only what a turn touches is copied."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from setpoint.core.admission.state import (
    FIRST,
    AdmissionRequest,
    AdmissionState,
    Requester,
    RequestStage,
    WaveProgress,
    unit_key,
)
from setpoint.core.facts import AdmissionRequested, AnyFact, Need
from setpoint.core.instructions import AnyInstruction, Decision, Event, Record, Send
from setpoint.model.names import is_wave, request_key, wave_progress_key, wave_unit
from setpoint.model.people import By
from setpoint.model.time import Instant

KEPT_ASKERS = 1_000
"""Requesters without an open request that are remembered, so that their late facts are recognized."""


class AdmissionDraft:
    """State under way, instructions so far, and when to be woken."""

    def __init__(self, before: AdmissionState, now: Instant, wall: Instant) -> None:
        self.before = before
        self.now = now
        self.wall = wall
        """What the wall clock shows: windows of budgets, and what people read, go by it."""
        self.orders = before.orders
        self.requests = dict(before.requests)
        self.requesters = dict(before.requesters)
        self.queues: dict[str, Sequence[tuple[int, str]]] = dict(before.queues)
        self.holders = dict(before.holders)
        self.spent = dict(before.spent)
        self.configured = before.configured
        self.groups = before.groups
        self.wave_progress = dict(before.wave_progress)
        self.through = before.through
        self.halted = before.halted
        self.signals = before.signals
        self.out: list[AnyInstruction] = []
        self.wake_at: Instant | None = None
        self.changed_units: set[str] = set()
        """Units of which something became free, or otherwise changed for waiting requests."""
        self.joined: list[str] = []
        """Keys of requests that started to wait in this turn."""
        self.announce: set[str] = set()
        """Wave progress that stopped or went on: reported to every request that waits for it."""
        self._lists: dict[str, list[tuple[int, str]]] = {}

    # --- requesters ---------------------------------------------------------------------------------------------------------

    def last_request_id(self, requester: str) -> int:
        """Return the highest request id that was received from a requester; 0: none."""
        known = self.requesters.get(requester)
        return known.last_request_id if known else 0

    def note_request(self, requester: str, ask: int) -> None:
        """Remember a request id: lower ones that arrive late are dropped."""
        known = self.requesters.get(requester, Requester())
        if known.last_request_id < ask:
            self.requesters[requester] = replace(known, last_request_id=ask)

    def note_returned(self, requester: str, ask: int) -> None:
        """Remember the id of a returned request, whether or not the request itself has arrived yet."""
        known = self.requesters.get(requester, Requester())
        if known.returned < ask:
            self.requesters[requester] = replace(known, returned=ask)

    def request(self, requester: str, ask: int) -> AdmissionRequest | None:
        """Return the request with this id, if it is known."""
        return next((request for request in self._of(requester) if request.request_id == ask), None)

    def overtaken(self, requester: str, attempt: int) -> list[AdmissionRequest]:
        """Return requests of the requester's other attempts that cannot have started; a granted one may have."""
        return [
            request
            for request in self._of(requester)
            if request.attempt != attempt and request.stage in {RequestStage.WAITING, RequestStage.RETURNED}
        ]

    def open_request(self, requester: str, attempt: int) -> AdmissionRequest | None:
        """Return the request of an attempt that has not started."""
        return next(
            (
                request
                for request in self._of(requester)
                if request.attempt == attempt and request.stage is not RequestStage.STARTED
            ),
            None,
        )

    def _of(self, requester: str) -> list[AdmissionRequest]:
        known = self.requesters.get(requester)
        return [self.requests[key] for key in known.keys] if known else []

    def holds(self, requester: str) -> bool:
        """Whether the requester holds leases already, of a rollout that will be replaced, or was granted them."""
        return any(request.stage in {RequestStage.GRANTED, RequestStage.STARTED} for request in self._of(requester))

    # --- requests ----------------------------------------------------------------------------------------------------------

    def take(self, fact: AdmissionRequested, number: int) -> AdmissionRequest:
        """Add a request behind all others. One whose requester holds leases goes first: its start frees them."""
        self.orders += 1
        order = self.orders - FIRST if self.holds(fact.requester) else self.orders
        key, requester = request_key(fact.requester, fact.attempt), self.requesters[fact.requester]
        request = AdmissionRequest(
            fact.requester, fact.request_id, fact.attempt, fact.release, fact.needs, fact.members, order, min(fact.at, self.now)
        )
        self.requests[key] = request
        self.requesters[fact.requester] = replace(requester, keys=(*requester.keys, key))
        return self.enqueue(request, number)

    def enqueue(self, request: AdmissionRequest, number: int) -> AdmissionRequest:
        """Queue a request with those that need the same, unless it was returned before it arrived. ``number``: of its wave."""
        if request.request_id <= self.requesters[request.requester].returned:
            return self.change(request, stage=RequestStage.RETURNED)
        queue = queue_of(request, number)
        insort(self._line(queue), (request.order, request_key(request.requester, request.attempt)))
        self.joined.append(request_key(request.requester, request.attempt))
        return self.change(request, stage=RequestStage.WAITING, queue=queue, since=0)

    def change(self, request: AdmissionRequest, **changes: Any) -> AdmissionRequest:
        """Replace parts of a request."""
        changed = self.requests[request_key(request.requester, request.attempt)] = replace(request, **changes)
        return changed

    def withdraw(self, request: AdmissionRequest, *, stage: str = RequestStage.RETURNED) -> AdmissionRequest:
        """Take a request out of its queue, and free what it holds."""
        key = request_key(request.requester, request.attempt)
        if request.stage is RequestStage.WAITING:
            line = self._line(request.queue)
            del line[bisect_left(line, (request.order, key))]
            self.changed_units.update(need.unit for need in request.needs)
        elif request.stage in {RequestStage.GRANTED, RequestStage.STARTED}:
            self._let_go(request.needs, key)
        return self.change(request, stage=stage, queue="", since=0)

    def drop(self, request: AdmissionRequest) -> None:
        """Forget a request."""
        request = self.withdraw(request)
        key = request_key(request.requester, request.attempt)
        del self.requests[key]
        requester = self.requesters.pop(request.requester)
        self.requesters[request.requester] = replace(requester, keys=tuple(other for other in requester.keys if other != key))

    def grant(self, request: AdmissionRequest) -> None:
        """Grant all units of a request together."""
        key = request_key(request.requester, request.attempt)
        line = self._line(request.queue)
        del line[bisect_left(line, (request.order, key))]
        for unit in dict.fromkeys(unit_key(need) for need in request.needs if not is_wave(need.unit)):
            self.holders[unit] = (*self.holders.get(unit, ()), key)
        self.changed_units.update(need.unit for need in request.needs)
        self.change(request, stage=RequestStage.GRANTED, queue="", since=self.wall)

    def started(self, request: AdmissionRequest, spent: Sequence[Need]) -> AdmissionRequest:
        """Hold the request's leases until it ends; what it had reserved of budgets is spent."""
        self._let_go(spent, request_key(request.requester, request.attempt))
        return self.change(request, stage=RequestStage.STARTED)

    def _let_go(self, needs: Sequence[Need], key: str) -> None:
        for need in needs:
            unit = unit_key(need)
            kept = tuple(other for other in self.holders.get(unit, ()) if other != key)
            if kept:
                self.holders[unit] = kept
            else:
                self.holders.pop(unit, None)
            self.changed_units.add(need.unit)

    def _line(self, queue: str) -> list[tuple[int, str]]:
        line = self._lists.get(queue)
        if line is None:
            line = self._lists[queue] = list(self.queues.get(queue, ()))
            self.queues[queue] = line
        return line

    # --- wave progress-------------------------------------------------------------------------------------------------------

    def keep(self, progress: WaveProgress) -> None:
        """Store changed progress; requests that wait for it are evaluated again."""
        self.wave_progress[wave_progress_key(progress.group, progress.release)] = progress
        self.changed_units.add(wave_unit(progress.group))

    # --- the end -----------------------------------------------------------------------------------------------------------

    def send(self, to: str, fact: AnyFact) -> None:
        """Send a fact to an entity."""
        self.out.append(Send(to, fact))

    def record(self, kind: str, text: str, *, release: int = 0, by: By | None = None) -> None:
        """Write a line of history."""
        self.out.append(Record(Event(kind, text, release=release, by=by)))

    def wake(self, at: Instant) -> None:
        """Ask to be woken at the latest then."""
        if self.wake_at is None or at < self.wake_at:
            self.wake_at = at

    def decision(self) -> Decision:
        """The next state; the very same object when nothing changed."""
        for queue, line in self._lists.items():
            if line:
                self.queues[queue] = tuple(line)
            else:
                del self.queues[queue]
        self._forget_askers()
        state = AdmissionState(
            self.orders,
            self.requests,
            self.requesters,
            self.queues,  # type: ignore[arg-type]  # lists are tuples again by now
            self.holders,
            self.spent,
            self.configured,
            self.groups,
            self.wave_progress,
            self.through,
            self.halted,
            self.signals,
        )
        return Decision(self.before if state == self.before else state, tuple(self.out), self.wake_at)

    def _forget_askers(self) -> None:
        """Forget the oldest requesters without requests, once they are many more than those with some."""
        if len(self.requesters) <= 2 * len(self.requests) + 2 * KEPT_ASKERS:
            return
        idle = [name for name, requester in self.requesters.items() if not requester.keys]
        for name in idle[:-KEPT_ASKERS]:
            del self.requesters[name]


def queue_of(request: AdmissionRequest, number: int) -> str:
    """Return the key of a request's queue. Requests of one queue need the same, so only the first of it is ever evaluated."""
    parts = sorted(f"{unit_key(need)}<{need.limit}" for need in request.needs)
    releases = ",".join(str(release) for release in sorted({need.release for need in request.needs if is_wave(need.unit)}))
    return "|".join(parts) + (f"|{releases}/{number}" if number else "")
