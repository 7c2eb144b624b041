"""Screens: within the terminal's width, readable without colour, the worst first, the quiet ones quiet."""

from __future__ import annotations

import io
import shlex
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text
from tests.cli.parser import subcommands

from setpoint.cli.main import app
from setpoint.cli.render import difference, explain, rollup, status, stories, timeline, words
from setpoint.cli.render.console import wrapped
from setpoint.core.instance.explain import Condition

NOW = 1_800_000_000_000
LONG = "waits for release-manager: approval by group:release-managers or group:leads of the whole organization"


def version(name: str, release: int = 1, configuration: int = 0) -> dict[str, Any]:
    return {"version": name, "release": release, "configuration": configuration}


def clears(command: str, what: str = "") -> dict[str, Any]:
    return {"who": "", "what": what, "when": None, "command": command}


def reason(text: str, **more: Any) -> dict[str, Any]:
    return {
        "code": "approval-missing",
        "text": text,
        "phase": "approval",
        "gate": "release-manager",
        "subject": "",
        "since": NOW - 60_000,
        "recheck_at": None,
        "cause": {"kind": "approval", "id": "topic:channel:production#release-manager#5", "label": "release-manager"},
        "clears": clears("approve release-manager", "an approval"),
        "failed": False,
        "stuck": False,
        "release": 0,
        "counts_for": [],
        "approvers": [],
    } | more


def row(channel: str, condition: str = "converged", **more: Any) -> dict[str, Any]:
    settled = condition == "converged"
    return {
        "instance": f"saas/web@{channel}",
        "application": "saas",
        "service": "web",
        "channel": channel,
        "group": "",
        "runtime": "local",
        "condition": condition,
        "desired": version("1.4.2"),
        "target": version("1.4.2"),
        "good": version("1.4.2"),
        "current": {"versions": ["1.4.2"], "healthy": 2, "total": 2, "at": NOW, "message": "", "unreachable": ""},
        "release": 1,
        "phase": "",
        "attempt": 0,
        "settled": settled,
        "attention": "",
        "reason": None,
        "reasons": 0,
        "next_look": None,
        "pinned": "",
        "held_by": "",
        "mirrors": "",
        "problem": "",
    } | more


def screen(rows: list[dict[str, Any]], columns: int = 80, stops: list[dict[str, Any]] | None = None, **more: Any) -> list[str]:
    application = {
        "name": "saas",
        "release": 3,
        "services": ["web"],
        "channels": [],
        "groups": {},
        "instances": rows,
        "failed": sum(one["attention"] == "failed" for one in rows),
        "you": sum(one["attention"] == "you" for one in rows),
        "settled": sum(one["settled"] for one in rows),
        "stops": stops or [],
    }
    answer = {
        "now": NOW,
        "person": "admin",
        "engine": "serving",
        "configured": True,
        "notices": [],
        "applications": [application],
    }
    return [line for text in status.lines(answer, columns, **more) for line in text.plain.split("\n")]


def test_selectors_that_match_nothing_come_last():
    notice = 'a.yaml:3:4  Policy "rules": `select: env=test` matches no instance now.'
    answer = {"now": NOW, "person": "a", "engine": "serving", "configured": True, "notices": [notice], "applications": []}
    assert [line.plain for line in status.lines(answer, 100)] == ["", f"! {notice}"]


def test_the_first_line_says_what_is_wrong() -> None:
    rows = [
        row("staging"),
        row("production", "failed", attention="failed"),
        row("acme", "waiting", attention="you"),
        row("globex", "waiting"),
    ]
    assert screen(rows)[0].split("  ")[-1].strip() == "1 FAILED · 1 needs you · 1 waiting"
    assert screen([row("staging"), row("production")])[0].endswith("all converged")


def test_what_is_converged_is_quiet_and_what_waits_says_its_sentence() -> None:
    lines = screen([row("staging"), row("production", "waiting", reason=reason(LONG), reasons=2)])
    assert lines[2].split() == ["staging", "1.4.2", "1.4.2", "1.4.2", "1.4.2", "●", "converged"]
    assert " ".join(" ".join(lines[4:]).split()) == f"└ {LONG} (and 1 more)"


@pytest.mark.parametrize("columns", [80, 81, 132, 240])
@pytest.mark.parametrize("name", ["prod", "a-channel-with-quite-a-long-name-in-europe-west"])
def test_no_line_is_wider_than_the_terminal(columns: int, name: str) -> None:
    rows = [
        row(name),
        row("b", "waiting", reason=reason(LONG), reasons=3, pinned="1.4.2"),
        row("c", "rolling-back", desired=version("2024.11.23-build.7+abcdef")),
    ]
    width = max(map(cell_len, screen(rows, columns)))
    assert width <= columns


def test_a_sentence_that_fits_stands_on_the_same_line() -> None:
    assert screen([row("production", "waiting", reason=reason("staging soaks"), reasons=1)], 120)[2].endswith(
        "◷ waiting  staging soaks"
    )


def tenants() -> list[dict[str, Any]]:
    quiet = [row(f"tenants-{number}", group="tenants", good=version("2.3")) for number in range(187)]
    moving = [row(f"tenants-m{number}", "deploying", group="tenants") for number in range(12)]
    failed = row("tenants-acme", "failed", group="tenants", attention="failed", reason=reason("it exited"), reasons=1)
    return [row("staging"), *quiet, *moving, failed]


def test_a_large_group_is_summed_up_and_only_its_trouble_is_listed() -> None:
    lines = screen(tenants(), 100)
    assert lines[3].split("   ")[-1].strip() == "200 channels · 187 on 2.3 · 12 deploying · 1 FAILED"
    assert [line.split()[0] for line in lines[2:5]] == ["staging", "tenants", "tenants-acme"]
    assert lines[4].endswith("✗ FAILED  it exited")
    assert len(screen(tenants(), everything=True)) > 200
    assert max(map(cell_len, screen(tenants(), 80))) <= 80


def test_a_group_of_many_versions_tells_the_most_frequent() -> None:
    rows = [row(f"t{number}", group="tenants", good=version(f"{number % 4}.0")) for number in range(41)]
    assert screen(rows, 100)[2].endswith("41 channels · 11 on 0.0 · 10 on 1.0 · 20 on others")


def test_a_small_group_is_shown_channel_by_channel() -> None:
    rows = [row(f"t{number}", group="tenants") for number in range(3)]
    assert [line.split()[0] for line in screen(rows)[2:]] == ["t0", "t1", "t2"]


def test_many_quiet_channels_are_counted_not_listed() -> None:
    rows = [row(f"tenant-{number}") for number in range(200)] + [row("zebra", "failed", attention="failed")]
    lines = screen(rows)
    assert len(lines) < 10
    assert "… and 200 channels more, all converged" in lines[-1]
    assert len(screen(rows, everything=True)) > 200


def test_how_much_is_healthy_is_shown_where_there_is_room() -> None:
    current = {"versions": ["1.4.2"], "healthy": 1, "total": 2, "at": NOW, "message": "", "unreachable": ""}
    assert "1.4.2 1/2" in screen([row("production", "unhealthy", current=current)])[2]


@pytest.mark.parametrize("condition", [*Condition, "broken"])
def test_every_condition_has_a_sign_and_a_word_of_its_own(condition: str) -> None:
    shown = words.look(condition)
    assert shown.sign != "·"
    assert shown.word
    everything = [words.look(other).word for other in (*Condition, "broken")]
    assert everything.count(shown.word) == 1


def test_without_colour_there_is_no_escape() -> None:
    stream = io.StringIO()
    console = Console(file=stream, no_color=True, width=80)
    for line in status.lines(
        {
            "now": NOW,
            "person": "a",
            "engine": "degraded: the disk is full",
            "configured": True,
            "notices": [],
            "applications": [],
        },
        80,
    ):
        console.print(line)
    assert "\x1b" not in stream.getvalue()
    assert "✗ the engine is degraded: the disk is full" in stream.getvalue()


ADVICE = [
    ("skip soaked", "", [["skip", "web@production", "soaked", "reason"]]),
    ("approve customer", "topic:channel:saas/production#customer#1", [["approve", "web@production", "customer"]]),
    ("retry release 7", "", [["retry", "web@production", 7]]),
    ("retry release 7, or release another version", "", [["retry", "web@production", 7]]),
    ("retry", "", [["retry", "web@production"]]),
    ("retry, or skip migrate", "", [["retry", "web@production"], ["skip", "web@production", "migrate", "reason"]]),
    (
        "retry --succeeded if it did, or retry if not, or skip migrate",
        "",
        [["retry", "web@production", True], ["retry", "web@production"], ["skip", "web@production", "migrate", "reason"]],
    ),
    ("unpin, or retry", "", [["unpin", "web@production"], ["retry", "web@production"]]),
    ("resume", "", [["resume", "web@production"]]),
    ("resume tenants --release 7", "wave:saas/tenants", [["resume", "tenants", 7]]),
    ("unpin", "", [["unpin", "web@production"]]),
    ("heal", "", [["heal", "web@production"]]),
    ("start the line", "scope:channel:saas/production", [["start-the-line", "saas/production"]]),
    ("start the line", "scope:organization", [["start-the-line"]]),
    ("unpause", "scope:runtime:local", [["unpause", "runtime:local"]]),
    ("unpause", "scope:application:saas", [["unpause", "saas"]]),
]


@pytest.mark.parametrize(("advice", "subject", "means"), ADVICE)
def test_a_printed_command_parses_and_addresses_what_it_was_printed_for(
    advice: str, subject: str, means: list[list[Any]]
) -> None:
    commands, _ = words.spelled(advice, "saas/web@production", subject)
    assert len(commands) == len(means)
    for command, expected in zip(commands, means, strict=True):
        program, name, *arguments = shlex.split(command)
        assert (program, name) == ("setpoint", expected[0])
        with subcommands(app)[name].make_context(name, arguments) as context:
            given = [value for value in context.params.values() if value]
        assert set(expected[1:]) <= set(given)


def test_advice_without_a_command_stays_a_sentence() -> None:
    assert words.spelled("", "saas/web@acme") == ([], "")
    assert words.spelled("fix the runtime", "saas/web@acme") == ([], "fix the runtime")
    assert words.spelled("roll back, or mark it good", "saas/web@acme") == ([], "roll back, or mark it good")
    assert words.spelled("retry release 7, or release another version", "saas/web@acme") == (
        ["setpoint retry web@acme --release 7"],
        "release another version",
    )


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_a_command_stands_alone_on_its_line_and_is_never_broken(columns: int) -> None:
    leaves = [f"saas/a-service-with-a-long-name@a-channel-with-a-long-name-{number}" for number in range(3)]
    page = {
        "now": NOW,
        "target": "tenants",
        "instances": 3,
        "conditions": {"held": 3},
        "culprits": [
            {"reason": reason(LONG, clears=clears("resume"), code="held"), "leaves": leaves, "behind": [], "through": []},
        ],
    }
    shown = [line.strip() for text in rollup.lines(page, columns) for line in text.plain.split("\n")]
    for leaf in leaves:
        assert f"setpoint resume {leaf.partition('/')[2]}" in shown


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (59, "59s"), (60, "1m"), (3700, "1h 1m"), (7200, "2h"), (90000, "1d 1h"), (-5, "0s")]
)
def test_how_long_ago(seconds: int, text: str) -> None:
    assert words.ago(NOW - 1000 * seconds, NOW) == text


def test_sentences_wrap_below_themselves() -> None:
    text = wrapped(LONG, first=Text("  ✗ ", "red"), columns=40)
    first, *rest = text.plain.split("\n")
    assert first.startswith("  ✗ waits")
    assert rest
    assert all(line.startswith("    ") and cell_len(line) <= 40 for line in rest)
    assert str(text.style) == ""


def test_the_page_of_an_instance_tells_reasons_gates_and_vetoes() -> None:
    page = {
        "now": NOW,
        "instance": row("production", "waiting", pinned="1.4.2", held_by="ann"),
        "reasons": [reason(LONG), reason("it failed", failed=True, recheck_at=NOW + 1000, clears=clears("retry release 2"))],
        "stops": [reason("office is closed", code="calendar-closed", clears=clears(""))],
        "candidate": {
            "number": 4,
            "release": 3,
            "version": "1.5.0",
            "configuration": 0,
            "keeps_version": False,
            "configured_by": "",
            "kind": "forward",
            "phase": "approval",
            "began": NOW,
            "entered": NOW - 5000,
            "going_back": False,
            "author": "bob",
            "why": "",
        },
        "rollout": None,
        "gates": [
            {
                "name": "release-manager",
                "kind": "approval",
                "phase": "approval",
                "state": "waits",
                "text": LONG,
                "outcome": "",
                "ended": 0,
                "subject": "",
            },
            {
                "name": "quiet",
                "kind": "check",
                "phase": "pre-deployment",
                "state": "says-no",
                "text": "two alerts fire",
                "outcome": "blocking",
                "ended": NOW - 3000,
                "subject": "attachment:x",
            },
        ],
        "vetoes": [{"release": 2, "version": "1.4.9", "reason": "errors", "at": NOW - 7200_000, "configuration": 0}],
        "outputs": {"quiet": "checking\nHighErrorRate"},
        "failed_output": None,
        "links": {"address": "http://127.0.0.1:8080"},
        "usage": [{"replica": "web-1", "cpu": 1.25, "memory": 52_428_800}],
        "origins": {"fake.takes": "app.setpoint.yaml:7"},
    }
    lines = [line.plain for line in explain.lines(page, 80, origins=True)]
    text = " ".join(" ".join(lines).split())
    assert max(cell_len(piece) for line in lines for piece in line.split("\n")) <= 80
    expected = (
        "pinned to 1.4.2",
        "held by ann",
        "setpoint approve web@production release-manager",
        "✗ it failed",
        "attempt 4: 1.5.0 (release 3) by bob",
        "two alerts fire (3s ago)",
        "│ HighErrorRate",
        "release 2 (1.4.9), 2h ago: errors",
        "http://127.0.0.1:8080",
        "1.2 % CPU 50 MiB",
        "app.setpoint.yaml:7",
    )
    for told in expected:
        assert told in text, told


def test_a_difference_shows_equal_changes_once_and_what_is_released() -> None:
    def change(instance: str, what: str, **more: str) -> dict[str, str]:
        return {"instance": instance, "what": what, "path": "", "old": "", "new": "", "origin": ""} | more

    shown = {
        "old": "a",
        "new": "b",
        "waiting": ["saas/api: nothing was released yet; release a version"],
        "notices": ["declared, but this version does not act on it: sources (1)"],
        "refusals": ["no secret store"],
        "changes": [
            change(f"saas/web@{name}", "runs", path="process.replicas", old="2", new="4", origin="a.yaml:3")
            for name in ("x", "y")
        ]
        + [change("saas/web@z", "removed")],
        "kept": {"saas/web@z": "1.4.1"},
        "down": {"saas/api@z": "2.0"},
        "shrinking": {"saas/tenants": (2, 3)},
        "configurations": [],
        "releases": [{"application": "saas", "services": {"web": "1.4.2"}, "channels": [], "instances": ["a", "b"]}],
    }
    lines = [line.plain for line in difference.preview(shown, 100)]
    assert lines == [
        "  ~ saas/web@x, saas/web@y",
        "      what runs  process.replicas: 2 → 4  a.yaml:3",
        "  - saas/web@z",
        "  ▶ saas: release of web 1.4.2 to 2 instances, with its gates",
        "  ◷ saas/api: nothing was released yet; release a version",
        "  ○ web@z: 1.4.1 keeps running, as an orphan",
        "  ✗ api@z: 2.0 will be STOPPED",
        "  ! saas/tenants loses 2 of its 3 channels: confirm this with --confirm saas/tenants",
        "  · declared, but this version does not act on it: sources (1)",
        "  ✗ cannot be applied: no secret store",
    ]


def made(instances: dict[str, str], groups: dict[str, str] | None = None, services: tuple[str, ...] = ("web",)) -> list[str]:
    """The lines of a configuration release."""
    shown: dict[str, Any] = {key: [] for key in ("changes", "waiting", "notices", "refusals", "releases")}
    shown |= {"old": "a", "new": "a", "kept": {}, "down": {}, "shrinking": {}}
    shown["configurations"] = [
        {"application": "saas", "services": list(services), "instances": instances, "groups": groups or {}}
    ]
    return [line for text in difference.preview(shown, 80) for line in text.plain.split("\n")][1:]


def test_a_configuration_release_shows_what_each_instance_takes() -> None:
    lines = made(
        {
            "web@staging": "takes no part: nothing is released here yet",
            "web@production": "configuration only, stays 4.0.0; 5.0.0 (pending) will come with it",
        }
    )
    assert lines == [
        "  ▶ saas: configuration release of web, with its gates",
        "      web@staging     takes no part: nothing is released here yet",
        "      web@production  configuration only, stays 4.0.0; 5.0.0 (pending) will come",
        "                      with it",
    ]


def test_equal_lines_of_a_group_are_folded_and_its_exceptions_are_named() -> None:
    tenants = [f"web@tenants-{number}" for number in range(190)]
    takes = dict.fromkeys(tenants, "configuration only, stays 2.3")
    takes |= dict.fromkeys(tenants[-3:], "takes no part: no parameter `size`")
    lines = made(takes, dict.fromkeys(tenants, "tenants"))
    assert lines[1:] == [
        "      187 of tenants   configuration only, stays 2.3",
        *(f"      web@tenants-{number}  takes no part: no parameter `size`" for number in (187, 188, 189)),
    ]
    assert made(takes, dict.fromkeys(tenants, "tenants"), ("api", "web"))[1].startswith("      web 187 of tenants")


def test_many_equal_lines_outside_of_groups_are_folded_too() -> None:
    lines = made(dict.fromkeys((f"web@c{number}" for number in range(40)), "configuration only, stays 2.3"))
    assert lines[1:] == ["      web@c0, web@c1, web@c2 and 37 more  configuration only, stays 2.3"]


@pytest.mark.parametrize("columns", [80, 140])
def test_a_configuration_release_under_way_is_shown_where_all_versions_are_equal(columns: int) -> None:
    waits = row("production", "waiting", desired=version("1.4.2", 1, 7), reason=reason("staging soaks"), reasons=1)
    shown = " ".join(" ".join(screen([waits], columns)).split())
    assert "configuration of release 7" in shown
    assert "staging soaks" in shown
    there = version("1.4.2", 1, 7)
    assert "configuration" not in "".join(screen([row("production", desired=there, target=there, good=there)], columns))


@pytest.mark.parametrize(
    ("attempt", "text"),
    [
        ({"keeps_version": True, "author": "ann"}, "attempt 4: configuration of release 7 by ann, keeps 1.5.0, in approval"),
        ({"author": "bob"}, "attempt 4: 1.5.0 (release 3) by bob, with the configuration of release 7 by ann, in approval"),
    ],
)
def test_an_attempt_names_what_it_changes_and_who_released_it(attempt: dict[str, Any], text: str) -> None:
    page = {
        "candidate": {
            "number": 4,
            "release": 3,
            "version": "1.5.0",
            "configuration": 7,
            "keeps_version": False,
            "phase": "approval",
        }
        | {"entered": NOW, "going_back": False, "configured_by": "ann"}
        | attempt,
        "rollout": None,
        "now": NOW,
    }
    assert text in " ".join(" ".join(line.plain for line in explain._attempts(page, 80)).split())


def test_what_a_configuration_needs_is_a_command() -> None:
    """A version that cannot be compiled with it, and one that failed with it."""
    advice = "retry release 7, or apply another configuration"
    assert words.spelled("release a version", "saas/web@production") == (["setpoint release web=<version>"], "")
    assert words.spelled(advice, "saas/web@production") == (
        ["setpoint retry web@production --release 7"],
        "apply another configuration",
    )


def test_the_timeline_names_the_configuration_release_of_what_runs() -> None:
    span = {"kind": "running", "version": "4.0.0", "release": 1, "attempt": 1, "outcome": "", "text": ""}
    spans = [
        span | {"configuration": 0, "begins": NOW, "ends": NOW + 50_000},
        span | {"configuration": 7, "begins": NOW + 50_000, "ends": None},
    ]
    lane: dict[str, Any] = {"instance": "saas/web@production", "spans": spans}
    answer = {"begins": NOW, "ends": NOW + 100_000, "lanes": [lane], "groups": {}}
    lines = [line.plain for line in timeline.lines(answer, 80)]
    assert "4.0.0+c7" in lines[2]
    assert lines[-1] == "+c7: in the configuration of release 7"
    lane["spans"] = spans[:1]
    assert "+c" not in "".join(line.plain for line in timeline.lines(answer, 80))


def test_a_stop_is_shown_although_nothing_waits() -> None:
    stops = [
        {"code": "frozen", "text": "ann froze channel production: drill", "instances": ["saas/web@production"]},
        {"code": "held", "text": "held by ann", "instances": ["saas/web@staging"]},
    ]
    shown = screen([row("production"), row("staging")], 100, stops=stops)
    assert shown[1] == "‖ ann froze channel production: drill (1 instance)"
    assert not any("held by ann" in line for line in shown)


def test_what_waits_for_others_is_not_counted_as_waiting_for_the_viewer() -> None:
    assert "need" not in screen([row("production", "waiting", attention="others")])[0]


@pytest.mark.parametrize("columns", [40, 60, 80])
def test_a_command_in_a_sentence_is_never_broken(columns: int) -> None:
    command = "`setpoint simulate /a/long/directory/with/config --seed 1234 --save case.json`"
    text = wrapped(f"The invariant is violated. Repeat it with {command}, or look at it.", first=Text("✗ "), columns=columns)
    assert command in text.plain
    assert all(len(line) <= columns for line in text.plain.splitlines() if command not in line)


def entry(**more: Any) -> dict[str, Any]:
    return {
        "number": 9,
        "at": NOW,
        "act": "command",
        "person": "grace",
        "token": "0a1b2c3d",
        "source": "127.0.0.1",
        "command": "pin",
        "subject": "web@production",
        "why": "a fire drill",
        "digest": "0" * 64,
        "outcome": "done",
        "message": "",
        "times": 1,
    } | more


@pytest.mark.parametrize("columns", [80, 120])
def test_an_entry_of_the_audit_log_shows_who_what_the_outcome_and_the_token(columns: int) -> None:
    line = stories.audit_line(entry(), columns).plain
    text = " ".join(line.split())
    assert text[17:] == "grace pin web@production (a fire drill) – done [token 0a1b2c3d, 127.0.0.1]"
    assert all(cell_len(part) <= columns for part in line.splitlines())


def test_an_entry_of_the_audit_log_shows_how_many_attempts_it_stands_for() -> None:
    stranger = entry(act="authenticate", person="", token="", command="", subject="", why="", outcome="unauthenticated", times=49)
    line = stories.audit_line(stranger | {"message": "without a valid token"}, 80).plain
    assert " ".join(line.split())[17:] == "– authenticate ×49 – unauthenticated: without a valid token [127.0.0.1]"


def test_history_has_a_heading_for_each_day_with_the_zone_and_names_the_person_once() -> None:
    event = {"entity": "instance:saas/web@production", "kind": "held", "link": "", "counts_for": []}
    events = [
        event | {"at": NOW, "text": "held", "person": "ann"},
        event | {"at": NOW + 1000, "text": "ann released it", "person": "ann"},
        event | {"at": NOW + 86_400_000, "text": "1.0 finalized", "person": ""},
    ]
    zone = words.clock_with_zone(NOW).rpartition(" ")[2]
    days = [words.clock(at)[:10] for at in (NOW, NOW + 86_400_000)]
    lines = [line.plain for line in stories.history_lines(events, 80)]
    assert [lines[0], lines[3]] == [f"{day}  {zone}" for day in days]
    assert lines[1].endswith("web@production          held, by ann")
    assert lines[2].endswith("ann released it")
    assert lines[4].endswith("1.0 finalized")
