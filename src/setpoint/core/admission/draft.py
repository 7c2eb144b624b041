"""The working copy of admission during one turn. Only what a turn touches is copied."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from setpoint.core.admission.state import (
    FIRST,
    AdmissionState,
    Asker,
    Passage,
    Place,
    RequestStage,
    unit_key,
)
from setpoint.core.facts import AnyFact, AskAdmission, Need
from setpoint.core.instructions import AnyInstruction, Decision, Event, Record, Send
from setpoint.model.names import is_wave, passage_key, place_key, wave_unit
from setpoint.model.people import By
from setpoint.model.time import Instant

KEPT_ASKERS = 1_000
"""So many who hold nothing and wait for nothing are remembered, for what they said and comes late."""


class AdmissionDraft:
    """State under way, instructions so far, and when somebody must be woken."""

    def __init__(self, before: AdmissionState, now: Instant, wall: Instant) -> None:
        self.before = before
        self.now = now
        self.wall = wall
        """What the wall clock shows: windows of budgets, and what people read, go by it."""
        self.orders = before.orders
        self.places = dict(before.places)
        self.askers = dict(before.askers)
        self.queues: dict[str, Sequence[tuple[int, str]]] = dict(before.queues)
        self.holders = dict(before.holders)
        self.spent = dict(before.spent)
        self.configured = before.configured
        self.groups = before.groups
        self.passages = dict(before.passages)
        self.through = before.through
        self.halted = before.halted
        self.signals = before.signals
        self.out: list[AnyInstruction] = []
        self.wake_at: Instant | None = None
        self.stirred: set[str] = set()
        """Units of which something became free, or otherwise changed for those who wait."""
        self.joined: list[str] = []
        """Places that began to wait."""
        self.loud: set[str] = set()
        """Passages that stopped or go on: everybody who waits for them is told."""
        self._lists: dict[str, list[tuple[int, str]]] = {}

    # --- who asked ---------------------------------------------------------------------------------------------------------

    def heard(self, asker: str) -> int:
        """The last number heard of somebody."""
        known = self.askers.get(asker)
        return known.heard if known else 0

    def hear(self, asker: str, ask: int) -> None:
        """Remember a number; lower ones that come late are dropped."""
        known = self.askers.get(asker, Asker())
        if known.heard < ask:
            self.askers[asker] = replace(known, heard=ask)

    def hear_returned(self, asker: str, ask: int) -> None:
        """Remember the number of an asking that was given back, whether or not the asking itself has come yet."""
        known = self.askers.get(asker, Asker())
        if known.returned < ask:
            self.askers[asker] = replace(known, returned=ask)

    def place(self, asker: str, ask: int) -> Place | None:
        """The place that is known under this asking."""
        return next((place for place in self._of(asker) if place.ask == ask), None)

    def overtaken(self, asker: str, attempt: int) -> list[Place]:
        """Places of other attempts of somebody that cannot have begun; one that was granted may have, and say so late."""
        return [
            place
            for place in self._of(asker)
            if place.attempt != attempt and place.stage in {RequestStage.WAITING, RequestStage.RETURNED}
        ]

    def asking(self, asker: str, attempt: int) -> Place | None:
        """The place of an attempt that has not begun."""
        return next(
            (place for place in self._of(asker) if place.attempt == attempt and place.stage is not RequestStage.BEGUN), None
        )

    def _of(self, asker: str) -> list[Place]:
        known = self.askers.get(asker)
        return [self.places[key] for key in known.keys] if known else []

    def holds(self, asker: str) -> bool:
        """Whether somebody holds leases already, of a rollout that will give way (or was granted them, and may have begun)."""
        return any(place.stage in {RequestStage.GRANTED, RequestStage.BEGUN} for place in self._of(asker))

    # --- places ------------------------------------------------------------------------------------------------------------

    def take(self, fact: AskAdmission, number: int) -> Place:
        """A new place, behind all others; who holds leases goes first: they become free by its beginning."""
        self.orders += 1
        order = self.orders - FIRST if self.holds(fact.asker) else self.orders
        key, asker = place_key(fact.asker, fact.attempt), self.askers[fact.asker]
        place = Place(fact.asker, fact.ask, fact.attempt, fact.release, fact.needs, fact.members, order, min(fact.at, self.now))
        self.places[key] = place
        self.askers[fact.asker] = replace(asker, keys=(*asker.keys, key))
        return self.enqueue(place, number)

    def enqueue(self, place: Place, number: int) -> Place:
        """Wait, in order, with those that need the same, unless it was given back before it came. ``number``: of its wave."""
        if place.ask <= self.askers[place.asker].returned:
            return self.change(place, stage=RequestStage.RETURNED)
        queue = queue_of(place, number)
        insort(self._line(queue), (place.order, place_key(place.asker, place.attempt)))
        self.joined.append(place_key(place.asker, place.attempt))
        return self.change(place, stage=RequestStage.WAITING, queue=queue, since=0)

    def change(self, place: Place, **changes: Any) -> Place:
        """Replace parts of a place."""
        changed = self.places[place_key(place.asker, place.attempt)] = replace(place, **changes)
        return changed

    def withdraw(self, place: Place, *, stage: str = RequestStage.RETURNED) -> Place:
        """It neither waits nor holds anything any more."""
        key = place_key(place.asker, place.attempt)
        if place.stage is RequestStage.WAITING:
            line = self._line(place.queue)
            del line[bisect_left(line, (place.order, key))]
            self.stirred.update(need.unit for need in place.needs)
        elif place.stage in {RequestStage.GRANTED, RequestStage.BEGUN}:
            self._let_go(place.needs, key)
        return self.change(place, stage=stage, queue="", since=0)

    def drop(self, place: Place) -> None:
        """Forget a place."""
        place = self.withdraw(place)
        key = place_key(place.asker, place.attempt)
        del self.places[key]
        asker = self.askers.pop(place.asker)
        self.askers[place.asker] = replace(asker, keys=tuple(other for other in asker.keys if other != key))

    def grant(self, place: Place) -> None:
        """All units at once."""
        key = place_key(place.asker, place.attempt)
        line = self._line(place.queue)
        del line[bisect_left(line, (place.order, key))]
        for unit in dict.fromkeys(unit_key(need) for need in place.needs if not is_wave(need.unit)):
            self.holders[unit] = (*self.holders.get(unit, ()), key)
        self.stirred.update(need.unit for need in place.needs)
        self.change(place, stage=RequestStage.GRANTED, queue="", since=self.wall)

    def begun(self, place: Place, spent: Sequence[Need]) -> Place:
        """Its leases are held until it ends; what it had reserved of budgets is spent."""
        self._let_go(spent, place_key(place.asker, place.attempt))
        return self.change(place, stage=RequestStage.BEGUN)

    def _let_go(self, needs: Sequence[Need], key: str) -> None:
        for need in needs:
            unit = unit_key(need)
            kept = tuple(other for other in self.holders.get(unit, ()) if other != key)
            if kept:
                self.holders[unit] = kept
            else:
                self.holders.pop(unit, None)
            self.stirred.add(need.unit)

    def _line(self, queue: str) -> list[tuple[int, str]]:
        line = self._lists.get(queue)
        if line is None:
            line = self._lists[queue] = list(self.queues.get(queue, ()))
            self.queues[queue] = line
        return line

    # --- passages ----------------------------------------------------------------------------------------------------------

    def keep(self, passage: Passage) -> None:
        """Store a changed passage; those who wait for it are looked at again."""
        self.passages[passage_key(passage.group, passage.release)] = passage
        self.stirred.add(wave_unit(passage.group))

    # --- the end -----------------------------------------------------------------------------------------------------------

    def send(self, to: str, fact: AnyFact) -> None:
        """Tell somebody."""
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
            self.places,
            self.askers,
            self.queues,  # type: ignore[arg-type]  # lists are tuples again by now
            self.holders,
            self.spent,
            self.configured,
            self.groups,
            self.passages,
            self.through,
            self.halted,
            self.signals,
        )
        return Decision(self.before if state == self.before else state, tuple(self.out), self.wake_at)

    def _forget_askers(self) -> None:
        """The oldest of those who have no place, once they are many more than those who have."""
        if len(self.askers) <= 2 * len(self.places) + 2 * KEPT_ASKERS:
            return
        idle = [name for name, asker in self.askers.items() if not asker.keys]
        for name in idle[:-KEPT_ASKERS]:
            del self.askers[name]


def queue_of(place: Place, number: int) -> str:
    """Those in one queue need just the same, so only the first of it is ever looked at."""
    parts = sorted(f"{unit_key(need)}<{need.limit}" for need in place.needs)
    releases = ",".join(str(release) for release in sorted({need.release for need in place.needs if is_wave(need.unit)}))
    return "|".join(parts) + (f"|{releases}/{number}" if number else "")
