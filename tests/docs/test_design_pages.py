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


def members(source: str) -> dict[str, str]:
    """Member of the classes ``Actors`` and ``Engine`` -> its signature, or the type of a property."""
    tree = ast.parse(source)
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name in {"Actors", "Engine"}]
    return dict(member for one in classes for node in one.body if (member := _member(node)))


def _member(node: ast.stmt) -> tuple[str, str] | None:
    match node:
        case ast.AnnAssign(target=ast.Name(name), annotation=kind):
            return name, ast.unparse(kind)
        case ast.FunctionDef(decorator_list=[ast.Name("property")], returns=ast.expr() as kind):
            return node.name, ast.unparse(kind)
        case ast.FunctionDef(returns=ast.expr() as kind) | ast.AsyncFunctionDef(returns=ast.expr() as kind):
            return node.name, f"{type(node).__name__} {ast.unparse(node.args)} -> {ast.unparse(kind)}"
    return None


def test_the_port_is_shown_as_it_is():
    there = members(inspect.getsource(port))
    assert len(there) > 10
    assert members(PORT.split("```python\n")[1].split("```")[0]) == there
    assert sorted(first_cells(PORT, "member")) == sorted(there)
