"""Stop the line, pause, observe: of everything, of an application, a channel, a runtime, an instance."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.control.house import OPS, STANDARD, house

from setpoint.control.errors import NotFound, Refused


@pytest.mark.parametrize(
    ("scope", "name", "instances"),
    [
        ("", "the organization", 2),
        ("saas", "application saas", 2),
        ("production", "channel production", 1),
        ("saas/production", "channel production", 1),
        ("runtime:pretend", "runtime pretend", 2),
    ],
)
async def test_a_stopped_line_holds_everything_below_it(tmp_path: Path, scope: str, name: str, instances: int) -> None:
    async with house(tmp_path, STANDARD) as found:
        answer = await found.do("stop-the-line", OPS, scope=scope, why="a storm")
        assert (answer.scope, answer.instances) == (name, instances)
        await found.release("1.0")
        row = await found.waits_for("web@staging" if instances == 2 else "web@production", "frozen")
        assert row.reason.text == f"ops froze {name}: a storm"
        assert row.target is None
        await found.do("start-the-line", OPS, scope=scope)
        await found.good("web@production", "1.0")


async def test_a_pause_holds_rollbacks_too(tmp_path: Path) -> None:
    async with house(tmp_path, STANDARD) as found:
        for version in ("1.0", "1.1"):
            await found.release(version)
            await found.good("web@production", version)
        await found.do("pause", OPS, scope="runtime:pretend", why="new disks")
        await found.do("rollback", OPS, target="web@production")
        row = await found.comes_to("web@production", "rolling-back")
        assert "waits for resume: ops paused runtime pretend: new disks" in row.reason.text
        await found.do("unpause", OPS, scope="runtime:pretend")
        assert (await found.comes_to("web@production", "vetoed")).good.version == "1.0"


async def test_an_instance_that_is_only_observed_takes_nothing_new(tmp_path: Path) -> None:
    async with house(tmp_path, STANDARD) as found:
        await found.do("observe", OPS, target="web@staging", why="debugging")
        await found.release("1.0")
        await found.waits_for("web@staging", "observed-only")
        await found.do("heal", OPS, target="web@staging")
        await found.good("web@staging", "1.0")


async def test_what_would_mean_nothing_is_refused(tmp_path: Path) -> None:
    async with house(tmp_path, STANDARD) as found:
        with pytest.raises(NotFound, match="No application, channel, group or runtime"):
            await found.do("stop-the-line", scope="prodution")
        meaningless: dict[str, dict[str, Any]] = {"start-the-line": {}, "unpause": {}, "heal": {"target": "web@staging"}}
        for command, payload in meaningless.items():
            with pytest.raises(Refused):
                await found.do(command, **payload)


async def test_a_stop_outlives_the_engine(tmp_path: Path) -> None:
    async with house(tmp_path, STANDARD) as found:
        await found.do("stop-the-line", why="a storm")
    async with house(tmp_path) as found:
        await found.release("1.0")
        await found.waits_for("web@staging", "frozen")


@pytest.mark.parametrize(
    ("before", "after", "payload"),
    [
        ("stop-the-line", "start-the-line", {}),
        ("pause", "unpause", {}),
        ("hold", "resume", {"target": "web@staging"}),
        ("observe", "heal", {"target": "web@staging"}),
    ],
)
async def test_the_same_request_again_is_answered_as_the_first_time(
    tmp_path: Path, before: str, after: str, payload: dict[str, Any]
) -> None:
    async with house(tmp_path, STANDARD) as found:
        await found.do(before, **payload)
        first = await found.do(after, request="once", **payload)
        assert await found.do(after, request="once", **payload) == first
        with pytest.raises(Refused):
            await found.do(after, request="twice", **payload)
