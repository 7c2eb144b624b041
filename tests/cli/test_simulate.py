"""`setpoint simulate`: seeds, ranges, a configuration of one's own, and how a failure is told."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from tests.cli.terminal import Terminal
from tests.support.eventually import wait_until
from tests.support.processes import descendants

from setpoint.cli.ending import ExitCode


@pytest.fixture
def terminal(tmp_path: Path, mark: dict[str, str]) -> Terminal:
    """The simulator needs no engine."""
    return Terminal(tmp_path / "home", mark)


def test_seeds_are_simulated_and_summed_up(terminal: Terminal) -> None:
    shown = terminal.ok("simulate", "--seeds", "3..5", "--jobs", "1")
    assert "2 worlds in" in shown
    assert "✓ nothing broken" in shown


def test_one_seed_is_the_same_each_time_as_data(terminal: Terminal) -> None:
    first, again = (json.loads(terminal.ok("simulate", "--seed", "4", "--output", "json")) for _ in range(2))
    assert first["decisions"] == again["decisions"] > 100
    assert first["faults"] >= 200
    assert first["finished"] is True


def test_a_configuration_is_simulated_with_its_own_invariants(terminal: Terminal, configuration: Path) -> None:
    always = 'kind: Invariant\nname: new-ones\nselect: channel=staging\nrequire: {runs: ">=50.0.0"}\n'
    (configuration / "always.setpoint.yaml").write_text(always)
    ended = terminal.run("simulate", str(configuration), "--seeds", "0..4", "--jobs", "1", "--shrink", "5")
    assert ended.returncode == ExitCode.FAILED
    assert "yours is violated" in ended.stdout
    assert "▶" in ended.stdout
    assert "Repeat it with `setpoint simulate" in " ".join(ended.stderr.split())


def test_it_may_go_on_after_a_failure_and_lists_them_all(terminal: Terminal, configuration: Path) -> None:
    never = 'kind: Invariant\nname: new-ones\nselect: channel=staging\nrequire: {runs: ">=50.0.0"}\n'
    (configuration / "never.setpoint.yaml").write_text(never)
    words = ("simulate", str(configuration), "--seeds", "0..4", "--jobs", "1", "--shrink", "0", "--keep-going")
    ended = terminal.run(*words)
    assert ended.returncode == ExitCode.FAILED
    assert "4 worlds in" in ended.stdout
    assert ended.stdout.count("✗ seed") > 1


def test_a_configuration_without_mistakes_says_how_much_was_looked_at(terminal: Terminal, configuration: Path) -> None:
    assert "✓ nothing broken" in terminal.ok("simulate", str(configuration), "--seeds", "0..2", "--jobs", "1")


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_one_that_is_stopped_tells_what_it_has(terminal: Terminal, sent: signal.Signals) -> None:
    running = terminal.start("simulate", "--seeds", "0..100000", "--jobs", "2")
    wait_until(lambda: len(descendants(running.pid)) >= 2, 30, "no world was begun")
    running.send_signal(sent)
    told, _ = running.communicate(timeout=120)
    assert "(interrupted)" in told
    assert running.returncode == ExitCode.OK


@pytest.mark.parametrize("words", [("--seeds", "5"), ("--seeds", "9..2")])
def test_a_range_that_is_none_is_refused(terminal: Terminal, words: tuple[str, ...]) -> None:
    ended = terminal.run("simulate", *words)
    assert ended.returncode == ExitCode.ERROR
    assert "is not a valid range of seeds" in ended.stderr


def test_a_configuration_with_mistakes_is_not_simulated(terminal: Terminal, tmp_path: Path) -> None:
    (tmp_path / "setpoint.yaml").write_text("kind: Application\nname: 5 x\n")
    ended = terminal.run("simulate", str(tmp_path))
    assert ended.returncode == ExitCode.ERROR
    assert "Nothing was simulated" in ended.stderr
