"""Examples of the design at work: each gate that they declare says yes and no, on the fake runtime and in jumps of days."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.control.house import ADMIN
from tests.e2e.pretended import Days, moment, on_the_wall, pretended
from tests.support.eventually import eventually

from setpoint.control.errors import Forbidden
from setpoint.model.people import Person
from setpoint.model.time import DAY, HOUR, MINUTE, SECOND

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

DEV = Person("dev")
CALL = Person("cal", ("on-call",))
LEAD = Person("lea", ("leads",))
BOARD = Person("bea", ("change-board",))
CUSTOMER = Person("ops@umbrella.example")


# --- 6.2 regions

REGIONS = {"sydney": "Australia/Sydney", "dublin": "Europe/Dublin", "oregon": "America/Los_Angeles"}
SYDNEY, DUBLIN, OREGON = (f"api@production-{region}" for region in REGIONS)


async def test_regions_follow_one_another_each_in_its_own_office_hours_once_staging_has_soaked(tmp_path: Path) -> None:
    async with pretended(tmp_path, "regions", moment("2026-11-02 06:00"), "prometheus-query") as days:
        await _release(days, api="1.0")
        await days.finalizes("api@staging", "1.0")
        for region in REGIONS:
            closed = {"soaked": "soaks in staging for another", "office-hours": "is closed until"}
            await days.waits(f"api@production-{region}", closed)
        days.jump(over=DAY)
        await days.waits(SYDNEY, {"office-hours": "closed until Wed 2026-11-04 09:00 Australia/Sydney"})
        for region, zone in REGIONS.items():
            days.jump(to=moment("2026-11-04 09:00", zone))
            await days.begins(f"api@production-{region}")
            await days.finalizes(f"api@production-{region}", "1.0")
            if region == "sydney":
                await days.waits(DUBLIN, {"office-hours": "closed until Wed 2026-11-04 09:00 Europe/Dublin"})
                await days.waits(OREGON, {"wave": "wave 3 of production waits for wave 1, which soaks for another"})
        begun = [on_the_wall(await days.began(f"api@production-{region}", 1), zone) for region, zone in REGIONS.items()]
        assert begun == ["Wed 09:00"] * 3
        assert set(days.outside.asked) == {f"attempt:shop/{instance}" for instance in (SYDNEY, DUBLIN, OREGON)}


async def test_a_region_that_sees_errors_goes_back_and_no_other_begins_before_it_has_got_it_after_all(tmp_path: Path) -> None:
    async with pretended(tmp_path, "regions", moment("2026-11-02 06:00"), "prometheus-query") as days:
        await _release(days, api="1.0")
        await days.finalizes("api@staging", "1.0")
        days.jump(to=moment("2026-11-04 09:00", REGIONS["sydney"]))
        await days.finalizes(SYDNEY, "1.0")
        await _release(days, api="1.1")
        await days.finalizes("api@staging", "1.1")
        days.outside.no["@production-sydney"] = "2.1 % of requests fail"
        days.jump(to=moment("2026-11-09 09:00", REGIONS["sydney"]))
        row = await days.becomes(SYDNEY, "vetoed")
        assert "check `error-rate` failed: 2.1 % of requests fail" in row.reason.text
        assert (row.target.version, row.good.version) == ("1.0", "1.0")
        days.jump(to=moment("2026-11-09 09:00", REGIONS["dublin"]))
        await days.waits(DUBLIN, {"wave": "release 2 stopped in production: production-sydney failed"})
        await days.do("resume", ADMIN, target="production", why="the network of Sydney was at fault")
        await days.waits(DUBLIN, {"wave": "waits for wave 1: 0 of 1 finalized; production-sydney failed"})
        days.outside.no.clear()
        await days.do("retry", ADMIN, target=SYDNEY)
        days.jump(to=moment("2026-11-10 09:00", REGIONS["sydney"]))
        await days.finalizes(SYDNEY, "1.1")
        days.jump(to=moment("2026-11-10 09:00", REGIONS["dublin"]))
        await days.begins(DUBLIN)


async def test_a_hot_fix_skips_the_soak_and_office_hours_but_not_staging_and_two_people_let_it_go_for_all(tmp_path: Path) -> None:
    async with pretended(tmp_path, "regions", moment("2026-11-07 12:00"), "prometheus-query") as days:
        await _release(days, urgent=True, api="1.0.1")
        await days.waits(SYDNEY, {"proven": "staging has not finalized 1.0.1 yet", "hot-fix": "0 of 2 given"})
        await days.finalizes("api@staging", "1.0.1")
        with pytest.raises(Forbidden, match="hot-fix is for group:on-call or group:leads"):
            await days.do("approve", DEV, target="production")
        await days.do("approve", CALL, target=DUBLIN)
        await days.do("approve", CALL, target=OREGON)
        await days.waits(SYDNEY, {"hot-fix": "1 of 2 given"})
        await days.do("approve", LEAD, target=SYDNEY)
        for instance in (SYDNEY, DUBLIN, OREGON):
            await days.begins(instance)
            await days.finalizes(instance, "1.0.1")
            days.jump(over=4 * HOUR)
        begun = [await days.began(instance, 1) for instance in (SYDNEY, DUBLIN, OREGON)]
        assert on_the_wall(begun[0], "Australia/Sydney").startswith(("Sat", "Sun")), "on a weekend"
        assert begun[1] - begun[0] > 4 * HOUR, "it soaks in each wave all the same"
        assert begun[2] - begun[1] > 4 * HOUR


# --- 6.3 tenants


async def test_tenants_take_it_in_waves_unless_they_opted_out_and_when_they_said_they_would(tmp_path: Path) -> None:
    initech, hooli, globex, umbrella = (f"web@tenants-{name}" for name in ("initech", "hooli", "globex", "umbrella"))
    async with pretended(tmp_path, "tenants", moment("2026-09-01 12:00")) as days:
        await _release(days, web="1.0")
        await days.finalizes("web@production", "1.0")
        await days.waits(initech, {"after-production": "1.0 soaks in production for another"})
        days.jump(over=2 * DAY)
        await days.begins(initech)
        await days.finalizes(initech, "1.0")

        await days.waits(umbrella, {"customer": "waits for customer: approval by email:ops@umbrella.example"})
        with pytest.raises(Forbidden, match=r"customer is for email:ops@umbrella\.example"):
            await days.do("approve", ADMIN, target=umbrella)
        await days.do("approve", CUSTOMER, target=umbrella)
        await days.waits(umbrella, {"wave": "wave 3 of tenants waits for wave 1, which soaks for another"})
        days.jump(over=DAY)
        await days.begins(umbrella)
        await days.finalizes(umbrella, "1.0")

        await days.waits(globex, {"cadence": "outside the cadence's window"})
        days.jump(to=moment("2026-11-01 00:00"))
        await days.begins(globex)
        await days.finalizes(globex, "1.0")

        await days.waits(hooli, {"not-sent-here": "takes only what a person sends to it"})
        assert (await days.row(hooli)).target is None
        await days.do("promote", DEV, target="tenants-hooli")
        await days.finalizes(hooli, "1.0")


# --- 6.4 bank


async def test_a_bank_migrates_first_and_moves_ledger_and_worker_as_one_before_the_portal(tmp_path: Path) -> None:
    async with pretended(tmp_path, "bank", moment("2026-09-01 12:00")) as days:
        await _ledger(days, "3.1.0", oldest="0.0.0", portal="1.0")
        await days.waits("portal@staging", {"after-ledger": "ledger has not finalized 3.1.0 here yet"})
        for channel in ("staging", "production"):
            for service in ("ledger", "ledger-worker"):
                await days.finalizes(f"{service}@{channel}", "3.1.0")
            assert await days.began(f"ledger@{channel}", 1) == await days.began(f"ledger-worker@{channel}", 1)
            if channel == "staging":
                await days.waits("ledger@production", {"after-staging": "3.1.0 soaks in staging for another"})
                days.jump(over=DAY)
        await _migrated_before_it_moved(days)
        await days.waits("portal@staging", {"after-ledger": "ledger must run >=3.2 here, and 3.1.0 is not in it"})
        await _ledger(days, "3.2.0", oldest="3.1.0")
        await days.finalizes("portal@staging", "1.0")


async def test_a_schema_that_what_runs_cannot_use_is_refused_and_half_a_failure_takes_both_back(tmp_path: Path) -> None:
    async with pretended(tmp_path, "bank", moment("2026-09-01 12:00")) as days:
        await _ledger(days, "3.2.0", oldest="0.0.0")
        await days.finalizes("ledger@staging", "3.2.0")
        await _ledger(days, "4.0.0", oldest="3.9.0")
        refused = {"version-policy": "failed: 3.2.0 is older than 3.9.0", "migrate": "runs once everything else holds"}
        await days.waits("ledger@staging", refused)
        await days.waits("ledger-worker@staging", {"set-not-ready": "moves together with ledger: waits at version-policy"})
        await _ledger(days, "3.3.0", oldest="3.2.0", worker="failing")
        await days.becomes("ledger-worker@staging", "vetoed")
        row = await days.becomes("ledger@staging", "vetoed")
        assert "3.3.0 is vetoed here: its set goes back: ledger-worker" in row.reason.text
        assert row.target.version == row.good.version == "3.2.0"


async def test_a_ledger_is_not_taken_back_below_the_oldest_version_that_its_schema_works_with(tmp_path: Path) -> None:
    async with pretended(tmp_path, "bank", moment("2026-09-01 12:00")) as days:
        await _ledger(days, "3.2.0", oldest="0.0.0")
        await days.finalizes("ledger@staging", "3.2.0")
        await _ledger(days, "4.0.0", oldest="3.9.0", worker="failing")
        await days.do("skip", ADMIN, target="ledger@staging", gate="version-policy", why="it is read by nobody tonight")
        row = await days.becomes("ledger@staging", "failed")
        assert "not rolled back: 3.2.0 is older than 3.9.0, below which 4.0.0 must not be rolled back" in row.reason.text
        assert (row.target.version, row.attention) == ("4.0.0", "failed")


async def _ledger(days: Days, version: str, *, oldest: str, worker: str = "healthy", portal: str = "") -> None:
    services = {
        "ledger": {"version": version, "parameters": {"oldestCompatible": oldest}},
        "ledger-worker": {"version": version, "parameters": {"becomes": worker}},
        **({"portal": {"version": portal}} if portal else {}),
    }
    await days.do("release", DEV, services=services)


async def _migrated_before_it_moved(days: Days) -> None:
    events = (await days.ask("history", kinds=["task-succeeded", "target-moved"], limit=100)).events
    for channel in ("staging", "production"):
        mine = [event for event in reversed(events) if f"@{channel}" in event.entity]
        assert [event.kind for event in mine] == ["task-succeeded", "target-moved", "target-moved"]
        assert mine[0].text == "migrate succeeded"


# --- 6.5 rules


async def test_black_friday_closes_production_alone_and_only_somebody_on_call_may_open_it(tmp_path: Path) -> None:
    async with pretended(tmp_path, "rules", moment("2026-11-24 12:00"), "image-signed") as days:
        await _release(days, "staging", "production", web="1.0.0")
        await days.finalizes("web@production", "1.0.0")
        days.jump(to=moment("2026-11-26 00:00", "America/New_York"))
        await _release(days, "staging", "production", web="1.1.0")
        await days.finalizes("web@staging", "1.1.0")
        await days.do("release", DEV, services={"web": {"version": "1.1.0"}}, channels=["lab"])
        await days.finalizes("web@lab", "1.1.0")
        frozen = "closed until Tue 2026-12-01 00:00 America/New_York (Thanksgiving to Cyber Monday)"
        days.jump(over=DAY)
        await days.waits("web@production", {"black-friday": frozen, "image-signed": "runs again once every other gate passes"})
        with pytest.raises(Forbidden, match="only group:on-call may"):
            await days.do("skip", ADMIN, target="web@production", gate="black-friday", why="I want it now")
        await days.do("skip", CALL, target="web@production", gate="black-friday", why="the shop is down")
        await days.finalizes("web@production", "1.1.0")
        await _release(days, "staging", "production", web="1.2.0")
        await days.waits("web@production", {"after-staging": "staging has not finalized", "black-friday": frozen})
        days.jump(to=moment("2026-12-01 00:00", "America/New_York"))
        await days.finalizes("web@production", "1.2.0")
        assert (await days.ask("invariants")).invariants[0].holds


async def test_a_major_step_needs_the_change_board_and_nobody_gets_round_a_missing_signature(tmp_path: Path) -> None:
    async with pretended(tmp_path, "rules", moment("2026-09-01 12:00"), "image-signed") as days:
        await _release(days, "staging", "production", web="1.0.0")
        await days.finalizes("web@production", "1.0.0")
        days.outside.no["web@production"] = "no signature by cosign.pub"
        await _release(days, "staging", "production", web="2.0.0")
        await days.finalizes("web@staging", "2.0.0")
        await days.waits("web@production", {"change-board": "approval by group:change-board"})
        with pytest.raises(Forbidden, match="change-board is for group:change-board"):
            await days.do("approve", CALL, target="web@production")
        await days.do("approve", BOARD, target="web@production")
        await days.waits("web@production", {"image-signed": "failed: no signature by cosign.pub"})
        with pytest.raises(Forbidden, match="may not skip image-signed at web@production: no one may"):
            await days.do("skip", ADMIN, target="web@production", gate="image-signed", why="I know what I do")
        with pytest.raises(Forbidden, match="cal may not skip"):
            await days.do("skip", CALL, target="web@production", gate="*", why="I know what I do")
        days.outside.no.clear()
        await days.finalizes("web@production", "2.0.0")


async def test_what_nothing_keeps_behind_staging_breaks_the_invariant_and_stops_the_line(tmp_path: Path) -> None:
    async with pretended(tmp_path, "rules", moment("2026-09-01 12:00"), "image-signed") as days:
        await _release(days, web="1.0.0")
        await days.begins("web@lab")
        days.jump(over=10 * SECOND)
        broken = "invariant staged-first froze application shop: web@lab was brought to 1.0.0, which staging has not"
        await days.waits("web@production", {"after-staging": "staging has not finalized 1.0.0 yet", "frozen": broken})
        await days.finalizes("web@staging", "1.0.0")
        await days.waits("web@production", {"frozen": broken})
        await days.do("start-the-line", ADMIN, scope="shop", why="it is a lab")
        await days.finalizes("web@production", "1.0.0")


# --- 6.8 clusters

EAST, WEST = "web@production-web-prod-east", "web@production-web-prod-west"
FIVE_MORE = "\n---\n".join(
    f'kind: Service\napplication: shop\nname: s{number}\nfake: {{takes: 3m}}\nenv: {{VERSION: "${{version}}"}}\n'
    for number in range(1, 6)
)


async def test_both_clusters_move_or_neither_and_go_back_as_one(tmp_path: Path) -> None:
    async with pretended(tmp_path, "clusters", moment("2026-09-01 12:00"), "http-probe") as days:
        await _release(days, web="1.0")
        await days.waits(WEST, {"after-env-staging": "env=staging"})
        for instance in (EAST, WEST):
            await days.finalizes(instance, "1.0")
        days.outside.no["runtime:prod-east"] = "readyz answers 503"
        await _release(days, web="1.1")
        await days.finalizes("web@staging-us", "1.1")
        await days.waits(EAST, {"cluster-ok": "failed: readyz answers 503"})
        await days.waits(WEST, {"set-not-ready": f"moves together with {EAST}: waits at cluster-ok"})
        days.outside.no.clear()
        days.jump(over=2 * MINUTE)
        for instance in (EAST, WEST):
            await days.begins(instance)
        assert await days.began(EAST, 2) == await days.began(WEST, 2)
        days.outside.no["runtime:prod-east"] = "readyz answers 503"
        for instance in (EAST, WEST):
            row = await days.becomes(instance, "vetoed")
            assert "check `cluster-ok` failed: readyz answers 503" in row.reason.text
            assert row.target.version == row.good.version == "1.0"
        assert set(days.outside.asked) == {"runtime:prod-east"}


async def test_a_cluster_deploys_five_at_once_and_the_other_cluster_waits_with_it(tmp_path: Path) -> None:
    six: dict[str, Any] = dict.fromkeys(("web", "s1", "s2", "s3", "s4", "s5"), "1.0")
    async with pretended(tmp_path, "clusters", moment("2026-09-01 12:00"), "http-probe", more=FIVE_MORE) as days:
        await _release(days, "staging-eu", "staging-us", **six)
        for service in six:
            for channel in ("eu", "us"):
                await days.finalizes(f"{service}@staging-{channel}", "1.0")
        await _release(days, "production-web", **six)
        held_up = await eventually(lambda: _held_up_by_a_lease(days), 20, "there are not five that deploy and one that waits")
        for instance in held_up:
            await days.waits(instance, {"lease-taken": "runtime prod-east allows 5 to deploy at a time"})
        for instance in held_up:
            await days.finalizes(instance, "1.0")


async def _held_up_by_a_lease(days: Days) -> list[str]:
    """One service in both clusters, once the other five deploy."""
    rows = [row for row in (await days.ask("status")).applications[0].instances if row.group == "production-web"]
    waiting = [f"{row.service}@{row.channel}" for row in rows if row.condition == "waiting"]
    return waiting if [row.condition for row in rows].count("deploying") == 10 and len(waiting) == 2 else []


async def _release(days: Days, *channels: str, urgent: bool = False, **versions: str) -> None:
    """By a developer, who may approve nothing."""
    services = {service: {"version": version} for service, version in versions.items()}
    await days.do("release", DEV, services=services, channels=list(channels), urgent=urgent)
