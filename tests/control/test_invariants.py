"""Invariants of the user's own, from the configuration to what people are shown."""

from __future__ import annotations

from pathlib import Path

from tests.control.house import PLAIN, RUNTIME, SERVICE, House, documents, house
from tests.support.eventually import eventually

from setpoint.core.invariants.actor import InvariantState

STAGED = """
kind: Invariant
name: staged
select: channel=production
require: {runs: "^1"}
onViolation: stop-the-line
"""


async def test_a_violation_is_shown_and_stops_the_line(tmp_path: Path) -> None:
    async with house(tmp_path, documents(RUNTIME, SERVICE, PLAIN, STAGED)) as found:
        await found.release("1.0.0")
        await found.good("web@production", "1.0.0")
        (rule,) = (await found.ask("invariants")).invariants
        assert (rule.name, rule.select, rule.instances) == ("staged", "channel=production", 1)
        assert rule.stops
        assert rule.holds
        await found.release("2.0.0")
        await found.good("web@production", "2.0.0")
        (broken,) = (await found.ask("invariants")).invariants
        text = "web@production was brought to 2.0.0, which is not in ^1"
        assert [(one.what, one.text) for one in broken.violations] == [("runs", text)]
        await found.release("2.0.1")
        row = await found.waits_for("web@staging", "frozen")
        assert row.reason.text == f"invariant staged froze application saas: {text}"


async def test_a_document_that_leaves_the_configuration_is_asked_no_more(tmp_path: Path) -> None:
    async with house(tmp_path, documents(RUNTIME, SERVICE, PLAIN, STAGED)) as found:
        await found.apply(documents(RUNTIME, SERVICE, PLAIN))
        assert (await found.ask("invariants")).invariants == []
        await eventually(lambda: gone(found), why="the actor never heard that its document is gone")


async def gone(found: House) -> bool:
    state = await found.services.engine.read("invariant:staged")
    return isinstance(state, InvariantState) and state.invariant is None
