"""What a new configuration changes, before it is applied."""

from __future__ import annotations

from collections.abc import Callable

from setpoint.config.compile import CompiledConfiguration
from setpoint.config.difference import difference, lines

Configure = Callable[..., CompiledConfiguration]


def test_nothing_changed_is_no_difference(configure: Configure, shop: str) -> None:
    assert difference(configure(shop), configure(shop + "# a comment\n")) == []


def test_at_first_everything_is_added(configure: Configure, shop: str) -> None:
    assert lines(difference(None, configure(shop))) == ["shop/web@staging, shop/web@production  added"]


def test_a_channel_that_goes_is_told(configure: Configure, shop: str) -> None:
    assert [str(c) for c in difference(configure(shop), configure(shop.replace(", {name: production, after: staging}", "")))] == [
        "shop/web@production  removed"
    ]


def test_what_runs_and_what_gates_it_are_told_apart_with_their_origin(configure: Configure, shop: str) -> None:
    new = shop.replace("after: staging", "after: {channels: staging, soak: 1h}, approvals: {topic: go, when: urgent}")
    new += "perChannel: {production: {process: {replicas: 4}, env: {A: b}}}\nprogressDeadline: 20m\n"
    found = lines(difference(configure(shop), configure(new)))
    assert found == [
        "shop/web@staging, shop/web@production  policy  progress_deadline: 10m → 20m",
        "shop/web@production  runs    env.A: (nothing) → b  (setpoint.yaml:10)",
        "shop/web@production  runs    process.replicas: 1 → 4  (setpoint.yaml:10)",
        "shop/web@production  policy  approvals.go: (nothing) → channel:shop/production",
        "shop/web@production  policy  orderings.after-staging.soak: 0 → 1h",
    ]


def test_a_changed_gate_is_told_by_its_fields_and_a_lost_one_whole(configure: Configure, shop: str) -> None:
    gates = "protections: [{use: always, at: deployment, with: {reason: a}}]\napprovals: {topic: go}\n"
    application = shop.replace("name: shop", "name: shop\nprotections: [always]", 1)
    old, new = (
        configure(application + gates),
        configure(application + gates.replace("reason: a", "reason: b").replace("approvals: {topic: go}", "")),
    )
    production = [change for change in difference(old, new) if change.instance.endswith("production")]
    assert [(change.path, change.old, change.new) for change in production] == [
        ("approvals.go", "instance:shop/web@production", ""),
        ("checks.always@deployment.check.options.reason", "a", "b"),
    ]


def test_changed_files_are_told_by_name(configure: Configure, shop: str) -> None:
    text = shop.replace("[server", "[python, app.py")
    (change, _) = difference(configure(text, app_dot_py="1"), configure(text, app_dot_py="2"))
    assert (change.what, change.path) == ("runs", "files.app.py")
