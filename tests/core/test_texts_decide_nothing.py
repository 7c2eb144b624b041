"""No text decides anything: not of a reason, not of a line of history. Codes, gates and stages do."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src/setpoint"
PROSE = {"text", "awaits", "unblock", "why_not"}
"""Fields that hold sentences for people."""
DECIDING = ("core", "control", "model", "simulate")
SHOWING = {
    "control/dry_run.py": "a reason with new words is shown as new",
    "simulate/rules/explained.py": "it judges the words: whoever reads them learns how to skip the gate",
}
"""Files that compare sentences to show fewer of them, and why."""


def compared(tree: ast.AST) -> Iterator[int]:
    """Lines on which a sentence is compared with anything, searched in, or taken apart."""
    for node in ast.walk(tree):
        parts: list[ast.expr] = []
        if isinstance(node, ast.Compare):
            parts = [node.left, *node.comparators]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            taken_apart = node.func.attr in {"startswith", "endswith", "partition", "rpartition", "split", "find", "index"}
            parts = [node.func.value] if taken_apart else []
        elif isinstance(node, ast.Match):
            parts = [node.subject]
        if any(isinstance(part, ast.Attribute) and part.attr in PROSE for part in parts):
            assert isinstance(node, ast.expr | ast.stmt)
            yield node.lineno


def test_no_sentence_is_compared_where_anything_is_decided() -> None:
    found = {
        f"{path.relative_to(SOURCE)}:{line}"
        for package in DECIDING
        for path in (SOURCE / package).rglob("*.py")
        for line in compared(ast.parse(path.read_text("utf-8")))
        if str(path.relative_to(SOURCE)) not in SHOWING
    }
    assert not found, "compare a code instead"


@pytest.mark.parametrize("code", ['reason.text == "x"', '"x" in event.text', 'reason.awaits.startswith("x")'])
def test_a_comparison_would_be_found(code: str) -> None:
    assert list(compared(ast.parse(code))) == [1]


REWRITTEN = '''
    def __post_init__(self) -> None:
        """Rewrite every sentence: one that changes still changes."""
        for name in ("text", "awaits", "unblock"):
            written = getattr(self, name)
            if written and not written.endswith("~"):
                msgspec.structs.force_setattr(self, name, f"{written.upper()} {written}~")
'''
DECISIONS = """
import sys
from setpoint.core.recording.canonical import plain
from setpoint.simulate.scenario import failure
from setpoint.simulate.search.seeds import plan_of

for seed in map(int, sys.argv[1:]):
    scenario, broken = failure(plan_of(seed))
    for turn in scenario.world.history:
        print(turn.number, turn.entity, turn.decision.wake_at, turn.decision.moves, plain(turn.decision.instructions))
"""


def decisions(source: Path, *seeds: str) -> str:
    """What is decided in some worlds, without the words in which it is told."""
    environment = {**os.environ, "PYTHONPATH": str(source), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", DECISIONS, *seeds]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


def test_worlds_in_which_every_sentence_is_rewritten_decide_alike(tmp_path: Path) -> None:
    seeds = ("4",)  # with sets and admission, whose reasons pass from actor to actor
    shutil.copytree(SOURCE, tmp_path / "setpoint", ignore=shutil.ignore_patterns("__pycache__"))
    file = tmp_path / "setpoint/model/reasons.py"
    file.write_text(file.read_text("utf-8") + REWRITTEN, "utf-8")
    rewritten = decisions(tmp_path, *seeds)
    assert rewritten == decisions(ROOT / "src", *seeds)
    assert rewritten.count("Queued") > 5, "reasons were sent"
