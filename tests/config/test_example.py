"""Example 6.1 of the design, whole: shared production, a quarterly customer, a mirror."""

from __future__ import annotations

from pathlib import Path

import pytest

from setpoint.config.compile import CompiledConfiguration, load
from setpoint.model.calendars.calendar import Calendar, Window
from setpoint.model.policy import Accepts, Cadence, Ordering, Phase, Strategy
from setpoint.model.time import DAY, MINUTE

EXAMPLE = Path(__file__).parent / "example"


@pytest.fixture(scope="module")
def saas() -> CompiledConfiguration:
    return load(EXAMPLE)


def test_every_channel_has_an_instance_of_the_service(saas: CompiledConfiguration) -> None:
    assert saas.organization == "acme-software"
    assert saas.applications == ["saas"]
    assert saas.services("saas") == ["web"]
    assert saas.instances("saas") == ["saas/web@staging", "saas/web@production", "saas/web@acme", "saas/web@globex"]
    assert [(c.name, c.after, c.strategy, c.mirror) for c in saas.channels("saas")] == [
        ("staging", (), "newest-ready", ""),
        ("production", ("staging",), "newest-ready", ""),
        ("acme", ("production",), "newest-ready", ""),
        ("globex", (), "mirror", "production"),
    ]
    assert [c.timezone for c in saas.channels("saas")] == ["Europe/Berlin", "Europe/Berlin", "America/New_York", "Europe/Berlin"]


def test_production_comes_after_staging(saas: CompiledConfiguration) -> None:
    assert saas.policy("saas/web@staging").orderings == ()
    (ordering,) = saas.policy("saas/web@production").orderings
    assert ordering == Ordering("after-staging", ("saas/web@staging",), ("staging",))


def test_every_channel_but_staging_asks_a_release_manager_for_itself(saas: CompiledConfiguration) -> None:
    asked = {name: [a.topic for a in saas.policy(name).approvals] for name in saas.instances("saas")}
    assert asked == {
        "saas/web@staging": [],
        "saas/web@production": ["release-manager"],
        "saas/web@acme": ["release-manager", "customer"],
        "saas/web@globex": ["release-manager"],
    }
    manager, customer = saas.policy("saas/web@acme").approvals
    assert (manager.subject, manager.approvers, manager.when) == ("channel:saas/acme", ("group:release-managers",), None)
    assert (customer.approvers, customer.expires) == (("email:ops@acme.example",), 14 * DAY)


def test_alerts_are_asked_before_and_after_with_the_arguments_of_the_organization(saas: CompiledConfiguration) -> None:
    uses = [use for use in saas.policy("saas/web@staging").checks if use.name == "alerts-not-firing"]
    assert [(use.phase, use.window) for use in uses] == [(Phase.PRE_DEPLOYMENT, 0), (Phase.POST_DEPLOYMENT, 10 * MINUTE)]
    assert uses[0].check == uses[1].check
    assert uses[0].check.subject == "channel:saas/staging"
    assert uses[0].check.options == {"url": "http://alertmanager:9093", "matchers": {"channel": "staging"}}
    in_production = saas.policy("saas/web@production").checks
    assert [(use.phase, use.window) for use in in_production] == [(Phase.PRE_DEPLOYMENT, 0), (Phase.POST_DEPLOYMENT, 30 * MINUTE)]


def test_the_migration_check_belongs_to_the_attempt_because_it_asks_for_the_version(saas: CompiledConfiguration) -> None:
    (use,) = [use for use in saas.policy("saas/web@staging").checks if use.name == "web-migrated"]
    assert use.check.subject == "attempt:saas/web@staging"
    assert use.check.options == {"command": ["./check-migrations", "staging", "${version}"], "directory": "."}
    assert use.check.paths == ("directory",)
    assert list(saas.trees.shown(use.check.tree)) == ["check-migrations"]
    assert use.check.env == {
        "SETPOINT_APPLICATION": "saas",
        "SETPOINT_CHANNEL": "staging",
        "SETPOINT_SERVICE": "web",
        "SETPOINT_RUNTIME": "local",
    }


def test_acme_takes_majors_in_the_first_two_weeks_of_a_quarter_of_its_own_time(saas: CompiledConfiguration) -> None:
    policy = saas.policy("saas/web@acme")
    assert policy.accepts == Accepts(min_step="major")
    window = Window(every="quarter", length=(14, 0))
    assert policy.cadence == Cadence(Calendar("cadence", (window,)), "America/New_York", 1)


def test_globex_mirrors_production(saas: CompiledConfiguration) -> None:
    policy = saas.policy("saas/web@globex")
    assert (policy.strategy, policy.mirror) == (Strategy.MIRROR, "saas/web@production")


def test_production_runs_more_replicas_of_the_same_version(saas: CompiledConfiguration) -> None:
    staging = saas.compile("saas/web@staging", "1.0.0", {})
    production = saas.compile("saas/web@production", "1.0.0", {})
    assert staging.workload.options["command"] == ["python", "app.py", "--version", "1.0.0"]
    assert (staging.workload.options["replicas"], production.workload.options["replicas"]) == (2, 4)
    assert staging.version == production.version
    assert staging.digest != production.digest
    assert list(staging.files) == ["app.py"]
    assert saas.file_bytes(staging) == {staging.files["app.py"]: (EXAMPLE / "app.py").read_bytes()}
    assert saas.needs_release("saas", "web")


def test_every_value_knows_where_it_came_from(saas: CompiledConfiguration) -> None:
    origins = saas.origins("saas/web@production")
    lines = (EXAMPLE / "saas.setpoint.yaml").read_text().splitlines()
    line = next(number for number, text in enumerate(lines, 1) if "perChannel" in text)
    assert origins["process.replicas"] == f"saas.setpoint.yaml:{line}"
    assert origins["process.command[0]"] == f"saas.setpoint.yaml:{line - 1}"
    assert origins["channel.after"].startswith("saas.setpoint.yaml:")
