"""Status, explain, history, logs, doctor: what people are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from msgspec.structs import replace
from tests.control.house import ADMIN, ANN, BOB, EVE, PLAIN, RUNTIME, SERVICE, STANDARD, WITH_APPROVALS, documents, files, house
from tests.support.eventually import eventually

from setpoint.control.queries.history import EventView
from setpoint.control.queries.logs import LogLineView


async def test_status_counts_what_failed_and_what_waits_for_whoever_looks(tmp_path: Path) -> None:
    async with house(tmp_path, WITH_APPROVALS) as found:
        await found.release("1.0")
        row = await found.waits_for("web@production", "approval-missing")
        await found.good("web@staging", "1.0")
        application = (await found.ask("status", ANN)).applications[0]
        assert (application.name, application.release, application.failed, application.settled) == ("saas", 1, 0, 1)
        assert application.you == 1
        assert [(await found.ask("status", other)).applications[0].you for other in (BOB, EVE)] == [1, 0]
        assert application.channels == ["staging", "production", "globex"]
        assert (row.desired.version, row.target, row.good) == ("1.0", None, None)
        assert row.reason.clears.what
        mirror = await found.row("web@globex")
        assert (mirror.mirrors, mirror.condition) == ("saas/web@production", "empty")


async def test_explain_shows_every_gate_of_the_attempt_with_what_it_says(tmp_path: Path) -> None:
    checked = WITH_APPROVALS.replace(
        "after: staging", "after: staging\n    protections: [{use: always, name: never, with: {result: blocking}}]"
    )
    async with house(tmp_path, checked) as found:
        await found.release("1.0")
        await found.waits_for("web@production", "approval-missing")
        page = await found.ask("explain", target="web@production")
        assert {gate.name: (gate.kind, gate.state) for gate in page.gates} == {
            "after-staging": ("ordering", "holds"),
            "release-manager": ("approval", "waits"),
            "never": ("check", "later"),
        }
        assert (page.candidate.release, page.candidate.phase, page.rollout) == (1, "approval", None)
        await found.do("skip", ADMIN, target="web@production", gate="release-manager", why="x")
        await found._until("web@production", lambda row: row.reason and "failed: " in row.reason.text, "a no")
        later = {gate.name: gate for gate in (await found.ask("explain", target="web@production")).gates}
        assert later["release-manager"].state == "skipped"
        assert (later["never"].state, later["never"].outcome) == ("says-no", "blocking")


async def test_explain_names_what_changed_since_the_last_look(tmp_path: Path) -> None:
    """A reason that is younger than one polling interval is a reason (§5 Observing)."""
    seldom = STANDARD.replace("settled: 200ms", "settled: 1h")
    async with house(tmp_path, seldom) as found:
        await found.release("1.0")
        await found.good("web@production", "1.0")
        assert (await found.ask("explain", target="web@production")).reasons == []
        runtime: Any = found.services.effects.runtime("pretend")
        runtime._world["saas/web@production"] = replace(runtime._world["saas/web@production"], becomes="failing")
        unseen = await found.ask("explain", target="web@production", runtime=False)
        assert unseen.reasons == [], "the next poll is an hour away"
        page = await found.ask("explain", target="web@production")
        assert ([reason.code for reason in page.reasons], page.instance.condition) == (["unhealthy"], "unhealthy")


async def test_everything_that_is_not_converged_is_explained(tmp_path: Path) -> None:
    async with house(tmp_path, WITH_APPROVALS) as found:
        await found.release("1.0")
        await found.waits_for("web@production", "approval-missing")
        for row in (await found.ask("status")).applications[0].instances:
            assert row.settled or row.reason is not None, row.instance


async def test_history_is_filtered_by_place_kind_and_release(tmp_path: Path) -> None:
    async with house(tmp_path, STANDARD) as found:
        for version in ("1.0", "1.1"):
            await found.release(version)
            await found.good("web@production", version)
        everything = (await found.ask("history")).events
        assert [event.number for event in everything] == sorted((event.number for event in everything), reverse=True)
        production = (await found.ask("history", target="production", kinds=["finalized"])).events
        assert [(event.entity, event.release) for event in production] == [
            ("instance:saas/web@production", 2),
            ("instance:saas/web@production", 1),
        ]
        assert {event.release for event in (await found.ask("history", release=1)).events} == {1}
        assert len((await found.ask("history", limit=2)).events) == 2
        older = (await found.ask("history", before=everything[3].number)).events
        assert older[0].number < everything[3].number


async def test_events_are_told_as_they_happen(tmp_path: Path) -> None:
    async with house(tmp_path, STANDARD) as found:
        await found.release("1.0")
        await found.good("web@production", "1.0")
        seen = []
        async for event in await found.control.stream("events", {"after": 0, "target": "web@production"}, ADMIN):
            assert isinstance(event, EventView)
            seen.append(event.kind)
            if event.kind == "finalized":
                break
        assert seen[-1] == "finalized"


async def test_logs_come_from_the_runtime(tmp_path: Path) -> None:
    async with house(tmp_path, STANDARD) as found:
        await found.release("1.0")
        await found.good("web@staging", "1.0")
        stream = await found.control.stream("logs", {"target": "web@staging"}, ADMIN)
        lines = [line.text async for line in stream if isinstance(line, LogLineView)]
        assert lines == ["fake of 1.0: healthy"]


async def test_validate_tells_mistakes_as_data(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        assert (await found.ask("validate", **files(STANDARD))).problems == []
        problem = (await found.ask("validate", **files(STANDARD.replace("after: staging", "after: stagging")))).problems[0]
        assert (problem.file, problem.line > 1, problem.hint) == ("app.setpoint.yaml", True, 'Did you mean "staging"?')


async def test_the_schema_names_every_kind(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        assert "Service" in (await found.ask("schema")).json_schema["properties"]["kind"]["enum"]


async def test_a_selector_that_matches_nothing_is_shown_wherever_the_configuration_is(tmp_path: Path) -> None:
    policy = '{kind: Policy, name: rules, select: "channel=staging, runtime!=pretend"}'
    text = documents(RUNTIME, PLAIN, SERVICE, policy)
    line = next(number for number, one in enumerate(text.splitlines(), 1) if "Policy" in one)
    notice = f'app.setpoint.yaml:{line}:37  Policy "rules": `select: channel=staging, runtime!=pretend` matches no instance now.'
    async with house(tmp_path) as found:
        sent = files(text)
        assert (await found.ask("validate", **sent)).notices == [notice]
        assert (await found.ask("preview", **sent)).notices == [notice]
        assert (await found.do("apply", ADMIN, **sent)).notices == [notice]
        assert (await found.ask("status")).notices == [notice]
        findings = (await found.ask("doctor")).findings
        assert [(one.state, one.text) for one in findings if one.name == "selector"] == [("warning", notice)]


async def test_doctor_looks_at_everything(tmp_path: Path) -> None:
    async with house(tmp_path, STANDARD) as found:
        findings = {one.name: one for one in (await found.ask("doctor")).findings}
        assert {"versions", "clock", "home", "disk", "journal", "engine", "runtime pretend", "configuration"} <= findings.keys()
        assert findings["runtime pretend"].state == "ok"
        (tmp_path / "admin.token").chmod(0o644)
        again = await found.ask("doctor")
        assert not again.healthy
        assert next(one for one in again.findings if one.name == "home").state == "bad"


async def test_whoami_tells_rights(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        assert "administer" in (await found.ask("whoami", ADMIN)).may
        mine = await found.ask("whoami", ANN)
        assert (mine.name, mine.groups, mine.admin) == ("ann", ["release-managers"], False)
        assert not {"administer", "configure"} & set(mine.may)


async def test_what_is_stuck_is_shown_first(tmp_path: Path) -> None:
    """In status, explain and doctor; nothing else will end it."""
    channel = "{name: staging, runtime: pretend, protections: [probe], approvals: [{topic: go, from: 'user:ann'}]}"
    probe = (
        "kind: Protection\nname: probe\nprogram: {command: [./not-there]}\ninterval: 50ms\ntimeout: 50ms\nat: {pre-approval: {}}"
    )
    application = f"kind: Application\nname: saas\nchannels: [{channel}]"
    async with house(tmp_path) as found:
        given = files(documents(RUNTIME, SERVICE, application, probe), **{"not-there": ""})
        await found.do("apply", **given)
        await found.release("1.0")

        async def look() -> Any:
            row = await found.row("web@staging")
            return row if row.reason and row.reason.stuck else None

        row = await eventually(look, 10, "nothing is stuck")
        assert row.attention == "you"
        assert row.reason.text.startswith("stuck for ")
        page = await found.ask("explain", target="web@staging")
        assert [reason.stuck for reason in page.reasons] == [True, False]
        first = (await found.ask("doctor")).findings[0]
        assert (first.name, first.state) == ("saas/web@staging", "warning")
        assert "setpoint skip saas/web@staging probe" in first.hint
