"""An ordering or selector on nothing: what occurs nowhere is an error, what matches nothing now a notice."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from setpoint.config.compile import CompiledConfiguration, check_files
from setpoint.config.problems import ConfigurationProblem
from setpoint.model.grammars.selector import Selector, parse_selector

Configure = Callable[..., CompiledConfiguration]
Mistakes = Callable[[str], list[ConfigurationProblem]]
ROOT = Path("/srv")
UNKNOWN = {"unknown-label", "unknown-in-selector"}
WORLD = """
kind: Organization
name: acme
roles: [{name: approver, members: [group:x], may: [approve], select: "ROLE"}]
---
kind: Runtime
name: east
labels: {zone: "1"}
local: {}
---
kind: Application
name: shop
channels:
  - {name: staging, runtime: east, labels: {env: staging}}
  - {name: production, runtime: east, labels: {env: production}, after: {AFTER}}
  - name: tenants
    each: {EACH}
    runtime: east
    labels: {env: production}
    overrides: [{select: "OVERRIDE", strategy: manual}]
    limits: {waves: [{select: "WAVE"}]}
CLUSTERS---
kind: Service
application: shop
name: web
select: "SERVICE"
process: {command: [x]}
---
kind: Policy
name: rules
select: "POLICY"
---
kind: Invariant
name: staged
select: "INVARIANT"
require: {notBad: true}
"""
FIELDS = ("ROLE", "AFTER", "OVERRIDE", "WAVE", "RUNTIMES", "SERVICE", "POLICY", "INVARIANT")


def world(field: str = "", selector: str = "", *, each: str = "items: [{name: a, labels: {ring: early}}, {name: b}]") -> str:
    clusters = '  - {name: clusters, each: {runtimes: "RUNTIMES"}}\n' if field == "RUNTIMES" else ""
    text = WORLD.replace("EACH", each).replace("CLUSTERS", clusters)
    usual = {"AFTER": "channels: staging", "WAVE": "ring=early", "OVERRIDE": "ring=early", "RUNTIMES": "zone=1"}
    for name in FIELDS:
        chosen = selector if name == field else usual.get(name, "*")
        text = text.replace(f"{{{name}}}", "{" + (f'select: "{selector}"' if name == field else chosen) + "}").replace(
            f'"{name}"', f'"{chosen}"'
        )
    return text


def loaded(text: str, **files: str) -> CompiledConfiguration:
    return CompiledConfiguration.from_files({"setpoint.yaml": text.encode(), **{k: v.encode() for k, v in files.items()}}, ROOT)


def told(text: str, **files: str) -> list[ConfigurationProblem]:
    return check_files({"setpoint.yaml": text.encode(), **{name: content.encode() for name, content in files.items()}}, ROOT)


def test_the_world_of_these_tests_is_in_order() -> None:
    assert told(world()) == []
    assert loaded(world()).unmatched == []


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize(
    ("selector", "code", "hint"),
    [
        ("zoone=1", "unknown-label", 'Did you mean "zone"?'),
        ("zone=prodution", "unknown-in-selector", "There is: 1."),
        ("env in (staging, prodution)", "unknown-in-selector", 'Did you mean "production"?'),
        ("zone=1, evn", "unknown-label", 'Did you mean "env"?'),
        ("zone=1 | channel=stagging", "unknown-in-selector", 'Did you mean "staging"?'),
    ],
)
def test_a_key_or_value_that_occurs_nowhere_is_an_error_with_its_place(field: str, selector: str, code: str, hint: str) -> None:
    text = world(field, selector)
    (problem,) = (one for one in told(text) if one.code != "refers-to-itself")
    assert (problem.code, problem.hint) == (code, hint)
    lines = text.splitlines()
    assert lines[problem.line - 1][problem.column :].startswith(selector)


@pytest.mark.parametrize("field", [name for name in FIELDS if name != "AFTER"])
def test_a_selector_that_matches_nothing_now_is_a_notice_with_its_place(field: str) -> None:
    selector = "zone=1, !zone"
    text = world(field, selector)
    assert told(text) == []
    line = next(number for number, line in enumerate(text.splitlines(), 1) if selector in line)
    notices = [notice for notice in loaded(text).notices if notice.startswith(f"setpoint.yaml:{line}:")]
    assert len(notices) == 1
    assert " now." in notices[0]


@pytest.mark.parametrize("selector", ["evn!=staging", "env notin (prodution)", "!evn", "zone!=9"])
@pytest.mark.parametrize("field", ["POLICY", "SERVICE", "INVARIANT", "ROLE"])
def test_what_is_only_excluded_may_be_nowhere(field: str, selector: str) -> None:
    assert told(world(field, selector)) == []


def test_a_name_that_is_excluded_and_is_nowhere_is_a_notice() -> None:
    notice = loaded(world("POLICY", "channel!=stagging")).unmatched[0]
    assert 'no channel is named "stagging". Nothing is excluded by it. Did you mean "staging"?' in notice


def test_in_when_a_label_may_be_nowhere_and_one_that_never_holds_is_a_notice() -> None:
    gated = world().replace(
        "name: web\n", 'name: web\napprovals: [{topic: go, when: "size=big"}, {topic: on, when: env=stagin}]\n'
    )
    assert told(gated) == []
    found = loaded(gated).unmatched
    assert [notice.partition("  ")[2] for notice in found] == [
        'Service "web" approvals[0] "go": `when: size=big` holds for no instance now.',
        'Service "web" approvals[1] "on": `when: env=stagin` holds for no instance now.',
    ]
    assert loaded(world().replace("name: web\n", "name: web\napprovals: [{topic: go, when: env=staging}]\n")).unmatched == []


# --- entries that come from data -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("entries", ["[]", "[{name: a}]", "[{name: a, labels: {ring: late}}]"])
@pytest.mark.parametrize("field", ["OVERRIDE", "WAVE", "POLICY", "AFTER", "INVARIANT"])
def test_entries_from_data_never_cause_an_error_only_the_notice(field: str, entries: str) -> None:
    text = world(field, "ring=early", each="itemsFrom: tenants.yaml")
    text = text.replace('OVERRIDE"', '*"') if field != "OVERRIDE" else text
    if field != "WAVE":
        text = text.replace('waves: [{select: "ring=early"}]', "maxFailures: 1")
    if field != "OVERRIDE":
        text = text.replace('overrides: [{select: "ring=early", strategy: manual}]', "overrides: []")
    files = {"tenants.yaml": entries}
    assert told(text, **files) == []
    assert any("ring=early" in notice or "itemsFrom" in notice for notice in loaded(text, **files).notices)


def test_a_misspelt_label_is_an_error_beside_entries_from_data_too() -> None:
    text = world("POLICY", "env=prodution", each="itemsFrom: tenants.yaml")
    (problem,) = told(text, **{"tenants.yaml": "[{name: a, labels: {ring: early}}]"})
    assert (problem.code, problem.hint) == ("unknown-in-selector", 'Did you mean "production"?')


def test_a_channel_of_data_may_be_named_before_it_comes() -> None:
    text = world("POLICY", "channel=tenants-initech", each="itemsFrom: tenants.yaml")
    entries = {"tenants.yaml": "[{name: a, labels: {ring: early}}]"}
    assert told(text, **entries) == []
    assert any("tenants-initech" in notice for notice in loaded(text, **entries).notices)


# --- after a channel that lacks the service --------------------------------------------------------------------------------

LACKING = """
kind: Application
name: shop
channels:
  - {name: base}
  - {name: main, services: [infra], after: base, labels: {kind: main}}
  - {name: more, services: [infra], labels: {kind: main}}
  - {name: tenants, each: {items: [{name: a}, {name: b}]}, after: AFTER}
---
{kind: Service, application: shop, name: web, process: {command: [x]}}
---
{kind: Service, application: shop, name: infra, process: {command: [x]}}
"""


@pytest.mark.parametrize(
    ("after", "what"),
    [
        ("main", '"main"'),
        ("{channels: [base, main]}", '"main"'),
        ("{channels: [base, main], need: any}", '"main"'),
        ("{select: kind=main}", "channels with kind=main"),
        ("{select: kind=main, need: any}", "channels with kind=main"),
    ],
)
def test_after_a_channel_that_lacks_the_service_is_an_error(after: str, what: str) -> None:
    (problem,) = told(LACKING.replace("AFTER", after))
    assert problem.code == "after-lacks-service"
    assert problem.message == f'`after` means {what}, which does not have the service "web".'
    assert "allowEmpty: true" in problem.hint
    assert problem.line == 8


def test_with_allow_empty_it_counts_as_met_and_its_own_after_applies_in_its_place() -> None:
    configuration = loaded(LACKING.replace("AFTER", "{channels: main, allowEmpty: true}"))
    (ordering,) = configuration.policy("shop/web@tenants-a").orderings
    assert ordering.instances == ("shop/web@base",)
    (own,) = configuration.policy("shop/infra@tenants-a").orderings
    assert own.instances == ("shop/infra@main",)
    assert configuration.unmatched == []
    met = loaded(LACKING.replace("AFTER", "{channels: more, allowEmpty: true}"))
    assert met.policy("shop/web@tenants-a").orderings == ()


def test_of_selected_channels_some_may_lack_the_service_and_are_not_taken_for_met() -> None:
    text = LACKING.replace("AFTER", "{select: 'kind=main | channel=base', need: any}")
    (ordering,) = loaded(text).policy("shop/web@tenants-a").orderings
    assert (ordering.instances, ordering.need) == (("shop/web@base",), 0)


def test_the_built_in_ordering_is_held_to_the_same() -> None:
    text = LACKING.replace(", after: AFTER", ", protections: [{use: release-channel-stable, with: {channel: more}}]")
    (problem,) = told(text)
    assert problem.code == "after-lacks-service"
    allowed = text.replace("{channel: more}", "{channel: more, allowEmpty: true}")
    assert told(allowed) == []
    assert loaded(allowed).policy("shop/web@tenants-a").orderings == ()


def test_what_matched_at_apply_and_becomes_empty_later_waits_visibly() -> None:
    """The core's part: see ``test_an_ordering_that_means_nobody_any_more_waits_and_says_so``."""
    text = """
kind: Application
name: shop
channels:
  - {name: tenants, each: {itemsFrom: tenants.yaml}}
  - {name: named, after: tenants}
  - {name: selected, after: {select: ring=early}}
  - {name: allowed, after: {select: ring=early, allowEmpty: true}}
---
{kind: Service, application: shop, name: web, process: {command: [x]}}
"""
    full, empty = {"tenants.yaml": "[{name: a, labels: {ring: early}}]"}, {"tenants.yaml": "[]"}
    before, after = loaded(text, **full), loaded(text, **empty)
    assert [before.policy(f"shop/web@{name}").orderings[0].instances for name in ("named", "selected")] == [
        ("shop/web@tenants-a",)
    ] * 2
    for name, allowed in (("named", False), ("selected", False), ("allowed", True)):
        (ordering,) = after.policy(f"shop/web@{name}").orderings
        assert (ordering.instances, ordering.allow_empty) == ((), allowed)
    assert sum("`after: " in notice for notice in after.notices) == 3


# --- sets --------------------------------------------------------------------------------------------------------------------

SETS = """
kind: Application
name: shop
together: [[web, worker]]
channels: {name: production, RUNTIME OF_CHANNEL}
---
{kind: Runtime, name: east, local: {}, OF_RUNTIME}
---
{kind: Service, application: shop, name: web, process: {command: [x]}}
---
{kind: Service, application: shop, name: worker, process: {command: [x]}}
---
{kind: Policy, name: slow, select: "*", OF_POLICY}
"""


@pytest.mark.parametrize("place", ["OF_CHANNEL", "OF_RUNTIME", "OF_POLICY"])
@pytest.mark.parametrize(("most", "refused"), [("1", True), ("10%", True), ("2", False)])
def test_a_set_larger_than_its_limit_is_refused(place: str, most: str, refused: bool) -> None:
    text = SETS.replace("RUNTIME OF_CHANNEL", "runtime: east, OF_CHANNEL").replace(place, f"limits: {{maxConcurrent: {most}}}")
    for other in ("OF_CHANNEL", "OF_RUNTIME", "OF_POLICY"):
        text = text.replace(f", {other}}}", "}").replace(f" {other}}}", "}")
    found = told(text)
    assert [problem.code for problem in found] == ["set-above-limit"] * refused
    if refused:
        assert found[0].message == (
            "`maxConcurrent` admits 1, but the 2 instances of shop/web+worker@production start as one: they never could."
        )
        assert "maxConcurrent" in text.splitlines()[found[0].line - 1]


def test_channels_that_move_as_one_are_a_set_too() -> None:
    text = """
kind: Application
name: shop
channels: [{name: all, each: {items: [{name: a}, {name: b}]}, together: true, limits: {maxConcurrent: 1}}]
---
{kind: Service, application: shop, name: web, process: {command: [x]}}
"""
    assert [problem.code for problem in told(text)] == ["set-above-limit"]
    assert told(text.replace("maxConcurrent: 1", "maxConcurrent: 2")) == []


def test_channels_that_move_as_one_cannot_start_in_waves() -> None:
    text = """
kind: Application
name: shop
channels: [{name: all, each: {items: [{name: a}, {name: b}]}, together: true, limits: {waves: [{size: 1}]}}]
"""
    (problem,) = told(text)
    assert problem.code == "together-in-waves"
    assert (
        problem.message
        == "the channels of this group move as one, so they cannot start in `waves`: none could start before the others."
    )


# --- any selector in any world of labels ---------------------------------------------------------------------------------------

KEYS, VALUES = ["env", "tier", "ring", "zone"], ["a", "b", "c", ""]
labels = st.dictionaries(st.sampled_from(KEYS), st.sampled_from(VALUES), max_size=3)


@st.composite
def written_selectors(draw: st.DrawFn) -> str:
    def term() -> str:
        key = draw(st.sampled_from([*KEYS, "env2"]))
        some = ", ".join(draw(st.lists(st.sampled_from([*VALUES, "z"]), min_size=1, max_size=2)))
        shapes = (f"{key}={some.partition(',')[0]}", f"{key}!={some.partition(',')[0]}", f"{key} in ({some})")
        return draw(st.sampled_from([*shapes, f"{key} notin ({some})", key, f"!{key}"]))

    alternatives = draw(st.lists(st.lists(st.none(), min_size=1, max_size=2), min_size=1, max_size=2))
    return " | ".join(", ".join(term() for _ in terms) for terms in alternatives)


def occurs_nowhere(selector: Selector, nodes: list[Mapping[str, str]]) -> bool:
    """Straight from the rule: a key or value that is required and that no document sets."""
    there = {(key, value) for node in nodes for key, value in node.items()}
    for term in (term for terms in selector.alternatives for term in terms if not term.negated):
        if term.key not in {key for key, _ in there}:
            return True
        if term.values is not None and any((term.key, value) not in there for value in term.values):
            return True
    return False


def as_yaml(*documents: Any) -> str:
    return "\n---\n".join(map(json.dumps, documents))


@given(
    channels=st.lists(labels, min_size=1, max_size=3),
    service=labels,
    runtime=labels,
    application=labels,
    written=written_selectors(),
    field=st.sampled_from(["policy", "invariant", "service", "override", "wave", "after"]),
)
def test_any_selector_is_an_error_a_notice_or_matches(
    channels: list[dict[str, str]],
    service: dict[str, str],
    runtime: dict[str, str],
    application: dict[str, str],
    written: str,
    field: str,
) -> None:
    group: dict[str, Any] = {"name": "g", "runtime": "east"}
    group["each"] = {"items": [{"name": f"c{number}", "labels": own} for number, own in enumerate(channels)]}
    group |= {"overrides": [{"select": written, "timezone": "UTC"}]} if field == "override" else {}
    group |= {"limits": {"waves": [{"select": written}]}} if field == "wave" else {}
    written = " | ".join(f"{terms}, channel!=last" for terms in written.split(" | ")) if field == "after" else written
    last = {"name": "last", "runtime": "east"} | ({"after": [{"select": written}]} if field == "after" else {})
    web = {"kind": "Service", "application": "shop", "name": "web", "fake": {}, "labels": service}
    documents: list[dict[str, Any]] = [
        {"kind": "Application", "name": "shop", "labels": application, "channels": [group, last]},
        {"kind": "Runtime", "name": "east", "fake": {}, "labels": runtime},
        web | ({"select": written} if field == "service" else {}),
    ]
    rule = {"name": "rule", "select": written}
    documents += [{"kind": "Policy", **rule}] if field == "policy" else []
    documents += [{"kind": "Invariant", **rule, "require": {"notBad": True}}] if field == "invariant" else []
    text = as_yaml(*documents)
    selector = parse_selector(written)

    found = [problem for problem in told(text) if problem.code not in {"empty-after", "circle"}]
    if occurs_nowhere(selector, [application, runtime, service, *channels]):
        assert {problem.code for problem in found} <= UNKNOWN
        assert found
        return
    assert found == []
    fixed = {"application": "shop", "runtime": "east"}
    seen = [application | runtime | own | fixed | {"group": "g", "channel": f"g-c{n}"} for n, own in enumerate(channels)]
    seen += [] if field in {"override", "wave"} else [application | runtime | fixed | {"group": "", "channel": "last"}]
    if field in {"policy", "invariant", "service"}:
        seen = [one | service | {"service": "web"} for one in seen]
    matches = any(selector.matches(one) for one in seen)
    problems = {problem.code for problem in told(text)}
    if field == "after":
        assert ("empty-after" in problems) is not matches
        return
    notices = [notice for notice in loaded(text).unmatched if written.strip() in notice]
    assert bool(notices) is not matches
