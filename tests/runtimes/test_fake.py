"""Rehearsals: the contract, and the delays and failures that a workload asks for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.runtimes.contract import RuntimeContract

from setpoint.model.spec import Spec, Version, Workload
from setpoint.plugins.errors import TerminalError
from setpoint.runtimes.fake import FakeRuntime


def rehearsal(version: str = "1", **options: Any) -> Spec:
    return Spec("shop/web@staging", "rehearsal", Version(version), Workload("fake", options)).sealed()


class Clock:
    """A clock that only the test moves."""

    def __init__(self) -> None:
        self.now = 1_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def runtime(tmp_path: Path, clock: Clock) -> FakeRuntime:
    return FakeRuntime({}, tmp_path, clock=clock)


class TestFakeContract(RuntimeContract):
    def healthy(self, version: str) -> Spec:
        return rehearsal(version)

    def failing(self, version: str) -> Spec:
        return rehearsal(version, becomes="failing")


async def test_health_is_unknown_until_the_time_it_takes_has_passed(runtime: FakeRuntime, clock: Clock) -> None:
    spec = rehearsal(takes="3s")
    await runtime.apply("op/1", spec)
    clock.now += 2_999
    assert [o.healthy for o in (await runtime.observe(spec.instance, spec)).objects] == [None]
    clock.now += 1
    assert [o.healthy for o in (await runtime.observe(spec.instance, spec)).objects] == [True]


async def test_what_hangs_is_never_known(runtime: FakeRuntime, clock: Clock) -> None:
    spec = rehearsal(becomes="hangs")
    await runtime.apply("op/1", spec)
    clock.now += 10**12
    assert [o.healthy for o in (await runtime.observe(spec.instance, spec)).objects] == [None]


async def test_the_old_version_goes_on_until_the_new_one_is_healthy(runtime: FakeRuntime, clock: Clock) -> None:
    await runtime.apply("op/1", rehearsal("1"))
    new = rehearsal("2", takes=500)
    await runtime.apply("op/2", new)
    seen = await runtime.observe(new.instance, new)
    assert seen.versions == ("1", "2")
    assert not seen.complete
    assert not seen.difference
    clock.now += 500
    assert (await runtime.observe(new.instance, new)).versions == ("2",)


async def test_a_failing_version_leaves_the_old_one_serving(runtime: FakeRuntime) -> None:
    await runtime.apply("op/1", rehearsal("1"))
    for attempt in range(3):
        await runtime.apply(f"op/2/{attempt}", rehearsal(f"2.{attempt}", becomes="failing"))
    expected = rehearsal("2.2", becomes="failing")
    seen = await runtime.observe(expected.instance, expected)
    assert [(o.version, o.healthy) for o in seen.objects] == [("1", True), ("2.2", False)]


async def test_several_runtimes_of_one_home_see_the_same_world(tmp_path: Path, runtime: FakeRuntime) -> None:
    await runtime.apply("op/1", rehearsal())
    assert (await FakeRuntime({}, tmp_path).observe("shop/web@staging", rehearsal())).complete
    assert (await FakeRuntime({}, tmp_path / "other").observe("shop/web@staging", None)).objects == ()


async def test_wrong_options_are_refused_before_anything_is_rehearsed(runtime: FakeRuntime) -> None:
    with pytest.raises(TerminalError, match="becomes"):
        await runtime.apply("op/1", rehearsal(becomes="rich"))
    with pytest.raises(TerminalError, match="takes"):
        await runtime.apply("op/1", rehearsal(takes="soon"))
    assert runtime.validate({"becomes": "${with.x}", "takes": "${with.y}", "replicas": "${with.z}"}) == []
