"""Every pattern of the package takes linear time on text from outside, however it is used."""

from __future__ import annotations

import ast
import importlib
import re
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import setpoint
from setpoint.model.grammars import lookup

ROOT = Path(setpoint.__file__).parent
USES = ("match", "fullmatch", "search", "finditer", "findall", "split", "sub")
PIECES = (
    *("${a:-", "${", '${a["', "$$", "a", "a.", "a-", "a/", "a@", "a:", "a=", "a,", "a b ", "0", "0.", "1.1-", "x=1;"),
    *(
        " ",
        "\t",
        "\n",
        "\r\n",
        "-",
        ".",
        "/",
        "@",
        ":",
        "=",
        "!=",
        "(",
        "a in (",
        ",",
        '"',
        "'",
        "\\",
        "[",
        "{",
        "<",
        "^",
        "~",
        ">= ",
    ),
    *("sha256:", "http://", "?a=", "&", "#", "%", "é", "\u200b", "- ", "a: ", "-----"),
)
"""What a text that takes long mostly repeats; each is tried with and without something at its end that does not fit."""
SIZE = 6_000
NOTICEABLE = 0.02
"""Seconds."""
LINEAR = 3.0
"""Twice the text takes twice as long, and four times where the time is quadratic."""


def patterns() -> Iterator[tuple[str, str, re.Pattern[Any]]]:
    """Module and line, the method by which it is used, and the pattern: named ones, and those written where they are used."""
    for path in sorted(ROOT.rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
        used = [call for call in calls if isinstance(call.func, ast.Attribute) and call.func.attr in USES]
        if not used:
            continue
        module = importlib.import_module(
            ".".join(("setpoint", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")
        )
        for call in used:
            assert isinstance(call.func, ast.Attribute)
            about = ast.unparse(call.func.value)
            found = getattr(module, about, None)
            if isinstance(found, re.Pattern):
                yield f"{path.relative_to(ROOT)}:{call.lineno}", call.func.attr, found
            elif about == "re" and call.args and isinstance(call.args[0], ast.Constant):
                yield f"{path.relative_to(ROOT)}:{call.lineno}", call.func.attr, re.compile(call.args[0].value)


WITHIN = (lookup._LOOKUP, "finditer")
"""Is given no text after the last brace; ``test_lookups_take_linear_time`` is about that."""
FOUND = {f"{place} {use}": (use, pattern) for place, use, pattern in patterns() if (pattern, use) != WITHIN}


def seconds(use: str, pattern: re.Pattern[Any], piece: str, end: str, size: int) -> float:
    text: Any = piece * (size // len(piece)) + end
    text = text if isinstance(pattern.pattern, str) else text.encode()
    run: Callable[[], object] = {
        "sub": lambda: pattern.sub(text[:0], text),
        "finditer": lambda: sum(1 for _ in pattern.finditer(text)),
    }.get(use, lambda: getattr(pattern, use)(text))
    began = time.process_time()
    run()
    return time.process_time() - began


def growth(took: Callable[[int], float], size: int) -> float:
    """Return how many times longer twice the text takes, by the shortest times of several rounds: other load only adds."""
    once = twice = float("inf")
    for number in range(12):
        once, twice = min(once, took(size)), min(twice, took(2 * size))
        if number >= 2 and twice / once < LINEAR:
            break
    return twice / once


def slow(use: str, pattern: re.Pattern[Any]) -> Iterator[str]:
    for piece in PIECES:
        for end in ("", "!", "\x00"):
            if seconds(use, pattern, piece, end, SIZE) < NOTICEABLE:
                continue
            times = growth(partial(seconds, use, pattern, piece, end), SIZE)
            if times > LINEAR:
                yield f"twice {piece!r} … {end!r} takes {times:.1f} times as long"


def test_there_are_patterns():
    assert len(FOUND) > 60


@pytest.mark.parametrize("name", FOUND)
def test_a_pattern_takes_linear_time(name: str):
    use, pattern = FOUND[name]
    assert list(slow(use, pattern)) == [], pattern.pattern


@pytest.mark.parametrize("piece", ["${a:-", "${", '${a["', "$${", "${a:-b} ${c:-"])
def test_lookups_take_linear_time(piece: str):
    def took(size: int) -> float:
        text = piece * (size // len(piece))
        began = time.process_time()
        list(lookup.paths(text))
        lookup.resolve(text, {"a": "x"}, keep=frozenset("c"))
        return time.process_time() - began

    assert took(40_000) < NOTICEABLE or growth(took, 40_000) < LINEAR


def test_one_that_does_not_is_found():
    assert any(slow("search", re.compile("(?:a|b)+c")))
    assert not any(slow("match", re.compile("(?:a|b)+c")))
