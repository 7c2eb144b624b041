"""Examples of the design, whole: regions in sequence, tenants in waves, rules from outside, clusters that move as one."""

from __future__ import annotations

from pathlib import Path

import pytest

from setpoint.config.compile import CompiledConfiguration, check, load
from setpoint.model.policy import GroupWaves, Strategy, Wave
from setpoint.model.time import DAY, HOUR

DESIGN = Path(__file__).parent / "design"
EXAMPLES = sorted(path.name for path in DESIGN.iterdir())


@pytest.mark.parametrize("name", EXAMPLES)
def test_nothing_of_an_example_is_refused(name: str) -> None:
    assert check(DESIGN / name) == []


def loaded(name: str) -> CompiledConfiguration:
    return load(DESIGN / name)


def test_regions_go_in_sequence_each_in_office_hours_of_its_own() -> None:
    regions = loaded("regions")
    members = tuple(f"production-{name}" for name in ("sydney", "dublin", "oregon"))
    assert regions.members("shop") == {"production": members}
    waves = tuple(Wave((name,), 4 * HOUR if number < 2 else 0) for number, name in enumerate(members))
    assert regions.groups == {"shop/production": GroupWaves("shop/production", waves, "1")}
    policies = [regions.policy(f"shop/api@{name}") for name in members]
    assert [policy.calendars[0].timezone for policy in policies] == ["Australia/Sydney", "Europe/Dublin", "America/Los_Angeles"]
    soaked, proven = policies[0].orderings
    assert (soaked.name, soaked.soak, soaked.when and soaked.when.text) == ("soaked", 24 * HOUR, "!urgent")
    assert (proven.name, proven.soak, proven.when) == ("proven", 0, None)
    assert {approval.subject for policy in policies for approval in policy.approvals} == {"group:shop/production"}
    assert {use.name for use in policies[0].checks} == {"error-rate"}


def test_tenants_go_in_waves_and_may_opt_out() -> None:
    tenants = loaded("tenants")
    initech, hooli, globex, umbrella = (
        tenants.policy(f"saas/web@tenants-{name}") for name in ("initech", "hooli", "globex", "umbrella")
    )
    (group,) = tenants.groups.values()
    assert [wave.channels for wave in group.waves] == [
        ("tenants-initech",),
        ("tenants-hooli",),
        ("tenants-globex", "tenants-umbrella"),
    ]
    assert [(wave.soak, wave.need) for wave in group.waves] == [(DAY, "100%"), (12 * HOUR, "100%"), (0, "95%")]
    assert group.max_failures == "3"
    assert [(use.unit, use.limit) for use in initech.limits] == [("group:saas/tenants", 10)]
    assert hooli.strategy is Strategy.MANUAL
    assert globex.cadence is not None
    assert umbrella.approvals[0].approvers == ("email:ops@umbrella.example",)
    assert initech.orderings[0].soak == 2 * DAY


def test_rules_from_outside_gate_production_and_nothing_else() -> None:
    rules = loaded("rules")
    staging, production, lab = (rules.policy(f"shop/web@{name}") for name in ("staging", "production", "lab"))
    assert [use.name for use in production.calendars] == ["black-friday"]
    assert production.calendars[0].override == ("group:on-call",)
    assert [(use.name, use.override) for use in production.checks] == [("image-signed", ())]
    assert [use.subject for use in production.approvals] == ["channel:shop/production"]
    assert (staging.checks, lab.checks, lab.calendars) == ((), (), ())


def test_every_labelled_cluster_is_a_channel_and_they_move_as_one() -> None:
    clusters = loaded("clusters")
    assert clusters.members("shop") == {"production-web": ("production-web-prod-east", "production-web-prod-west")}
    assert clusters.together("shop") == {
        "shop/web@production-web": ("shop/web@production-web-prod-east", "shop/web@production-web-prod-west")
    }
    east = clusters.policy("shop/web@production-web-prod-east")
    assert east.orderings[0].instances == ("shop/web@staging-eu", "shop/web@staging-us")
    assert [(use.name, use.unit, use.limit) for use in east.limits] == [("limit-runtime", "runtime:prod-east", 5)]
    assert {use.phase for use in east.checks} == {"pre-deployment", "deployment"}
