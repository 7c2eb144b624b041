"""Configurations in which every two features meet: each uncovered pair starts one, and others join as far as they fit."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

from tests.pairs.features import BASE, FEATURES, Feature, Tree

from setpoint.config.compile import CompiledConfiguration
from setpoint.config.problems import ConfigurationError

ROOT = Path("/srv/pairs")
MOST_TOGETHER = 24
"""So many features at most are in one configuration: what breaks it can still be found."""
LIST = b"- {name: x, runtime: pretend}\n"
Pair = frozenset[Feature]


def merged(features: Iterable[Feature]) -> Tree:
    """Document -> fields, of the small configuration with these features."""
    found: Tree = copy.deepcopy(BASE)
    for feature in features:
        _merge(found, copy.deepcopy(dict(feature.patch)))
    return found


def _merge(into: Tree, patch: Mapping[str, Any]) -> None:
    for key, value in patch.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        elif isinstance(value, list) and isinstance(into.get(key), list):
            into[key] = [*into[key], *(one for one in value if one not in into[key])]
        else:
            into[key] = value


def text_of(features: Iterable[Feature]) -> str:
    """As one file of documents."""
    return "\n---\n".join(json.dumps(document) for document in merged(features).values())


def configured(features: Iterable[Feature]) -> CompiledConfiguration:
    """Compiled. Raises ConfigurationError, or Refusal for what this version cannot do."""
    files = {"setpoint.yaml": text_of(features).encode(), "list.yaml": LIST}
    return CompiledConfiguration.from_files(files, ROOT)


@cache
def refusal(features: frozenset[Feature]) -> str:
    """Why these cannot stand together; empty: they can."""
    try:
        found = configured(sorted(features, key=str)).refusals
    except ConfigurationError as error:
        return f"{error.problems[0].code}: {error.problems[0].message}"
    return f"not in this version: {found[0].partition(' (')[0]}" if found else ""


@dataclass
class Matrix:
    """Which configuration covers which pair, and which pairs are refused with what text."""

    drawn: list[tuple[Feature, ...]] = field(default_factory=list)
    covered: dict[Pair, int] = field(default_factory=dict)
    refused: dict[Pair, str] = field(default_factory=dict)

    def draw(self, features: Iterable[Feature] = FEATURES, most: int = 1_000) -> Matrix:
        """Until every pair is covered or refused, or ``most`` configurations are drawn."""
        every = tuple(features)
        left = {frozenset(pair): None for pair in combinations(every, 2)}
        for pair in list(left):
            one, other = pair
            if one.factor == other.factor:
                self.refused[pair] = f"two values of one field: {one.factor}"
                del left[pair]
        while left and len(self.drawn) < most:
            pair = next(iter(left))
            if why := refusal(pair):
                self.refused[pair] = why
                del left[pair]
                continue
            chosen = self._filled(tuple(sorted(pair, key=str)), every, left)
            self.drawn.append(chosen)
            for made in map(frozenset, combinations(chosen, 2)):
                if made in left:
                    self.covered[made] = len(self.drawn)
                    del left[made]
        return self

    def _filled(self, chosen: tuple[Feature, ...], every: tuple[Feature, ...], left: Mapping[Pair, None]) -> tuple[Feature, ...]:
        """With every other feature that covers something, that has a factor of its own and that all of it can stand with."""
        wanted = {one: sum(frozenset((one, other)) in left for other in every) for one in every}
        for one in sorted(every, key=lambda one: (-wanted[one], str(one))):
            if len(chosen) >= MOST_TOGETHER:
                break
            if one in chosen or one.factor in {other.factor for other in chosen}:
                continue
            if any(frozenset((one, other)) in left for other in chosen) and not refusal(frozenset((*chosen, one))):
                chosen = (*chosen, one)
        return chosen

    def lines(self) -> Iterator[str]:
        """The matrix: pair, and the configuration that covers it or the text that refuses it."""
        for pair in sorted({**self.covered, **self.refused}, key=lambda pair: sorted(map(str, pair))):
            one, other = sorted(map(str, pair))
            result = f"configuration {self.covered[pair]}" if pair in self.covered else f"refused: {self.refused[pair]}"
            yield f"{one:34} × {other:34} {result}"
