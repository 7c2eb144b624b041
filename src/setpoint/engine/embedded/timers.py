"""Timers: one heap for all entities. Arming again replaces; what is replaced stays in the heap and is passed over."""

from __future__ import annotations

import heapq
from collections.abc import Iterator

from setpoint.model.time import Instant

_SLACK = 1024


class Timers:
    """When which entity is to be woken, by the host's clock."""

    def __init__(self) -> None:
        self._heap: list[tuple[Instant, str]] = []
        self._armed: dict[str, Instant] = {}

    def __len__(self) -> int:
        return len(self._armed)

    def arm(self, entity: str, due: Instant | None) -> None:
        """Wake ``entity`` at ``due`` and at no other time; None: not at all."""
        if due is None:
            self._armed.pop(entity, None)
        elif self._armed.get(entity) != due:
            self._armed[entity] = due
            heapq.heappush(self._heap, (due, entity))
            if len(self._heap) > 2 * len(self._armed) + _SLACK:
                self._heap = [(at, name) for name, at in self._armed.items()]
                heapq.heapify(self._heap)

    def due(self, entity: str) -> Instant | None:
        """When it is to be woken."""
        return self._armed.get(entity)

    def next(self) -> Instant | None:
        """The soonest due time."""
        while self._heap and self._armed.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def take(self, now: Instant) -> Iterator[str]:
        """Disarm and give every entity that is due."""
        while (due := self.next()) is not None and due <= now:
            entity = heapq.heappop(self._heap)[1]
            del self._armed[entity]
            yield entity

    def take_all(self) -> list[str]:
        """Disarm and give every entity."""
        entities = list(self._armed)
        self._armed.clear()
        self._heap.clear()
        return entities

    def clear(self) -> None:
        """Forget everything."""
        self.take_all()
