"""Facts of an attempt for ``when`` (§10.15): whether a gate concerns it."""

from __future__ import annotations

from typing import Any

import pytest
from tests.core.dsl import Instance, check

from setpoint.core.instance.gates.context import applies, labels
from setpoint.model.grammars.selector import parse_selector
from setpoint.model.policy import Phase, Policy


def facts(prod: Instance, release: int, name: str, **more: Any) -> dict[str, str]:
    """Those of one release here."""
    return labels(prod.life, prod.make(release, name, **more))


def holds(when: str, prod: Instance, release: int, name: str, **more: Any) -> bool:
    return applies(parse_selector(when), prod.state.policy or Policy("", {}), prod.life, prod.make(release, name, **more))


def test_the_first_version_is_a_change_of_version_of_an_unknown_step():
    found = facts(Instance(), 1, "1.0.0")
    assert (found["first"], found["change"], found["step"]) == ("true", "version", "unknown")


def test_what_is_good_already_makes_it_not_the_first():
    found = facts(Instance().with_good(1, "1.0.0"), 2, "1.1.0")
    assert ("first" in found, found["change"], found["step"]) == (False, "version", "minor")


def test_it_is_the_first_again_while_the_only_good_one_failed_to_come_up():
    assert "first" in facts(Instance().offer(1, "1.0.0"), 2, "1.1.0")


@pytest.mark.parametrize(
    ("name", "change", "step"),
    [
        ("2.0.0", "version", "major"),
        ("1.3.0", "version", "minor"),
        ("1.2.4", "version", "patch"),
        ("1.2.2", "version", "back"),
        ("1.2.3", "config", "none"),
        ("blue", "version", "unknown"),
    ],
)
def test_change_and_step_are_judged_against_good(name: str, change: str, step: str):
    found = facts(Instance().with_good(1, "1.2.3"), 2, name)
    assert (found["change"], found["step"]) == (change, step)


def test_a_prerelease_of_the_same_version_is_a_step_of_its_own():
    assert facts(Instance().with_good(1, "1.3.0-rc.1"), 2, "1.3.0-rc.2")["step"] == "prerelease"


@pytest.mark.parametrize(
    ("made", "by"),
    [
        ({"author": "ann"}, "person"),
        ({"author": "ann", "automatic": True}, "configuration"),
        ({"author": "source registry"}, "source"),
    ],
)
def test_a_release_is_by_a_person_a_source_or_the_configuration(made: dict[str, Any], by: str):
    prod = Instance().with_good(1, "1.0.0")
    assert facts(prod, 2, "1.1.0", **made)["by"] == by
    assert [holds(f"by={one}", prod, 2, "1.1.0", **made) for one in ("person", "source", "configuration")] == [
        one == by for one in ("person", "source", "configuration")
    ]


def test_a_gate_may_concern_the_first_release_only_or_all_but_it():
    first, later = Instance(), Instance().with_good(1, "1.0.0")
    assert [holds("first", prod, 2, "1.1.0") for prod in (first, later)] == [True, False]
    assert [holds("!first", prod, 2, "1.1.0") for prod in (first, later)] == [False, True]


def test_a_check_that_is_not_for_the_first_release_lets_that_through():
    prod = Instance(checks=(check("baseline", Phase.PRE_DEPLOYMENT, when=parse_selector("!first")),)).offer(1, "1.0.0")
    assert prod.target == "1.0.0"
    prod.comes_up("1.0.0").offer(2, "1.1.0")
    assert (prod.target, prod.waits_for("baseline")) == ("1.0.0", True)


def test_a_check_may_be_for_releases_of_people_only():
    by_people = check("ask", Phase.PRE_DEPLOYMENT, when=parse_selector("by=person"))
    prod = Instance(checks=(by_people,)).offer(1, "1.0.0", automatic=True)
    assert prod.target == "1.0.0"
    assert Instance(checks=(by_people,)).offer(1, "1.0.0").target == ""
