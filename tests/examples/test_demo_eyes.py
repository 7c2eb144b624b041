"""The demo sees what is there, and says so when it is not what it promised."""

from __future__ import annotations

import importlib
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.support.eventually import wait_until

DEMO = Path(__file__).parents[2] / "examples" / "quickstart" / "demo"
MODULES = ("telling", "outside", "stage", "story")


@pytest.fixture
def demo(monkeypatch):
    """The demo's modules; they are no package."""
    monkeypatch.syspath_prepend(str(DEMO))
    yield {name: importlib.import_module(name) for name in MODULES}
    for name in MODULES:
        sys.modules.pop(name)


@pytest.fixture
def outside(demo, tmp_path):
    return demo["outside"].Outside({"staging": 1}, tmp_path / "data", tmp_path / "alerts.log")


def test_it_waits_for_what_it_expects_and_says_what_it_saw_instead(demo):
    looks = iter([1, 2, 3, *[4] * 100])
    assert demo["telling"].expect("three", lambda: next(looks), lambda seen: seen == 3, within=5) == 3
    with pytest.raises(demo["telling"].UnexpectedError, match="expected within 0 s: five\nseen at the end: 4"):
        demo["telling"].expect("five", lambda: next(looks), lambda seen: seen == 5, within=0)


def test_it_notices_what_moves_though_it_shall_not(demo):
    looks = iter([1, 1, 2, 1])
    with pytest.raises(demo["telling"].UnexpectedError, match="seen: 2"):
        demo["telling"].expect_still("it stays 1", lambda: next(looks), lambda seen: seen == 1, during=5)


def test_replicas_are_found_in_the_process_table_and_others_are_not(demo, outside, tmp_path):
    command = [sys.executable, "-c", "import time; time.sleep(60)", "--version", "1.0.0"]
    ours = os.environ | {"CHANNEL": "staging", "DATABASE": str(tmp_path / "data" / "staging.db")}
    others = os.environ | {"DATABASE": "/elsewhere/staging.db"}
    processes = [subprocess.Popen(command, env=environment) for environment in (ours, others)]
    try:
        wait_until(lambda: outside.versions("staging") == {"1.0.0": 1}, 10, "the process is not seen")
        assert [replica.pid for replica in outside.replicas()] == [processes[0].pid]
        assert [process.pid for process in demo["outside"].belonging_to(tmp_path)] == [processes[0].pid]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert outside.versions("staging") == {}


def test_an_error_or_another_version_among_the_answers_is_seen(demo, outside):
    stage = type("Stage", (), {"outside": outside})()
    entries = [{"event": "answer", "channel": "staging", "status": 200, "version": "1.0.0"}]

    def only_versions() -> None:
        outside.log.write_text("".join(json.dumps({"at": time.time(), **entry}) + "\n" for entry in entries))
        demo["story"].only_versions(stage, "staging", {"1.0.0"}, 0)

    only_versions()
    for status, version in ((500, "1.0.0"), (200, "2.0.0"), (0, "")):
        entries[1:] = [{"event": "answer", "channel": "staging", "status": status, "version": version}]
        with pytest.raises(demo["telling"].UnexpectedError):
            only_versions()


def test_a_port_that_is_taken_is_replaced_by_another(demo):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        (found,) = demo["stage"].free_ports([port])
        assert found not in {0, port}


def test_only_the_places_of_the_configuration_are_adapted(demo, tmp_path):
    stage = demo["stage"].Stage(tmp_path / "place", ports={"staging": 4001, "production": 4002}, alerts_port=4003)
    text = (DEMO.parent / "setpoint.yaml").read_text()
    adapted = stage._adapted(text)
    changed = [(old, new) for old, new in zip(text.splitlines(), adapted.splitlines(), strict=True) if old != new]
    assert len(changed) == 4
    assert f"data: {tmp_path}/place/data" in adapted
    with pytest.raises(demo["telling"].UnexpectedError):
        stage._adapted(text.replace("18093", "9093"))


def test_a_demo_under_way_is_not_disturbed(demo, tmp_path):
    first, second = demo["stage"].Stage(tmp_path), demo["stage"].Stage(tmp_path)
    with first.alone(), pytest.raises(demo["stage"].BusyError), second.alone():
        pytest.fail("two at once")
    with second.alone():
        pass
