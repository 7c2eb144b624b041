"""What runs without configuration, and what runs before its first release."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.control.house import ADMIN, PLAIN, RUNTIME, SERVICE, STANDARD, House, documents, house
from tests.support.eventually import eventually

from setpoint.control.errors import NotFound, Refused

STAGING_ALONE = documents(RUNTIME, SERVICE, PLAIN.replace("  - {name: production, runtime: pretend, after: staging}\n", ""))


async def both_at(found: House, version: str) -> None:
    await found.release(version)
    for channel in ("staging", "production"):
        await found.good(f"web@{channel}", version)


async def test_what_left_runs_on_until_it_is_removed_by_a_person(tmp_path: Path) -> None:
    async with house(tmp_path, STANDARD) as found:
        await both_at(found, "1.0")
        await found.apply(STAGING_ALONE)
        (left,) = (await found.ask("orphans")).orphans
        assert (left.instance, left.version, left.going) == ("saas/web@production", "1.0", False)
        assert left.text == "it left the configuration; 1.0, which runs, is left alone"
        runtime = found.control.effects.runtime("pretend")
        assert (await runtime.observe("saas/web@production", None)).objects
        shown = await found.control.rehearse("remove", {"target": "production"}, ADMIN)
        assert "what runs is taken down" in [one.text for one in shown.consequences]
        answer = await found.do("remove", target="production", why="the customer left")
        assert answer.instances == {"saas/web@production": "1.0"}
        await eventually(lambda: _gone(found), 5, "it was not taken down")
        assert not (await runtime.observe("saas/web@production", None)).objects
        assert (await runtime.observe("saas/web@staging", None)).objects


async def _gone(found: House) -> bool:
    return not (await found.ask("orphans")).orphans


async def test_nothing_that_is_configured_can_be_removed(tmp_path: Path) -> None:
    async with house(tmp_path, STANDARD) as found:
        await both_at(found, "1.0")
        for target in ("web@production", "production", "saas/web@production"):
            with pytest.raises(Refused, match="is configured"):
                await found.do("remove", target=target)
        with pytest.raises(NotFound, match="Nothing is left of"):
            await found.do("remove", target="nowhere")


async def test_what_comes_back_is_no_orphan(tmp_path: Path) -> None:
    async with house(tmp_path, STANDARD) as found:
        await both_at(found, "1.0")
        await found.apply(STAGING_ALONE)
        await found.apply(STANDARD)
        assert await _gone(found)
        await found.good("web@production", "1.0")


async def test_what_runs_already_is_adopted_and_nothing_is_applied(tmp_path: Path) -> None:
    async with house(tmp_path, STANDARD) as found:
        await found.apply(STAGING_ALONE)
        compiled = found.control.configuration.compile("saas/web@staging", "1.0", {})
        runtime = found.control.effects.runtime("pretend")
        await runtime.apply("by hand", compiled)
        answer = await found.do("adopt", target="web@staging", version="1.0")
        assert answer.release == 1
        row = await found.good("web@staging", "1.0")
        assert row.target.release == 1
        kinds = [event.kind for event in (await found.ask("history", target="web@staging")).events]
        assert "adopted" in kinds
        assert "target-moved" not in kinds


async def test_what_is_not_what_runs_is_not_adopted_and_says_so(tmp_path: Path) -> None:
    async with house(tmp_path, STANDARD) as found:
        await found.do("adopt", target="web@staging", version="1.0")
        row = await found.waits_for("web@staging", "adopt")
        await eventually(lambda: _says(found, "what runs is not 1.0: nothing runs"), 5, row.reason.text)
        await both_at(found, "2.0")
        with pytest.raises(Refused, match="was deployed by Setpoint already"):
            await found.do("adopt", target="web@staging", version="1.0")


async def _says(found: House, text: str) -> bool:
    reasons = (await found.ask("explain", target="web@staging")).reasons
    return any(text in reason.text for reason in reasons)
