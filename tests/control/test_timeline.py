"""The timeline: spans from history, and their picture."""

from __future__ import annotations

from pathlib import Path

from rich.text import Text
from tests.control.house import STANDARD, documents, house

from setpoint.cli.render.timeline import lines

FAILING = documents(
    "kind: Runtime\nname: pretend\nfake: {}\npoll: {moving: 20ms, settled: 200ms}",
    "kind: Application\nname: saas\nchannels: [{name: staging, runtime: pretend}]",
    """kind: Service
application: saas
name: web
parameters: {becomes: {default: healthy, carry: false}}
fake: {becomes: "${params.becomes}"}
env: {VERSION: "${version}"}
progressDeadline: 200ms""",
)


def kinds(lane) -> list[tuple[str, str, str]]:
    return [(span.kind, span.version, span.outcome) for span in lane.spans]


async def test_each_stretch_of_each_attempt_is_a_span(tmp_path: Path) -> None:
    async with house(tmp_path, STANDARD) as found:
        for version in ("1.0", "2.0"):
            await found.release(version)
            await found.good("web@production", version)
        shown = await found.ask("timeline")
        assert [lane.instance for lane in shown.lanes] == ["saas/web@staging", "saas/web@production"]
        production = shown.lanes[1]
        assert [kind for kind in kinds(production) if kind[1] == "2.0" and kind[0] != "verifying"] == [
            ("waiting", "2.0", ""),
            ("deploying", "2.0", "converged"),
            ("running", "2.0", ""),
        ]
        ran = [span for span in production.spans if span.kind == "running"]
        assert ran[0].ends == ran[1].begins
        assert ran[1].ends is None


async def test_a_failure_ends_in_its_outcome_and_later_ones_are_left_out(tmp_path: Path) -> None:
    async with house(tmp_path, FAILING) as found:
        await found.release("1.0")
        await found.good("web@staging", "1.0")
        await found.release("2.0", web={"parameters": {"becomes": "failing"}})
        await found.waits_for("web@staging", "vetoed")
        shown = await found.ask("timeline", target="staging")
        back = next(span for span in shown.lanes[0].spans if span.kind == "rolling-back")
        assert (back.version, back.outcome) == ("2.0", "rolled-back")
        assert "1.0 runs again" in back.text
        later = await found.ask("timeline", target="web@staging", since=back.ends)
        assert [span.version for span in later.lanes[0].spans] == ["1.0"]


def picture(*spans: tuple[str, str, int, int | None, str]) -> list[str]:
    told = [
        {"kind": kind, "version": version, "release": 1, "attempt": 1, "begins": begins, "ends": ends, "outcome": outcome}
        | {"configuration": 0}
        for kind, version, begins, ends, outcome in spans
    ]
    answer = {"begins": 0, "ends": 60_000, "lanes": [{"instance": "saas/web@eu", "spans": told}], "groups": {}}
    return [line.plain if isinstance(line, Text) else line for line in lines(answer, 40)]


def test_the_picture_says_by_shape_what_it_was_at() -> None:
    shown = picture(
        ("waiting", "2.0", 0, 20_000, ""),
        ("deploying", "2.0", 20_000, 30_000, ""),
        ("rolling-back", "2.0", 30_000, 40_000, "rolled-back"),
        ("running", "1.0", 0, None, ""),
    )
    assert shown[1].startswith("web@eu  ··········")
    assert "▒▒▒" in shown[1]
    assert "↺↺" in shown[1]
    assert shown[1].rstrip().endswith("✗")
    assert shown[2].strip().startswith("1.0───")
    assert max(map(len, shown[:3])) <= 40


def test_names_that_do_not_fit_leave_a_bar_and_the_last_one_is_moved_into_the_row() -> None:
    shown = picture(
        ("running", "10.20.30", 0, 3_000, ""), ("running", "10.20.31", 3_000, 59_000, ""), ("running", "2.0", 59_000, None, "")
    )
    assert shown[2].strip().startswith("│")
    assert "10.20.31" in shown[2]
    assert shown[2].endswith("2.0")
