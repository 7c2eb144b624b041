"""The commands as people type them: what they show, and the exit status that scripts rely on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.terminal import CONFIGURATION, Terminal
from tests.support.eventually import wait_until

from setpoint.cli.ending import ExitCode


def shown(text: str) -> str:
    """As one line, however it was wrapped."""
    return " ".join(text.split())


def test_a_release_from_apply_to_the_good_version_everywhere(terminal: Terminal, configuration: Path) -> None:
    assert "is valid" in terminal.ok("validate", str(configuration))
    applied = terminal.ok("apply", str(configuration), "--yes")
    assert "+ saas/web@staging, saas/web@production" in applied
    assert "Applied as revision 1: 2 changes." in applied
    first = terminal.ok("status").splitlines()
    assert first[0].split() == ["saas", "nothing", "released", "yet", "2", "nothing", "yet"]

    released = terminal.run("release", "web=1.0", "--wait", "--timeout", "1s", "--why", "first")
    assert released.returncode == ExitCode.TIMED_OUT
    assert "Release 1 of saas: web 1.0 to staging, production." in released.stdout
    assert "web@production: waits for release-manager: approval by group:release-managers" in shown(released.stderr)

    status = terminal.ok("status")
    assert status.splitlines()[0].endswith("1 waiting"), "the administrator may not approve"
    assert "● converged" in status
    assert "◷ waiting" in status
    assert max(map(len, status.splitlines())) <= 80

    refused = terminal.run("approve", "web@production")
    assert refused.returncode == ExitCode.REFUSED
    assert "admin may not approve this: release-manager is for group:release-managers." in shown(refused.stderr)
    ann = terminal.person("ann", "release-managers")
    assert "Ask ann." in terminal.run("approve", "web@production").stderr
    assert terminal.run("status", token=ann).stdout.splitlines()[0].endswith("1 needs you")
    assert (
        terminal.ok("approve", "production", "--why", "fine", token=ann)
        == "Approved release 1 for release-manager at web@production.\n"
    )
    wait_until(lambda: "all converged" in terminal.ok("status"), 10)

    history = terminal.ok("history", "web@production")
    assert "1.0 is finalized" in history
    assert "ann approves release 1" in history
    assert "ann approves release 1" in terminal.ok("history", "--kind", "vote")
    late = terminal.run("reject", "web@production", token=ann)
    assert late.returncode == ExitCode.REFUSED
    assert "Release 1 is finalized at web@production, approved by ann." in shown(late.stderr)
    assert "web 1.0" in terminal.ok("releases")
    assert "nothing blocks it" in terminal.ok("explain", "web@production")
    assert terminal.ok("logs", "web@production") == "web-1 | fake of 1.0: healthy\n"
    assert "✓ journal" in terminal.ok("doctor")


def test_waiting_for_a_release_tells_by_its_status_how_it_ended(terminal: Terminal, configuration: Path) -> None:
    terminal.ok("apply", str(configuration), "--yes")
    assert terminal.run("release", "web=1.0", "--to", "staging", "--wait").returncode == ExitCode.OK
    failed = terminal.run("release", "web=1.1", "--to", "staging", "--param", "becomes=failing", "--wait", "--timeout", "20s")
    assert failed.returncode == ExitCode.FAILED
    assert "Release 2 failed at web@staging. See `setpoint explain web@staging`." in shown(failed.stderr)
    page = terminal.ok("explain", "web@staging")
    assert "⊘ vetoed" in page
    assert "setpoint retry web@staging --release 2" in shown(page)
    answer = terminal.run("release", "web=1.2", "--to", "staging", "--wait", "--output", "json")
    assert answer.returncode == ExitCode.OK
    assert '"arrived": [\n    "web@staging"\n  ]' in answer.stdout


def test_steering_by_hand(terminal: Terminal, configuration: Path) -> None:
    terminal.ok("apply", str(configuration), "--yes")
    for version in ("1.0", "1.1"):
        terminal.ok("release", f"web={version}", "--to", "staging", "--wait")
    assert "Rolling back web@staging to 1.0. It is held" in terminal.ok(
        "rollback", "web@staging", "--why", "errors\n\nSee INC-7.\n"
    )
    wait_until(lambda: "(held)" in terminal.ok("status") or "‖ held" in terminal.ok("status"), 10)
    assert terminal.ok("resume", "staging") == "Resumed web@staging.\n"
    assert terminal.ok("pin", "web@staging", "1.0").startswith("Pinned web@staging to 1.0 (release 1)")
    assert "pinned 1.0" in terminal.ok("status")
    assert terminal.ok("unpin", "web@staging") == "Unpinned web@staging.\n"
    assert terminal.ok("hold", "web@staging", "--why", "x") == "Held web@staging.\n"
    assert terminal.ok("retry", "web@staging") == "Retrying release 2 at web@staging.\n"
    for words in (("resume", "production"), ("unpin", "production"), ("rollback", "production"), ("retry", "production")):
        assert terminal.run(*words).returncode == ExitCode.REFUSED


def test_apply_asks_and_takes_no_for_an_answer(terminal: Terminal, configuration: Path) -> None:
    nobody = terminal.run("apply", str(configuration))
    assert nobody.returncode == ExitCode.ERROR
    assert "confirmation needs a terminal" in nobody.stderr
    status, text = terminal.typed("apply", str(configuration), answer="n")
    assert status == ExitCode.ERROR
    assert "Nothing was applied." in text
    assert not terminal.json("status")["configured"]
    status, text = terminal.typed("apply", str(configuration), answer="y")
    assert status == ExitCode.OK
    assert "Applied as revision 1" in text
    assert terminal.ok("apply", str(configuration)) == "Nothing changes.\n"
    changed = configuration / "saas.setpoint.yaml"
    changed.write_text(CONFIGURATION.replace("progressDeadline: 300ms", "progressDeadline: 400ms"))
    assert "progress_deadline: 300ms → 400ms" in shown(terminal.ok("apply", str(configuration), "--dry-run"))


def test_every_answer_can_be_had_as_data(terminal: Terminal, configuration: Path) -> None:
    terminal.ok("apply", str(configuration), "--yes", "--output", "json")
    terminal.ok("release", "web=1.0", "--output", "json")
    for words in (
        ("status",),
        ("explain", "web@staging"),
        ("history",),
        ("releases",),
        ("doctor",),
        ("whoami",),
        ("token", "list"),
    ):
        assert isinstance(terminal.json(*words), dict)
        assert terminal.ok(*words, "--output", "yaml").partition(":")[1]
    assert "$schema" in json.loads(terminal.ok("schema"))


def test_tokens_of_people(terminal: Terminal) -> None:
    bob = terminal.person("bob", "ops", "release-managers")
    assert terminal.ok("whoami", token=bob).startswith("bob, in ops, release-managers\n")
    assert terminal.run("token", "list", token=bob).returncode == ExitCode.REFUSED
    listed = terminal.ok("token", "list")
    assert "bob" in listed
    assert bob not in listed
    identity = next(line.split()[0] for line in listed.splitlines() if " bob " in line)
    assert "Revoked token" in terminal.ok("token", "revoke", identity)
    assert terminal.run("whoami", token=bob).returncode == ExitCode.REFUSED


def test_events_are_followed_until_the_engine_stops(terminal: Terminal, configuration: Path) -> None:
    terminal.ok("apply", str(configuration), "--yes")
    listener = terminal.start("events", "--follow", "--after", "0")
    terminal.ok("release", "web=1.0", "--to", "staging", "--wait")
    assert listener.stdout is not None
    lines = []
    for line in listener.stdout:
        lines.append(line)
        if "1.0 is finalized" in line:
            break
    terminal.ok("down")
    rest, _ = listener.communicate(timeout=60)
    out = "".join(lines) + rest
    assert "release 1: web 1.0" in out
    assert "1.0 is finalized" in out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("fly",), "No such command"),
        (("release",), "Missing argument"),
        (("release", "web"), "is not of the form service=version"),
        (("release", "web=1", "--wait", "--timeout", "soon"), "--timeout"),
        (("release", "web=1", "--param", "x"), "is not of the form name=value"),
        (("release", "web=1", "--param", "api.x=1"), 'has no service "api"'),
        (("apply", "/nowhere"), "this directory does not exist"),
        (("validate", "/nowhere"), "this directory does not exist"),
        (("status", "--output", "xml"), "xml"),
    ],
)
def test_a_mistake_is_an_error_with_a_sentence_and_no_traceback(tmp_path: Path, words: tuple[str, ...], says: str) -> None:
    done = Terminal(tmp_path).run(*words)
    assert done.returncode == ExitCode.ERROR
    assert says in shown(done.stderr + done.stdout)
    assert "Traceback" not in done.stderr


def test_validate_looks_at_the_working_directory_unless_told_otherwise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "setpoint.yaml").write_text("kind: Application\nname: shop\n", "utf-8")
    assert "is valid" in Terminal(tmp_path).ok("validate")
    done = Terminal(tmp_path).run("validate", "setpoint.yaml")
    assert done.returncode == ExitCode.ERROR
    assert "this is a file: a configuration is a directory" in shown(done.stderr + done.stdout)


def test_validate_shows_every_mistake_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "x.setpoint.yaml").write_text(
        CONFIGURATION.replace("after: staging", "after: stagging").replace("fake: {}", "fake: {x: 1}")
    )
    done = Terminal(tmp_path).run("validate", str(tmp_path))
    assert done.returncode == ExitCode.ERROR
    assert "x.setpoint.yaml:4:8" in done.stdout
    assert 'Did you mean "staging"?' in done.stdout
    assert "2 errors" in done.stderr


def test_validate_says_what_is_only_declared(tmp_path: Path) -> None:
    (tmp_path / "x.setpoint.yaml").write_text(f"{CONFIGURATION}sources: [{{image: saas/web}}]\n")
    said = shown(Terminal(tmp_path).ok("validate", str(tmp_path)))
    assert said.endswith("is valid. declared, but this version does not act on it: sources (1)")


@pytest.mark.parametrize(
    "command", ["up", "apply", "release", "status", "explain", "approve", "skip", "rollback", "history", "logs", "doctor"]
)
def test_help_says_in_a_sentence_what_it_does_and_gives_an_example(tmp_path: Path, command: str) -> None:
    text = Terminal(tmp_path).ok(command, "--help")
    assert f"setpoint {command}" in text.partition("Example:")[2]
    assert max(map(len, text.splitlines())) <= 80
