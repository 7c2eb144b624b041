"""Limits: leases of every node above an instance, and waves that take the channels of a group in turn."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from setpoint.config.compile import CompiledConfiguration
from setpoint.config.problems import ConfigurationProblem
from setpoint.model.policy import GroupWaves, LimitUse, Wave, WaveUse
from setpoint.model.time import DAY, HOUR

Configure = Callable[..., CompiledConfiguration]
Mistakes = Callable[[str], list[ConfigurationProblem]]
ENTRIES = ", ".join(f"{{name: t{number}, labels: {{ring: {'early' if number < 2 else 'late'}}}}}" for number in range(10))


def saas(limits: str, *, application: str = "", service: str = "", runtime: str = "", group: str = "", more: str = "") -> str:
    return f"""
kind: Application
name: saas
{application}
channels:
  - name: tenants
    runtime: lab
    each: {{items: [{ENTRIES}]}}
    {f"limits: {limits}" if limits else ""}
    {group}
---
kind: Service
application: saas
name: web
fake: {{}}
{service}
---
kind: Service
application: saas
name: worker
fake: {{}}
---
kind: Runtime
name: lab
fake: {{}}
{runtime}
{more}
"""


def names(*numbers: int) -> tuple[str, ...]:
    return tuple(f"tenants-t{number}" for number in numbers)


def test_every_node_above_an_instance_may_limit_what_deploys_at_once(configure: Configure) -> None:
    policy = "---\nkind: Policy\nname: calm\nselect: service=web\nlimits: {maxConcurrent: 50%, override: []}\n"
    text = saas(
        "{maxConcurrent: 3}",
        application='limits: {maxConcurrent: 25%, when: "!urgent"}',
        service="limits: {maxConcurrent: 4}\nperChannel: {tenants-t3: {limits: {maxConcurrent: 1}}}",
        runtime="limits: {maxConcurrent: 1%}",
        more=policy,
    ).replace("{name: t2,", "{name: t2, limits: {maxConcurrent: 1},")
    configuration = configure(text)
    calm, runtime, application, group, service = configuration.policy("saas/web@tenants-t0").limits
    assert calm == LimitUse("limit-policy-calm", "policy:calm", 5, None, ())
    assert runtime == LimitUse("limit-runtime", "runtime:lab", 1)
    assert (application.unit, application.limit, application.when and application.when.text) == ("application:saas", 5, "!urgent")
    assert group == LimitUse("limit-group", "group:saas/tenants", 3)
    assert service == LimitUse("limit-service", "service:saas/web", 4)
    own = {use.name: use.unit for use in configuration.policy("saas/web@tenants-t2").limits}
    assert own["limit-channel"] == "channel:saas/tenants-t2"
    assert configuration.policy("saas/web@tenants-t3").limits[-1].unit == "service:saas/web@tenants-t3"
    assert [use.name for use in configuration.policy("saas/worker@tenants-t0").limits] == [
        "limit-runtime",
        "limit-application",
        "limit-group",
    ]


def test_waves_pick_by_label_then_by_number_and_who_is_left_comes_last(configure: Configure) -> None:
    waves = "[{select: ring=early, soak: 1d}, {size: 25%, soak: 12h, need: 2}, {size: 1, when: '!urgent'}]"
    configuration = configure(saas(f"{{waves: {waves}, maxFailures: 20%}}"))
    expected = (
        Wave(names(0, 1), DAY),
        Wave(names(2, 3, 4), 12 * HOUR, "2"),
        Wave(names(5)),
        Wave(names(6, 7, 8, 9)),
    )
    assert configuration.groups == {"saas/tenants": GroupWaves("saas/tenants", expected, "20%")}
    of = {number: configuration.policy(f"saas/web@tenants-t{number}").wave for number in (0, 4, 5, 9)}
    assert (of[0], of[4], of[9]) == tuple(WaveUse("saas/tenants", number) for number in (1, 2, 4))
    assert of[5] is not None
    assert (of[5].number, of[5].when and of[5].when.text) == (3, "!urgent")
    assert configuration.policy("saas/worker@tenants-t5").wave == of[5]


def test_the_first_wave_that_picks_a_channel_has_it_and_empty_ones_are_none(configure: Configure) -> None:
    waves = "[{size: 3}, {select: ring=early}, {select: channel=none, allowEmpty: true}, {size: rest, need: 95%}, {size: 1}]"
    text = saas(f"{{waves: {waves}}}").replace("channel=none", "ring=none")
    (group,) = configure(text).groups.values()
    assert group.waves == (Wave(names(0, 1, 2)), Wave(names(3, 4, 5, 6, 7, 8, 9), 0, "95%"))
    assert group.max_failures == "1"


def test_a_group_with_limits_and_without_waves_counts_failures_only(configure: Configure) -> None:
    configuration = configure(saas("{maxFailures: 3}"))
    assert configuration.groups == {"saas/tenants": GroupWaves("saas/tenants", (), "3")}
    assert configuration.policy("saas/web@tenants-t7").wave == WaveUse("saas/tenants", 1)
    unlimited = configure(saas(""))
    assert (unlimited.groups, unlimited.policy("saas/web@tenants-t7").wave) == ({}, None)


def test_a_wave_that_never_concerns_a_channel_is_none_for_it(configure: Configure) -> None:
    configuration = configure(saas("{waves: [{size: rest, when: service=web}]}"))
    assert configuration.policy("saas/web@tenants-t0").wave == WaveUse("saas/tenants", 1)
    assert configuration.policy("saas/worker@tenants-t0").wave is None


def test_channels_of_a_group_may_move_as_one(configure: Configure, mistakes: Mistakes) -> None:
    sets = configure(saas("", group="together: true")).together("saas")
    assert list(sets) == ["saas/web@tenants", "saas/worker@tenants"]
    assert sets["saas/web@tenants"] == tuple(f"saas/web@{name}" for name in names(*range(10)))
    both = configure(saas("", group="together: true", application="together: [[web, worker]]")).together("saas")
    assert {name: len(members) for name, members in both.items()} == {"saas/web+worker@tenants": 20}
    waits = saas("", group="together: true").replace("{name: t1,", "{name: t1, after: tenants-t0,")
    assert [problem.code for problem in mistakes(waits)] == ["waits-for-its-set"]


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        ("{maxConcurrent: 0}", "never-begins"),
        ("{maxFailures: 0%}", "never-begins"),
        ("{maxConcurrent: many}", "bad-amount"),
        ("{waves: [{soak: 1d}]}", "one-way-to-pick"),
        ("{waves: [{size: 1, select: ring=early}]}", "one-way-to-pick"),
        ("{waves: [{size: 0}]}", "never-begins"),
        ("{waves: [{size: some}]}", "bad-amount"),
        ("{waves: [{size: 2, need: 3}]}", "unsatisfiable-need"),
        ("{waves: [{size: 2, need: 0%}]}", "never-holds-back"),
        ("{waves: [{select: ring=erly}]}", "unknown-in-selector"),
        ("{waves: {size: 1, need: 2}}", "unsatisfiable-need"),
        ("{maxConcurent: 1}", "unknown-key"),
    ],
)
def test_limits_that_cannot_be_meant_are_told(mistakes: Mistakes, limits: str, code: str) -> None:
    (problem,) = mistakes(saas(limits))
    assert (problem.code, problem.line) == (code, 9)


def test_waves_and_failures_are_those_of_a_group(mistakes: Mistakes) -> None:
    text = saas("", application="limits: {waves: [{size: 1}]}", service="limits: {maxFailures: 1}").replace(
        "{name: t2,", "{name: t2, limits: {waves: {size: 1}},"
    )
    told = mistakes(text.replace("channels:\n", "channels:\n  - {name: alone, runtime: lab, together: true}\n", 1))
    assert [problem.code for problem in told] == ["not-a-group"] * 4
    assert [problem.message.partition(" ")[0] for problem in told] == ["`waves`", "`together`", "`waves`", "`maxFailures`"]
