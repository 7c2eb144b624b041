"""Callers that wait for committed states: for the one after the turn that took their fact, or for one that they describe."""

from __future__ import annotations

from asyncio import Future, get_running_loop
from collections.abc import Callable, Container, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from setpoint.engine.embedded.mailbox import Actor

Holds = Callable[[Any], bool]


@dataclass(frozen=True, eq=False)
class _Waiter:
    after: int
    """The newest pass that had started before it waited."""
    holds: Holds | None
    """None: any turn in a later pass is the one."""
    state: Future[Any]


class Waiting:
    """Who waits, by entity."""

    def __init__(self) -> None:
        self._waiters: dict[str, list[_Waiter]] = {}

    @contextmanager
    def state(self, entity: str, *, after: int = 0, holds: Holds | None = None) -> Iterator[Future[Any]]:
        """Yield a future of the committed state.

        It is done with the first turn in a pass newer than ``after`` that leads to a state that ``holds``, or that raises.
        """
        waiter = _Waiter(after, holds, get_running_loop().create_future())
        waiters = self._waiters.setdefault(entity, [])
        waiters.append(waiter)
        try:
            yield waiter.state
        finally:
            waiters.remove(waiter)
            if not waiters:
                self._waiters.pop(entity, None)

    def committed(self, number: int, actors: Iterable[Actor], problems: Container[str]) -> None:
        """The pass of this number is committed; ``actors`` had turns in it, those with ``problems`` turns that raised."""
        for actor in actors:
            for waiter in self._waiters.get(actor.entity, ()):
                if number > waiter.after and not waiter.state.done():
                    _resolve(waiter, actor, raised=actor.entity in problems)

    def fail(self, error: Exception) -> None:
        """Fail every waiter: no commit comes any more."""
        for waiters in self._waiters.values():
            for waiter in waiters:
                if not waiter.state.done():
                    _fail(waiter, error)


def _resolve(waiter: _Waiter, actor: Actor, *, raised: bool) -> None:
    try:
        if waiter.holds is None or raised or waiter.holds(actor.durable):
            waiter.state.set_result(actor.durable)
    except Exception as error:  # noqa: BLE001 - what raises here fails its own caller, never the engine
        _fail(waiter, error)


def _fail(waiter: _Waiter, error: Exception) -> None:
    waiter.state.set_exception(error)
    waiter.state.exception()  # after a caller gave up nothing else retrieves it
