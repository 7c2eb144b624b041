"""Another Unix user of the machine: everything that would give it the engine, its data or its traffic is refused."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import psutil
import pytest
from tests.e2e.machine import SETPOINT, Machine, copy_app
from tests.e2e.shop import FAST
from tests.e2e.test_from_inside import SHOP, assert_closed, attempts
from tests.support.eventually import wait_until
from tests.support.users import PYTHON, USER, needs_users, open_place

from setpoint.programs.users import account_of

pytestmark = [pytest.mark.slow, needs_users]

INSIDE = Path(__file__).parent / "app" / "inside.py"
SLOW = "import sys, time, pathlib, os; pathlib.Path(sys.argv[1]).write_text(os.environ['PORT']); time.sleep(600)"
INTRUDER = """
import http.server, sys
class Stolen(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.send_header("Content-Length", "6"); self.end_headers(); self.wfile.write(b"stolen")
server = http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Stolen)
print("listens", flush=True)
server.serve_forever()
"""


@pytest.fixture
def machine() -> Iterator[Machine]:
    """Its data directory lies where other users come near."""
    with open_place() as place:
        made = Machine(place)
        copy_app(made)
        try:
            yield made
        finally:
            made.close()


def _as_second_user(tried: list[tuple[str, str]]) -> list[str]:
    command = [PYTHON, "-c", INSIDE.read_text(), json.dumps(tried)]
    done = subprocess.run(
        command,
        user=USER,
        group=account_of(USER).gid,
        extra_groups=[],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        cwd="/",
    )
    found: list[str] = json.loads(done.stdout)
    return found


def _ports_of(process: psutil.Process) -> set[int]:
    return {each.laddr.port for each in process.net_connections("tcp") if each.status == psutil.CONN_LISTEN}


def test_a_second_user_is_refused_each_attempt(machine: Machine) -> None:
    machine.up()
    command = f"[{PYTHON}, inside.py]"
    slow = "---\nkind: Protection\nname: slow\nprogram: {command: [sleep, '100']}\ntimeout: 2m\n"
    shop = SHOP.replace("{name: staging}", "{name: staging, protections: [{use: slow, informational: true}]}")
    machine.write(shop.replace("[PYTHON, inside.py]", command).replace("USER", "") + FAST + slow)
    machine.apply()
    machine.release("web=1.0.0")
    machine.settles("shop/web@staging", "1.0.0")
    assert [str(path) for path in (machine.home, *machine.home.rglob("*")) if path.lstat().st_mode & 0o077] == []
    engine = machine.engine
    assert engine is not None
    own = psutil.Process(engine.pid)
    replica = next(each for each in machine.processes() if "inside.py" in each.cmdline())
    command_line = [*SETPOINT, "check", "slow", "--for", "shop/web@staging"]
    asking = subprocess.Popen(command_line, env=machine.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    check = wait_until(lambda: next((each for each in own.children(recursive=True) if each.name() == "sleep"), None), 20, "none")
    api, address = _ports_of(own), int(machine.address("shop/web@staging").rpartition(":")[2])
    listening = {port for each in machine.processes() for port in _ports_of(each)}
    assert listening == {*api, address, *_ports_of(replica)}, "no other port is open on this machine's behalf"
    pids = (replica.pid, check.pid)
    tried = [
        *attempts(machine),
        *((kind, f"/proc/{pid}/{what}") for pid in pids for kind, what in (("read", "environ"), ("list", "fd"), ("read", "mem"))),
        *(("request", f"http://127.0.0.1:{port}/queries/{name}") for port in api for name in ("status", "history")),
    ]
    try:
        assert_closed(tried, _as_second_user(tried))
    finally:
        asking.kill()
        asking.wait()


def test_a_second_user_that_takes_the_port_of_a_starting_replica_gets_no_traffic(machine: Machine) -> None:
    machine.up()
    port_file = machine.root / "port"
    process = json.dumps({"command": [PYTHON, "-c", SLOW, str(port_file)], "health": {"http": "/"}})
    start, end = SHOP.index("process:"), SHOP.rindex("\n")
    machine.write(f"{SHOP[:start]}process: {process}{SHOP[end:]}{FAST}")
    machine.apply()
    machine.release("web=1.0.0")
    wait_until(lambda: port_file.exists() and bool(port_file.read_text()), 20, "the replica does not start")
    intruder = subprocess.Popen(
        [PYTHON, "-c", INTRUDER, port_file.read_text()], user=USER, stdout=subprocess.PIPE, text=True, cwd="/"
    )
    try:
        assert intruder.stdout is not None
        assert intruder.stdout.readline() == "listens\n"
        address = machine.address("shop/web@staging")
        deadline = time.monotonic() + 3  # several health checks
        while time.monotonic() < deadline:
            assert httpx2.get(address, timeout=30, trust_env=False).status_code == httpx2.codes.SERVICE_UNAVAILABLE
    finally:
        intruder.kill()
        intruder.communicate()
