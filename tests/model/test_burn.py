"""Objectives, windows and the counters they are counted with."""

from __future__ import annotations

from typing import Any

import pytest

from setpoint.model.burn import DEFAULT_WINDOWS, Windows, parse_objective, parse_series, parse_windows
from setpoint.model.time import HOUR, MINUTE


@pytest.mark.parametrize(("text", "budget"), [("99.9%", 0.001), ("99%", 0.01), ("99.99%", 0.0001), ("50%", 0.5), ("0.5%", 0.995)])
def test_an_objective_leaves_a_budget(text: str, budget: float) -> None:
    assert parse_objective(text) == pytest.approx(budget, rel=1e-12)


@pytest.mark.parametrize("text", ["", "99.9", "0.999", "100%", "0%", "0.0%", "101%", "-1%", "99,9%", "99.9 %", "nan%"])
def test_no_objective_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="write a percentage"):
        parse_objective(text)


@pytest.mark.parametrize(
    "text",
    [
        "http_requests_total",
        "job:errors:total",
        'http_requests_total{code=~"5..", job!="a,b}"}',
        '{__name__="errors"}',
        "errors{job='it\\'s'}",
        "errors{path=`a\\b`,}",
        '{"http.requests", code!~"2.."}',
        "errors{}",
    ],
)
def test_a_selector_of_counters_is_taken_as_it_is(text: str) -> None:
    assert parse_series(f" {text} ") == text


@pytest.mark.parametrize(
    "text",
    ["", "{}", "rate(errors[5m])", "errors[5m]", "a + b", 'a{b="c"} or d{}', "a) or (b", "errors{job=web}", "errors offset 5m"],
)
def test_anything_more_than_a_selector_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="selects no counters"):
        parse_series(text)


def test_the_usual_windows_are_a_twelfth_of_each_other() -> None:
    assert all(pair.long == 12 * pair.short for pair in DEFAULT_WINDOWS)
    assert [pair.burn for pair in DEFAULT_WINDOWS] == [14.4, 6]


def test_windows_are_read_from_maps() -> None:
    assert parse_windows([{"long": "1h", "short": "5m", "burn": 2}]) == (Windows(HOUR, 5 * MINUTE, 2),)


@pytest.mark.parametrize(
    "written",
    [
        [],
        ["1h"],
        [{"long": "1h", "short": "5m"}],
        [{"long": "1h", "short": "5m", "burn": 2, "more": 1}],
        [{"long": "1h", "short": "1h", "burn": 2}],
        [{"long": "1h", "short": "0", "burn": 2}],
        [{"long": "soon", "short": "5m", "burn": 2}],
        [{"long": "1h", "short": "5m", "burn": "2"}],
        [{"long": "1h", "short": "5m", "burn": True}],
        [{"long": "1h", "short": "5m", "burn": float("nan")}],
    ],
)
def test_windows_that_are_none_are_refused(written: list[Any]) -> None:
    with pytest.raises(ValueError, match=r"write|shorter"):
        parse_windows(written)
