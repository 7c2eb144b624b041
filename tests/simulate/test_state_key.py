"""Worlds that are told alike behave alike: whatever may happen next, they are told alike again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from random import Random

import pytest

from setpoint.simulate.explore.abstraction import Abstraction
from setpoint.simulate.explore.explorer import ExploredPath, SmallWorld
from setpoint.simulate.explore.small_worlds import WORLDS
from setpoint.simulate.world.host import START


def pairs(small: SmallWorld, most: int, states: int) -> Iterator[tuple[ExploredPath, ExploredPath]]:
    """Worlds that were found to be in the same situation, each with the one that came to it first."""
    first = ExploredPath(replace(small, most=most))
    known = {first.key(): first}
    waiting, chance = [first], Random(0)
    while waiting and len(known) < states:
        play = waiting.pop(chance.randrange(len(waiting)))
        for move in play.moves():
            other = play.copied()
            other.move(*move)
            twin = known.setdefault(other.key(), other)
            if twin is other:
                waiting.append(other)
            else:
                yield twin, other


@pytest.mark.parametrize("small", WORLDS, ids=lambda small: small.name)
def test_what_is_told_alike_goes_on_alike(small: SmallWorld):
    met = 0
    for one, other in pairs(small, 2, 250):
        moves = list(one.moves())
        assert moves == list(other.moves())
        for move in moves:
            here, there = one.copied(), other.copied()
            assert here.move(*move) == there.move(*move)
            assert here.key() == there.key(), move
            met += 1
    assert met > 50


SOAK = 300_000


def told(*instants: int, now: int) -> bytes:
    """These instants as they are told."""
    values = Abstraction()
    values.instants += (START + instant for instant in instants)
    return values.key(START + now, SOAK)


def test_time_that_passed_is_told_up_to_the_longest_duration_that_it_is_compared_with():
    assert told(0, now=SOAK) != told(0, now=SOAK + 1)
    assert told(0, now=SOAK + 1) == told(0, now=2 * SOAK)
    assert told(0, now=0) != told(0, now=1)


def test_what_lay_between_two_instants_is_told_though_both_are_long_past():
    assert told(0, 1_000, now=2 * SOAK) == told(0, 1_000, now=3 * SOAK)
    assert told(0, 1_000, now=2 * SOAK) != told(0, 2_000, now=2 * SOAK)
    assert told(0, SOAK + 1, now=3 * SOAK) == told(0, SOAK + 2, now=3 * SOAK)


def test_times_to_come_are_told_exactly():
    assert told(2 * SOAK, now=0) != told(2 * SOAK + 1, now=0)
    assert told(2 * SOAK, now=0) == told(2 * SOAK + 1, now=1)


def test_numbers_are_told_by_their_place_in_their_row():
    def of(*numbers: int) -> bytes:
        values = Abstraction()
        for number in numbers:
            values.number("look", "instance:app/web@production", number)
        return values.key(START, SOAK)

    assert of(0, 3, 7) == of(0, 1, 2) != of(1, 2, 3)
    assert of(3, 7) != of(7, 3)
