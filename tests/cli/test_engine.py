"""up and down: the engine starts, is found, survives being killed, and ends."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import httpx2
import pytest
from tests.cli.terminal import Terminal
from tests.support.eventually import wait_until

from setpoint.durable.bounded_logs import CAP, predecessor
from setpoint.server import location


def test_up_in_the_background_is_ready_when_it_returns_and_down_ends_it(tmp_path: Path, mark: dict[str, str]) -> None:
    terminal = Terminal(tmp_path / "home", mark)
    shown = terminal.ok("up", "--detach")
    url = re.search(r"http://127\.0\.0\.1:\d+", shown)
    assert url
    assert httpx2.get(f"{url[0]}/healthz", trust_env=False).json()["status"] == "serving"
    assert "runs already" in terminal.ok("up", "--detach")
    assert terminal.ok("down") == "The engine has stopped.\n"
    assert not (terminal.home / location.SERVER_FILE).exists()
    assert "No engine runs" in terminal.ok("down")


def test_the_log_of_an_engine_in_the_background_is_cut_while_it_runs(tmp_path: Path, mark: dict[str, str]) -> None:
    terminal = Terminal(tmp_path / "home", mark)
    terminal.ok("up", "--detach")
    log = terminal.home / location.LOG_FILE
    with log.open("ab") as file:
        file.write(b"x" * CAP + b"last line\n")
    wait_until(lambda: log.stat().st_size < CAP, 20)
    assert predecessor(log).read_bytes().endswith(b"last line\n")
    terminal.ok("down")


def test_up_in_the_foreground_ends_well_on_sigterm_while_somebody_listens(tmp_path: Path, mark: dict[str, str]) -> None:
    terminal = Terminal(tmp_path / "home", mark)
    engine = terminal.start("up")
    wait_until(lambda: location.find(terminal.home), 60)
    listener = terminal.start("events", "--follow")
    wait_until(lambda: _listens(terminal), 60)
    engine.send_signal(signal.SIGTERM)
    out, err = engine.communicate(timeout=60)
    assert engine.returncode == 0, err
    assert "Setpoint answers at" in out
    assert "stopped" in out
    listener.communicate(timeout=60)


def _listens(terminal: Terminal) -> bool:
    return terminal.run("whoami").returncode == 0


def test_a_second_engine_on_the_same_data_directory_is_refused(terminal: Terminal) -> None:
    second = terminal.run("up")
    assert second.returncode == 1
    assert "is held by process" in second.stderr.replace("\n  ", " ")
    assert "Traceback" not in second.stderr


def test_after_kill_9_the_next_start_just_works(terminal: Terminal, configuration: Path) -> None:
    terminal.ok("apply", str(configuration), "--yes")
    terminal.ok("release", "web=1.0", "--to", "staging", "--wait")
    pid = location.holder(terminal.home)
    assert pid
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not location.held(terminal.home))
    dead = terminal.run("status")
    assert (dead.returncode, dead.stdout) == (1, "")
    assert "Start one with `setpoint up`" in dead.stderr.replace("\n  ", " ")
    terminal.ok("up", "--detach")
    row = terminal.json("status", "web@staging")["applications"][0]["instances"][0]
    assert row["good"] == {"version": "1.0", "release": 1, "configuration": 0}


def test_an_engine_that_cannot_start_says_why(tmp_path: Path, mark: dict[str, str]) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "setpoint.db").write_bytes(b"this is no database, whatever its name says" * 100)
    terminal = Terminal(home, mark)
    for words in (("up",), ("up", "--detach")):
        done = terminal.run(*words)
        assert done.returncode == 1
        assert "cannot be used" in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("words", [("up",), ("up", "--detach"), ("status",), ("down",)])
def test_a_data_directory_that_is_none_is_an_error_with_a_sentence(tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "file").write_text("")
    done = Terminal(tmp_path / "file" / "home").run(*words)
    assert done.returncode == (0 if words == ("down",) else 1)
    assert "Traceback" not in done.stderr


def test_what_is_no_token_is_refused(terminal: Terminal, tmp_path: Path) -> None:
    for token in ("é", "a\nb", "sp_x_y"):
        file = tmp_path / "token"
        file.write_text(token)
        done = terminal.run("whoami", "--token-file", str(file))
        assert done.returncode == 4, token
        assert "Traceback" not in done.stderr


def test_no_token_is_ever_written_to_the_log(terminal: Terminal) -> None:
    token = terminal.person("ann")
    terminal.run("whoami", token=token)
    terminal.run("whoami", token=f"{token}x")
    log = (terminal.home / location.LOG_FILE).read_text()
    assert token not in log
    assert (terminal.home / "admin.token").read_text().strip() not in log


def test_a_database_that_is_deleted_stops_the_engine_and_is_recovered_from(
    tmp_path: Path, mark: dict[str, str], configuration: Path
) -> None:
    terminal = Terminal(tmp_path / "home", mark)
    engine = terminal.start("up")
    wait_until(lambda: location.find(terminal.home), 60)
    terminal.ok("apply", str(configuration), "--yes")
    terminal.ok("release", "web=1.0", "--to", "staging", "--wait")
    for path in terminal.home.glob("setpoint.db*"):
        path.unlink()
    doctor = terminal.run("doctor")
    assert doctor.returncode == 1
    assert "Traceback" not in doctor.stderr
    _, err = engine.communicate(timeout=60)
    assert engine.returncode == 1
    assert "was deleted while the engine ran" in _joined(err)
    for words in (("up",), ("up", "--detach"), ("doctor",)):
        refused = terminal.run(*words)
        assert refused.returncode == 1
        assert "setpoint up --start-empty" in _joined(refused.stderr)
        assert "Traceback" not in refused.stderr
    terminal.ok("up", "--detach", "--start-empty")
    terminal.ok("apply", str(configuration), "--yes")
    terminal.ok("release", "web=1.0", "--to", "staging", "--wait")
    terminal.ok("down")


def _joined(text: str) -> str:
    return re.sub(r"\s+", " ", text)
