"""One merge rule: maps by key, scalars and lists replaced, null removes, gate lists by name."""

from __future__ import annotations

from collections.abc import Callable

from setpoint.config.compile import CompiledConfiguration
from setpoint.config.problems import ConfigurationProblem
from setpoint.model.policy import Phase
from setpoint.model.time import MINUTE

Configure = Callable[..., CompiledConfiguration]
Mistakes = Callable[[str], list[ConfigurationProblem]]


def test_constants_and_env_are_taken_from_the_nearest_node(configure: Configure) -> None:
    text = """
kind: Organization
name: acme
constants: {a: org, b: org, c: org, d: org, e: org, f: org}
---
kind: Runtime
name: box
local: {}
constants: {c: runtime, d: runtime, e: runtime, f: runtime}
---
kind: Application
name: shop
constants: {b: app, c: app, d: app, e: app, f: app}
channels: [{name: staging, runtime: box, constants: {d: channel, e: channel, f: channel}}]
---
kind: Service
application: shop
name: web
constants: {e: service, f: service}
process: {command: ["${constants.a}", "${constants.b}", "${constants.c}", "${constants.d}", "${constants.e}", "${constants.f}"]}
perChannel: {staging: {constants: {f: per-channel}}}
"""
    options = configure(text).compile("shop/web@staging", "1", {}).workload.options
    assert options["command"] == ["org", "app", "runtime", "channel", "service", "per-channel"]


def test_maps_merge_deeply_and_lists_are_replaced(configure: Configure, shop: str) -> None:
    text = shop.replace('"${version}"]', '"${version}"], replicas: 2, health: {http: /a, interval: 5s}')
    configuration = configure(text + "perChannel: {production: {process: {command: [other], health: {interval: 9s}}}}")
    options = configuration.compile("shop/web@production", "1", {}).workload.options
    assert options["command"] == ["other"]
    assert options["replicas"] == 2
    assert options["health"] == {"http": "/a", "interval": 9000, "timeout": 5000}


def test_null_removes_a_key_in_per_channel(configure: Configure, shop: str) -> None:
    configuration = configure(shop + "rollback: {auto: false}\nperChannel: {production: {rollback: null}}")
    assert configuration.policy("shop/web@staging").auto_rollback is False
    assert configuration.policy("shop/web@production").auto_rollback is True


GATES = """protections:
  - {use: always, with: {reason: one}, at: {pre-deployment: {for: 1m}, post-deployment: {for: 5m, tolerate: 1}}}
  - {use: always, name: second}
perChannel:
  production:
    protections:
      - {name: always, with: {result: blocking}, at: {post-deployment: {for: 9m}, deployment: }}
      - {name: second, remove: true}
      - {use: always, name: third}
"""


def test_gate_lists_merge_by_name(configure: Configure, shop: str) -> None:
    checks = configure(shop + GATES).policy("shop/web@production").checks
    assert [(use.name, use.phase) for use in checks] == [
        ("always", Phase.PRE_DEPLOYMENT),
        ("always", Phase.DEPLOYMENT),
        ("always", Phase.POST_DEPLOYMENT),
        ("third", Phase.PRE_DEPLOYMENT),
    ]
    assert checks[0].check.options == {"reason": "one", "result": "blocking"}
    assert (checks[2].window, checks[2].tolerate) == (9 * MINUTE, 1)
    assert [use.name for use in configure(shop + GATES).policy("shop/web@staging").checks] == ["always", "always", "second"]


def test_gates_of_different_nodes_add_up_and_keep_names_of_their_own(configure: Configure, shop: str) -> None:
    text = shop.replace("name: shop", "name: shop\nprotections: [always]\napprovals: [{topic: go}]", 1)
    text = text.replace("{name: staging}", "{name: staging, protections: [always], approvals: [{topic: go, min: 2}]}")
    policy = configure(text + "protections: [always]").policy("shop/web@staging")
    assert [(use.name, use.check.subject) for use in policy.checks] == [
        ("always", "application:shop"),
        ("always.channel", "channel:shop/staging"),
        ("always.service", "instance:shop/web@staging"),
    ]
    assert [(use.name, use.subject) for use in policy.approvals] == [
        ("go", "application:shop"),
        ("go.channel", "channel:shop/staging"),
    ]


def test_arguments_come_from_defaults_then_the_protection_then_the_entry(configure: Configure, shop: str) -> None:
    text = (
        shop
        + """protections: [{use: alerts, with: {matchers: {c: entry}, query: null}}]
---
kind: Protection
name: alerts
use: alerts-not-firing
with: {url: "http://mine", query: up, matchers: {b: mine, c: mine}}
---
kind: Organization
name: acme
defaults: {alerts-not-firing: {url: "http://org", kind: prometheus, matchers: {a: org, b: org, c: org}}}
"""
    )
    check = configure(text).policy("shop/web@staging").checks[0].check
    assert check.options == {"url": "http://mine", "kind": "prometheus", "matchers": {"a": "org", "b": "mine", "c": "entry"}}
    assert (check.protection, check.use) == ("alerts", "alerts-not-firing")


def test_a_fragment_is_checked_where_it_stands(mistakes: Mistakes, shop: str) -> None:
    (problem,) = mistakes(shop + "perChannel: {production: {process: {replicas: lots}}}")
    assert (problem.code, problem.line, problem.column) == ("bad-integer", 10, 47)
