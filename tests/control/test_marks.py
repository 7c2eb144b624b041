"""Bad, good again, cancelled, promoted: a person's word on versions and releases."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.control.house import EVE, OPS, PLAIN, RUNTIME, SERVICE, STANDARD, WITH_APPROVALS, documents, house

from setpoint.control.errors import NotFound, Refused

MANUAL = PLAIN.replace("after: staging", "after: staging, strategy: manual")


async def test_a_version_marked_bad_is_selected_nowhere_until_it_is_good_again(tmp_path: Path) -> None:
    async with house(tmp_path, STANDARD) as found:
        for version in ("1.0", "1.1"):
            await found.release(version)
            await found.good("web@production", version)
        await found.do("mark-bad", OPS, service="web", version="1.1", why="loses orders")
        row = await found.waits_for("web@production", "version-bad")
        assert "1.1 was marked bad by ops: loses orders" in row.reason.text
        assert row.target.version == "1.1", "what is finalized stays until a person acts"
        await found.do("rollback", OPS, target="production", why="it loses orders")
        assert (await found.comes_to("web@production", "vetoed")).good.version == "1.0"
        with pytest.raises(Refused, match="marked bad by ops"):
            await found.do("pin", target="web@production", version="1.1")
        await found.do("mark-good", OPS, service="web", version="1.1")
        await found.do("resume", target="production")
        await found.do("pin", target="web@production", version="1.1")
        await found.good("web@production", "1.1")


async def test_a_cancelled_release_waits_for_nobody_any_more(tmp_path: Path) -> None:
    async with house(tmp_path, WITH_APPROVALS) as found:
        await found.release("1.0")
        await found.waits_for("web@production", "approval-missing")
        await found.do("cancel", EVE, release=1, why="wrong branch")
        row = await found.waits_for("web@production", "release-not-taken")
        assert "cancelled by eve" in row.reason.text
        with pytest.raises(Refused, match="cancelled by eve"):
            await found.do("cancel", release=1)


async def test_what_does_not_exist_is_neither_marked_nor_cancelled(tmp_path: Path) -> None:
    async with house(tmp_path, STANDARD) as found:
        with pytest.raises(NotFound, match="never released"):
            await found.do("mark-bad", service="web", version="9.9")
        with pytest.raises(NotFound, match="no service"):
            await found.do("mark-bad", service="wob", version="9.9")
        with pytest.raises(NotFound, match="no release 3"):
            await found.do("cancel", release=3)


async def test_promote_brings_what_the_channel_before_has_finalized(tmp_path: Path) -> None:
    async with house(tmp_path, documents(RUNTIME, SERVICE, MANUAL)) as found:
        await found.release("1.0")
        await found.good("web@staging", "1.0")
        assert (await found.row("web@production")).target is None
        answer = await found.do("promote", EVE, target="production", why="tested")
        assert answer.services == {"web": "1.0"}
        await found.good("web@production", "1.0")
        await found.release("2.0")
        await found.good("web@staging", "2.0")
        assert (await found.row("web@production")).good.version == "1.0"
        await found.do("mark-bad", service="web", version="2.0")
        with pytest.raises(Refused, match="marked bad"):
            await found.do("promote", target="production", version="2.0")


async def test_what_is_promoted_is_the_very_version_that_was_finalized_whatever_was_given_since(tmp_path: Path) -> None:
    sized = SERVICE + "parameters: {size: {default: small}, region: {default: eu}}\n"
    async with house(tmp_path, documents(RUNTIME, sized, MANUAL)) as found:
        await found.release("1.0", web={"parameters": {"region": "us"}})
        await found.good("web@staging", "1.0")
        await found.release("2.0", web={"parameters": {"size": "large"}}, channels=["production"])
        await found.do("promote", target="production")
        await found.good("web@production", "1.0")
        there, here = [(await found.state(f"web@{channel}")).life.offers[-1] for channel in ("staging", "production")]
        assert here.version == there.version
        assert here.parameters == there.parameters == {"size": "small", "region": "us"}


async def test_nothing_can_be_promoted_before_anything_was_released(tmp_path: Path) -> None:
    async with house(tmp_path, documents(RUNTIME, SERVICE, MANUAL)) as found:
        with pytest.raises(Refused, match="was released yet"):
            await found.do("promote", target="production")
