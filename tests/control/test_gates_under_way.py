"""The list of gates of an attempt that is under way: it says of each what the core makes of it."""

from __future__ import annotations

from tests.core.dsl import START, Instance, WithTasks, a_task, hours

from setpoint.control.views.gates import views
from setpoint.model.policy import Ordering
from setpoint.model.time import HOUR

A, B = "app/web@a", "app/web@b"


def migrating() -> WithTasks:
    """Let through at ten, when b did not take the release; its migration has started."""
    tenants = Ordering("tenants", (A, B), ("tenants",), members=(A, B))
    prod = WithTasks(orderings=(tenants,), calendars=(hours(9, 17),), tasks=(a_task(),))
    prod.now = START + 10 * HOUR
    prod.offer(1, "1.0").upstream("a", "1.0").upstream("b", declined={1: "pinned to 0.9"})
    assert prod.tried == ["migrate"]
    return prod


def listed(prod: Instance) -> dict[str, str]:
    candidate = prod.maybe_candidate
    assert candidate is not None
    return {view.name: view.state for view in views(prod.state, candidate, prod.life.offers[0], prod.now)}


def test_what_does_not_hold_it_any_more_is_not_told_as_waiting():
    prod = migrating()
    held_by = {"tenants": "holds", hours(9, 17).name: "holds", "migrate": "waits"}
    assert listed(prod) == held_by
    prod.upstream("b").wait(9 * HOUR)
    assert listed(prod) == held_by, "b takes the release now, and it is seven in the evening"


def test_what_holds_it_still_is():
    prod = migrating().upstream("b", rolled_back=(1,))
    assert listed(prod)["tenants"] == "waits"
