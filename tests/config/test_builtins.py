"""From ``with`` of a built-in to what its adapter gets: defaults, characters, paths, subjects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from setpoint.config.compile import CompiledConfiguration
from setpoint.model.checks import CheckDefinition
from setpoint.model.grammars.lookup import resolve
from setpoint.model.policy import Phase

Configure = Callable[..., CompiledConfiguration]


@pytest.fixture
def compiled(configure: Configure) -> Callable[..., CheckDefinition]:
    """The check that one entry of ``protections`` of the shop's service comes to."""

    def make(entry: str, organization: str = "") -> CheckDefinition:
        text = f"""
kind: Application
name: shop
channels: [{{name: staging}}]
---
kind: Service
application: shop
name: web
process: {{command: [server, "${{version}}"]}}
protections: [{entry}]
{organization}"""
        uses = configure(text).policy("shop/web@staging").checks
        assert uses[0].phase is Phase.PRE_DEPLOYMENT
        return uses[0].check

    return make


Compiled = Callable[..., CheckDefinition]


def test_a_version_policy_is_about_the_version_of_the_attempt(compiled: Compiled) -> None:
    check = compiled("{use: version-policy, with: {atLeast: 1.4.0}}")
    assert (check.use, check.subject) == ("version-policy", "attempt:shop/web@staging")
    assert resolve(check.options, {"version": "1.3.9"}) == {"compare": "1.3.9", "atLeast": "1.4.0"}


def test_a_version_policy_may_compare_something_that_no_attempt_changes(compiled: Compiled) -> None:
    check = compiled("{use: version-policy, with: {compare: 2.0.0, range: ^1}}")
    assert check.subject == "instance:shop/web@staging"


def test_a_commit_is_denied_by_where_the_release_is_from(compiled: Compiled) -> None:
    check = compiled("{use: commit-denied, with: {commits: [4f2e91c0]}}")
    assert check.subject == "attempt:shop/web@staging"
    assert resolve(check.options, {"source": {"commit": "abc"}}) == {"commit": "abc", "commits": ["4f2e91c0"]}


def test_the_defaults_of_a_built_in_give_way_to_the_organizations(compiled: Compiled) -> None:
    organization = '---\nkind: Organization\nname: acme\ndefaults: {version-policy: {compare: "${good:-0.0.0}", range: "*"}}\n'
    assert compiled("version-policy", organization).options == {"compare": "${good:-0.0.0}", "range": "*"}


@pytest.mark.parametrize(
    ("entry", "argument", "value"),
    [
        ("{use: version-policy, with: {range: 1.10}}", "range", "1.10"),
        ("{use: version-policy, with: {compare: 007, range: '*'}}", "compare", "007"),
        ("{use: commit-denied, with: {commits: [0012345, 12e4567]}}", "commits", ["0012345", "12e4567"]),
        ("{use: commit-denied, with: {commits: 1234567}}", "commits", ["1234567"]),
        ("{use: alerts-not-firing, with: {url: 'http://a', matchers: {version: 1.10}}}", "matchers", {"version": "1.10"}),
        ("{use: http-probe, with: {url: 'http://a', body: 1.0, status: 204}}", "body", "1.0"),
    ],
)
def test_where_text_is_expected_the_characters_count(compiled: Compiled, entry: str, argument: str, value: Any) -> None:
    assert compiled(entry).options[argument] == value


def test_numbers_flags_and_windows_arrive_as_what_they_are(compiled: Compiled) -> None:
    query = compiled("{use: prometheus-query, with: {url: 'http://p', query: up, max: 0.01}}")
    assert query.options == {"url": "http://p", "query": "up", "max": 0.01}
    image = compiled("{use: image-exists, with: {image: 'shop/web:${version}', plainHttp: true}}")
    assert (image.options["plainHttp"], image.subject) == (True, "attempt:shop/web@staging")
    windows = "[{long: 1h, short: 5m, burn: 10}]"
    budget = f"{{use: slo-burn, with: {{url: 'http://p', objective: 99.9%, errors: e, total: t, windows: {windows}}}}}"
    assert compiled(budget).options["windows"] == [{"long": "1h", "short": "5m", "burn": 10}]


def test_a_pair_of_windows_may_be_written_as_itself(compiled: Compiled) -> None:
    windows = "{long: 1h, short: 5m, burn: 10}"
    budget = f"{{use: slo-burn, with: {{url: 'http://p', objective: 99.9%, errors: e, total: t, windows: {windows}}}}}"
    assert compiled(budget).options["windows"] == [{"long": "1h", "short": "5m", "burn": 10}]


def test_the_directory_of_a_clone_is_relative_to_the_document(compiled: Compiled) -> None:
    check = compiled("{use: commit-denied, with: {commits: 4f2e91c0, directory: source}}")
    assert check.options["directory"] == "/srv/config/source"
    check = compiled("{use: commit-denied, with: {commits: 4f2e91c0, directory: /srv/clones/shop}}")
    assert check.options["directory"] == "/srv/clones/shop"
