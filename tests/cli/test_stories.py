"""story and replay, as people type them."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.terminal import Terminal
from tests.support.eventually import wait_until

from setpoint.cli.ending import ExitCode


def test_a_story_is_written_to_a_file_and_replayed_without_an_engine(
    terminal: Terminal, configuration: Path, tmp_path: Path
) -> None:
    terminal.ok("apply", str(configuration), "--yes")
    terminal.ok("release", "web=1.0", "--to", "staging", "--wait")
    file = tmp_path / "story.json"
    file.write_text(terminal.ok("story", "web@staging", "--about", "the first release"))
    assert json.loads(file.read_text())["about"] == "the first release"
    terminal.ok("down")
    replayed = terminal.ok("replay", str(file))
    assert replayed.split()[:2] == ["✓", f"{file}:"] or "no difference" in replayed
    terminal.ok("up", "--detach")
    wait_until(lambda: terminal.run("story", "line:saas").returncode == 0, 10)


def test_a_replay_that_comes_out_otherwise_shows_its_first_difference(tmp_path: Path, mark: dict[str, str]) -> None:
    terminal = Terminal(tmp_path / "home", mark)
    file = tmp_path / "story.json"
    told = {
        "entity": "scope:organization",
        "ends": {},
        "turns": [
            {
                "now": 1_767_225_600_000,
                "facts": [{"type": "Stopped", "at": 1_767_225_600_000, "by": {"person": "ann"}}],
                "instructions": [
                    {"type": "Record", "event": {"kind": "signal", "text": "ann lets the line go on", "release": 3}}
                ],
            }
        ],
    }
    file.write_text(json.dumps(told))
    ended = terminal.run("replay", str(file))
    assert ended.returncode == ExitCode.FAILED
    assert "scope:organization, 1 turn, 1 difference" in " ".join(ended.stdout.split())
    assert "first at turn 1 (" in ended.stdout
    assert "then Record signal: ann lets the line go on" in " ".join(ended.stdout.split())
    assert "now Record signal: ann stops the line" in " ".join(ended.stdout.split())
    assert max(map(len, ended.stdout.splitlines())) <= 80
    as_data = terminal.run("replay", str(file), "-o", "json")
    assert as_data.returncode == ExitCode.FAILED
    assert json.loads(as_data.stdout)[str(file)]["differences"][0]["turn"] == 1


def test_what_is_no_story_is_a_mistake_with_a_sentence(tmp_path: Path, mark: dict[str, str]) -> None:
    terminal = Terminal(tmp_path / "home", mark)
    (tmp_path / "other.json").write_text("[]")
    for name, says in (("other.json", "is not a trace that this version can replay"), ("missing.json", "cannot be read")):
        ended = terminal.run("replay", str(tmp_path / name))
        assert ended.returncode == ExitCode.ERROR
        assert says in " ".join(ended.stderr.split())
        assert "Traceback" not in ended.stderr
