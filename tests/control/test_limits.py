"""Limits through the one door: waves are told to admission, a stopped release goes on by a person's word, leases are skipped."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.control.house import ADMIN, EVE, RUNTIME, documents, house

from setpoint.control.errors import Forbidden, Refused
from setpoint.core.admission import ENTITY, AdmissionState

SERVICE = """
kind: Service
application: saas
name: web
parameters: {becomes: {carry: false, default: healthy}}
fake: {becomes: "${params.becomes}"}
env: {VERSION: "${version}"}
progressDeadline: 200ms
"""
TENANTS = """
kind: Application
name: saas
channels:
  - name: tenants
    runtime: pretend
    each: {items: [{name: a}, {name: b}, {name: c}]}
    limits:
      maxConcurrent: 1
      waves: [{size: 1}, {size: rest}]
"""
WAVES = documents(RUNTIME, SERVICE, TENANTS)


async def test_a_release_goes_through_a_group_wave_by_wave_with_one_lease(tmp_path: Path) -> None:
    async with house(tmp_path, WAVES) as found:
        await found.release("1.0")
        for tenant in "abc":
            await found.good(f"web@tenants-{tenant}", "1.0")
        state = await found.services.engine.read(ENTITY)
        assert isinstance(state, AdmissionState)
        assert (state.requests, state.holders, state.wave_progress) == ({}, {}, {})
        assert state.through == {"saas/tenants": (1,)}


async def test_a_release_that_stopped_in_a_group_goes_on_when_a_person_says_so(tmp_path: Path) -> None:
    async with house(tmp_path, WAVES) as found:
        await found.release("1.0")
        for tenant in "abc":
            await found.good(f"web@tenants-{tenant}", "1.0")
        await found.release("2.0", web={"parameters": {"becomes": "failing"}})
        row = await found.waits_for("web@tenants-b", "wave-stopped")
        assert row.reason.text in {
            "wave 2 of tenants waits for wave 1: 0 of 1 finalized",
            "release 2 stopped in tenants: tenants-a failed",
        }
        await found.comes_to("web@tenants-a", "vetoed")
        explained = await found.ask("explain", target="web@tenants-b")
        assert [reason.text for reason in explained.reasons] == ["release 2 stopped in tenants: tenants-a failed"]
        assert [gate.state for gate in explained.gates if gate.kind == "wave"] == ["waits"]
        answer = await found.do("resume", target="tenants", why="seen to it", request="one")
        assert (answer.release, len(answer.instances)) == (2, 3)
        again = await found.do("resume", target="tenants", why="seen to it", request="one")
        assert again == answer


async def test_resuming_what_has_not_stopped_is_refused(tmp_path: Path) -> None:
    async with house(tmp_path, WAVES) as found:
        with pytest.raises(Refused, match="no release has stopped"):
            await found.do("resume", target="tenants")
        with pytest.raises(Refused, match="Release 7 has not stopped in tenants"):
            await found.do("resume", target="tenants", release=7)
        with pytest.raises(Refused, match="is not a group with limits"):
            await found.do("resume", target="tenants-a", release=1)


async def test_a_wave_and_a_lease_may_be_skipped_by_who_may(tmp_path: Path) -> None:
    text = WAVES.replace("maxConcurrent: 1", "maxConcurrent: 1\n      override: []")
    async with house(tmp_path, text) as found:
        await found.release("1.0", web={"parameters": {"becomes": "failing"}})
        await found.waits_for("web@tenants-c", "wave-stopped")
        with pytest.raises(Forbidden, match="no one may"):
            await found.do("skip", EVE, target="web@tenants-c", gate="limit-group", why="hurry")
        await found.do("skip", ADMIN, target="web@tenants-c", gate="wave", why="hurry")
        await found.comes_to("web@tenants-c", "failed")


async def test_waves_that_leave_the_configuration_hold_nobody_back(tmp_path: Path) -> None:
    async with house(tmp_path, WAVES.replace("{size: 1}", "{size: 1, soak: 1d}")) as found:
        await found.release("1.0")
        await found.good("web@tenants-a", "1.0")
        await found.waits_for("web@tenants-b", "wave-not-open")
        await found.apply(documents(RUNTIME, SERVICE, TENANTS.partition("    limits:")[0]))
        await found.good("web@tenants-c", "1.0")
