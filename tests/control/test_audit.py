"""The audit: every command leaves who, what, why and what came of it – also when the engine dies in between."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.control.house import ADMIN, ANN, EVE, STANDARD, house

from setpoint.control.audit import BEGUN, Audit, Entry
from setpoint.control.errors import ControlError, NotFound, Unavailable
from setpoint.engine.errors import EngineDegraded


async def test_each_command_is_written_with_its_outcome(tmp_path: Path) -> None:
    async with house(tmp_path, STANDARD) as found:
        await found.release("1.0", ANN, why="sprint 12")
        with pytest.raises(ControlError):
            await found.do("hold", EVE, target="web@staging", why="hm")
        with pytest.raises(ControlError):
            await found.do("release", EVE, services={"wbe": {"version": "1.0"}}, why="hm")
        with pytest.raises(ControlError):
            await found.do("hold", EVE)
        told = [(one.person, one.command, one.subject, one.why, one.outcome) for one in (await found.ask("audit")).entries]
    assert told == [
        ("eve", "hold", "", "", "malformed"),
        ("eve", "release", "wbe=1.0", "hm", "not-found"),
        ("eve", "hold", "web@staging", "hm", "forbidden"),
        ("ann", "release", "web=1.0", "sprint 12", "done"),
        ("admin", "apply", "/config", "", "done"),
    ]


async def test_a_command_that_the_engine_did_not_outlive_shows_as_begun(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        await Audit(found.services.stores.records).begin(Entry("ann", "release", "web=1.0", at=5))
        entry = (await found.ask("audit")).entries[0]
    assert (entry.person, entry.outcome) == ("ann", BEGUN)


async def test_pages_go_back_to_the_first(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        for number in range(7):
            await found.do("token-create", user=f"p{number}")
        pages, before = [], 0
        while page := (await found.ask("audit", limit=3, before=before)).entries:
            pages.append([one.subject for one in page])
            before = page[-1].number
    assert pages == [["p6", "p5", "p4"], ["p3", "p2", "p1"], ["p0"]]


async def test_queries_leave_nothing(tmp_path: Path) -> None:
    async with house(tmp_path, STANDARD) as found:
        await found.ask("status")
        with pytest.raises(NotFound):
            await found.ask("explain", target="x@y")
        assert [one.command for one in (await found.ask("audit")).entries] == ["apply"]


async def test_an_engine_that_cannot_write_says_so_instead_of_breaking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_: object, **__: object) -> None:
        raise EngineDegraded("the disk is full")

    async with house(tmp_path, STANDARD) as found:
        monkeypatch.setattr(found.services.engine, "ask", refuse)
        with pytest.raises(Unavailable, match="the disk is full"):
            await found.do("hold", ADMIN, target="web@staging")
        assert (await found.ask("audit")).entries[0].outcome == "unavailable"
