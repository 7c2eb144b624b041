"""What runs without configuration, and what runs before its first release."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.control.house import ADMIN, PLAIN, RUNTIME, SERVICE, STANDARD, House, documents, files, house
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
        runtime = found.services.effects.runtime("pretend")
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
        compiled = found.services.configuration.compile("saas/web@staging", "1.0", {})
        runtime = found.services.effects.runtime("pretend")
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
        row = await found.waits_for("web@staging", "adoption-failed")
        await eventually(lambda: _says(found, "what runs is not 1.0: nothing runs"), 5, row.reason.text)
        await both_at(found, "2.0")
        with pytest.raises(Refused, match="was deployed by Setpoint already"):
            await found.do("adopt", target="web@staging", version="1.0")


async def _says(found: House, text: str) -> bool:
    reasons = (await found.ask("explain", target="web@staging")).reasons
    return any(text in reason.text for reason in reasons)


# --- by configuration ---------------------------------------------------------------------------------------------------

DESTROYED = STANDARD.replace("after: staging}", "after: staging, onRemove: destroy}")
GROUPED = """
kind: Application
name: saas
channels:
  - {name: tenants, runtime: pretend, each: {items: [{name: c}, {name: b}, {name: a}]}}
"""


async def test_what_the_configuration_wants_taken_down_is_shown_and_confirmed_first(tmp_path: Path) -> None:
    async with house(tmp_path, DESTROYED) as found:
        await both_at(found, "1.0")
        shown = await found.ask("preview", **files(STAGING_ALONE))
        assert (shown.down, shown.kept) == ({"saas/web@production": "1.0"}, {})
        with pytest.raises(Refused, match="which was not confirmed"):
            await found.apply(STAGING_ALONE)
        assert (await found.row("web@production")).good.version == "1.0"
        await found.do("apply", **files(STAGING_ALONE), expect=shown.plan)
        await eventually(lambda: _gone(found), 5, "it was not taken down")
        runtime = found.services.effects.runtime("pretend")
        assert not (await runtime.observe("saas/web@production", None)).objects


async def test_a_group_that_loses_more_than_half_is_confirmed_by_name(tmp_path: Path) -> None:
    grouped = documents(RUNTIME, SERVICE, GROUPED)
    fewer = grouped.replace("{name: c}, {name: b}, {name: a}", "{name: c}")
    async with house(tmp_path, grouped) as found:
        shown = await found.ask("preview", **files(grouped.replace(", {name: a}", "")))
        assert shown.shrinking == {}
        shown = await found.ask("preview", **files(fewer))
        assert shown.shrinking == {"saas/tenants": (2, 3)}
        with pytest.raises(Refused, match="2 of the 3 channels of group saas/tenants would be removed together"):
            await found.apply(fewer)
        assert len(found.services.configuration.all_instances) == 3
        await found.do("apply", **files(fewer), confirm=["saas/tenants"])
        assert len(found.services.configuration.all_instances) == 1
