"""Users notice nothing: a version is replaced under load, the engine is killed in the middle, and every request is answered."""

from __future__ import annotations

import time

import pytest
from tests.e2e.clients import Clients
from tests.e2e.machine import Machine
from tests.e2e.shop import configure
from tests.support.eventually import wait_until

pytestmark = pytest.mark.slow

WEB = "shop/web@staging"
REQUESTS = 10_000


def test_no_request_fails_while_a_version_is_replaced_and_the_engine_is_killed(machine: Machine) -> None:
    machine.up()
    configure(machine, "kind: Application\nname: shop\nchannels: [{name: staging}]\n")
    machine.release("web=1.0.0")
    machine.settles(WEB, "1.0.0")
    with Clients(machine.address(WEB), 32, slow_every=60) as clients:
        told = clients.told
        start = time.monotonic()
        wait_until(lambda: len(told.answers) > REQUESTS // 10, 20, "too few answers")
        machine.release("web=2.0.0")
        wait_until(lambda: machine.replicas(WEB, "2.0.0"), 20, lambda: machine.story(WEB))
        assert machine.replicas(WEB, "1.0.0"), "the engine is to be killed in the middle"
        machine.kill()
        killed, counted = time.time() * 1000, len(told.answers)
        wait_until(lambda: len(told.answers) > counted + REQUESTS // 20, 20, "too few answers without an engine")
        machine.up()
        machine.settles(WEB, "2.0.0")
        settled = time.monotonic()
        assert machine.history(WEB, "finalized")[-1]["at"] > killed
        wait_until(lambda: len(told.answers) >= REQUESTS and time.monotonic() > settled + 1, 40, "too few answers", 0.1)
        took = time.monotonic() - start
    slow = sum(answer.slow for answer in told.answers)
    print(
        f"{len(told.answers)} requests in {took:.1f} s, {slow} of them slow, {told.versions()}; "
        f"quick ones p50 {told.percentile(0.5) * 1000:.0f} ms, p99 {told.percentile(0.99) * 1000:.0f} ms"
    )
    assert not told.failures, f"{len(told.failures)} failed: {told.failures[:10]}"
    assert len(told.answers) >= REQUESTS
    assert slow >= 32
    assert set(told.versions()) == {"1.0.0", "2.0.0"}
    assert set(told.versions(since=settled)) == {"2.0.0"}
    machine.runs(WEB, "2.0.0", 2)
