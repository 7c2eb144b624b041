"""Protections are found by entry point; a broken plug-in costs its own checks a clear reason and nobody else anything."""

from __future__ import annotations

import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from tests.protections.contract import definition, run

from setpoint.config.policies.builtins import BUILTINS, ORDERINGS
from setpoint.model.checks import Outcome
from setpoint.protections import load, registry

GROUP = "setpoint.protections"
ROOT = Path(__file__).parents[2]


def test_ours_are_all_found() -> None:
    assert set(load()) >= {"program", "http", "always", "alerts-not-firing", "http-probe", "sql-query", "db-migrated"}


def test_every_built_in_that_runs_has_an_adapter() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["entry-points"][GROUP]
    assert set(declared) == {"program", "http"} | set(BUILTINS) - set(ORDERINGS)
    adapters = {name: EntryPoint(name, value, GROUP).load()() for name, value in declared.items()}
    assert all(adapter.validate({"colour": "red"}) for adapter in adapters.values())


@pytest.fixture
def points(monkeypatch: pytest.MonkeyPatch) -> list[EntryPoint]:
    points = [EntryPoint("always", "setpoint.protections.always:AlwaysProtection", GROUP)]

    def found(group: str) -> Any:
        return points if group == GROUP else []

    monkeypatch.setattr(registry, "entry_points", found)
    return points


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("no_such_package:X", "ModuleNotFoundError"),
        ("setpoint.protections.always:Nope", "AttributeError"),
        ("builtins:object", "lacks run or validate"),
    ],
)
async def test_a_broken_plug_in_says_so_and_hurts_no_other(points: list[EntryPoint], value: str, sentence: str) -> None:
    points.append(EntryPoint("broken", value, GROUP))
    loaded = load()
    assert set(loaded) == {"always", "broken"}
    result = await run(loaded["broken"], definition("broken", {}))
    assert result.outcome is Outcome.MISCONFIGURED
    assert sentence in result.reason
    assert loaded["broken"].validate({}) == [result.reason]
    assert loaded["always"].validate({}) == []


def test_a_built_in_name_cannot_be_taken(points: list[EntryPoint]) -> None:
    points.append(EntryPoint("always", "somebody.else:Always", GROUP))
    assert load()["always"].validate({}) == []


def test_a_name_that_two_plug_ins_give_belongs_to_neither(points: list[EntryPoint]) -> None:
    points += [EntryPoint("cake", "one:Cake", GROUP), EntryPoint("cake", "two:Cake", GROUP)]
    assert "several plug-ins: one:Cake, two:Cake" in load()["cake"].validate({})[0]
