"""The register of rules: a module of this package adds its own by ``@rule``, and ``__init__`` imports every module."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from setpoint.simulate.checker.step import Moment, Step
from setpoint.simulate.world.host import World

Complaint = str
"""Sentence that states what is wrong with a turn."""

Rule = Callable[[Step], Iterator[Complaint]]
ActorRule = Callable[[Moment], Iterator[Complaint]]
EndRule = Callable[[World], Iterator[Complaint]]

RULES: list[tuple[str, Rule]] = []
"""(invariant, rule) applied after every turn of an instance; several rules may share an invariant."""

ACTOR_RULES: dict[str, list[tuple[str, ActorRule]]] = {}
"""Kind of entity (``task``, ``set``, ``admission`` …) -> rules applied after every turn of one."""

END_RULES: list[tuple[str, EndRule]] = []
"""(invariant, rule) applied once, when everything has converged in the fair end of a run."""


CANONICAL: dict[type, Callable[[Any], object]] = {}
"""State -> what of it a repeated fact must not change; without an entry: everything."""


def rule(name: str) -> Callable[[Rule], Rule]:
    """Register a rule about instances under the name of an invariant of the design."""

    def added(function: Rule) -> Rule:
        RULES.append((name, function))
        return function

    return added


def actor_rule(name: str, kind: str) -> Callable[[ActorRule], ActorRule]:
    """Register a rule about actors of another kind."""

    def added(function: ActorRule) -> ActorRule:
        ACTOR_RULES.setdefault(kind, []).append((name, function))
        return function

    return added


def end_rule(name: str) -> Callable[[EndRule], EndRule]:
    """Register a rule about a world at rest."""

    def added(function: EndRule) -> EndRule:
        END_RULES.append((name, function))
        return function

    return added


def canonical(state: type) -> Callable[[Callable[[Any], object]], Callable[[Any], object]]:
    """Register what *idempotent* compares of one kind of state."""

    def added(function: Callable[[Any], object]) -> Callable[[Any], object]:
        CANONICAL[state] = function
        return function

    return added
