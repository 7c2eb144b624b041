"""Examples of the design, whole: a bank whose migrations come first, and infrastructure before what runs on it."""

from __future__ import annotations

from pathlib import Path

from setpoint.config.compile import load
from setpoint.model.time import DAY

DESIGN = Path(__file__).parent / "design"


def test_a_bank_migrates_first_moves_two_services_as_one_and_cuts_over_by_hand() -> None:
    bank = load(DESIGN / "bank")
    production, staging = (bank.policy(f"bank/ledger@{channel}") for channel in ("production", "staging"))
    assert [(task.name, task.phase) for task in production.tasks] == [("migrate", "pre-deployment")]
    assert production.tasks[0].task.options["secrets"] == {"DATABASE_URL": {"secret": "production/ledger-db"}}
    assert [(step.traffic, [use.topic for use in step.approvals]) for step in production.steps] == [(0, ["cut-over"])]
    assert staging.steps == ()
    assert bank.not_below("bank/ledger@production", "3.2.0", {"oldestCompatible": "3.0.0"}) == "3.0.0"
    assert bank.together("bank")["bank/ledger+ledger-worker@production"] == (
        "bank/ledger@production",
        "bank/ledger-worker@production",
    )
    (after,) = bank.policy("bank/portal@production").services
    assert (after.instance, after.range) == ("bank/ledger@production", ">=3.2")
    assert production.orderings[0].soak == DAY
    assert [refusal.partition(" are needed")[0] for refusal in bank.refusals] == [
        "the secrets staging/ledger-db",
        "the secrets production/ledger-db",
    ]


def test_infrastructure_comes_first_with_its_plan_on_a_runtime_of_its_own() -> None:
    photos = load(DESIGN / "photos")
    assert photos.policy("photos/infra@production").labels["runtime"] == "tf"
    assert photos.policy("photos/api@production").labels["runtime"] == "k8s-prod"
    assert [one.instance for one in photos.policy("photos/api@staging").services] == ["photos/infra@staging"]
    spec = photos.compile("photos/infra@staging", "1", {})
    assert spec.workload.options == {"directory": "terraform", "workspace": "staging", "variables": {"size": "small"}}
    assert list(spec.files) == ["terraform/main.tf"]
    assert photos.compile("photos/api@production", "1", {}).workload.options["kustomize"] == "overlays/production"
    assert photos.policy("photos/infra@production").approvals[0].expires == DAY
    assert photos.refusals == []
