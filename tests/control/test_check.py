"""A check run by hand: as the engine runs it, shown with how it would count, and without any effect on gates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.control.house import EVE, RUNTIME, SERVICE, House, documents, files, house
from tests.support.eventually import eventually

from setpoint.control.errors import Forbidden, NotFound, Refused

PHASES = "{pre-deployment: {failAfter: 10m}, deployment: {onFail: wait}, post-deployment: {for: 5m, tolerate: 1}}"
APPLICATION = """
kind: Application
name: saas
channels: [{name: staging, runtime: pretend, protections: [{use: probe, name: smoke, per: instance}]}]
"""


def configuration(script: str, at: str = PHASES) -> dict[str, Any]:
    probe = f"""
kind: Protection
name: probe
program:
  command: [sh, -c, '{script}']
  env: {{WHAT: "${{version}}"}}
at: {at}
"""
    return files(documents(RUNTIME, SERVICE, APPLICATION, probe))


async def applied(found: House, home: Path, script: str, **more: str) -> None:
    await found.do("apply", **{**configuration(script, **more), "root": str(home)})


@pytest.mark.parametrize(
    ("script", "outcome", "code", "counts"),
    [
        ("echo fine", "passing", 0, ["lets the attempt go on", "lets the attempt go on", "it must pass for 5m"]),
        (
            "echo HTTP 500; exit 22",
            "blocking",
            22,
            ["holds the attempt until it passes", "holds the attempt until it passes", "a failure, of which 1 are tolerated"],
        ),
        ("exit 75", "unavailable", 75, ["after 10m without a result the attempt fails", "decides nothing", "decides nothing"]),
        ("no-such-command", "misconfigured", 127, ["after 10m", "decides nothing", "decides nothing"]),
        ("kill -SEGV $$", "unavailable", -11, ["after 10m", "decides nothing", "decides nothing"]),
    ],
)
async def test_it_shows_the_result_and_how_it_would_count(
    tmp_path: Path, script: str, outcome: str, code: int, counts: list[str]
) -> None:
    async with house(tmp_path) as found:
        await applied(found, tmp_path, script)
        await found.release("1.0")
        answer = await found.do("check", gate="smoke", target="web@staging")
        assert (answer.outcome, answer.code, answer.version) == (outcome, code, "1.0")
        assert [count.phase for count in answer.counts] == ["pre-deployment", "deployment", "post-deployment"]
        assert all(part in count.text for part, count in zip(counts, answer.counts, strict=True))
        assert (await found.do("check", gate="probe", target="web@staging")).outcome == outcome, "by the protection, too"
        entries = (await found.ask("audit")).entries
        assert ("check", "smoke for web@staging") in [(one.command, one.subject) for one in entries]


async def test_it_runs_as_the_engine_would_run_it(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        await applied(found, tmp_path, 'echo "$WHAT $SETPOINT_VERSION $SETPOINT_PHASE $SETPOINT_INSTANCE"; cat | head -c 12')
        await found.release("1.0")
        answer = await found.do("check", gate="smoke", target="web@staging")
        assert answer.output.splitlines()[0].startswith("1.0 1.0 pre-deployment")
        assert answer.output.splitlines()[1].startswith("{")


async def test_it_changes_the_state_of_no_gate(tmp_path: Path) -> None:
    """The file makes the check pass that holds the deployment: the engine, which runs it once a minute, has not seen it yet."""
    async with house(tmp_path) as found:
        await applied(found, tmp_path, f"test -e {tmp_path}/passes", at="pre-deployment")
        await found.release("1.0")

        async def failed() -> bool:
            reason = (await found.row("web@staging")).reason
            return reason is not None and "check `smoke` failed" in reason.text

        async def states() -> list[tuple[str, Any]]:
            engine = found.services.engine
            return [one for kind in ("attachment", "instance", "line") for one in await engine.scan(kind)]

        await eventually(failed, 10, "its first run did not fail")
        before = await states()
        (tmp_path / "passes").touch()
        assert (await found.do("check", gate="smoke", target="web@staging")).outcome == "passing"
        assert await states() == before
        assert (await found.row("web@staging")).target is None


async def test_who_may_and_what_there_is(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        await applied(found, tmp_path, "true")
        with pytest.raises(Refused, match="No release has come to web@staging yet"):
            await found.do("check", gate="smoke", target="web@staging")
        await found.release("1.0")
        with pytest.raises(Forbidden):
            await found.do("check", EVE, gate="smoke", target="web@staging")
        with pytest.raises(NotFound, match='no check "smoek"') as wrong:
            await found.do("check", gate="smoek", target="web@staging")
        assert wrong.value.hint == 'Did you mean "smoke"?'
