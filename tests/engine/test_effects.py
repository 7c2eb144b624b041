"""Instructions performed through adapters: by the runtime that a spec names, and the protection that a check uses."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from setpoint.core.instructions import Apply, RunCheck, Watch
from setpoint.engine.effects import RealEffects, RuntimeDefinition, runtime_adapters
from setpoint.model.checks import CheckDefinition, CheckResult, Outcome
from setpoint.model.observation import Observation
from setpoint.model.spec import Spec, Version, Workload
from setpoint.plugins.errors import TerminalError, TransientError, Unreachable
from setpoint.store.port import sha256_of
from setpoint.store.sqlite import SqliteStore

WEB = "saas/web@production"
DEFINITIONS = {"local": RuntimeDefinition("stub", {"size": 1})}


class StubRuntime:
    """Notes what it is asked."""

    made: list[StubRuntime]

    def __init__(self, options: dict[str, Any], home: Path) -> None:
        if options.get("broken"):
            raise ValueError("no such region")
        self.options = options
        self.home = home
        self.applied: list[tuple[str, Spec]] = []
        self.looked: list[tuple[str, Spec | None]] = []
        self.closed = False
        self.hangs = False
        self.links: dict[str, str] = {"address": "127.0.0.1:4711"}

    async def observe(self, instance: str, expected: Spec | None) -> Observation:
        self.looked.append((instance, expected))
        if self.hangs:
            await asyncio.Event().wait()
        return Observation(links=self.links)

    async def apply(self, operation: str, spec: Spec) -> None:
        self.applied.append((operation, spec))

    async def close(self) -> None:
        self.closed = True


class StubProtection:
    """Answers with what it was told, and remembers the definition."""

    def __init__(self) -> None:
        self.result = CheckResult(Outcome.PASSING, "fine", "long output")
        self.asked: list[CheckDefinition] = []
        self.hangs = False

    async def run(self, operation: str, check: CheckDefinition) -> CheckResult:
        self.asked.append(check)
        if self.hangs:
            await asyncio.Event().wait()
        return self.result

    def validate(self, options: dict[str, Any]) -> list[str]:
        return []


class World:
    """Effects over stubs and a real store."""

    def __init__(self, home: Path) -> None:
        self.kept = SqliteStore(home / "setpoint.db")
        self.kept.database.open()
        self.content = self.kept.content
        self.runtimes: list[StubRuntime] = []
        self.protection = StubProtection()
        self.home = home
        self.effects = RealEffects(
            home, self.content, runtimes={"stub": self._make}, protections={"program": self.protection}, look_timeout=200
        )

    def _make(self, options: dict[str, Any], home: Path) -> Any:
        self.runtimes.append(StubRuntime(options, home))
        return self.runtimes[-1]

    async def store(self, *, files: dict[str, bytes] | None = None, runtime: str = "local") -> Spec:
        files = files or {}
        hashes = {path: sha256_of(content) for path, content in files.items()}
        spec = Spec(WEB, runtime, Version("1.0"), Workload("process"), files=hashes).sealed()
        await self.content.put([spec], files.values())
        return spec


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(tmp_path)
    await world.effects.set_runtimes({}, {})
    yield world
    world.kept.database.close()


def apply_of(spec: Spec) -> Apply:
    return Apply("op", spec.digest, Watch(1, 1000, spec.digest))


def check_of(subject: str = f"attempt:{WEB}", use: str = "program", timeout: int = 1000) -> RunCheck:
    return RunCheck("op", CheckDefinition("smoke", use, subject, env={"SETPOINT_VERSION": "1.0"}, timeout=timeout))


async def test_an_apply_goes_to_the_runtime_that_its_spec_names_with_its_files_at_hand(world: World) -> None:
    await world.effects.set_runtimes(DEFINITIONS, {WEB: "local"})
    spec = await world.store(files={"run.sh": b"echo hello\n"})
    await world.effects.apply(f"instance:{WEB}", apply_of(spec))
    assert world.runtimes[0].applied == [(f"op~{world.kept.identity:x}", spec)]
    assert (world.runtimes[0].options, world.runtimes[0].home) == ({"size": 1}, world.home)
    file = world.home / "files" / spec.files["run.sh"]
    assert file.read_bytes() == b"echo hello\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(file.parent.iterdir()) == [file], "no temporary file is left"


async def test_a_spec_or_file_that_is_not_stored_is_terminal(world: World) -> None:
    await world.effects.set_runtimes(DEFINITIONS, {WEB: "local"})
    with pytest.raises(TerminalError, match="spec 0123 of instance:saas/web@production is not stored"):
        await world.effects.apply(f"instance:{WEB}", Apply("op", "0123", Watch(1, 1000)))
    spec = Spec(WEB, "local", Version("1"), Workload("process"), files={"a": "f" * 64}).sealed()
    await world.content.put([spec])
    with pytest.raises(TerminalError, match="a file of the spec"):
        await world.effects.apply(f"instance:{WEB}", apply_of(spec))


async def test_a_runtime_that_cannot_be_had_is_unreachable_and_says_why(world: World) -> None:
    definitions = {"odd": RuntimeDefinition("odd"), "broken": RuntimeDefinition("stub", {"broken": True})}
    await world.effects.set_runtimes(definitions, {})
    for name, why in (("none", "is not configured"), ("odd", "not installed"), ("broken", "ValueError: no such region")):
        spec = await world.store(runtime=name)
        with pytest.raises(Unreachable, match=why):
            await world.effects.apply(f"instance:{WEB}", apply_of(spec))


async def test_what_is_taken_up_at_a_start_waits_for_the_configuration(tmp_path: Path) -> None:
    world = World(tmp_path)
    spec = await world.store()
    looking = asyncio.create_task(world.effects.look(f"instance:{WEB}", Watch(1, 1000, spec.digest)))
    applying = asyncio.create_task(world.effects.apply(f"instance:{WEB}", apply_of(spec)))
    checking = asyncio.create_task(world.effects.check("attachment:smoke:1", check_of()))
    await asyncio.sleep(0.05)
    assert not any(task.done() for task in (looking, applying, checking))
    await world.effects.set_runtimes(DEFINITIONS, {WEB: "local"})
    await asyncio.gather(looking, applying, checking)
    world.kept.database.close()


async def test_a_look_asks_for_the_spec_expected_or_for_whatever_runs(world: World) -> None:
    await world.effects.set_runtimes(DEFINITIONS, {WEB: "local"})
    spec = await world.store()
    await world.effects.look(f"instance:{WEB}", Watch(1, 1000, spec.digest))
    await world.effects.look(f"instance:{WEB}", Watch(1, 1000))
    assert world.runtimes[0].looked == [(WEB, spec), (WEB, None)]
    with pytest.raises(Unreachable, match="no runtime"):
        await world.effects.look("instance:saas/other@x", Watch(1, 1000))


async def test_a_runtime_that_does_not_answer_is_unreachable(world: World) -> None:
    await world.effects.set_runtimes(DEFINITIONS, {WEB: "local"})
    world.effects.runtime("local").hangs = True  # type: ignore[attr-defined]
    with pytest.raises(Unreachable, match=r"did not answer within 0\.2 s"):
        await world.effects.look(f"instance:{WEB}", Watch(1, 1000))


async def seen(world: World, *services: str) -> list[bool]:
    """For which of these a look at the same time succeeds."""
    asked = (world.effects.look(f"instance:saas/{service}@x", Watch(1, 1000)) for service in services)
    return [isinstance(one, Observation) for one in await asyncio.gather(*asked, return_exceptions=True)]


async def test_a_runtime_that_answers_for_nobody_is_asked_by_one_at_a_time_until_it_does(world: World) -> None:
    services = [f"s{number}" for number in range(10)]
    await world.effects.set_runtimes(DEFINITIONS, {f"saas/{service}@x": "local" for service in services})
    runtime: Any = world.effects.runtime("local")
    runtime.hangs = True
    assert await seen(world, *services[:3]) == [False] * 3
    assert await seen(world, *services) == [False] * 10
    assert len(runtime.looked) == 4, "the first three, and one of ten"
    runtime.hangs = False
    assert any(await seen(world, *services))
    assert all(await seen(world, *services))


async def test_one_instance_that_hangs_does_not_hide_the_others_of_its_runtime(world: World) -> None:
    await world.effects.set_runtimes(DEFINITIONS, {"saas/a@x": "local", "saas/b@x": "local"})
    runtime: Any = world.effects.runtime("local")
    observe = runtime.observe

    async def hang_for_a(instance: str, expected: Spec | None) -> Observation:
        runtime.hangs = instance == "saas/a@x"
        found: Observation = await observe(instance, expected)
        return found

    runtime.observe = hang_for_a
    for _ in range(4):
        assert await seen(world, "a") == [False]
        assert await seen(world, "a", "b") == [False, True]


async def test_only_runtimes_that_changed_are_made_anew(world: World) -> None:
    both = {"local": RuntimeDefinition("stub", {"size": 1}), "other": RuntimeDefinition("stub", {"size": 2})}
    await world.effects.set_runtimes(both, {})
    local, other = world.effects.runtime("local"), world.effects.runtime("other")
    await world.effects.set_runtimes({**both, "other": RuntimeDefinition("stub", {"size": 3})}, {})
    assert world.effects.runtime("local") is local
    assert world.effects.runtime("other") is not other
    assert (local.closed, other.closed) == (False, True)  # type: ignore[attr-defined]
    await world.effects.close()
    assert all(runtime.closed for runtime in world.runtimes)


async def test_a_check_of_an_attempt_is_told_where_the_instance_answers_also_before_the_first_look(world: World) -> None:
    await world.effects.set_runtimes(DEFINITIONS, {WEB: "local"})
    result = await world.effects.check("attachment:smoke:1", check_of())
    assert world.protection.asked[0].env == {"SETPOINT_VERSION": "1.0", "SETPOINT_ADDRESS": "127.0.0.1:4711"}
    assert result == CheckResult(Outcome.PASSING, "fine"), "output is not for states"
    assert world.effects.last_result("attachment:smoke:1") == world.protection.result


async def test_a_check_of_something_larger_has_no_address(world: World) -> None:
    await world.effects.set_runtimes(DEFINITIONS, {WEB: "local"})
    await world.effects.check("attachment:smoke:1", check_of("channel:saas/production"))
    assert world.protection.asked[0].env == {"SETPOINT_VERSION": "1.0"}
    assert not world.runtimes


async def test_an_address_that_cannot_be_had_does_not_keep_a_check_from_running(world: World) -> None:
    await world.effects.set_runtimes({}, {WEB: "local"})
    assert (await world.effects.check("attachment:smoke:1", check_of())).outcome is Outcome.PASSING


async def test_a_protection_that_does_not_exist_is_misconfigured(world: World) -> None:
    result = await world.effects.check("attachment:x:1", check_of(use="crystal-ball"))
    assert (result.outcome, result.reason) == (
        Outcome.MISCONFIGURED,
        'protection "crystal-ball" does not exist: install it or correct the name',
    )


async def test_a_protection_that_never_ends_is_given_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("setpoint.engine.effects._GRACE", 20)
    world.protection.hangs = True
    result = await world.effects.check("attachment:x:1", check_of("organization", timeout=20))
    assert result.outcome is Outcome.UNAVAILABLE


async def test_an_apply_that_never_ends_is_given_up_for_now(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("setpoint.engine.effects._APPLY", 20)
    await world.effects.set_runtimes(DEFINITIONS, {WEB: "local"})

    async def hang(*_: Any) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(world.effects.runtime("local"), "apply", hang)
    with pytest.raises(TransientError, match="took on nothing"):
        await world.effects.apply(f"instance:{WEB}", apply_of(await world.store()))


async def test_text_of_a_check_that_is_no_unicode_is_made_printable(world: World) -> None:
    world.protection.result = CheckResult(Outcome.BLOCKING, "bad \udcff byte", "\udcff")
    result = await world.effects.check("attachment:x:1", check_of("organization"))
    assert result.reason == "bad ? byte"


def test_the_runtimes_that_come_with_setpoint_are_found_by_their_entry_points() -> None:
    assert {"process", "custom", "fake"} <= set(runtime_adapters())
