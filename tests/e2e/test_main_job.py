"""The main job on real processes: gated, deployed, verified, rolled back, healed – each instance by itself."""

from __future__ import annotations

import pytest
from tests.e2e.machine import Machine
from tests.e2e.shop import configure, gate
from tests.support.eventually import wait_until

pytestmark = pytest.mark.slow

TWO_CHANNELS = """
kind: Application
name: shop
channels: [{name: staging}, {name: production, after: staging}]
"""


def test_finalization_opens_the_next_channel_and_the_service_answers(machine: Machine) -> None:
    machine.up()
    configure(machine, TWO_CHANNELS)
    machine.release("web=1.0.0")
    machine.settles("shop/web@production", "1.0.0")
    staged = machine.history("shop/web@staging", "finalized")[0]["at"]
    begun = machine.history("shop/web@production", "target-moved")[0]["at"]
    assert staged <= begun
    assert machine.get(machine.address("shop/web@production"))["version"] == "1.0.0"
    machine.runs("shop/web@production", "1.0.0", 2)
    machine.runs("shop/web@staging", "1.0.0", 2)


def test_channels_are_independent(machine: Machine) -> None:
    machine.up()
    channels = "[{name: blue, protections: [ready]}, {name: green}]"
    flags = configure(machine, f"kind: Application\nname: shop\nchannels: {channels}\n", gate("ready"))
    machine.release("web=1.0.0")
    machine.settles("shop/web@green", "1.0.0")
    machine.waits("shop/web@blue", "check `ready` failed")
    assert machine.target("shop/web@blue") == ""
    assert not machine.replicas("shop/web@blue")
    (flags / "ready").touch()
    machine.settles("shop/web@blue", "1.0.0")


def test_pre_deployment_protections_hold_and_go_on_by_themselves(machine: Machine) -> None:
    machine.up()
    flags = configure(
        machine,
        "kind: Application\nname: shop\nchannels: [{name: staging, protections: [one, two]}]\n",
        gate("one"),
        gate("two"),
    )
    (flags / "one").touch()
    machine.release("web=1.0.0")
    machine.waits("shop/web@staging", "check `two` failed")
    assert not machine.replicas("shop/web@staging")
    (flags / "one").unlink()
    machine.waits("shop/web@staging", "check `one` failed")
    (flags / "two").touch()
    machine.waits("shop/web@staging", "check `one` failed")
    assert not machine.replicas("shop/web@staging"), "both must hold at one moment"
    (flags / "one").touch()
    machine.settles("shop/web@staging", "1.0.0")


def test_post_deployment_failure_rolls_back_that_instance_alone(machine: Machine) -> None:
    machine.up()
    flags = configure(
        machine,
        """
        kind: Application
        name: shop
        channels:
          - {name: blue, protections: [{use: fine, at: {post-deployment: {for: 3s}}}]}
          - {name: green}
          - {name: after-blue, after: blue}
        """,
        gate("fine"),
    )
    (flags / "fine").touch()
    machine.release("web=1.0.0")
    for channel in ("blue", "green", "after-blue"):
        machine.settles(f"shop/web@{channel}", "1.0.0")
    machine.release("web=2.0.0")
    wait_until(lambda: machine.row("shop/web@blue")["condition"] == "verifying", 30, "never verified", 0.05)
    (flags / "fine").unlink()
    wait_until(lambda: machine.history("shop/web@blue", "rolled-back"), 30, lambda: machine.story("shop/web@blue"), 0.1)
    machine.runs("shop/web@blue", "1.0.0", 2)
    machine.settles("shop/web@green", "2.0.0")
    machine.waits("shop/web@after-blue", "blue rolled 2.0.0 back")
    assert machine.good("shop/web@after-blue") == machine.good("shop/web@blue") == "1.0.0"
    assert "vetoed" in machine.reasons("shop/web@blue")
    assert machine.get(machine.address("shop/web@blue"))["version"] == "1.0.0"


def test_a_gate_is_skipped_with_a_reason_that_is_kept(machine: Machine) -> None:
    machine.up()
    configure(machine, "kind: Application\nname: shop\nchannels: [{name: staging, protections: [never]}]\n", gate("never"))
    machine.person("olga", admin=True)
    machine.release("web=1.0.0")
    machine.waits("shop/web@staging", "check `never` failed")
    machine.cli("skip", "web@staging", "never", "--why", "the check is wrong, see 4711", by="olga")
    machine.settles("shop/web@staging", "1.0.0")
    told = [line["text"] for line in machine.history("shop/web@staging", "signal")]
    assert any("olga skips never: the check is wrong, see 4711" in text for text in told), told


def test_a_pinned_instance_keeps_its_version_until_it_is_unpinned(machine: Machine) -> None:
    machine.up()
    configure(machine, TWO_CHANNELS)
    machine.release("web=1.0.0")
    machine.settles("shop/web@production", "1.0.0")
    machine.cli("pin", "web@production", "1.0.0", "--why", "an audit")
    machine.release("web=2.0.0")
    machine.settles("shop/web@staging", "2.0.0")
    assert machine.good("shop/web@production") == "1.0.0"
    machine.runs("shop/web@production", "1.0.0", 2)
    machine.cli("unpin", "web@production")
    machine.settles("shop/web@production", "2.0.0")


def test_killed_replicas_come_back(machine: Machine) -> None:
    machine.up()
    configure(machine, "kind: Application\nname: shop\nchannels: [{name: staging}]\n")
    machine.release("web=1.0.0")
    machine.settles("shop/web@staging", "1.0.0")
    victims = machine.replicas("shop/web@staging")
    for victim in victims:
        victim.kill()
    machine.runs("shop/web@staging", "1.0.0", 2)
    assert not {process.pid for process in machine.replicas("shop/web@staging")} & {victim.pid for victim in victims}
    machine.settles("shop/web@staging", "1.0.0")


def test_a_version_that_never_gets_healthy_is_rolled_back_by_its_deadline(machine: Machine) -> None:
    machine.up()
    configure(machine, "kind: Application\nname: shop\nchannels: [{name: staging}]\n")
    machine.release("web=1.0.0")
    machine.settles("shop/web@staging", "1.0.0")
    address = machine.address("shop/web@staging")
    (machine.root / "sick" / "2.0.0").touch()
    machine.release("web=2.0.0")
    wait_until(lambda: machine.history("shop/web@staging", "rolled-back"), 40, lambda: machine.story("shop/web@staging"), 0.2)
    machine.runs("shop/web@staging", "1.0.0", 2)
    assert machine.get(address)["version"] == "1.0.0"
    assert "no progress" in machine.history("shop/web@staging", "rolling-back")[0]["text"]
