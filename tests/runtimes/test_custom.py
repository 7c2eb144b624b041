"""The custom runtime against a platform that is a command: exit codes, structured output, what is remembered, what goes wrong."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest
from tests.runtimes.contract import RuntimeContract
from tests.runtimes.helpers import eventually, settled
from tests.support.processes import descendants, words_of

from setpoint.model.spec import Spec, Version, Workload
from setpoint.plugins.errors import TerminalError, TransientError, Unreachable
from setpoint.runtimes.custom import CustomRuntime

CLI = str(Path(__file__).with_name("platform_cli.py"))
INSTANCE = "shop/web@staging"


def wanted(version: str = "1", **arguments: Any) -> Spec:
    return Spec(INSTANCE, "platform", Version(version), Workload("custom", {"with": arguments} if arguments else {})).sealed()


class Platform:
    """The platform's directory, and runtimes that drive it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.directory = home / "platform"
        self.directory.mkdir()

    def command(self, action: str, *words: str) -> list[str]:
        return [sys.executable, CLI, str(self.directory), action, *words]

    def runtime(self, *actions: str, **options: Any) -> CustomRuntime:
        commands = {action: self.command(action) for action in actions or ("fetch", "apply", "remove")}
        return CustomRuntime({**commands, **options}, self.home)

    def calls(self, action: str) -> list[str]:
        path = self.directory / "calls"
        lines = path.read_text().splitlines() if path.exists() else []
        return [line.partition(" ")[2] for line in lines if line.startswith(f"{action} ")]


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    return Platform(tmp_path)


class CustomContract(RuntimeContract):
    def healthy(self, version: str) -> Spec:
        return wanted(version)

    def failing(self, version: str) -> Spec:
        return wanted(version, wish="ill")


class TestByExitCode(CustomContract):
    @pytest.fixture
    def runtime(self, platform: Platform) -> CustomRuntime:
        return platform.runtime()


class TestStructured(CustomContract):
    @pytest.fixture
    def runtime(self, platform: Platform) -> CustomRuntime:
        return platform.runtime("apply", "remove", fetch=platform.command("list"), structured=True)


class TestWithoutFetch(CustomContract):
    @pytest.fixture
    def runtime(self, platform: Platform) -> CustomRuntime:
        return platform.runtime("apply", "remove")

    def failing(self, version: str) -> Spec:
        return wanted(version, wish="1")

    async def apply_failing(self, runtime, spec: Spec) -> None:
        with pytest.raises(TerminalError, match="told to exit with 1"):
            await runtime.apply("op/1", spec)


async def test_an_operation_that_came_to_its_end_is_not_repeated(platform: Platform) -> None:
    runtime = platform.runtime()
    await runtime.apply("op/1", wanted())
    await platform.runtime().apply("op/1", wanted())
    assert platform.calls("apply") == ["1 op/1"]
    await runtime.apply("op/2", wanted())
    assert platform.calls("apply") == ["1 op/1", "1 op/2"]


async def test_without_fetch_apply_runs_once_for_each_spec(platform: Platform) -> None:
    for operation in ("op/1", "op/2"):
        await platform.runtime("apply").apply(operation, wanted())
    await platform.runtime("apply").apply("op/3", wanted("2"))
    assert platform.calls("apply") == ["1 op/1", "2 op/3"]


@pytest.mark.parametrize(
    ("code", "error"), [("75", TransientError), ("1", TerminalError), ("2", TerminalError), ("137", TerminalError)]
)
async def test_how_apply_ends_says_whether_to_try_again(platform: Platform, code: str, error: type[Exception]) -> None:
    runtime = platform.runtime()
    with pytest.raises(error, match=f"told to exit with {code}"):
        await runtime.apply("op/1", wanted(wish=code))
    assert not (await runtime.observe(INSTANCE, None)).objects


async def test_what_an_unfinished_apply_left_is_applied_again(platform: Platform) -> None:
    with pytest.raises(TransientError):
        await platform.runtime().apply("op/1", wanted(wish="75"))
    with pytest.raises(TransientError):
        await platform.runtime().apply("op/1", wanted(wish="75"))
    assert len(platform.calls("apply")) == 2


async def test_a_command_that_hangs_is_killed(platform: Platform) -> None:
    began = time.monotonic()
    with pytest.raises(TransientError, match="took too long"):
        await platform.runtime(timeout="500ms").apply("op/1", wanted(wish="hang"))
    assert time.monotonic() - began < 30
    assert not [p for p in descendants() if str(platform.directory) in words_of(p)]


async def test_a_command_that_does_not_exist_is_terminal(platform: Platform) -> None:
    with pytest.raises(TerminalError, match="No such file"):
        await platform.runtime("fetch", apply=["/no/such/program"]).apply("op/1", wanted())
    with pytest.raises(Unreachable, match="No such file"):
        await platform.runtime("apply", fetch=["/no/such/program"]).observe(INSTANCE, wanted())


@pytest.mark.parametrize("wish", ["75", "garbage"])
async def test_what_fetch_cannot_say_is_unknown_not_absent(platform: Platform, wish: str) -> None:
    runtime = platform.runtime("apply", fetch=platform.command("list", wish), structured=True)
    with pytest.raises(Unreachable):
        await runtime.observe(INSTANCE, wanted())


async def test_fetch_that_exits_otherwise_says_that_the_instance_failed(platform: Platform) -> None:
    runtime = platform.runtime("apply", fetch=platform.command("fetch", "9"))
    await runtime.apply("op/1", wanted())
    seen = await runtime.observe(INSTANCE, wanted())
    assert [o.healthy for o in seen.objects] == [False]
    assert not seen.complete
    assert "exited with 9: told to exit with 9" in seen.message


async def test_drift_that_the_command_reports_is_a_difference(platform: Platform) -> None:
    sound = platform.runtime("apply", fetch=platform.command("list"), structured=True)
    await sound.apply("op/1", wanted())
    await settled(sound, wanted())
    seen = await platform.runtime("apply", fetch=platform.command("list", "drifted"), structured=True).observe(INSTANCE, wanted())
    assert not seen.complete
    assert seen.difference
    assert [o.digest for o in seen.objects] == ["", wanted().digest]
    assert seen.message.startswith("task-1 drifted")


async def test_links_are_asked_once_and_never_in_the_way(platform: Platform) -> None:
    runtime = platform.runtime("fetch", "apply", "info")
    await runtime.apply("op/1", wanted())
    for _ in range(3):
        seen = await runtime.observe(INSTANCE, wanted())
    assert seen.links == {"console": "https://console.example/web"}
    assert len(platform.calls("info")) == 1
    assert (await runtime.info(wanted()))["region"] == "eu"
    broken = platform.runtime("fetch", "apply", info=platform.command("info", "1"))
    assert (await broken.observe(INSTANCE, wanted())).complete


async def test_arguments_are_looked_up_in_the_command(platform: Platform, tmp_path: Path) -> None:
    note = tmp_path / "note"
    write = [sys.executable, "-c", f"import sys; open({str(note)!r}, 'w').write(' '.join(sys.argv[1:]))"]
    runtime = CustomRuntime({"apply": [*write, "${with.size}", "v${version}", "${channel.name}"]}, tmp_path)
    await runtime.apply("op/1", wanted(size=3))
    assert note.read_text() == "3 v1 staging"
    with pytest.raises(TerminalError, match=r"with\.size"):
        await runtime.apply("op/2", wanted(colour="red"))


async def test_a_daemon_that_apply_leaves_does_not_hold_it_up(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    runtime = CustomRuntime({"apply": ["sh", "-c", f"setsid sleep 60 & echo $! > {note}; echo done"]}, tmp_path)
    began = time.monotonic()
    await runtime.apply("op/1", wanted())
    assert time.monotonic() - began < 30
    psutil.Process(int(note.read_text())).kill()


async def test_output_without_end_is_capped_and_a_spec_larger_than_a_pipe_is_read_whole(tmp_path: Path) -> None:
    count = tmp_path / "count"
    script = f"import sys; open({str(count)!r}, 'w').write(str(len(sys.stdin.read()))); print('x' * 20_000_000); print('the end')"
    runtime = CustomRuntime({"apply": [sys.executable, "-c", script]}, tmp_path)
    large = msgspec.structs.replace(wanted(), env={"X": "y" * 100_000}).sealed()
    large = msgspec.structs.replace(large, parameters={f"p{n}": "z" * 10_000 for n in range(100)}, env={}).sealed()
    await runtime.apply("op/1", large)
    assert int(count.read_text()) == len(msgspec.json.encode(large))
    assert [line.text async for line in runtime.logs(INSTANCE, lines=1)] == ["the end"]


async def test_removing_needs_a_command(platform: Platform) -> None:
    runtime = platform.runtime("fetch", "apply")
    await runtime.apply("op/1", wanted())
    with pytest.raises(TerminalError, match="`remove`"):
        await runtime.remove("op/2", INSTANCE)


async def test_nothing_secret_of_the_engine_reaches_the_commands(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("SETPOINT_TOKEN", "hidden")
    runtime = CustomRuntime({"apply": ["env"]}, tmp_path)
    await runtime.apply("op/1", msgspec.structs.replace(wanted(), env={"COLOUR": "blue"}).sealed())
    said = {line.text async for line in runtime.logs(INSTANCE)}
    assert {"COLOUR=blue", "SETPOINT_OPERATION_ID=op/1", "SETPOINT_CHANNEL=staging", "SETPOINT_APPLICATION=shop"} <= said
    assert not any("hidden" in line for line in said)


async def test_cancelling_ends_the_command(platform: Platform) -> None:
    import asyncio

    applying = asyncio.create_task(platform.runtime().apply("op/1", wanted(wish="hang")))

    async def started() -> bool:
        return bool(platform.calls("apply"))

    await eventually("it runs", started)
    applying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await applying
    assert not [p for p in descendants() if str(platform.directory) in words_of(p)]
