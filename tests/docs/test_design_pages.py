"""The pages of actors and of the engine port (``docs/design``) name what the code has, and all of it."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path
from typing import get_args

from setpoint.core.decide import STATES
from setpoint.core.facts import AnyFact
from setpoint.core.instructions import AnyInstruction
from setpoint.engine import port

DESIGN = Path(__file__).parents[2] / "docs" / "design"
ACTORS = (DESIGN / "actors.md").read_text("utf-8")
PORT = (DESIGN / "engine-port.md").read_text("utf-8")


def first_cells(page: str, title: str) -> list[str]:
    """What stands in backticks in the first column of each table with this title over its first column."""
    tables = re.findall(rf"^\| {title} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", page, re.MULTILINE)
    return [name for table in tables for row in table.splitlines() for name in re.findall(r"`(\w+)`", row.split("|")[1])]


def test_every_actor_has_a_row():
    owns = ACTORS.split("| actor | one per | owns |")[1].split("\n\n")[0]
    assert sorted(re.findall(r"^\| `(\w+)`", owns, re.MULTILINE)) == sorted(STATES)


def test_every_message_has_one_row():
    assert sorted(first_cells(ACTORS, "message")) == sorted(fact.__name__ for fact in get_args(AnyFact))


def test_every_instruction_has_one_row():
    assert sorted(first_cells(PORT, "instruction")) == sorted(one.__name__ for one in get_args(AnyInstruction))


def methods(source: str) -> dict[str, str]:
    """Method of the class ``Engine`` -> its signature."""
    tree = ast.parse(source)
    engine = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Engine")
    found = [node for node in engine.body if isinstance(node, ast.AsyncFunctionDef)]
    return {one.name: f"{ast.unparse(one.args)} -> {ast.unparse(one.returns) if one.returns else ''}" for one in found}


def test_the_port_is_shown_as_it_is():
    there = methods(inspect.getsource(port))
    assert methods(PORT.split("```python\n")[1].split("```")[0]) == there
    assert sorted(first_cells(PORT, "method")) == sorted(there)
