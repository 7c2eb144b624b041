"""What a configuration says shall run, and what makes it another version."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from setpoint.config.compile import CompiledConfiguration, CompileError
from setpoint.config.instances.parameters import ParameterError
from setpoint.config.problems import ConfigurationProblem
from setpoint.model.spec import Source, digest

Configure = Callable[..., CompiledConfiguration]
Mistakes = Callable[[str], list[ConfigurationProblem]]
PARAMETERS = """parameters:
  colour: {values: [red, blue], default: red}
  size: {type: int, default: 3}
  debug: {type: bool}
  ticket: {required: true, pattern: "[A-Z]+-[0-9]+", carry: false}
  where: {default: "${channel.name}"}
"""


def test_release_values_are_put_where_they_are_looked_up(configure: Configure, shop: str) -> None:
    text = shop.replace('"${version}"]', '"${version}", "${params.size}", "${source.commit:-none}"], replicas: "${params.size}"')
    configuration = configure(text + 'parameters: {size: {type: int, required: true}}\nenv: {WHO: "${source.author}"}')
    spec = configuration.compile("shop/web@staging", "1.2", {"size": 3}, Source(author="anna"))
    assert spec.workload.options["command"] == ["server", "1.2", "3", "none"]
    assert spec.workload.options["replicas"] == 3
    assert spec.env == {"WHO": "anna"}
    assert spec.parameters == {"size": 3}
    assert spec.version.parameters == digest({"size": 3})
    assert spec == spec.sealed()


def test_trusted_proxies_are_part_of_a_spec_that_has_some(configure: Configure, shop: str) -> None:
    text = shop.replace('"${version}"]', '"${version}"], trustedProxies: [127.0.0.2, 10.0.0.0/8]')
    options = configure(text).compile("shop/web@staging", "1", {}).workload.options
    assert options["trustedProxies"] == ["127.0.0.2", "10.0.0.0/8"]
    assert "trustedProxies" not in configure(shop).compile("shop/web@staging", "1", {}).workload.options


def test_the_same_release_compiles_to_the_same_spec(configure: Configure, shop: str) -> None:
    first, second = (configure(shop).compile("shop/web@staging", "1", {}) for _ in range(2))
    assert first == second
    assert first.digest != configure(shop).compile("shop/web@staging", "2", {}).digest


def test_a_value_that_does_not_fit_is_refused_when_the_release_is_made(configure: Configure, shop: str) -> None:
    text = shop.replace('"${version}"]', '"${version}"], replicas: "${params.size}", port: "${params.port}"')
    configuration = configure(text + "parameters: {size: {required: true}, port: {type: int, default: 80}}")
    with pytest.raises(CompileError, match='shop/web@staging: replicas must be a whole number, not "many"'):
        configuration.compile("shop/web@staging", "1", {"size": "many", "port": 80})
    with pytest.raises(CompileError, match="port is 99999"):
        configuration.compile("shop/web@staging", "1", {"size": "1", "port": 99999})
    with pytest.raises(CompileError, match="is not configured"):
        configuration.compile("shop/web@nowhere", "1", {})


def test_parameters_are_given_carried_over_or_default(configure: Configure, shop: str) -> None:
    configuration = configure(shop + PARAMETERS)
    resolve = configuration.resolve_parameters
    assert resolve("shop", "web", "staging", {"ticket": "A-1"}, {}) == {
        "colour": "red",
        "size": 3,
        "ticket": "A-1",
        "where": "staging",
    }
    carried = {"colour": "blue", "size": 7, "ticket": "B-2", "gone": "x"}
    given = {"ticket": "A-1", "size": "8", "debug": "true"}
    assert resolve("shop", "web", "production", given, carried) == {
        "colour": "blue",
        "size": 8,
        "debug": True,
        "ticket": "A-1",
        "where": "production",
    }


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({}, '"ticket" is required'),
        ({"ticket": "a-1"}, "must match"),
        ({"ticket": "A-1", "colour": "green"}, 'may not be "green": There is: blue, red.'),
        ({"ticket": "A-1", "size": "big"}, "must be a whole number"),
        ({"ticket": "A-1", "debug": "yes"}, "must be true or false"),
        ({"ticket": "A-1", "color": "red"}, 'Did you mean "colour"?'),
        ({"ticket": ["A-1"]}, "one value"),
    ],
)
def test_a_parameter_that_is_not_allowed_is_told_in_a_sentence(
    configure: Configure, shop: str, given: dict[str, object], sentence: str
) -> None:
    with pytest.raises(ParameterError) as error:
        configure(shop + PARAMETERS).resolve_parameters("shop", "web", "staging", given, {})
    assert sentence in str(error.value)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"${version}"]', '"${version}", --new]'),
        ('"${version}"]', '"${version}"], replicas: 2'),
        ("name: web", "name: web\nenv: {A: b}"),
        ("name: web", "name: web\nrollout: {maxSurge: 2}"),
        ("name: web", "name: web\nparameters: {a: {default: b}}"),
        ("name: web", "name: web\nperChannel: {staging: {env: {A: b}}}"),
        ("{name: staging}", "{name: staging, env: {A: b}}"),
    ],
)
def test_what_runs_makes_another_revision(configure: Configure, shop: str, old: str, new: str) -> None:
    assert configure(shop).revision("shop", "web") != configure(shop.replace(old, new)).revision("shop", "web")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("name: web", "name: web\nprotections: [always]"),
        ("name: web", "name: web\nconstants: {unused: 1}\ndescription: a\nprogressDeadline: 1h\ndrift: {mode: report}"),
        ("after: staging", "after: {channels: staging, soak: 1h}, approvals: {topic: go}, calendars: {open: {days: mon}}"),
        ("kind: Service", "kind: Service\napplication: shop\nname: other\nprocess: {command: [x]}\n---\nkind: Service"),
        ("name: shop", "name: shop\ntimezone: Asia/Tokyo\nlabels: {a: b}"),
    ],
)
def test_policy_and_other_services_do_not(configure: Configure, shop: str, old: str, new: str) -> None:
    assert configure(shop).revision("shop", "web") == configure(shop.replace(old, new, 1)).revision("shop", "web")


def test_a_service_that_asks_for_neither_version_nor_parameters_needs_no_release(configure: Configure, shop: str) -> None:
    assert configure(shop).needs_release("shop", "web")
    fixed = shop.replace('"${version}"', '"${channel.name}"')
    assert not configure(fixed).needs_release("shop", "web")
    assert configure(fixed + 'parameters: {a: {default: b}}\nperChannel: {production: {env: {A: "${params.a}"}}}').needs_release(
        "shop", "web"
    )


def test_services_exist_where_channels_and_selectors_say(configure: Configure, shop: str) -> None:
    text = shop.replace("{name: staging}", "{name: staging, labels: {env: test}}, {name: lab, services: []}")
    text = text.replace("after: staging", "after: {channels: staging, allowEmpty: true}")
    assert configure(text + "select: env!=test").instances("shop") == ["shop/web@production"]


def test_a_custom_runtime_gets_its_commands_and_checked_arguments(configure: Configure, mistakes: Mistakes) -> None:
    text = """
kind: Runtime
name: cluster
labels: {env: production}
custom:
  fetch: [bin/fetch, "${with.cluster}"]
  apply: [deployer, "${with.cluster}", "${version}"]
  structured: true
  parameters: {cluster: {required: true}, size: {type: int, default: 2}}
---
kind: Application
name: shop
channels: {name: staging, runtime: cluster}
---
kind: Service
application: shop
name: web
custom: {with: {cluster: "${channel.name}-1"}}
"""
    configuration = configure(text, bin__fetch="#!/bin/sh")
    runtime = configuration.runtimes["cluster"]
    assert (runtime.kind, runtime.labels) == ("custom", {"env": "production"})
    assert runtime.options["fetch"] == ["bin/fetch", "${with.cluster}"]
    assert runtime.options["directory"] == "."
    assert list(configuration.trees.shown(runtime.tree)) == ["bin/fetch"]
    mutable = configure(text.replace("custom:\n", "custom:\n  mutable: true\n", 1), bin__fetch="#!/bin/sh").runtimes["cluster"]
    assert mutable.options["fetch"] == ["/srv/config/bin/fetch", "${with.cluster}"]
    assert (mutable.options["directory"], mutable.tree) == ("/srv/config", "")
    assert configuration.compile("shop/web@staging", "1", {}).workload.options == {"with": {"cluster": "staging-1", "size": 2}}
    assert not configuration.needs_release("shop", "web")
    assert [problem.code for problem in mistakes(text)] == ["missing-file"]
    known = text.replace("bin/fetch", "fetcher")
    assert [problem.code for problem in mistakes(known.replace("with: {cluster: ", "with: {clutser: "))] == ["bad-value"]
    stray = known.replace("deployer, ", "deployer, '${with.other}', ")
    assert [problem.code for problem in mistakes(stray)] == ["missing-lookup"]


def test_a_rehearsal_may_be_told_by_the_release_how_to_end(configure: Configure) -> None:
    text = """
kind: Runtime
name: rehearsal
fake: {}
---
kind: Application
name: shop
channels: {name: staging, runtime: rehearsal}
---
kind: Service
application: shop
name: web
parameters: {becomes: {default: healthy}}
fake: {becomes: "${params.becomes}", takes: 3s, replicas: 2}
"""
    spec = configure(text).compile("shop/web@staging", "1", {"becomes": "failing"})
    assert spec.workload.options == {"becomes": "failing", "takes": 3000, "replicas": 2}
    assert spec.runtime == "rehearsal"


def test_the_local_runtime_exists_by_itself(configure: Configure, shop: str) -> None:
    assert configure(shop).runtimes["local"].kind == "process"
    assert configure(shop).organization == ""


def test_unknown_zones_are_those_unknown_to_the_data_that_come_with_setpoint(mistakes: Mistakes, shop: str) -> None:
    assert mistakes(shop.replace("name: shop", "name: shop\ntimezone: Asia/Kathmandu", 1)) == []
    (problem,) = mistakes(shop.replace("name: shop", "name: shop\ntimezone: kathmandu", 1))
    assert problem.hint == 'Did you mean "Asia/Kathmandu"?'
