"""What docs/calendars.md says is what happens."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from setpoint.config.documents.gates import CalendarDocument
from setpoint.config.problems import Problems
from setpoint.config.syntax.yaml import read_documents
from setpoint.core.calendars import opening, zone
from setpoint.model.calendars.calendar import Calendar
from setpoint.model.calendars.windows import problems
from setpoint.model.calendars.zones import moment_to_instant, parse_moment

PAGE = (Path(__file__).parents[2] / "docs" / "calendars.md").read_text("utf-8")
EXAMPLE = re.compile(r"```yaml\n(?P<document>.*?)```\n\n\| at [^\n]*\n\|[-|]+\n(?P<rows>(?:\|[^\n]*\n)+)", re.DOTALL)


def compiled(text: str) -> tuple[Calendar, str | None]:
    (document,), readable = read_documents("calendars.md", text.encode(), Problems())
    assert readable
    written = CalendarDocument.model_validate(document)
    windows = None if written.open is None else tuple(window.value() for window in written.open)
    closed = tuple(window.value() for window in written.closed)
    assert [problem for window in (*(windows or ()), *closed) for problem in problems(window)] == []
    return Calendar(name=written.name, open=windows, closed=closed), written.timezone


ANSWERS = [
    pytest.param(match["document"], *(cell.strip() for cell in row.strip("|").split("|")), id=row)
    for match in EXAMPLE.finditer(PAGE)
    for row in match["rows"].strip().splitlines()
]


def test_every_example_of_the_page_has_answers():
    assert len(EXAMPLE.findall(PAGE)) == PAGE.count("```yaml") == 4


@pytest.mark.parametrize(("document", "at", "timezone", "answer"), ANSWERS)
def test_the_examples_answer_as_the_page_says(document, at, timezone, answer):
    calendar, own_timezone = compiled(document)
    now = moment_to_instant(parse_moment(at), zone(timezone))
    assert opening(calendar, own_timezone or timezone, now).reason == answer
