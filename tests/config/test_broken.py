"""Fifty broken configurations and what is said about each: whole outputs, kept beside them.

SETPOINT_UPDATE_SNAPSHOTS=1 writes them anew; read the difference before committing it.
"""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path

import pytest

from setpoint.config.compile import check
from setpoint.config.problems import ConfigurationProblem, render

BROKEN = Path(__file__).parent / "broken"
CASES = sorted(path.name for path in BROKEN.iterdir() if path.is_dir())


@pytest.mark.parametrize("name", CASES)
def test_every_mistake_is_told_with_its_place_and_a_way_out(name: str) -> None:
    expected = BROKEN / name / "expected.txt"
    said = render(every_problem()[name]) + "\n"
    if os.environ.get("SETPOINT_UPDATE_SNAPSHOTS"):
        expected.write_text(said, encoding="utf-8")
    assert said == expected.read_text(encoding="utf-8")


@cache
def every_problem() -> dict[str, list[ConfigurationProblem]]:
    return {name: check(BROKEN / name) for name in CASES}


def test_there_are_fifty_and_they_cover_the_mistakes_people_make() -> None:
    found = every_problem()
    assert len(found) >= 50
    assert all(found.values())
    assert sum(len(problems) >= 3 for problems in found.values()) >= 10
    codes = {problem.code for problems in found.values() for problem in problems}
    assert len(codes) >= 35
    assert all(re.fullmatch(r"[a-z0-9-]+", code) for code in codes)


def test_every_message_is_two_lines_that_say_what_to_do() -> None:
    for problems in every_problem().values():
        for problem in problems:
            lines = str(problem).splitlines()
            assert len(lines) == 2, problem
            assert lines[0].startswith(f"{problem.file}:{problem.line}:{problem.column}  ")
            assert lines[0].endswith("."), lines[0]
            assert lines[1].strip()
            assert "Traceback" not in str(problem)
            assert "pydantic" not in str(problem).lower()


def test_the_same_mistake_is_told_once() -> None:
    for problems in every_problem().values():
        assert len({(p.position, p.message) for p in problems}) == len(problems)
