"""Invariant documents, resolved to the instances that they speak of."""

from __future__ import annotations

from collections.abc import Callable

from setpoint.config.compile import CompiledConfiguration
from setpoint.config.difference import difference
from setpoint.model.invariants import Member

Configure = Callable[..., CompiledConfiguration]
OTHERS = """
---
kind: Service
application: shop
name: db
select: channel=staging
process: {command: [db]}
---
kind: Calendar
name: office
timezone: Asia/Tokyo
open: {hours: 09:00-16:00}
---
kind: Invariant
name: rule
"""


def members(configure: Configure, text: str) -> dict[str, Member]:
    found = configure(text).invariants["rule"].members
    return {member.instance: member for member in found}


def test_it_speaks_of_what_it_selects_with_everything_it_needs_to_know(configure: Configure, shop: str) -> None:
    text = shop + OTHERS + 'select: service=web\nwhen: "!urgent"\nrequire: {finalizedIn: [staging], notBad: true}\n'
    invariant = configure(text + "onViolation: stop-the-line").invariants["rule"]
    assert (invariant.select, invariant.stop, invariant.require.not_bad) == ("service=web", True, True)
    found = members(configure, text)
    assert found["shop/web@production"].finalized_in == ("shop/web@staging",)
    assert found["shop/web@production"].labels["channel"] == "production"
    assert found["shop/web@staging"].finalized_in == ()


def test_a_group_stands_for_its_channels(configure: Configure, shop: str) -> None:
    text = shop.replace("{name: staging}", "{name: staging}, {name: eu, each: {items: [{name: west}, {name: east}]}}")
    found = members(configure, text + OTHERS + "select: channel=production\nrequire: {finalizedIn: eu}")
    assert found["shop/web@production"].finalized_in == ("shop/web@eu-west", "shop/web@eu-east")


def test_channels_without_the_service_are_told_as_such(configure: Configure, shop: str) -> None:
    found = members(configure, shop + OTHERS + "select: service=db\nrequire: {finalizedIn: production, sameAs: production}")
    assert found["shop/db@staging"].lacks == ("production",)
    assert found["shop/db@staging"].others == ()


def test_skew_compares_with_the_other_service_of_the_channel(configure: Configure, shop: str) -> None:
    found = members(configure, shop + OTHERS + "select: '*'\nrequire: {skew: {service: db, maxStep: minor}}")
    assert {name: member.beside for name, member in found.items()} == {
        "shop/web@staging": "shop/db@staging",
        "shop/web@production": "",
        "shop/db@staging": "",
    }


def test_the_calendar_says_its_time_zone(configure: Configure, shop: str) -> None:
    configuration = configure(shop + OTHERS + "select: channel=production\nrequire: {open: office, moving: 10%}")
    require = configuration.invariants["rule"].require
    assert require.calendar is not None
    assert (require.calendar.name, require.moving) == ("office", "10%")
    assert configuration.invariants["rule"].members[0].timezone == "Asia/Tokyo"


def test_labels_decide_when_it_never_applies(configure: Configure, shop: str) -> None:
    found = members(configure, shop + OTHERS + "select: '*'\nwhen: channel=staging\nrequire: {notBad: true}")
    assert set(found) == {"shop/web@staging", "shop/db@staging"}


def test_what_it_speaks_of_and_compares_with_tells_of_its_moves(configure: Configure, shop: str) -> None:
    rule = OTHERS + "select: channel=production\nrequire: {sameAs: staging, approved: {topic: go}}"
    configuration = configure(shop + rule)
    watched = [name for name in configuration.all_instances if configuration.policy(name).watched]
    assert watched == ["shop/web@staging", "shop/web@production"]


def test_being_watched_is_no_change_of_policy_to_look_at(configure: Configure, shop: str) -> None:
    few, all_of_them = (f"{shop}{OTHERS}select: {select}\nrequire: {{notBad: true}}" for select in ("service=db", "'*'"))
    assert difference(configure(few), configure(all_of_them)) == []
