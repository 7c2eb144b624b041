"""The tables of the abstraction name what exists: a name that is out of date would make states finer than they are, unnoticed."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Collection, Iterator, Mapping
from dataclasses import fields, is_dataclass

import msgspec
import pytest

import setpoint
from setpoint.simulate.explore.abstraction import ATTEMPTS, BOUNDS, INFORMATIONAL, NUMBERS

TABLES: dict[str, Mapping[str, Collection[str]]] = {
    "INFORMATIONAL": INFORMATIONAL,
    "BOUNDS": BOUNDS,
    "NUMBERS": NUMBERS,
    "ATTEMPTS": ATTEMPTS,
}


def fields_by_class() -> dict[str, set[str]]:
    """Return the fields of each struct and dataclass below ``core``, ``model`` and ``simulate``."""
    found: dict[str, set[str]] = {}
    for name in _modules():
        for kind in vars(importlib.import_module(name)).values():
            if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
                found[kind.__name__] = set(kind.__struct_fields__)
            elif isinstance(kind, type) and is_dataclass(kind):
                found[kind.__name__] = {one.name for one in fields(kind)}
    return found


def _modules() -> Iterator[str]:
    for package in ("core", "model", "simulate"):
        path = [f"{setpoint.__path__[0]}/{package}"]
        yield from (one.name for one in pkgutil.walk_packages(path, f"setpoint.{package}.") if not one.name.endswith("__main__"))


@pytest.mark.parametrize("table", TABLES)
def test_a_table_names_classes_and_fields_that_exist(table: str) -> None:
    known = fields_by_class()
    named = {(kind, field) for kind, names in TABLES[table].items() for field in names}
    assert named - {(kind, field) for kind, names in known.items() for field in names} == set()
