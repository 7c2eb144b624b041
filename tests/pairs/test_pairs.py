"""No two features of the configuration language are never used together: a sample here, all of them by ``make pairs``."""

from __future__ import annotations

import re
from random import Random

import pytest
from tests.pairs.drawing import LIST, Matrix, configured, refusal, text_of
from tests.pairs.features import FEATURES, Feature
from tests.pairs.fields import known, used
from tests.pairs.running import run_configuration

from setpoint.config.compile import CompiledConfiguration

SAYS_NOTHING = r"\w+\.(api_version|kind|name|description|labels|links)"
"""Of a document, about deployments."""
ADAPTERS = (
    r"(Process|Health|Container|Containers|Kubernetes|KubernetesCluster|Helm|Terraform|TerraformRunner|Custom|CustomRuntime|Fake)\..*",
    r"Service\.(process|container|kubernetes|helm|terraform|ecs|cloud_run|lambda_|nomad|systemd|static|custom)",
    r"Runtime\.(local|containers|kubernetes|terraform|aws|gcp|nomad|ssh|object_storage|custom)",
    r"Program\.(directory|user)",
)
"""What runs, where: adapters have tests of their own against the real thing; here everything runs on the fake one."""
DECLARED = (r"Notification\.on=.*", r"Role\.may=.*", r"\w*Parameter\.type=.*")
"""Words of one list that the same code reads."""
ELSEWHERE = {"ChannelFields": "Channel", "Cadence": "Window"}
"""Fields of a channel in place are those of a Channel, a cadence's those of a window."""


def exempt(field: str) -> bool:
    return any(re.fullmatch(pattern, field) for pattern in (SAYS_NOTHING, *ADAPTERS, *DECLARED))


def test_every_field_and_word_of_the_schema_is_in_some_drawn_configuration() -> None:
    drawn = set().union(*(used(text_of([one]), list=LIST) for one in FEATURES))
    missing = {field for field in known() - drawn if not exempt(field)}
    for field in list(missing):
        model, _, name = field.partition(".")
        if model in ELSEWHERE and f"{ELSEWHERE[model]}.{name}" in drawn:
            missing.discard(field)
    assert sorted(missing) == [], "add a feature for it to tests/pairs/features.py"


def shape(configuration: CompiledConfiguration) -> object:
    """Everything that a configuration comes to."""
    names = configuration.all_instances
    return (
        {name: configuration.policy(name) for name in names},
        {name: (configuration.template(name), configuration.floor(name), configuration.on_remove(name)) for name in names},
        (configuration.groups, configuration.invariants, configuration.runtimes, configuration.together("shop")),
        (configuration.channels("shop"), configuration.on_config_change("shop"), configuration.notices),
    )


DEFAULTS = frozenset({"newest-ready", "ready", "release", "heal", "keep", "empty", "services", "select"})
"""Names of features that set a default."""


@pytest.mark.parametrize("one", FEATURES, ids=str)
def test_each_feature_has_an_effect_or_is_refused_with_a_reason(one: Feature) -> None:
    why = refusal(frozenset((one,)))
    if why:
        assert why.startswith("not in this version: "), why
    elif one.name not in DEFAULTS:
        without = {name: fields for name, fields in one.patch.items() if "kind" not in fields}
        assert shape(configured([one])) != shape(configured([])) or not without


@pytest.mark.parametrize("seed", [1, 2])
def test_a_sample_is_applied_released_failed_once_and_rolled_back_once(seed: int) -> None:
    standing = [one for one in FEATURES if not refusal(frozenset((one,)))]
    matrix = Matrix().draw(Random(seed).sample(standing, 16), most=1)
    (chosen,) = matrix.drawn
    assert len(chosen) >= 8
    outcome = run_configuration(configured(chosen))
    assert outcome.failed
    assert outcome.reasons


def test_a_pair_that_cannot_stand_together_is_refused_with_its_text() -> None:
    by_name = {str(one): one for one in FEATURES}
    matrix = Matrix().draw([by_name["waves: size"], by_name["group together: together"], by_name["waves: select"]])
    lines = list(matrix.lines())
    assert any("together-in-waves: the channels of this group move as one" in line for line in lines)
    assert any("two values of one field: waves" in line for line in lines)
    assert matrix.drawn == []
