"""Guardian, supervisor and engine are killed while clients call a service: they start each other again, and replicas run on.

``bench/kills.py`` does it in every order, again and again; here are those that differ in who is left to start whom.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator

import pytest
from bench.kills import Kill, Order, Site, orders, run

pytestmark = [pytest.mark.slow, pytest.mark.alone]

G, S, E = Kill("guardian"), Kill("supervisor"), Kill("engine")
TERM = Kill("supervisor", signal.SIGTERM)
CHOSEN: list[Order] = [(G,), (S,), (TERM,), (E,), (G, S), (TERM, G), (S, E), (G, E), (S, G, E)]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = Site(tmp_path_factory.mktemp("kills"))
    yield made
    made.close()


def test_whatever_is_killed_runs_again_within_three_times_its_start_and_two_supervisors_never_serve(site: Site) -> None:
    rows = {row.order: row for row in run(site, CHOSEN, 1, print)}
    slow = {str(row) for order, row in rows.items() if len(order) < 3 and max(row.back) > 3}
    assert not slow
    assert rows[TERM,].failed == [0], "handing over loses no request"
    assert rows[E,].failed == rows[G,].failed == rows[G, E].failed == [0], "only the supervisor is between clients and replicas"
    assert not any(row.ups for order, row in rows.items() if len(order) < 3)


def test_an_engine_that_was_stopped_stays_stopped(site: Site) -> None:
    site.cli("down")
    time.sleep(2 * site.supervision_start)
    assert site.pid_of("engine") == 0
    assert site.supervisor()
    site.up()
    assert site.running()


def test_every_order_of_one_two_and_three_is_there() -> None:
    assert len(set(orders())) == len(list(orders())) == 4 + 10 + 12
