"""Dry runs: every act of a person can be asked what it would do, and then does nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.control.house import ADMIN, ANN, BOB, EVE, STANDARD, WITH_APPROVALS, House, house
from tests.support.eventually import eventually

from setpoint.control.errors import Forbidden, Refused
from setpoint.control.registry import COMMANDS

NOT_REHEARSED = {"apply", "check", "token-create", "token-revoke"}


async def rehearse(found: House, name: str, **payload: object):
    return await found.control.rehearse(name, payload, BOB if name in {"approve", "reject"} else ADMIN)


def texts(answer) -> list[str]:
    return [one.text for one in answer.consequences]


def test_all_but_what_has_a_preview_of_its_own_can_be_rehearsed() -> None:
    assert {name for name, one in COMMANDS.items() if not one.rehearsable} == NOT_REHEARSED


async def test_a_release_tells_where_it_starts_and_what_waits(tmp_path: Path) -> None:
    async with house(tmp_path, STANDARD) as found:
        answer = await rehearse(found, "release", services={"web": {"version": "1.0"}})
        assert answer.answer["release"] == 1
        assert ("instance:saas/web@staging", "starts", "1.0 is applied") in [
            (one.entity, one.kind, one.text) for one in answer.consequences
        ]
        assert "staging has not finalized 1.0 yet" in " ".join(texts(answer))
        assert answer.complete


async def test_nothing_of_it_is_done(tmp_path: Path) -> None:
    async with house(tmp_path, STANDARD) as found:
        await found.release("1.0")
        await found.good("web@production", "1.0")
        await eventually(lambda: not found.services.engine.health().queued)
        before = [await found.state(f"web@{channel}") for channel in ("staging", "production")]
        for name, payload in (
            ("release", {"services": {"web": {"version": "2.0"}}}),
            ("hold", {"target": "production"}),
            ("pin", {"target": "web@production", "version": "1.0"}),
            ("mark-bad", {"service": "web", "version": "1.0"}),
            ("stop-the-line", {}),
            ("pause", {"scope": "production"}),
            ("observe", {"target": "production"}),
            ("cancel", {"release": 1}),
        ):
            assert (await rehearse(found, name, **payload)).consequences, name
        assert [await found.state(f"web@{channel}") for channel in ("staging", "production")] == before
        assert [one.number for one in (await found.ask("releases")).releases] == [1]


async def test_a_rollback_tells_what_is_gone_back_to(tmp_path: Path) -> None:
    async with house(tmp_path, STANDARD) as found:
        for version in ("1.0", "2.0"):
            await found.release(version)
            await found.good("web@production", version)
        answer = await rehearse(found, "rollback", target="web@production", why="errors")
        assert "1.0 is applied" in texts(answer)
        assert any("goes back to 1.0" in text for text in texts(answer))
        assert (await found.row("web@production")).good.version == "2.0"


async def test_an_approval_tells_that_it_lets_the_version_go(tmp_path: Path) -> None:
    async with house(tmp_path, WITH_APPROVALS) as found:
        await found.release("1.0")
        await found.waits_for("web@production", "approval-missing")
        await found.do("approve", ANN, target="web@production")
        answer = await rehearse(found, "approve", target="web@production")
        assert "1.0 is applied" in texts(answer)
        assert (await found.row("web@production")).good is None


async def test_what_would_be_refused_is_refused(tmp_path: Path) -> None:
    async with house(tmp_path, STANDARD) as found:
        with pytest.raises(Refused, match="no good version"):
            await rehearse(found, "rollback", target="web@production")
        with pytest.raises(Forbidden):
            await found.control.rehearse("apply", {}, EVE)
        with pytest.raises(Refused, match="apply has no dry run"):
            await rehearse(found, "apply")
