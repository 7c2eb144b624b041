"""The SaaS case, from the first release to a major that a customer takes in her quarter: the example as it is, on real processes.

The engine's clock is moved by the test; the processes keep real time. What runs is told by HTTP answers and the process table.
"""

from __future__ import annotations

import time

import pytest
from tests.e2e.machine import Load, Machine
from tests.e2e.saas import Saas, saas
from tests.support.eventually import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

ACME = "saas/web@acme"


def test_from_the_first_release_to_a_major_that_acme_takes_in_its_quarter(machine: Machine) -> None:
    seen: set[str] = set()
    with saas(machine, begins="2026-10-05 10:00") as world:
        _first_release_reaches_everybody(world)
        with Load(lambda: _look(world, seen)) as acme:
            _a_minor_never_reaches_acme(world)
            _a_major_waits_for_the_quarter(world)
            _a_second_major_waits_for_the_next_quarter(world)
            _rolling_production_back_takes_globex_back(world)
        assert world.rolled_out("acme") == ["1.0.0", "2.0.0", "3.0.0"]
        assert seen == {"web 1.0.0 in acme", "web 2.0.0 in acme", "web 3.0.0 in acme"}
        assert not acme.failures
        print(f"acme was asked {acme.count} times")


def _look(world: Saas, seen: set[str]) -> None:
    """Ten times a second."""
    seen.add(world.says("acme"))
    time.sleep(0.1)


def _first_release_reaches_everybody(world: Saas) -> None:
    """It is in acme's window, and everything may come where nothing is good yet."""
    assert world.machine.release("web=1.0.0", by="dana") == 1
    world.waits("staging", "check `web-migrated` failed: staging has schema none, web 1.0.0 needs 1: run ./migrate staging 1")
    world.runs(staging="", production="", acme="", globex="")
    world.migrate("staging", 1)
    world.settles("staging", "1.0.0")
    _production_takes(world, "1.0.0")
    _acme_is_approved(world)
    world.settles("acme", "1.0.0")
    _globex_takes(world, "1.0.0")
    world.runs(staging="1.0.0", production="1.0.0", acme="1.0.0", globex="1.0.0")


def _a_minor_never_reaches_acme(world: Saas) -> None:
    world.clock.put("2026-10-08 10:00")
    _released_to_production(world, "1.1.0")
    _globex_takes(world, "1.1.0")
    world.waits("acme", "1.1.0 is a smaller step from 1.0.0 than the major ones accepted here")
    world.runs(staging="1.1.0", production="1.1.0", acme="1.0.0", globex="1.1.0")


def _a_major_waits_for_the_quarter(world: Saas) -> None:
    world.clock.put("2026-12-22 10:00")
    world.machine.release("web=2.0.0", by="dana")
    world.waits("staging", "staging has schema 1, web 2.0.0 needs 2: run ./migrate staging 2")
    world.runs(staging="1.1.0")
    world.migrate("staging", 2)
    world.settles("staging", "2.0.0")
    _production_takes(world, "2.0.0")
    _globex_takes(world, "2.0.0")
    _acme_is_approved(world)
    world.waits("acme", "outside the cadence's window; the next begins in 9d")
    world.runs(staging="2.0.0", production="2.0.0", acme="1.0.0", globex="2.0.0")
    world.clock.put("2026-12-31 23:58")  # in Berlin and by UTC the quarter has begun
    world.waits("acme", "outside the cadence's window; the next begins in 1m")
    world.runs(acme="1.0.0")
    world.clock.put("2027-01-01 00:00")
    world.settles("acme", "2.0.0")
    world.runs(staging="2.0.0", production="2.0.0", acme="2.0.0", globex="2.0.0")


def _a_second_major_waits_for_the_next_quarter(world: Saas) -> None:
    world.clock.put("2027-01-04 10:00")
    world.migrate("staging", 3)
    _released_to_production(world, "3.0.0")
    _globex_takes(world, "3.0.0")
    _acme_is_approved(world)
    world.waits("acme", "the cadence admits 1 here in each window, and this one is used; the next begins in 86d")
    world.clock.put("2027-02-01 10:00")
    world.waits("acme", "outside the cadence's window; the next begins in 58d")
    world.waits("acme", "waits for customer: approval by email:ops@acme.example – an earlier yes has expired")
    world.runs(staging="3.0.0", production="3.0.0", acme="2.0.0", globex="3.0.0")
    world.clock.put("2027-04-01 09:00")
    world.waits_until_asked("acme", "customer")
    world.runs(acme="2.0.0")
    world.approve("acme", by="ops@acme.example")
    world.settles("acme", "3.0.0")


def _rolling_production_back_takes_globex_back(world: Saas) -> None:
    world.machine.cli("rollback", "web@production", "--why", "invoices are wrong, see INC-7", by="rita")
    world.goes_by(
        lambda: world.machine.good("saas/web@production") == "2.0.0", lambda: world.machine.story("saas/web@production"), step=5
    )
    world.runs(production="2.0.0", globex="3.0.0")
    _globex_takes(world, "2.0.0")
    world.runs(staging="3.0.0", production="2.0.0", acme="3.0.0", globex="2.0.0")


def _released_to_production(world: Saas, version: str) -> None:
    world.machine.release(f"web={version}", by="dana")
    world.settles("staging", version)
    _production_takes(world, version)


def _production_takes(world: Saas, version: str) -> None:
    """Once somebody else than its author said yes, and no alert has fired for half an hour."""
    before = world.machine.good("saas/web@production")
    world.waits_until_asked("production", "release-manager")
    world.runs(production=before)
    world.may_not_approve("production", by="dana", why="the author of release")
    world.approve("production", by="rita")
    world.goes_by(lambda: _verifies(world), lambda: world.machine.story("saas/web@production"), step=5)
    begun = world.clock.now()
    world.runs(production=version)
    assert world.machine.good("saas/web@production") == before
    world.settles("production", version)
    assert world.clock.now() - begun >= 29 * 60, "it is watched for 30 minutes"


def _verifies(world: Saas) -> bool:
    return str(world.machine.row("saas/web@production")["condition"]) == "verifying"


def _globex_takes(world: Saas, version: str) -> None:
    """What production runs, and only with a yes of its own."""
    before = world.machine.good("saas/web@globex")
    world.waits_until_asked("globex", "release-manager")
    world.runs(globex=before)
    world.approve("globex", by="rita")
    world.settles("globex", version)


def _acme_is_approved(world: Saas) -> None:
    """By the release manager and by the customer, each for herself."""
    world.waits_until_asked("acme", "release-manager")
    world.waits_until_asked("acme", "customer")
    world.may_not_approve("acme", by="dana", why="customer is for email:ops@acme.example")
    world.approve("acme", by="rita")
    wait_until(lambda: "release-manager" not in world.machine.reasons(ACME), 20, lambda: world.machine.reasons(ACME), 0.1)
    world.waits_until_asked("acme", "customer")
    world.approve("acme", by="ops@acme.example")
