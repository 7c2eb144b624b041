"""Real Prometheus and Alertmanager hold deployments back and have bad versions rolled back, each in its own channel alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.components.prometheus import ALERT, Monitoring, monitoring
from tests.e2e.machine import Machine
from tests.e2e.shop import configure
from tests.support.eventually import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.needs("prometheus")]

AT = "at: {pre-deployment: , post-deployment: {for: 8s}}, interval: 500ms, timeout: 5s"
ARGUMENTS = {
    "alerts": "url: {alertmanager}, matchers: {{channel: alerts}}",
    "rules": "url: {prometheus}, kind: prometheus, matchers: {{channel: rules}}",
    "query": "url: {prometheus}, query: 'error_rate{{channel=\"query\"}} > 0.1'",
    "calm": "url: {alertmanager}, matchers: {{channel: calm}}",
}
"""Channel -> how it is watched. In ``calm`` nothing ever fires."""
SICK = ("alerts", "rules", "query")
REASONS = {
    "alerts": f"check `alerts-not-firing` failed: 1 alert firing: {ALERT}",
    "rules": f"check `alerts-not-firing` failed: 1 alert firing: {ALERT}",
    "query": "check `alerts-not-firing` failed: 1 alert firing: error_rate",
}


def application(world: Monitoring) -> str:
    """A channel for each way to watch, none of which waits for another."""
    channels = [
        f"  - {{name: {name}, protections: [{{use: alerts-not-firing, {AT}, with: {{{_filled(words, world)}}}}}]}}"
        for name, words in ARGUMENTS.items()
    ]
    return "\n".join(["kind: Application", "name: shop", "channels:", *channels, ""])


def _filled(words: str, world: Monitoring) -> str:
    return words.format(alertmanager=world.alertmanager, prometheus=world.prometheus)


def fire(world: Monitoring, channel: str, *, rate: float) -> None:
    """Errors are counted in a channel, or no more; Prometheus notices by itself."""
    world.error_rates[channel] = rate


def test_a_firing_alert_holds_a_deployment_and_has_a_bad_version_rolled_back(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "monitoring").mkdir()
    with monitoring(tmp_path / "monitoring") as world:
        machine.up()
        configure(machine, application(world))
        _held_until_it_resolves(machine, world)
        _rolled_back_where_it_fires(machine, world)


def _held_until_it_resolves(machine: Machine, world: Monitoring) -> None:
    for channel in SICK:
        fire(world, channel, rate=0.5)
    wait_until(lambda: set(SICK) <= world.firing(), 30, lambda: f"firing are {world.firing()}", 0.2)
    machine.release("web=1.0.0")
    for channel in SICK:
        machine.waits(f"shop/web@{channel}", REASONS[channel])
        assert machine.row(f"shop/web@{channel}")["target"] is None
        assert not machine.replicas(f"shop/web@{channel}")
    machine.settles("shop/web@calm", "1.0.0")
    for channel in SICK:
        assert not machine.replicas(f"shop/web@{channel}"), "it still fires there"
        fire(world, channel, rate=0)
    for channel in SICK:
        machine.settles(f"shop/web@{channel}", "1.0.0", within=60)
        machine.runs(f"shop/web@{channel}", "1.0.0", 2)


def _rolled_back_where_it_fires(machine: Machine, world: Monitoring) -> None:
    addresses = {channel: machine.address(f"shop/web@{channel}") for channel in ARGUMENTS}
    machine.release("web=2.0.0")
    for channel in SICK:
        address = addresses[channel]
        wait_until(lambda address=address: machine.get(address)["version"] == "2.0.0", 40, "2.0.0 never answered", 0.1)  # type: ignore[misc]
        fire(world, channel, rate=0.5)
    for channel in SICK:
        instance = f"shop/web@{channel}"
        wait_until(lambda one=instance: machine.history(one, "rolled-back"), 40, lambda one=instance: machine.story(one), 0.2)  # type: ignore[misc]
        assert REASONS[channel] in machine.history(instance, "rolling-back")[0]["text"]
        machine.runs(instance, "1.0.0", 2)
        assert machine.get(addresses[channel])["version"] == "1.0.0"
    machine.settles("shop/web@calm", "2.0.0")
    assert machine.get(addresses["calm"])["version"] == "2.0.0"
    assert not machine.history("shop/web@calm", "rolling-back")
