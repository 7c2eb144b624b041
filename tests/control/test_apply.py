"""Apply: what was shown is what is applied, and what it changes of what runs is released by itself."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.control.house import ADMIN, PLAIN, RUNTIME, SERVICE, STANDARD, House, documents, files, house
from tests.support.eventually import eventually

from setpoint.config.compile import CompiledConfiguration
from setpoint.control.applying.carrying_out import FINISHED, KIND, PENDING, Progress
from setpoint.control.applying.files import content_digest, contents
from setpoint.control.commands.apply import ApplyRequest
from setpoint.control.errors import Invalid, Malformed, Refused
from setpoint.model.people import Person
from setpoint.model.spec import Spec

OTHER_CHANNELS = """
kind: Application
name: saas
channels:
  - {name: staging, runtime: pretend}
  - {name: production, runtime: pretend, after: staging}
  - {name: acme, runtime: pretend, after: production}
"""
ONLY_STAGING = """
kind: Application
name: saas
channels: [{name: staging, runtime: pretend}]
"""
NO_RELEASES_NEEDED = """
kind: Service
application: saas
name: web
fake: {takes: 1ms}
"""


async def test_the_first_apply_configures_everything_and_releases_nothing(tmp_path: Path) -> None:
    async with house(tmp_path) as found:
        shown = await found.ask("preview", **files(STANDARD))
        answer = await found.apply(STANDARD)
        assert shown.first
        assert {change.instance for change in shown.changes} == {"saas/web@staging", "saas/web@production"}
        assert answer.releases == {}
        assert answer.waiting == ["saas/web: nothing was released yet; release a version"]
        assert (await found.row("web@staging")).condition == "empty"


async def test_the_same_configuration_again_changes_nothing(tmp_path: Path) -> None:
    async with house(tmp_path, STANDARD) as found:
        shown = await found.ask("preview", **files(STANDARD))
        assert (shown.changes, shown.releases, shown.old) == ([], [], shown.new)
        assert (await found.apply(STANDARD)).revision == 1


async def test_what_was_not_shown_is_not_applied(tmp_path: Path) -> None:
    async with house(tmp_path, STANDARD) as found:
        changed = STANDARD.replace("becomes: healthy", "becomes: healthy, takes: 1ms")
        shown = await found.ask("preview", **files(changed))
        await found.release("1.0")
        with pytest.raises(Refused, match="changed since"):
            await found.do("apply", **files(changed), expect=shown.plan)
        again = await found.ask("preview", **files(changed))
        assert (await found.do("apply", **files(changed), expect=again.plan)).revision == 2


async def test_a_change_of_what_runs_is_released_and_each_version_keeps_its_parameters(tmp_path: Path) -> None:
    service = (
        SERVICE.replace("env:", "parameters: {size: {default: small}}\nenv:\n  SIZE: ${params.size}\n ")
        .replace(" {VERSION", " VERSION")
        .replace('}"}', '}"')
    )
    text = documents(RUNTIME, service, OTHER_CHANNELS)
    async with house(tmp_path, text) as found:
        await found.release("1.0", web={"parameters": {"size": "large"}})
        await found.good("web@acme", "1.0")
        answer = await found.apply(text.replace("becomes: healthy", "becomes: healthy, takes: 1ms"))
        assert answer.releases == {"saas": 2}
        made = (await found.ask("releases")).releases[0]
        assert (made.number, made.automatic, made.services, list(made.revisions)) == (2, True, {}, ["web"])
        row = await found._until("web@acme", lambda row: row.good and row.good.configuration == 2 and row.settled, "release 2")
        assert (row.good.version, row.good.release) == ("1.0", 1)
        life = (await found.state("web@acme")).life
        assert [offer.parameters for offer in life.offers if offer.pair == life.good] == [{"size": "large"}]


MANUAL = """
kind: Application
name: saas
channels:
  - {name: staging, runtime: pretend}
  - {name: production, runtime: pretend, after: staging, approvals: [{topic: go, from: "group:release-managers"}]}
  - {name: lab, runtime: pretend, strategy: manual}
  - {name: new, runtime: pretend, strategy: manual}
"""


async def test_a_configuration_release_is_shown_wherever_it_comes(tmp_path: Path) -> None:
    """Before it is applied with what each instance takes; then in releases, and in the history of its instances."""
    text = documents(RUNTIME, SERVICE, MANUAL)
    async with house(tmp_path, text) as found:
        for number, channel in enumerate(("staging", "lab"), 1):
            await found.release("4.0.0", channels=[channel])
            await found._until(f"web@{channel}", lambda row, number=number: row.good and row.good.release == number, "4.0.0")
        await found.release("5.0.0")
        await found.good("web@staging", "5.0.0")
        await found.waits_for("web@production", "approval-missing")
        changed = text.replace("env: {", "env: {MORE: yes, ")
        shown = (await found.ask("preview", **files(changed))).configurations[0]
        assert shown.instances == {
            "web@staging": "configuration only, stays 5.0.0",
            "web@production": "5.0.0 (pending) will come with it",
            "web@lab": "configuration only, stays 4.0.0",
            "web@new": "takes no part: nothing is released here yet",
        }
        answer = await found.apply(changed)
        assert (answer.releases, answer.configurations) == ({"saas": 4}, {"saas": 4})
        listed = (await found.ask("releases")).releases
        assert [(one.number, one.kind) for one in listed[:2]] == [(4, "configuration"), (3, "version")]
        await found._until("web@lab", lambda row: row.good.configuration == 4, "release 4")
        events = (await found.ask("history", release=4)).events
        assert {"released", "attempt-started", "finalized"} <= {one.kind for one in events}
        assert {one.configuration for one in events if one.kind == "finalized"} == {4}
        lane = (await found.ask("timeline", target="web@lab")).lanes[0]
        assert [(one.version, one.configuration) for one in lane.spans if one.kind == "running"] == [("4.0.0", 0), ("4.0.0", 4)]
        await found._until("web@production", lambda row: row.desired.configuration == 4, "release 4")
        page = await found.ask("explain", target="web@production", runtime=False)
        assert (page.candidate.version, page.candidate.configuration, page.candidate.keeps_version) == ("5.0.0", 4, False)
        assert {one.release for one in page.reasons if one.code == "approval-missing"} == {3, 4}
        given = await found.do("approve", Person("ann", ("release-managers",)), target="web@production")
        assert (given.releases, given.topics) == ([3, 4], ["go"])
        votes = (await found.ask("history", target="web@production", kinds=["vote"])).events
        assert {one.release: one.counts_for for one in votes} == {key: ["saas/web@production"] for key in (3, 4)}


async def test_a_configuration_that_failed_is_named_as_what_is_not_retried(tmp_path: Path) -> None:
    text = documents(RUNTIME, SERVICE + "progressDeadline: 200ms\n", PLAIN)
    async with house(tmp_path, text) as found:
        await found.release("1.0", channels=["staging"])
        await found.good("web@staging", "1.0")
        await found.apply(text.replace("becomes: healthy", "becomes: failing"))
        await found.comes_to("web@staging", "vetoed")
        page = await found.ask("explain", target="web@staging", runtime=False)
        assert [(one.version, one.configuration) for one in page.vetoes] == [("1.0", 2)]
        assert page.reasons[0].clears.command == "retry release 2, or apply another configuration"


async def test_a_change_of_policy_counts_at_once_and_releases_nothing(tmp_path: Path) -> None:
    async with house(tmp_path, STANDARD) as found:
        await found.release("1.0")
        await found.good("web@production", "1.0")
        answer = await found.apply(STANDARD.replace("after: staging}", "after: [{channels: [staging], soak: 1h}]}"))
        assert answer.releases == {}
        await found.release("1.1")
        assert "soaks in staging" in (
            await found.waits_for("web@production", "ordering-not-met")
        ).reason.text or await found.good("web@staging", "1.1")


async def test_a_version_that_is_vetoed_does_not_come_by_a_configuration(tmp_path: Path) -> None:
    failing = STANDARD.replace(
        "fake: {becomes: healthy}",
        'fake: {becomes: "${params.becomes}"}\nparameters: {becomes: {carry: false, default: healthy}}\nprogressDeadline: 200ms',
    )
    async with house(tmp_path, failing) as found:
        await found.release("1.0")
        await found.good("web@production", "1.0")
        await found.release("1.1", web={"parameters": {"becomes": "failing"}})
        await found.comes_to("web@staging", "vetoed")
        await found.apply(failing.replace("env: {", "env: {MORE: yes, "))
        made = (await found.ask("releases")).releases[0]
        assert (made.number, made.automatic, made.services) == (3, True, {})
        for instance in ("web@staging", "web@production"):
            row = await found._until(instance, lambda row: row.good and row.good.configuration == 3, "release 3")
            assert (row.good.version, row.target.version) == ("1.0", "1.0")


async def test_a_new_channel_gets_what_the_others_have(tmp_path: Path) -> None:
    async with house(tmp_path, STANDARD) as found:
        await found.release("1.0")
        await found.good("web@production", "1.0")
        await found.apply(documents(RUNTIME, SERVICE, OTHER_CHANNELS))
        await found.good("web@acme", "1.0")


async def test_what_leaves_the_configuration_is_orphaned_and_comes_back(tmp_path: Path) -> None:
    async with house(tmp_path, STANDARD) as found:
        await found.release("1.0")
        await found.good("web@production", "1.0")
        await found.apply(documents(RUNTIME, SERVICE, ONLY_STAGING))
        assert (await found.state("web@production")).removed
        assert [row.instance for row in (await found.ask("status")).applications[0].instances] == ["saas/web@staging"]
        await found.apply(STANDARD)
        assert not (await found.state("web@production")).removed


async def test_a_service_that_needs_no_releases_gets_one_named_after_its_revision(tmp_path: Path) -> None:
    text = documents(RUNTIME, NO_RELEASES_NEEDED, ONLY_STAGING)
    async with house(tmp_path) as found:
        answer = await found.apply(text)
        assert answer.releases == {"saas": 1}
        first = (await found.ask("releases")).releases[0].services["web"]
        await found.good("web@staging", first)
        assert (await found.apply(text.replace("1ms", "2ms"))).releases == {"saas": 2}
        assert (await found.ask("releases")).releases[0].services["web"] != first


async def test_what_was_compiled_for_the_plan_is_what_is_released(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = Counter[str]()
    compile_one = CompiledConfiguration.compile

    def counting(configuration: CompiledConfiguration, instance: str, *arguments: Any) -> Spec:
        compiled[instance] += 1
        return compile_one(configuration, instance, *arguments)

    monkeypatch.setattr(CompiledConfiguration, "compile", counting)
    async with house(tmp_path, documents(RUNTIME, NO_RELEASES_NEEDED, PLAIN)) as found:
        assert compiled == {"saas/web@staging": 1, "saas/web@production": 1}
        await found.waits_until_release("web@production", 1)


async def test_every_mistake_is_told_and_nothing_is_applied(tmp_path: Path) -> None:
    async with house(tmp_path, STANDARD) as found:
        with pytest.raises(Invalid) as caught:
            await found.apply(STANDARD.replace("after: staging", "after: stagging").replace("fake: {b", "fake: {x"))
        assert len(caught.value.details) >= 2
        assert 'Did you mean "staging"?' in "\n".join(caught.value.details)
        assert (await found.ask("preview", **files(STANDARD))).changes == []


@pytest.mark.parametrize("path", ["/etc/passwd", "../outside.setpoint.yaml", ""])
async def test_files_outside_of_the_root_are_refused(tmp_path: Path, path: str) -> None:
    async with house(tmp_path) as found:
        with pytest.raises(Malformed):
            await found.do("apply", files={path: ""}, root="/config")


async def test_a_configuration_and_its_people_outlive_the_engine(tmp_path: Path) -> None:
    async with house(tmp_path, STANDARD) as found:
        await found.release("1.0")
        await found.good("web@production", "1.0")
    async with house(tmp_path) as again:
        assert again.services.configuration.all_instances == ["saas/web@staging", "saas/web@production"]
        await again.good("web@production", "1.0")
        await again.release("1.1")
        await again.good("web@production", "1.1")


@pytest.mark.parametrize("known", [True, False], ids=["after it was noted what is new", "before"])
async def test_an_interrupted_apply_is_finished_at_the_next_start(tmp_path: Path, known: bool) -> None:
    async with house(tmp_path, STANDARD) as found:
        await found.release("1.0")
        await found.good("web@production", "1.0")
        await _apply_and_die(found, documents(RUNTIME, SERVICE, OTHER_CHANNELS), known=known)
    async with house(tmp_path) as again:
        await again.good("web@acme", "1.0")
        assert await again.services.stores.records.get(KIND, FINISHED, int) == 2


async def _apply_and_die(found: House, text: str, *, known: bool) -> None:
    """As if the engine had been killed right after the files were stored (and, if ``known``, what is new)."""
    named = contents(ApplyRequest(**files(text)))
    await found.services.stores.records.put("configuration-root", content_digest(named), "/config")
    revision = await found.services.stores.documents.save(named, at=1, person=Person("admin").name)
    if known:
        await found.services.stores.records.put(KIND, PENDING, Progress(revision.number, ["saas/web@acme"], [], ADMIN.name))


async def test_a_stored_configuration_that_cannot_be_read_any_more_stops_nothing_but_commands(tmp_path: Path) -> None:
    async with house(tmp_path, STANDARD) as found:
        await found.services.stores.documents.save({"app.setpoint.yaml": b"kind: Nonsense"}, at=1, person="admin")
    async with house(tmp_path) as again:
        with pytest.raises(Refused, match="cannot be used by this version"):
            await again.release("1.0")
        doctor = await again.ask("doctor")
        assert not doctor.healthy
        await again.apply(STANDARD)
        assert [one for one in (await again.ask("doctor")).findings if one.state == "bad"] == []


STEPS = SERVICE + "rollout: {steps: [{traffic: 5%, approvals: [{topic: go}]}]}\n"
ORGANIZATION = """
kind: Organization
name: acme
notifications: [{name: mail, on: failed, to: {email: ops@acme.example}}]
"""


async def test_what_could_not_be_passed_over_is_refused(tmp_path: Path) -> None:
    async with house(tmp_path, documents(RUNTIME, SERVICE, PLAIN)) as found:
        with pytest.raises(Refused, match="does not support all of it") as refused:
            await found.apply(documents(RUNTIME, STEPS, PLAIN))
        assert "can shift traffic" in refused.value.details[0]
        shown = await found.ask("preview", **files(documents(RUNTIME, STEPS, PLAIN)))
        assert shown.refusals == refused.value.details


async def test_what_is_only_declared_is_said_and_applied(tmp_path: Path) -> None:
    text = documents(RUNTIME, SERVICE, PLAIN, ORGANIZATION)
    async with house(tmp_path) as found:
        notice = "declared, but this version does not act on it: notifications (1)"
        assert (await found.ask("validate", **files(text))).notices == [notice]
        assert (await found.ask("preview", **files(text))).notices == [notice]
        assert (await found.apply(text)).notices == [notice]


async def test_a_change_of_what_runs_may_ride_on_the_next_release(tmp_path: Path) -> None:
    with_next = PLAIN + "onConfigChange: with-next\n"
    async with house(tmp_path, documents(RUNTIME, SERVICE, with_next)) as found:
        await found.release("1.0")
        await found.good("web@production", "1.0")
        answer = await found.apply(documents(RUNTIME, SERVICE + "rollout: {maxSurge: 2}\n", with_next))
        assert answer.releases == {}
        assert answer.waiting == ["saas/web: what it runs changed; that rides on its next release"]
        assert (await found.release("1.1")).release == 2
        await found.good("web@production", "1.1")
        again = await found.ask("preview", **files(documents(RUNTIME, SERVICE + "rollout: {maxSurge: 2}\n", with_next)))
        assert (again.releases, again.waiting) == ([], [])


async def test_after_a_change_that_rides_the_next_one_is_compared_with_what_each_instance_runs(tmp_path: Path) -> None:
    with_next = PLAIN + "onConfigChange: with-next\n"
    changed = SERVICE.replace("becomes: healthy", "becomes: healthy, takes: 1ms")
    async with house(tmp_path, documents(RUNTIME, SERVICE, with_next)) as found:
        await found.release("1.0")
        await found.good("web@production", "1.0")
        assert (await found.apply(documents(RUNTIME, changed, with_next))).waiting
        assert (await found.apply(documents(RUNTIME, SERVICE, PLAIN))).releases == {}, "it runs that already"
        assert (await found.apply(documents(RUNTIME, changed, PLAIN))).releases == {"saas": 2}
        await _configured(found, "web@production", 2, "1.0")


async def test_onconfigchange_release_brings_a_change_that_rode_and_has_not_arrived(tmp_path: Path) -> None:
    """§10.1: the configuration in force reaches each instance, however the change was made."""
    with_next = PLAIN + "onConfigChange: with-next\n"
    changed = SERVICE.replace("becomes: healthy", "becomes: healthy, takes: 1ms")
    async with house(tmp_path, documents(RUNTIME, SERVICE, with_next)) as found:
        await found.release("1.0")
        await found.good("web@production", "1.0")
        assert (await found.apply(documents(RUNTIME, changed, with_next))).waiting
        plan = await found.ask("preview", **files(documents(RUNTIME, changed, PLAIN)))
        assert plan.configurations[0].instances["web@production"] == "configuration only, stays 1.0"
        assert (await found.apply(documents(RUNTIME, changed, PLAIN))).releases == {"saas": 2}
        await _configured(found, "web@production", 2, "1.0")


async def test_onconfigchange_release_brings_nothing_where_the_change_arrived_with_a_version(tmp_path: Path) -> None:
    with_next = PLAIN + "onConfigChange: with-next\n"
    changed = SERVICE.replace("becomes: healthy", "becomes: healthy, takes: 1ms")
    async with house(tmp_path, documents(RUNTIME, SERVICE, with_next)) as found:
        await found.release("1.0")
        await found.good("web@production", "1.0")
        assert (await found.apply(documents(RUNTIME, changed, with_next))).waiting
        await found.release("1.1")
        await found.good("web@production", "1.1")
        assert (await found.apply(documents(RUNTIME, changed, PLAIN))).releases == {}


# --- configuration releases (§10.1) ---------------------------------------------------------------------------------------


async def _configured(found: House, instance: str, configuration: int, version: str) -> None:
    """Wait until a version is good in a configuration."""
    row = await found._until(
        instance, lambda row: row.good and row.good.configuration == configuration and row.settled, f"release {configuration}"
    )
    assert row.good.version == version


async def test_a_new_channel_that_starts_from_another_and_a_change_of_what_runs_in_one_apply(tmp_path: Path) -> None:
    starting = OTHER_CHANNELS.replace("after: production}", "after: production, startFrom: production}")
    changed = SERVICE.replace("becomes: healthy", "becomes: healthy, takes: 1ms")
    async with house(tmp_path, STANDARD) as found:
        await found.release("1.0")
        await found.good("web@production", "1.0")
        await found.release("1.1", channels=["staging"])
        await found.good("web@staging", "1.1")
        await found.apply(documents(RUNTIME, changed, starting))
        await found.good("web@acme", "1.0")
        row = await found._until("web@production", lambda row: row.good.configuration and row.settled, "the configuration")
        assert row.good.version == "1.0", "1.1 was sent to staging only"
        assert (await found.row("web@staging")).good.version == "1.1"


async def test_a_new_service_takes_no_part_in_a_configuration_release(tmp_path: Path) -> None:
    changed = SERVICE.replace("becomes: healthy", "becomes: healthy, takes: 1ms")
    async with house(tmp_path, STANDARD) as found:
        await found.release("1.0")
        await found.good("web@production", "1.0")
        answer = await found.apply(documents(RUNTIME, changed, SERVICE.replace("name: web", "name: api"), PLAIN))
        made = (await found.ask("releases")).releases[0]
        assert (answer.releases, list(made.revisions), made.services) == ({"saas": 2}, ["web"], {})
        await _configured(found, "web@production", 2, "1.0")
        assert (await found.row("api@production")).condition == "empty"


async def test_a_service_that_needs_no_releases_starts_and_starts_in_a_new_channel(tmp_path: Path) -> None:
    async with house(tmp_path, documents(RUNTIME, NO_RELEASES_NEEDED, ONLY_STAGING)) as found:
        first = (await found.ask("releases")).releases[0].services["web"]
        await found.good("web@staging", first)
        await found.apply(documents(RUNTIME, NO_RELEASES_NEEDED, OTHER_CHANNELS))
        for channel in ("production", "acme"):
            row = await found._until(f"web@{channel}", lambda row: row.good and row.settled, "something good")
            assert row.good.version


async def test_what_lacks_a_parameter_that_is_required_now_takes_no_part_and_shows_why(tmp_path: Path) -> None:
    required = SERVICE.replace("env: {", 'parameters: {size: {required: true}}\nenv: {SIZE: "${params.size}", ')
    async with house(tmp_path, STANDARD) as found:
        await found.release("1.0")
        await found.good("web@production", "1.0")
        shown = await found.ask("preview", **files(documents(RUNTIME, required, PLAIN)))
        assert "takes no part" in shown.configurations[0].instances["web@production"]
        await found.apply(documents(RUNTIME, required, PLAIN))
        row = await found.waits_for("web@production", "configuration-not-taken")
        assert "size" in row.reason.text
        await found.release("1.1", web={"parameters": {"size": "large"}})
        await found.good("web@production", "1.1")


async def test_a_release_older_than_what_is_good_is_not_retried(tmp_path: Path) -> None:
    failing = STANDARD.replace(
        "fake: {becomes: healthy}",
        'fake: {becomes: "${params.becomes}"}\nparameters: {becomes: {carry: false, default: healthy}}\nprogressDeadline: 200ms',
    )
    async with house(tmp_path, failing) as found:
        await found.release("1.0")
        await found.good("web@staging", "1.0")
        await found.release("1.1", web={"parameters": {"becomes": "failing"}})
        await found.comes_to("web@staging", "vetoed")
        await found.release("1.2")
        await found.good("web@staging", "1.2")
        with pytest.raises(Refused, match="older than"):
            await found.do("retry", target="web@staging", release=2)
        assert (await found.row("web@staging")).good.version == "1.2"


async def _last_code(found: House) -> int | None:
    attachments = await found.services.engine.scan("attachment")
    return next((state.last.code for _, state in attachments if state.last), None)


async def test_a_check_whose_last_exit_code_gets_another_result_is_shown(tmp_path: Path) -> None:
    """Also before it is applied; once it is, and for codes that keep their result, nothing is shown."""

    def text(codes: str = "") -> str:
        channel = "channels: [{name: staging, runtime: pretend, protections: [probe]}]"
        probe = f'kind: Protection\nname: probe\nprogram: {{command: [sh, -c, "exit 22"]}}\ninterval: 100ms\n{codes}'
        return documents(RUNTIME, SERVICE, f"kind: Application\nname: saas\n{channel}", probe)

    def given(codes: str = "") -> dict[str, Any]:
        return files(text(codes)) | {"root": str(tmp_path)}

    notice = "probe: exit 22, its last result, was blocking; with this configuration it is unavailable."
    async with house(tmp_path) as found:
        await found.do("apply", **given())
        await found.release("1.0")
        await eventually(lambda: _last_code(found), 10, lambda: "no run of probe ended with a code")
        for name in ("validate", "preview"):
            assert (await found.ask(name, **given("exitCodes: {fail: [1]}"))).notices == [notice]
            assert (await found.ask(name, **given("exitCodes: {unavailable: [75]}"))).notices == []
        assert (await found.do("apply", **given("exitCodes: {fail: [1]}"))).notices == [notice]
        assert (await found.do("apply", **given("exitCodes: {fail: [1]}"))).notices == []
