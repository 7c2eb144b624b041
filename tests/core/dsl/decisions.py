"""What a decision comes to, by the type that a test expects."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from msgspec import Struct

from setpoint.core.facts import Fact
from setpoint.core.instructions import AnyInstruction, Decision, Event, Instruction, Publish, Record, Send

F = TypeVar("F", bound=Fact)
G = TypeVar("G", bound=Instruction)
S = TypeVar("S", bound=Struct)


def sent_to(instructions: Iterable[AnyInstruction], kind: type[F]) -> list[tuple[str, F]]:
    """Facts of a kind, each after the entity that it is sent to."""
    return [(given.to, given.fact) for given in instructions if isinstance(given, Send) and isinstance(given.fact, kind)]


def sent(instructions: Iterable[AnyInstruction], kind: type[F]) -> list[F]:
    """Facts of a kind that are sent."""
    return [fact for _, fact in sent_to(instructions, kind)]


def published(instructions: Iterable[AnyInstruction], kind: type[F]) -> list[F]:
    """Facts of a kind that are published."""
    return [given.fact for given in instructions if isinstance(given, Publish) and isinstance(given.fact, kind)]


def recorded(instructions: Iterable[AnyInstruction]) -> list[Event]:
    """Lines of history."""
    return [given.event for given in instructions if isinstance(given, Record)]


def of_kind(instructions: Iterable[AnyInstruction], kind: type[G]) -> list[G]:
    """Instructions of a kind."""
    return [given for given in instructions if isinstance(given, kind)]


def state_of(decision: Decision, kind: type[S]) -> S:
    """The state that an actor of this kind has after a decision."""
    assert isinstance(decision.state, kind)
    return decision.state
