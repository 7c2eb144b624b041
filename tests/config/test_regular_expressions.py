"""Patterns that a configuration gives for values."""

from __future__ import annotations

import pytest
from pydantic_core import PydanticCustomError

from setpoint.config.problems import Position
from setpoint.config.syntax.values import matches, read_pattern
from setpoint.config.syntax.yaml import Scalar


@pytest.mark.parametrize(
    ("pattern", "fits", "not_"),
    [
        ("[a-z]+", ["web"], ["Web", "web ", "web\n", "a web"]),
        ("a|b", ["a", "b"], ["ab", "ax", "xb"]),
        ("", [""], ["a", "\n"]),
        (r"(?i)web\d{2}", ["WEB01"], ["web1"]),
        ("é+", ["éé"], ["e"]),
    ],
)
def test_a_pattern_matches_the_whole_text(pattern: str, fits: list[str], not_: list[str]) -> None:
    assert [text for text in fits if not matches(pattern, text)] == []
    assert [text for text in not_ if matches(pattern, text)] == []


@pytest.mark.parametrize("pattern", ["(", "a)|(b", r"(a)\1", "(?=a)", "a{1000}{1000}{1000}", "(?x)a # b"])
def test_a_pattern_that_is_invalid_or_could_take_long_is_refused(pattern: str) -> None:
    with pytest.raises(PydanticCustomError, match="is not a valid regular expression"):
        read_pattern(Scalar.of(pattern, Position("setpoint.yaml")))


def test_a_pattern_that_would_take_for_ever_by_backtracking_returns() -> None:
    assert not matches("(a+)+b", "a" * 60_000 + "!")
