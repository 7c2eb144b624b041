"""Which changes are made to a function, and how they are put into the file."""

from __future__ import annotations

import ast

import pytest
from tests.mutation.operators import Mutant, mutants


def made(body: str) -> list[str]:
    """The changed statements of a function with this body."""
    source = f"def f(a, b):\n    {body}\n"
    changed = [ast.parse(mutant.applied(source.encode())) for mutant in mutants("f.py", source)]
    return [ast.unparse(tree.body[0].body[0]) for tree in changed]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("body", "among"),
    [
        ("return a < b", {"return a <= b", "return a >= b", "return None"}),
        ("return a is not b", {"return a is b"}),
        ("return a in b", {"return a not in b"}),
        ("return 0 < a <= b", {"return 0 <= a <= b", "return 0 < a < b"}),
        ("return a and b", {"return a or b", "return a", "return b"}),
        ("return not a", {"return a"}),
        ("return a + b", {"return a - b"}),
        ("return a * b", {"return a // b"}),
        ("return a(x=1, y=b)", {"return a(y=b)", "return a(x=1)", "return a(x=2, y=b)", "return a(x=0, y=b)"}),
        ("return min(a, b)", {"return max(a, b)"}),
        ("return any(a)", {"return all(a)"}),
        ("return a[-5:]", {"return a", "return a[5:]"}),
        ("return (a, *b)", {"return (*b,)", "return (a,)"}),
        ("return {'x': a, 'y': b}", {"return {'y': b}", "return {'x': a}"}),
        ("return True", {"return False"}),
        ("a.append(b)", {"pass"}),
        ("a += b", {"pass"}),
        ("return 1 if a else b", {"return 1 if True else b", "return 1 if False else b"}),
        ("return [x for x in a if x]", {"return [x for x in a if True]", "return [x for x in a if False]"}),
    ],
)
def test_a_change_of_each_kind(body: str, among: set[str]):
    assert among <= set(made(body))


def test_statements_under_a_condition_are_always_or_never_run():
    assert {"if True:\n    return a", "if False:\n    return a"} <= set(made("if a is None: return a"))


@pytest.mark.parametrize(
    "body", ["return None", "assert a == b", "raise ValueError(1)", "a = f'{b + 1}'", "'a docstring'", "x: int"]
)
def test_texts_assertions_and_annotations_are_left_alone(body: str):
    assert made(body) == []


def test_a_change_within_an_operation_keeps_its_brackets():
    assert "return not (a or not b)" in made("return not (a and not b)")
    assert "return (a - b) * 2" in made("return (a + b) * 2")


def test_methods_are_known_by_their_class_and_texts_may_be_of_any_alphabet():
    source = 'class Ä:\n    def f(self):\n        return "–", 1\n'
    found = mutants("f.py", source)
    assert {mutant.function for mutant in found} == {"Ä.f"}
    assert b'return "\xe2\x80\x93", 2' in b"".join(mutant.applied(source.encode()) for mutant in found)


def test_every_mutant_of_a_function_has_a_key_of_its_own_that_survives_changes_elsewhere():
    source = "def f(a):\n    return a < 1 or a < 1 + 2\n"
    keys = [mutant.key for mutant in mutants("f.py", source)]
    assert len(set(keys)) == len(keys)
    moved = [mutant.key for mutant in mutants("f.py", f"# a comment\n\n\ndef g():\n    return 1\n\n\n{source}")]
    assert set(keys) <= set(moved)
    assert set(keys).isdisjoint(mutant.key for mutant in mutants("f.py", source.replace("+", "-")))


def test_long_changes_are_shown_by_what_differs():
    before, after = f"f({'x' * 60}, key=1, y={'y' * 60})", f"f({'x' * 60}, y={'y' * 60})"
    mutant = Mutant("f.py", "f", "", 1, frozenset(), "", 0, 0, before, after)
    assert mutant.words == f"…{'x' * 18}, key=1, y={'y' * 18}…  →  …{'x' * 18}, y={'y' * 18}…"
