"""Options are read leniently where YAML is lenient, and mistakes are sentences."""

from __future__ import annotations

from typing import Any

import pytest

from setpoint.programs.text import last_line, printable
from setpoint.protections.options import Options


@pytest.mark.parametrize(
    ("value", "read"), [("a", "a"), (7, "7"), (1.5, "1.5"), (True, "true"), ("${x}", "${x}"), (None, "default")]
)
def test_a_text_may_look_like_something_else(value: Any, read: str) -> None:
    options = Options({"a": value}, {"a"})
    assert options.text("a", "default") == read
    assert options.wrong == []


@pytest.mark.parametrize("value", [["a"], {"a": "b"}])
def test_a_list_or_a_map_is_no_text(value: Any) -> None:
    options = Options({"a": value}, {"a"})
    assert options.text("a", "default") == "default"
    assert options.wrong[0].startswith("a must be text, not a ")


def test_an_unknown_option_names_the_nearest_or_all() -> None:
    assert Options({"matcher": 1}, {"url", "matchers"}).wrong == ["matcher is unknown: did you mean matchers?"]
    assert Options({"x": 1}, {"url", "matchers"}).wrong == ["x is unknown: there is matchers, url"]


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("a\tb\x00c\x7f", "a b c"),
        ("\x1b]0;title\x07plain", "plain"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("x" * 400, "x" * 299 + "…"),
        ("zürich – 東京", "zürich – 東京"),
    ],
)
def test_what_others_write_becomes_one_printable_line(written: str, shown: str) -> None:
    assert printable(written) == shown


def test_the_last_line_is_the_last_one_with_something_to_read() -> None:
    assert last_line("first\nsecond\r\n\n \x1b[0m\n") == "second"
    assert last_line("10%\r50%\r100%\r") == "100%"
    assert last_line("\n \n") == ""
