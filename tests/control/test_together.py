"""Services that move as one, from the configuration and from a release, on the embedded engine with pretended runtimes."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.control.house import ADMIN, PLAIN, RUNTIME, SERVICE, documents, house

from setpoint.control.errors import Malformed, Refused

WORKER = SERVICE.replace("name: web", "name: worker")
TOGETHER = documents(RUNTIME, SERVICE, WORKER, PLAIN + "together: [[web, worker]]\n")
APART = documents(RUNTIME, SERVICE, WORKER, PLAIN)
FRAGILE = (
    WORKER.replace("becomes: healthy", 'becomes: "${params.becomes}"')
    + """progressDeadline: 1s
parameters: {becomes: {default: healthy}}
"""
)
BROKEN = TOGETHER.replace(WORKER, FRAGILE)
BOTH = {"web": {"version": "1.0"}, "worker": {"version": "1.0"}}


async def test_both_are_finalized_or_neither(tmp_path: Path) -> None:
    async with house(tmp_path, BROKEN) as found:
        await found.do("release", services=BOTH)
        await found.good("web@production", "1.0")
        await found.good("worker@production", "1.0")
        failing = {"version": "1.1", "parameters": {"becomes": "failing"}}
        await found.do("release", services={"web": {"version": "1.1"}, "worker": failing}, channels=["staging"])
        await found.comes_to("worker@staging", "vetoed")
        await found.comes_to("web@staging", "vetoed")
        assert (await found.row("web@staging")).target.version == "1.0"
        assert (await found.row("web@production")).target.version == "1.0"


async def test_a_release_that_names_only_part_of_them_is_refused(tmp_path: Path) -> None:
    async with house(tmp_path, TOGETHER) as found:
        with pytest.raises(Refused, match="web@staging moves together with worker@staging, not named by this release") as refused:
            await found.release("1.0")
        assert "--alone" in refused.value.hint


async def test_unless_it_says_alone_which_is_recorded(tmp_path: Path) -> None:
    async with house(tmp_path, TOGETHER) as found:
        await found.release("1.0", alone=True)
        await found.good("web@production", "1.0")
        assert (await found.state("web@staging")).life.offers[0].set == ""


async def test_one_of_them_is_promoted_alone_where_a_person_says_so(tmp_path: Path) -> None:
    async with house(tmp_path, TOGETHER) as found:
        await found.do("release", services=BOTH, channels=["staging"])
        await found.good("web@staging", "1.0")
        await found.good("worker@staging", "1.0")
        with pytest.raises(Refused, match="web@production moves together with worker@production"):
            await found.do("promote", target="web@production")
        await found.do("promote", target="web@production", alone=True)
        await found.good("web@production", "1.0")
        assert (await found.state("worker@production")).life.offers == ()


async def test_a_release_that_asks_for_a_set_larger_than_its_limit_is_refused(tmp_path: Path) -> None:
    async with house(tmp_path, APART.replace("fake: {}\n", "fake: {}\nlimits: {maxConcurrent: 1}\n", 1)) as found:
        with pytest.raises(Refused, match=r"never start: 2 instances would start as one, but runtime:pretend admits 1"):
            await found.do("release", services=BOTH, together=True)
        await found.do("release", services=BOTH)
        await found.good("web@production", "1.0")
        await found.good("worker@production", "1.0")


async def test_a_release_may_ask_for_it(tmp_path: Path) -> None:
    async with house(tmp_path, APART) as found:
        await found.do("release", services=BOTH, together=True)
        await found.good("web@production", "1.0")
        await found.good("worker@production", "1.0")
        assert (await found.state("web@staging")).life.offers[0].set == "set:saas/staging#1"
        with pytest.raises(Malformed, match="both"):
            await found.do("release", ADMIN, services=BOTH, together=True, alone=True)
