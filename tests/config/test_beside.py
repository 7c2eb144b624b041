"""Services beside each other in a channel: orderings, sets that move as one, and the floor of rollbacks."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from setpoint.config.compile import CompiledConfiguration, CompileError
from setpoint.config.difference import difference
from setpoint.config.problems import ConfigurationProblem
from setpoint.model.policy import ServiceOrdering

Configure = Callable[..., CompiledConfiguration]
Mistakes = Callable[[str], list[ConfigurationProblem]]
OTHERS = """
---
kind: Service
application: shop
name: db
select: channel=staging
process: {command: [db]}
---
kind: Service
application: shop
name: cache
process: {command: [cache]}
"""


def orderings(configure: Configure, text: str, instance: str = "shop/web@staging") -> tuple[ServiceOrdering, ...]:
    return configure(text + OTHERS).policy(instance).services


def test_a_service_comes_after_another_of_its_channel(configure: Configure, shop: str) -> None:
    assert orderings(configure, shop + "after: db") == (ServiceOrdering("after-db", "shop/db@staging"),)


def test_a_channel_without_the_other_service_waits_for_nothing(configure: Configure, shop: str) -> None:
    assert orderings(configure, shop + "after: [db]", "shop/web@production") == ()


def test_an_entry_names_several_with_a_range_and_a_condition(configure: Configure, shop: str) -> None:
    text = 'after: {services: [db, cache], version: ">=${constants.least}", when: urgent, override: [], name: data}\n'
    found = orderings(configure, shop + text + "constants: {least: 3.2}")
    assert [(one.name, one.instance, one.range, one.override) for one in found] == [
        ("data", "shop/db@staging", ">=3.2", ()),
        ("data", "shop/cache@staging", ">=3.2", ()),
    ]
    assert all(one.when and one.when.text == "urgent" for one in found)


def test_an_ordering_may_differ_from_channel_to_channel(configure: Configure, shop: str) -> None:
    text = shop + "after: db\nperChannel: {staging: {after: cache}}"
    assert [one.instance for one in orderings(configure, text)] == ["shop/cache@staging"]


def test_sets_are_of_those_services_that_a_channel_has(configure: Configure, shop: str) -> None:
    text = shop.replace("channels:", "together: [[web, db, cache]]\nchannels:")
    assert configure(text + OTHERS).together("shop") == {
        "shop/web+db+cache@staging": ("shop/web@staging", "shop/db@staging", "shop/cache@staging"),
        "shop/web+db+cache@production": ("shop/web@production", "shop/cache@production"),
    }
    assert configure(text + OTHERS).together("other") == {}


def test_a_set_of_which_a_channel_has_one_service_is_none_there(configure: Configure, shop: str) -> None:
    text = shop.replace("channels:", "together: [[web, db]]\nchannels:")
    assert list(configure(text + OTHERS).together("shop")) == ["shop/web+db@staging"]


def test_nothing_is_released_to_a_mirroring_channel_so_it_has_no_sets(configure: Configure, shop: str) -> None:
    text = shop.replace("after: staging}", "mirror: staging, services: [web, cache]}")
    text = text.replace("channels:", "together: [[web, cache]]\nchannels:")
    assert list(configure(text + OTHERS).together("shop")) == ["shop/web+cache@staging"]


def test_the_floor_of_rollbacks_is_looked_up_for_each_release(configure: Configure, shop: str) -> None:
    text = shop + 'parameters: {oldest: {required: true}}\nrollback: {notBelow: "${params.oldest}"}'
    configuration = configure(text)
    assert configuration.not_below("shop/web@staging", "2.0.0", {"oldest": "1.4.0"}) == "1.4.0"
    with pytest.raises(CompileError, match='"~1" is not a valid version'):
        configuration.not_below("shop/web@staging", "2.0.0", {"oldest": "~1"})
    assert configure(shop).not_below("shop/web@staging", "2.0.0", {}) == ""


def test_a_floor_that_comes_is_shown_and_changes_nothing_that_runs(configure: Configure, shop: str) -> None:
    changes = difference(configure(shop), configure(shop + "rollback: {notBelow: 1.4.0}"))
    assert [(change.what, change.path, change.new) for change in changes if change.instance == "shop/web@staging"] == [
        ("policy", "rollback.notBelow", "1.4.0")
    ]


def test_an_ordering_that_comes_is_one_line_of_the_difference(configure: Configure, shop: str) -> None:
    changes = difference(configure(shop + OTHERS), configure(shop + "after: db" + OTHERS))
    assert [(change.path, change.new) for change in changes] == [("services.after-db@shop/db@staging", "shop/db@staging")]


def test_service_stable_is_after_in_other_words(configure: Configure, shop: str) -> None:
    arguments = 'with: {service: db, version: ">=3"}, override: group:x, when: "channel=staging, urgent"'
    entry = f"protections: [{{use: service-stable, {arguments}}}]\n"
    (found,) = orderings(configure, shop + entry)
    assert (found.name, found.instance, found.range, found.override) == (
        "service-stable",
        "shop/db@staging",
        ">=3",
        ("group:x",),
    )
    assert found.when is not None
    assert found.when.text == "channel=staging, urgent"
    assert orderings(configure, shop + entry, "shop/web@production") == ()


def test_service_stable_runs_no_check(configure: Configure, shop: str) -> None:
    text = shop + "protections: [{use: service-stable, with: {services: [db, cache]}}]\n" + OTHERS
    policy = configure(text).policy("shop/web@staging")
    assert policy.checks == ()
    assert [one.instance for one in policy.services] == ["shop/db@staging", "shop/cache@staging"]


def test_service_stable_on_an_application_is_for_every_service_but_the_one_it_names(configure: Configure, shop: str) -> None:
    text = shop.replace("channels:", "protections: [{use: service-stable, with: {service: cache}}]\nchannels:")
    assert [one.instance for one in orderings(configure, text)] == ["shop/cache@staging"]
    assert orderings(configure, text, "shop/cache@staging") == ()


def test_service_stable_of_several_nodes_add_up(configure: Configure, shop: str) -> None:
    text = shop.replace("channels:", "protections: [{use: service-stable, with: {service: cache}}]\nchannels:")
    found = orderings(configure, text + "protections: [{use: service-stable, with: {service: db}}]\nafter: db\n")
    assert [(one.name, one.instance) for one in found] == [
        ("after-db", "shop/db@staging"),
        ("service-stable", "shop/cache@staging"),
        ("service-stable-2", "shop/db@staging"),
    ]


def test_service_stable_may_have_a_name_of_its_own(configure: Configure, shop: str) -> None:
    protection = "\n---\nkind: Protection\nname: data-first\nuse: service-stable\nwith: {service: db}\n"
    (found,) = orderings(configure, shop + "protections: [data-first]" + protection)
    assert (found.name, found.instance) == ("data-first", "shop/db@staging")


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        ("{use: service-stable, with: {service: dv}}", "unknown-reference"),
        ("{use: service-stable, with: {version: ^1}}", "bad-argument"),
        ("{use: service-stable, with: {service: db, services: [db]}}", "bad-argument"),
        ("{use: service-stable, with: {service: db}, at: post-deployment}", "ordering-phase"),
        ("unnamed", "bad-argument"),
        ("wrong", "unknown-reference"),
    ],
)
def test_mistakes_in_service_stable_are_told_once(mistakes: Mistakes, shop: str, entry: str, code: str) -> None:
    documents = "\n---\nkind: Protection\nname: unnamed\nuse: service-stable\n"
    documents += "---\nkind: Protection\nname: wrong\nuse: service-stable\nwith: {service: dv}\n"
    assert [problem.code for problem in mistakes(f"{shop}protections: [{entry}]\n{OTHERS}{documents}")] == [code]


def test_a_range_that_is_none_is_told_for_service_stable(mistakes: Mistakes, shop: str) -> None:
    problems = mistakes(f"{shop}protections: [{{use: service-stable, with: {{service: db, version: ~>1}}}}]\n{OTHERS}")
    assert [(problem.code, problem.message) for problem in problems] == [
        ("bad-range", '`version`: "~>1" is not a valid range of versions: the operators are ^ ~ = < <= > >=.')
    ]
    assert problems[0].position.column > len("protections: [{use: service-stable")


def test_services_that_wait_for_each_other_by_service_stable_are_a_circle(mistakes: Mistakes, shop: str) -> None:
    others = OTHERS.replace("name: cache", "name: cache\nafter: web")
    problems = mistakes(shop + "protections: [{use: service-stable, with: {service: cache}}]\n" + others)
    assert [problem.code for problem in problems] == ["circle"]
