"""The page of rules and cases (``docs/rules.md``) is held to the tests: none can vanish, be renamed or be emptied in silence."""

from __future__ import annotations

import ast
import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "rules.md"
SECTION = re.compile(r"^## (\d+) · .*$", re.MULTILINE)
RULE = re.compile(r"^- (?P<words>.*?)  \n  → (?P<tests>.*)$", re.MULTILINE)
TEST = re.compile(r"\[([^\]]+)\]\((\.\./tests/[^)#]+\.py)\)")


def rules() -> list[tuple[str, str, list[tuple[str, Path]]]]:
    """(section, words, [(name of a test, its file)])"""
    parts = SECTION.split(PAGE.read_text("utf-8"))
    return [
        (
            section,
            rule["words"],
            [(f"test_{name.replace(' ', '_')}", PAGE.parent / path) for name, path in TEST.findall(rule["tests"])],
        )
        for section, text in zip(parts[1::2], parts[2::2], strict=True)
        for rule in RULE.finditer(text)
    ]


RULES = rules()
NAMED = sorted({named for _, _, tests in RULES for named in tests})


@cache
def named_in(path: Path) -> dict[str, ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every test of a file, those of classes included."""
    tree = ast.parse(path.read_text("utf-8"))
    found = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return {node.name: node for node in found if node.name.startswith("test_")}


@pytest.mark.parametrize(("section", "words", "tests"), [pytest.param(*rule, id=rule[1][:60]) for rule in RULES])
def test_each_rule_and_each_case_has_a_test(section: str, words: str, tests: list[tuple[str, Path]]):
    assert tests, f"section {section}: nothing pins: {words}"
    missing = [f"{path}::{name}" for name, path in tests if name not in named_in(path)]
    assert missing == []


@pytest.mark.parametrize(("name", "path"), [pytest.param(*named, id=named[0]) for named in NAMED])
def test_each_of_them_asserts_something_and_is_never_skipped(name: str, path: Path):
    node = named_in(path)[name]
    text = ast.unparse(node)
    assert re.search(r"\bassert\b|pytest\.raises|\bassert_\w+\(|\bholds\(|\.comes_to\(|\.waits_for\(|\beventually\(", text)
    assert not re.search(r"mark\.(skip|skipif|xfail)|pytest\.skip\(", text)


def test_no_line_of_the_page_is_overlooked():
    lines = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("- ")]
    assert len(lines) == len(RULES)
    assert {section for section, _, _ in RULES} == {"2", "3", "4", "5", "6", "7", "9", "10"}


def test_no_rule_stands_twice():
    counted = Counter((section, words) for section, words, _ in RULES)
    assert [rule for rule, count in counted.items() if count > 1] == []
