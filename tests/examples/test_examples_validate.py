"""The examples are right, and what the docs show as configuration is too."""

from __future__ import annotations

from pathlib import Path

import pytest

from setpoint.config.compile import check, load
from setpoint.model.policy import Strategy

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted(path.parent for path in (ROOT / "examples").glob("*/setpoint.yaml"))


def read(name: str) -> Path:
    return ROOT / "examples" / name


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_has_no_mistake(example):
    assert check(example) == []


def test_the_quickstart_goes_from_staging_to_production_with_an_approval():
    configuration = load(read("quickstart"))
    staging, production = (configuration.policy(f"guestbook/web@{channel}") for channel in ("staging", "production"))
    assert [ordering.channels for ordering in production.orderings] == [("staging",)]
    assert [approval.approvers for approval in production.approvals] == [("group:release-managers",)]
    assert (staging.approvals, staging.orderings) == ((), ())
    for policy in (staging, production):
        assert {use.name for use in policy.checks} == {"db-migrated", "alerts-not-firing"}


def test_the_saas_example_is_the_hard_case():
    configuration = load(read("saas"))
    policies = {name.rpartition("@")[2]: configuration.policy(name) for name in configuration.all_instances}
    assert set(policies) == {"staging", "production", "acme", "globex"}
    assert [approval.topic for approval in policies["acme"].approvals] == ["release-manager", "customer"]
    assert policies["staging"].approvals == ()
    assert policies["acme"].timezone == "America/New_York"
    assert policies["acme"].cadence is not None
    assert policies["globex"].strategy is Strategy.MIRROR
    assert configuration.compile("saas/web@production", "1.0.0", {}).workload.options["replicas"] == 4
    assert configuration.compile("saas/web@acme", "1.0.0", {}).workload.options["replicas"] == 2
