"""Policies: gates from outside, for instances of any application. They only add, and are asked first."""

from __future__ import annotations

from collections.abc import Callable

from setpoint.config.compile import CompiledConfiguration
from setpoint.config.problems import ConfigurationProblem
from setpoint.model.policy import Phase

Configure = Callable[..., CompiledConfiguration]
Mistakes = Callable[[str], list[ConfigurationProblem]]
RULES = """
---
kind: Calendar
name: black-friday
closed: {from: 2026-11-26, until: 2026-12-01, reason: Thanksgiving}
override: group:on-call
---
kind: Policy
name: production-rules
select: channel=production, exempt!=true
calendars: {name: black-friday, when: "!urgent"}
protections: [{use: always, override: [], with: {reason: "${service.name} in ${channel.name}"}}]
approvals: [{topic: change-board, per: channel, from: group:change-board, when: step=major}]
"""


def test_a_policy_gates_the_instances_that_it_selects(configure: Configure, shop: str) -> None:
    configuration = configure(shop + RULES)
    staging, production = (configuration.policy(f"shop/web@{name}") for name in ("staging", "production"))
    assert (staging.checks, staging.approvals, staging.calendars) == ((), (), ())
    (check,), (approval,), (calendar,) = production.checks, production.approvals, production.calendars
    assert (check.phase, check.override, check.check.subject) == (Phase.PRE_DEPLOYMENT, (), "instance:shop/web@production")
    assert check.check.options["reason"] == "web in production"
    assert (approval.subject, approval.when and approval.when.text) == ("channel:shop/production", "step=major")
    assert (calendar.name, calendar.override, calendar.when and calendar.when.text) == (
        "black-friday",
        ("group:on-call",),
        "!urgent",
    )


def test_policies_are_asked_first_and_nobody_below_takes_them_away(configure: Configure, shop: str) -> None:
    removed = "perChannel: {production: {protections: [{name: always, remove: true}]}}\n"
    entry = f"protections: [{{use: always, with: {{reason: own}}}}]\n{removed}"
    rules = "---\nkind: Policy\nname: NAME\nselect: '*'\nprotections: [{use: always, with: {reason: NAME}}]\n"
    configuration = configure(shop + entry + rules.replace("NAME", "b") + rules.replace("NAME", "a"))
    told = {
        name: [(use.name, use.check.options["reason"]) for use in configuration.policy(f"shop/web@{name}").checks]
        for name in ("staging", "production")
    }
    assert told["staging"] == [("always", "a"), ("always.policy", "b"), ("always.service", "own")]
    assert told["production"] == [("always", "a"), ("always.policy", "b")]


def test_an_instance_may_be_exempt_by_label(configure: Configure, shop: str) -> None:
    exempt = shop.replace("{name: production,", '{name: production, labels: {exempt: "true"},')
    assert configure(exempt + RULES).policy("shop/web@production").checks == ()


def test_a_policy_must_say_whom_it_concerns(mistakes: Mistakes, shop: str) -> None:
    (problem,) = mistakes(shop + "---\nkind: Policy\nname: rules\nprotections: always\n")
    assert (problem.code, problem.message) == ("missing-key", "`select` is missing.")
