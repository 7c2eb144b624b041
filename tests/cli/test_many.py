"""Screens of a fleet: what is many is counted, never listed."""

from __future__ import annotations

from typing import Any

import pytest
from click.testing import CliRunner

from setpoint.cli.main import app
from setpoint.cli.session import Session

FLEET = [f"saas/web@t{number}" for number in range(484)]
RELEASE = {
    "number": 7,
    "kind": "version",
    "services": {"web": "2.0"},
    "author": "ann",
    "at": 1_800_000_000_000,
    "instances": len(FLEET),
    "good_in": FLEET[:451],
    "vetoed_in": FLEET[480:],
}


def printed(monkeypatch: pytest.MonkeyPatch, result: dict[str, Any], *words: str) -> str:
    monkeypatch.setattr(Session, "query", lambda *_: result)
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.parametrize(
    ("good", "failed", "shown"),
    [
        (FLEET[:451], FLEET[480:], "451 of 484 · failed in web@t480, web@t481, web@t482, web@t483"),
        (FLEET[:2], [], "web@t0, web@t1"),
        ([], FLEET[:9], "failed in 9"),
        ([], [], "–"),
    ],
)
def test_a_release_counts_where_it_is_good(
    monkeypatch: pytest.MonkeyPatch, good: list[str], failed: list[str], shown: str
) -> None:
    page = printed(monkeypatch, {"releases": [{**RELEASE, "good_in": good, "vetoed_in": failed}]}, "releases")
    assert " ".join(page.split()).endswith(f" {shown}")
    assert len(page.splitlines()) < 8


def test_the_timeline_draws_a_group_as_one_row(monkeypatch: pytest.MonkeyPatch) -> None:
    def span(kind: str, version: str, begins: int, ends: int | None, outcome: str = "") -> dict[str, Any]:
        more = {"release": 1, "configuration": 0, "attempt": 1, "text": "", "outcome": outcome}
        return {"kind": kind, "version": version, "begins": begins, "ends": ends, **more}

    lanes = [
        {
            "instance": one,
            "spans": [span("running", "1.0", 0, 50), span("deploying", "2.0", 40, 50), span("running", "2.0", 50, None)],
        }
        for one in FLEET
    ]
    lanes[3]["spans"] = [span("running", "1.0", 0, None), span("deploying", "2.0", 40, 75, "failed")]
    lanes.append({"instance": "saas/web@staging", "spans": [span("running", "2.0", 0, None)]})
    timeline = {"begins": 0, "ends": 100, "lanes": lanes, "groups": {"tenants": [f"t{number}" for number in range(484)]}}
    page = printed(monkeypatch, timeline, "timeline").splitlines()
    assert len(page) == 7
    assert page[1].startswith("web@tenants ×484")
    assert "▒" in page[1]
    assert "✗" in page[1]
    assert page[2].split("─")[0].strip() == "1.0"
    assert "2.0─" in page[2]
    assert page[3].startswith("web@staging")
    assert page[6].startswith("×N")
