"""Each answer belongs to its request: they are compared while the version behind the address is replaced again and again."""

from __future__ import annotations

import time

import pytest
from tests.e2e.checked import KINDS, METHODS, CheckedClients
from tests.e2e.machine import Machine
from tests.e2e.shop import FAST
from tests.support.eventually import wait_until

pytestmark = pytest.mark.slow

WEB = "shop/web@staging"
NIGHTLY = pytest.param(14_000, 10, marks=pytest.mark.nightly, id="14,000 over ten")
CONFIGURATION = """
kind: Application
name: shop
channels: [{name: staging}]
---
kind: Service
application: shop
name: web
process:
  command: [python3, echo.py, --version, "${version}"]
  directory: app
  replicas: 2
  health: {http: /length/health, interval: 200ms}
progressDeadline: 8s
"""


@pytest.mark.timeout(400)
@pytest.mark.parametrize(("answers", "replacements"), [pytest.param(1_400, 2, id="1,400 over two"), NIGHTLY])
def test_each_answer_belongs_to_its_request_while_versions_are_replaced(
    machine: Machine, answers: int, replacements: int
) -> None:
    machine.up()
    machine.write(CONFIGURATION + FAST)
    machine.apply()
    machine.release("web=0")
    machine.settles(WEB, "0")
    with CheckedClients(machine.address(WEB), 16, seed=1) as clients:
        began = time.monotonic()
        for version in range(1, replacements + 1):
            machine.release(f"web={version}")
            machine.settles(WEB, str(version))
        wait_until(lambda: clients.answers >= answers, 120, lambda: f"{clients.answers} answers", 0.1)
        took = time.monotonic() - began
    print(f"{clients.answers} answers in {took:.1f} s; {clients.again} requests were sent again")
    assert not clients.failures, f"{len(clients.failures)} failed: {clients.failures[:10]}"
    assert clients.versions == {str(version) for version in range(replacements + 1)}
    assert clients.again
    assert set(clients.seen) == {(method, kind) for method in METHODS for kind in KINDS}
