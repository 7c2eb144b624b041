"""Services beside each other in a channel: orderings, sets that move as one, and the floor of rollbacks."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from setpoint.config.compile import CompileError, Configuration
from setpoint.config.difference import difference
from setpoint.model.policy import ServiceOrdering

Configure = Callable[..., Configuration]
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
    with pytest.raises(CompileError, match='"~1" is no version'):
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
