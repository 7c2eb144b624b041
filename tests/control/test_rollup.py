"""Explaining many at once: the guilty leaf, by name, on a real engine."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from tests.control.house import ANN, BOB, EVE, OPS, RUNTIME, SERVICE, documents, house
from tests.support.eventually import eventually

from setpoint.cli.render import rollup as screen
from setpoint.control.errors import NotFound

APPLICATION = """
kind: Application
name: saas
channels:
  - {name: staging, runtime: pretend}
  - name: production
    runtime: pretend
    after: staging
    approvals: [{topic: release-manager, from: "group:release-managers"}]
  - name: tenants
    runtime: pretend
    each: {items: [{name: acme}, {name: hooli}, {name: globex}, {name: initech}, {name: umbrella}]}
    after: production
  - {name: archive, runtime: pretend, after: {channels: tenants}}
"""
HOUSE = documents(RUNTIME, SERVICE, APPLICATION)
TENANTS = [f"saas/web@tenants-{name}" for name in ("acme", "globex", "hooli", "initech", "umbrella")]


def drawn(answer: Any, columns: int = 80, **more: Any) -> str:
    """As the terminal shows it."""
    console = Console(width=columns, record=True, file=io.StringIO(), color_system=None)
    for line in screen.lines(answer.model_dump(), columns, **more):
        console.print(line, soft_wrap=True)
    return console.export_text()


async def test_all_who_wait_for_production_wait_for_its_approval(tmp_path: Path) -> None:
    async with house(tmp_path, HOUSE) as found:
        await found.release("1.0")
        await found.waits_for("web@production", "approval-missing")
        await found.waits_for("web@archive", "ordering-not-met")
        for target in ("", "saas", "tenants"):
            answer = await found.ask("rollup", EVE, target=target)
            (culprit,) = answer.culprits
            assert culprit.reason.code == "approval-missing"
            assert culprit.leaves == ["saas/web@production"]
            assert [one for one in culprit.behind if one in TENANTS] == TENANTS
        whole = await found.ask("rollup")
        assert whole.conditions == {"waiting": 7, "converged": 1}
        assert (whole.instances, whole.settled) == (8, 1)
        alone = await found.ask("explain", target="web@production", runtime=False)
        assert all(reason.subject and reason.since and (reason.clears.what or reason.clears.when) for reason in alone.reasons)
        assert whole.culprits[0].behind[0] == "saas/web@archive"
        assert whole.culprits[0].through == [TENANTS[0]]
        shown = drawn(whole)
        print(shown)
        assert "◷ web@production: waits for release-manager: approval by" in shown
        assert "6 are waiting behind: web@archive, web@tenants-acme, web@tenants-globex and 3" in " ".join(shown.split())
        assert "to unblock: setpoint approve web@production release-manager" in " ".join(shown.split())
        assert "web@tenants-umbrella" in drawn(whole, everyone=True)
        narrow = [line for line in drawn(whole, 40).splitlines() if not line.strip().startswith("setpoint ")]
        assert max(map(len, narrow)) <= 40  # a command stays whole, to be copied


async def test_what_failed_comes_first_and_what_has_converged_is_no_culprit(tmp_path: Path) -> None:
    async with house(tmp_path, HOUSE) as found:
        await found.release("1.0")
        await found.waits_for("web@production", "approval-missing")
        await found.do("approve", ANN, target="web@production", topic="release-manager")
        await found.good("web@archive", "1.0")
        answer = await found.ask("rollup")
        assert answer.culprits == []
        assert "nothing blocks them" in drawn(answer)
        await found.do("hold", OPS, target="web@tenants-hooli", why="moving")
        await found.release("1.1")
        await found.waits_for("web@production", "approval-missing")
        await found.do("reject", BOB, target="web@production", topic="release-manager", why="not today")
        await found.comes_to("web@production", "vetoed")

        async def told() -> Any:
            answer = await found.ask("rollup")
            return answer if len(answer.culprits) == 2 else None

        answer = await eventually(told)
        assert [one.reason.code for one in answer.culprits] == ["vetoed", "held"]
        assert answer.culprits[0].leaves == ["saas/web@production"]
        assert answer.culprits[1].leaves == ["saas/web@tenants-hooli"]
        assert (await found.ask("rollup", target="staging")).culprits == []


async def test_what_does_not_exist_is_answered_with_the_nearest(tmp_path: Path) -> None:
    async with house(tmp_path, HOUSE) as found:
        with pytest.raises(NotFound) as caught:
            await found.ask("rollup", target="tenant")
        assert "tenants" in caught.value.hint
