"""Streams of events and changes resume from the last number that a client saw, also after the engine was started again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.control.house import ADMIN, STANDARD, House, house

from setpoint.control.errors import NotFound


async def opened(found: House, name: str, after: int | None) -> AsyncIterator[Any]:
    return await found.control.stream(name, {"after": after}, ADMIN)


async def read(found: House, name: str, after: int, until: int) -> list[int]:
    """Numbers of a stream up to one that is known to come."""
    numbers: list[int] = []
    async with asyncio.timeout(10):
        async for bit in await opened(found, name, after):
            numbers.append(bit.number)
            if bit.number >= until:
                break
    return numbers


async def test_events_resume_from_any_number_and_none_is_missed_or_repeated(tmp_path: Path) -> None:
    async with house(tmp_path, STANDARD) as found:
        await found.do("release", services={"web": {"version": "1.0"}})
        await found.do("hold", target="web@staging")
        before = [event.number for event in reversed((await found.ask("history", limit=1000)).events)]
        cut = before[len(before) // 2]
        assert await read(found, "events", cut, before[-1]) == [number for number in before if number > cut]
    async with house(tmp_path) as found:
        await found.do("resume", target="web@staging")
        every = [event.number for event in reversed((await found.ask("history", limit=1000)).events)]
        assert every[: len(before)] == before
        assert every[-1] > before[-1]
        assert await read(found, "events", cut, every[-1]) == [number for number in every if number > cut]


async def test_changes_name_what_is_another_now_and_include_the_audit_log(tmp_path: Path) -> None:
    async with house(tmp_path, STANDARD) as found:
        after = await found.services.stores.whole.changes.newest()
        await found.do("hold", target="web@staging")
        held = (await found.ask("history", limit=1)).events[0]
        changes = []
        async with asyncio.timeout(10):
            async for change in await opened(found, "changes", after):
                changes.append(change)
                if change.kind == "audit" and len([one for one in changes if one.kind == "audit"]) == 2:
                    break
        [turns] = [one for one in changes if "instance:web@staging" in one.entities or held.entity in one.entities]
        assert turns.kind == "turns"
        assert turns.number >= held.number
        assert [one.kind for one in (changes[0], changes[-1])] == ["audit", "audit"], "the command began and ended"


@pytest.mark.parametrize("name", ["events", "changes"])
async def test_a_number_that_was_never_given_is_refused_in_words(name: str, tmp_path: Path) -> None:
    async with house(tmp_path, STANDARD) as found:
        with pytest.raises(NotFound, match=r"The stream cannot resume from number 99999: this store has not come so far\."):
            await anext(await opened(found, name, 99_999))


async def test_changes_that_are_no_longer_kept_are_refused_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with house(tmp_path, STANDARD) as found:
        monkeypatch.setattr(found.services.stores.whole.changes, "_kept", 5)
        for number in range(80):
            await found.services.stores.records.append("audit", number, {"person": "ann", "command": "hold"})
        with pytest.raises(NotFound, match="changes after it are no longer kept") as caught:
            await anext(await opened(found, "changes", 1))
        assert "setpoint status" in caught.value.hint
