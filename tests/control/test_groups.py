"""Groups: their name stands for all of their channels, wherever people name a channel."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.control.house import OPS, RUNTIME, SERVICE, documents, files, house

from setpoint.control.errors import NotFound, Refused

GROUP = """
kind: Application
name: saas
channels:
  - {name: staging, runtime: pretend}
  - name: tenants
    runtime: pretend
    each: {items: [{name: acme}, {name: hooli}, {name: globex, strategy: newest-ready}]}
    strategy: manual
    after: staging
"""
TENANTS = documents(RUNTIME, SERVICE, GROUP)


async def test_a_release_to_a_group_names_all_of_its_channels(tmp_path: Path) -> None:
    async with house(tmp_path, TENANTS) as found:
        released = await found.release("1.0", channels=["tenants", "tenants-acme"])
        assert released.instances == [f"saas/web@tenants-{name}" for name in ("acme", "hooli", "globex")]
        with pytest.raises(NotFound, match='no channel or group "tenant"'):
            await found.release("1.0", channels=["tenant"])


async def test_a_group_is_promoted_to_what_the_channel_before_it_finalized(tmp_path: Path) -> None:
    async with house(tmp_path, TENANTS) as found:
        await found.release("1.0", channels=["staging"])
        await found.good("web@staging", "1.0")
        promoted = await found.do("promote", target="tenants")
        assert (promoted.services, len(promoted.instances)) == ({"web": "1.0"}, 3)
        for name in ("acme", "hooli", "globex"):
            await found.good(f"web@tenants-{name}", "1.0")


async def test_a_group_is_held_and_resumed_as_a_whole(tmp_path: Path) -> None:
    async with house(tmp_path, TENANTS) as found:
        await found.do("hold", OPS, target="tenants", why="moving")
        rows = (await found.ask("status", target="tenants")).applications[0].instances
        assert [(row.channel, row.group, row.held_by) for row in rows] == [
            (f"tenants-{name}", "tenants", "ops") for name in ("acme", "hooli", "globex")
        ]
        await found.do("resume", OPS, target="tenants")
        assert not (await found.row("web@tenants-hooli")).held_by


async def test_the_line_of_a_group_is_stopped_as_a_whole(tmp_path: Path) -> None:
    async with house(tmp_path, TENANTS) as found:
        answer = await found.do("stop-the-line", OPS, scope="tenants", why="a storm")
        assert (answer.scope, answer.instances) == ("group tenants", 3)
        await found.release("1.0")
        await found.good("web@staging", "1.0")
        row = await found.waits_for("web@tenants-globex", "frozen")
        assert row.reason.text == "ops froze group tenants: a storm"
        await found.do("start-the-line", OPS, scope="saas/tenants")
        await found.good("web@tenants-globex", "1.0")


async def test_the_status_says_which_channels_are_a_group(tmp_path: Path) -> None:
    async with house(tmp_path, TENANTS) as found:
        (application,) = (await found.ask("status")).applications
        assert application.groups == {"tenants": ["tenants-acme", "tenants-hooli", "tenants-globex"]}


async def test_a_group_in_which_everybody_mirrors_takes_no_releases(tmp_path: Path) -> None:
    mirrors = TENANTS.replace("strategy: manual\n", "mirror: staging\n").replace(", strategy: newest-ready", "")
    async with house(tmp_path, mirrors.replace("    after: staging\n", "")) as found:
        with pytest.raises(Refused, match="tenants has no channel that takes releases"):
            await found.release("1.0", channels=["tenants"])


STARTING = """
kind: Application
name: saas
channels:
  - {name: staging, runtime: pretend}
  - {name: production, runtime: pretend, after: staging}
  - name: tenants
    runtime: pretend
    each: {items: [{name: acme}, {name: hooli}]}
    after: production
    startFrom: production
"""


async def test_new_channels_start_with_what_another_has_finalized(tmp_path: Path) -> None:
    two = STARTING.partition("  - name: tenants")[0]
    async with house(tmp_path, documents(RUNTIME, SERVICE, two)) as found:
        await found.release("1.0")
        await found.good("web@production", "1.0")
        await found.release("1.1", channels=["staging"])
        await found.good("web@staging", "1.1")
        await found.do("hold", target="production", why="not today")
        preview = await found.ask("preview", **files(documents(RUNTIME, SERVICE, STARTING)))
        assert [(one.services, one.channels) for one in preview.releases] == [
            ({"web": "1.0"}, ["tenants-acme", "tenants-hooli"]),
        ]
        assert preview.configurations == []
        await found.apply(documents(RUNTIME, SERVICE, STARTING))
        await found.good("web@tenants-acme", "1.0")
        await found.good("web@tenants-hooli", "1.0")
        again = await found.ask("preview", **files(documents(RUNTIME, SERVICE, STARTING).replace("VERSION:", "NAME:")))
        assert [one.services for one in again.configurations] == [["web"]]
        assert again.configurations[0].instances["web@tenants-acme"] == "configuration only, stays 1.0"
        await found.do("resume", target="production")
        await found.release("1.2")
        await found.good("web@tenants-acme", "1.2")


async def test_where_nothing_is_finalized_to_start_from_a_new_channel_is_like_any_other(tmp_path: Path) -> None:
    async with house(tmp_path, documents(RUNTIME, SERVICE, STARTING)) as found:
        await found.release("1.0")
        await found.good("web@tenants-hooli", "1.0")
