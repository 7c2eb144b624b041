"""Worlds with the same key behave alike: whatever may happen next, their keys are the same again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from random import Random

import msgspec
import pytest

from setpoint.simulate.explore.abstraction import ADDED, BOUNDS, INFORMATIONAL, NUMBERS, OWNERS, Abstraction
from setpoint.simulate.explore.explorer import ExploredPath, SmallWorld
from setpoint.simulate.explore.small_worlds import WORLDS
from setpoint.simulate.world.host import START


def pairs(small: SmallWorld, most: int, states: int) -> Iterator[tuple[ExploredPath, ExploredPath]]:
    """Worlds with the same key, each with the one that had it first."""
    first = ExploredPath(replace(small, most=most))
    known = {first.key(): first}
    waiting, chance = [first], Random(0)
    while waiting and len(known) < states:
        path = waiting.pop(chance.randrange(len(waiting)))
        for move in path.moves():
            other = path.copied()
            other.move(*move)
            first_met = known.setdefault(other.key(), other)
            if first_met is other:
                waiting.append(other)
            else:
                yield first_met, other


@pytest.mark.parametrize(
    ("small", "states", "least"),
    [
        *(pytest.param(small, 100, 10, id=f"{small.name}, a few") for small in WORLDS[::4]),
        *(pytest.param(small, 250, 50, id=f"{small.name}, many", marks=pytest.mark.nightly) for small in WORLDS),
    ],
)
def test_worlds_with_the_same_key_go_on_alike(small: SmallWorld, states: int, least: int):
    met = 0
    for one, other in pairs(small, 2, states):
        moves = list(one.moves())
        assert moves == list(other.moves())
        for move in moves:
            here, there = one.copied(), other.copied()
            assert here.move(*move) == there.move(*move)
            assert here.key() == there.key(), move
            met += 1
    assert met > least


SOAK = 300_000


def key(*instants: int, now: int) -> bytes:
    """The key of these instants."""
    values = Abstraction()
    values.instants += (START + instant for instant in instants)
    return values.key(START + now, SOAK)


def test_time_that_passed_counts_up_to_the_longest_duration_that_it_is_compared_with():
    assert key(0, now=SOAK) != key(0, now=SOAK + 1)
    assert key(0, now=SOAK + 1) == key(0, now=2 * SOAK)
    assert key(0, now=0) != key(0, now=1)


def test_the_time_between_two_instants_counts_even_when_both_are_long_past():
    assert key(0, 1_000, now=2 * SOAK) == key(0, 1_000, now=3 * SOAK)
    assert key(0, 1_000, now=2 * SOAK) != key(0, 2_000, now=2 * SOAK)
    assert key(0, SOAK + 1, now=3 * SOAK) == key(0, SOAK + 2, now=3 * SOAK)


def test_future_instants_are_exact():
    assert key(2 * SOAK, now=0) != key(2 * SOAK + 1, now=0)
    assert key(2 * SOAK, now=0) == key(2 * SOAK + 1, now=1)


def test_numbers_count_by_their_rank():
    def of(*numbers: int) -> bytes:
        values = Abstraction()
        for number in numbers:
            values.number("look", "instance:app/web@production", number)
        return values.key(START, SOAK)

    assert of(0, 3, 7) == of(0, 1, 2) != of(1, 2, 3)
    assert of(3, 7) != of(7, 3)


def test_the_tables_name_fields_that_exist():
    structs: dict[str, set[str]] = {}
    waiting: list[type] = [msgspec.Struct]
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        structs.setdefault(kind.__name__, set()).update(getattr(kind, "__struct_fields__", ()))
    tables: list[Mapping[str, Iterable[str]]] = [INFORMATIONAL, BOUNDS, NUMBERS, ADDED]
    named = {(kind, field) for table in tables for kind, fields in table.items() for field in fields}
    named |= set(OWNERS.items())
    assert {(kind, field) for kind, field in named if field not in structs.get(kind, ())} == set()
