"""Every command, query and stream is whole: permission, schema, audit subject, documentation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from setpoint.control import control as _registers_everything
from setpoint.control.documentation import commands_page
from setpoint.control.permissions import Permission
from setpoint.control.registry import COMMANDS, QUERIES, STREAMS, Answer, Request

PAGE = Path(__file__).parents[2] / "docs" / "commands.md"
ALL: dict[str, Any] = {**COMMANDS, **QUERIES, **STREAMS}


def test_there_are_commands_queries_and_streams() -> None:
    assert _registers_everything
    assert {
        "apply",
        "release",
        "approve",
        "reject",
        "skip",
        "pin",
        "unpin",
        "hold",
        "resume",
        "rollback",
        "retry",
    } <= COMMANDS.keys()
    assert {
        "status",
        "explain",
        "history",
        "releases",
        "preview",
        "validate",
        "schema",
        "doctor",
        "whoami",
        "audit",
    } <= QUERIES.keys()
    assert STREAMS.keys() == {"changes", "events", "logs"}


@pytest.mark.parametrize("name", sorted(ALL))
def test_each_has_a_permission_a_schema_and_a_sentence(name: str) -> None:
    found = ALL[name]
    assert isinstance(found.permission, Permission)
    assert issubclass(found.request, Request)
    assert found.request.model_config.get("extra") == "forbid"
    assert found.request.model_json_schema()["type"] == "object"
    assert issubclass(found.answer, Answer)
    assert found.summary.endswith(".")
    assert found.summary[0].isupper()


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_no_command_has_only_the_right_to_look(name: str) -> None:
    assert COMMANDS[name].mutates
    assert COMMANDS[name].permission is not Permission.VIEW


@pytest.mark.parametrize("name", sorted(ALL))
def test_each_is_documented(name: str) -> None:
    assert f"`{name}`" in PAGE.read_text()


def test_the_page_is_the_one_that_is_generated() -> None:
    assert PAGE.read_text() == commands_page(), "run: make docs"
