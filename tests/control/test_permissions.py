"""Who may do what: each command and query, asked by an administrator and by somebody else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.control.house import ADMIN, EVE, House, house

from setpoint.control.errors import ControlError, Forbidden
from setpoint.control.permissions import ADMINISTRATORS_ONLY
from setpoint.control.registry import COMMANDS, QUERIES, STREAMS

NONSENSE: dict[str, dict[str, Any]] = {
    "apply": {"files": {}, "root": "/nowhere"},
    "release": {"services": {"nothing": {"version": "1"}}},
    "check": {"gate": "z", "target": "x@y"},
    "skip": {"target": "x@y", "gate": "z", "why": "because"},
    "pin": {"target": "x@y", "version": "1"},
    "token-create": {"user": "new"},
    "token-revoke": {"id": "00000000"},
}
"""Well-formed, so that nothing but the right decides whether it is refused as forbidden."""
QUESTIONS: dict[str, dict[str, Any]] = {
    "explain": {"target": "x@y"},
    "preview": {"files": {}, "root": "/nowhere"},
    "validate": {"files": {}, "root": "/nowhere"},
    "logs": {"target": "x@y"},
    "replicas": {"target": "x@y"},
}


@pytest.mark.parametrize("name", sorted(COMMANDS))
async def test_a_command_is_forbidden_just_to_those_without_the_right(tmp_path: Path, name: str) -> None:
    payload = NONSENSE.get(name, {"target": "x@y"})
    async with house(tmp_path) as found:
        refused = {person.name: await _refusal(found, name, payload, person) for person in (ADMIN, EVE)}
        entries = (await found.ask("audit")).entries
    only = COMMANDS[name].permission in ADMINISTRATORS_ONLY
    assert refused == {"admin": False, "eve": only}
    assert [(one.person, one.command) for one in entries] == [("eve", name), ("admin", name)]
    assert (entries[0].outcome == "forbidden") is only


async def _refusal(found: House, name: str, payload: dict[str, object], person: object) -> bool:
    try:
        await found.control.command(name, payload, person)  # type: ignore[arg-type]
    except Forbidden as error:
        return "administrator" in error.hint
    except ControlError:
        return False
    return False


async def test_queries_and_streams_are_forbidden_just_to_those_without_the_right(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        for name in (*QUERIES, *STREAMS):
            only = (QUERIES.get(name) or STREAMS[name]).permission in ADMINISTRATORS_ONLY
            ask = found.control.query if name in QUERIES else found.control.stream
            for person, refused in ((ADMIN, False), (EVE, only)):
                try:
                    await ask(name, QUESTIONS.get(name, {}), person)
                except Forbidden:
                    assert refused, name
                except ControlError:
                    assert not refused, name
                else:
                    assert not refused, name
