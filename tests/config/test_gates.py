"""From gate fields to the policy of an instance: subjects, orderings, calendars, conditions."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from setpoint.config.compile import CompiledConfiguration
from setpoint.config.problems import ConfigurationError, ConfigurationProblem
from setpoint.model.calendars.calendar import Window
from setpoint.model.grammars.lookup import resolve
from setpoint.model.policy import Phase
from setpoint.model.time import DAY, HOUR, MINUTE, SECOND

Configure = Callable[..., CompiledConfiguration]
Mistakes = Callable[[str], list[ConfigurationProblem]]
WEB = """
---
kind: Service
application: shop
name: web
fake: {}
"""
REHEARSAL = "\n---\nkind: Runtime\nname: local-fake\nfake: {}\n"


def shop_with(channels: str, fields: str = "", service: str = "") -> str:
    return f"kind: Application\nname: shop\n{fields}\nchannels:\n{channels}{WEB}{service}{REHEARSAL}".replace(
        "{name:", "{runtime: local-fake, name:"
    )


@pytest.mark.parametrize(
    ("per", "subject"),
    [
        ("organization", "organization"),
        ("application", "application:shop"),
        ("runtime", "runtime:local-fake"),
        ("channel", "channel:shop/staging"),
        ("instance", "instance:shop/web@staging"),
    ],
)
def test_per_says_what_a_gate_concerns(configure: Configure, per: str, subject: str) -> None:
    fields = f"protections: [{{use: always, per: {per}}}]\napprovals: [{{topic: go, per: {per}}}]"
    policy = configure(shop_with("  - {name: staging}", fields)).policy("shop/web@staging")
    assert (policy.checks[0].check.subject, policy.approvals[0].subject) == (subject, subject)


def test_one_subject_with_the_same_arguments_is_one_attachment(configure: Configure) -> None:
    text = shop_with(
        "  - {name: a, protections: [{use: always, at: [pre-approval, deployment]}]}\n  - {name: b}",
        "protections: [{use: always, name: x}]",
    )
    text += WEB.replace("name: web", "name: worker")
    configuration = configure(text)
    shared = {
        use.check.attachment
        for name in configuration.instances("shop")
        for use in configuration.policy(name).checks
        if use.name == "x"
    }
    assert len(shared) == 1
    of_a = [use for name in ("shop/web@a", "shop/worker@a") for use in configuration.policy(name).checks if use.name == "always"]
    assert [use.phase for use in of_a] == [Phase.PRE_APPROVAL, Phase.DEPLOYMENT] * 2
    assert len({use.check.attachment for use in of_a}) == 1


def test_a_check_that_asks_for_the_release_is_the_attempts_own_and_stays_open(configure: Configure) -> None:
    service = """protections:
  - use: always
    with: {reason: "${release.labels.ticket:-none} ${version} on ${channel.name} $${version} ${constants.odd}"}
constants: {odd: "$${version}"}
"""
    check = configure(shop_with("  - {name: staging}", service=service)).policy("shop/web@staging").checks[0].check
    assert check.subject == "attempt:shop/web@staging"
    told = resolve(check.options, {"version": "7", "release": {"labels": {}}})
    assert told == {"reason": "none 7 on staging ${version} ${version}"}


def test_a_check_that_asks_for_an_undeclared_parameter_is_a_mistake(mistakes: Mistakes) -> None:
    service = 'protections: [{use: always, with: {reason: "${params.colour}"}}]\nparameters: {color: {required: true}}\n'
    (problem,) = mistakes(shop_with("  - {name: staging}", service=service))
    assert (problem.code, problem.hint) == ("missing-lookup", 'Did you mean "params.color"?')


def test_a_condition_that_labels_decide_is_decided(configure: Configure) -> None:
    fields = """approvals:
  - {topic: never, when: channel=production}
  - {topic: always, when: channel=staging | urgent}
  - {topic: sometimes, when: "channel=staging, urgent | step=major"}
  - {topic: not-here, when: "!env, channel!=staging"}
"""
    text = shop_with("  - {name: staging}\n  - {name: production}", fields)
    approvals = configure(text).policy("shop/web@staging").approvals
    assert [(use.topic, use.when and use.when.text) for use in approvals] == [
        ("always", None),
        ("sometimes", "channel=staging, urgent | step=major"),
    ]


def test_labels_of_later_nodes_win(configure: Configure) -> None:
    text = shop_with(
        "  - {name: staging, labels: {tier: channel, env: staging}}",
        "labels: {tier: app, owner: team}",
        "labels: {tier: service}\n",
    )
    assert configure(text).labels("shop/web@staging") == {
        "application": "shop",
        "channel": "staging",
        "group": "",
        "service": "web",
        "runtime": "local-fake",
        "tier": "service",
        "env": "staging",
        "owner": "team",
    }


def test_after_says_all_any_or_how_many(configure: Configure) -> None:
    channels = """  - {name: a}
  - {name: b}
  - {name: c}
  - {name: d, after: [{channels: [a, b, c], soak: 1d, name: soaked, when: "!urgent", override: []}, a]}
  - {name: e, after: {channels: [a, b, c], need: any}}
  - {name: f, after: {channels: [a, b, c], need: 50%}}
  - {name: g, after: {channels: [a, b], need: 2}}
"""
    configuration = configure(shop_with(channels))
    soaked, plain = configuration.policy("shop/web@d").orderings
    assert (soaked.name, soaked.soak, soaked.need, soaked.override) == ("soaked", DAY, 0, ())
    assert soaked.when is not None
    assert soaked.when.text == "!urgent"
    assert plain.instances == ("shop/web@a",)
    needs = {name: configuration.policy(f"shop/web@{name}").orderings[0].need for name in "efg"}
    assert needs == {"e": 1, "f": 2, "g": 0}


def test_a_channel_without_the_service_is_replaced_by_its_own_orderings(configure: Configure) -> None:
    channels = """  - {name: dev}
  - {name: qa, services: [other], after: {channels: dev, soak: 1h, when: "!urgent"}}
  - {name: production, after: {channels: qa, when: step=major, allowEmpty: true}}
  - {name: any, after: {channels: [qa, production], need: any, allowEmpty: true}}
  - {name: none, after: {channels: [lab], need: any, allowEmpty: true}}
  - {name: lab, services: [other]}
  - {name: last, after: {channels: lab, allowEmpty: true}}
  - {name: some, after: {channels: [lab, production, any], need: 2, allowEmpty: true}}
"""
    configuration = configure(shop_with(channels) + WEB.replace("name: web", "name: other"))
    (ordering,) = configuration.policy("shop/web@production").orderings
    assert (ordering.instances, ordering.soak) == (("shop/web@dev",), HOUR)
    assert ordering.when is not None
    assert ordering.when.matches({"step": "major"})
    assert not ordering.when.matches({"step": "major", "urgent": ""})
    assert configuration.policy("shop/web@any").orderings[0].instances == ("shop/web@production", "shop/web@dev")
    assert configuration.policy("shop/web@none").orderings == ()
    assert configuration.policy("shop/web@last").orderings == ()
    (some,) = configuration.policy("shop/web@some").orderings  # one of the two is met by the channel that comes after none
    assert (some.instances, some.need) == (("shop/web@production", "shop/web@any"), 1)


def test_release_channel_stable_is_after_in_other_words(configure: Configure) -> None:
    entry = "{use: release-channel-stable, with: {channel: a, soak: 2h}, override: group:x}"
    channels = f"  - {{name: a}}\n  - {{name: b, protections: [{entry}]}}\n"
    policy = configure(shop_with(channels)).policy("shop/web@b")
    (ordering,) = policy.orderings
    assert (ordering.name, ordering.instances, ordering.soak) == ("release-channel-stable", ("shop/web@a",), 2 * HOUR)
    assert ordering.override == ("group:x",)
    assert policy.checks == ()


def test_calendars_by_name_and_in_place_in_the_subjects_time_zone(configure: Configure) -> None:
    yule_closed = "{closed: {from: 2026-12-24, until: 2027-01-02, reason: Yule}}"
    text = shop_with(
        f"  - {{name: staging, timezone: Asia/Tokyo, calendars: [office, {yule_closed}]}}",
        "timezone: Europe/Paris\ncalendars: {when: step=major, name: office}",
    )
    text += """
---
kind: Calendar
name: office
open: {days: fri-mon, hours: 22:00-04:00}
when: "!urgent"
override: group:on-call
"""
    wide, office, yule = configure(text).policy("shop/web@staging").calendars
    assert (wide.name, wide.timezone, office.name, office.timezone) == ("office", "Europe/Paris", "office.channel", "Asia/Tokyo")
    assert office.calendar.open == (Window(days=(0, 4, 5, 6), hours=(22 * 60, 4 * 60)),)
    assert office.override == ("group:on-call",)
    assert wide.when is not None
    assert wide.when.matches({"step": "major"})
    assert not wide.when.matches({"step": "major", "urgent": ""})
    assert yule.calendar.closed == (Window(start="2026-12-24", end="2027-01-02", reason="Yule"),)
    assert yule.calendar.in_flight == "finish"


def test_a_budget_is_shared_by_the_subject_of_its_calendar(configure: Configure) -> None:
    entry = "{open: {days: mon, max: 2}, inFlight: pause}"
    policy = configure(shop_with(f"  - {{name: staging, calendars: [{entry}]}}")).policy("shop/web@staging")
    (use,) = policy.calendars
    assert use.subject == "channel:shop/staging"
    assert use.calendar.open == (Window(days=(0,), max=2),)
    assert use.calendar.in_flight == "pause"


def test_a_budget_that_could_not_be_counted_is_refused(configure: Configure) -> None:
    for entry, code in (
        ("{open: {days: mon, max: 0}}", "impossible-window"),
        ("{closed: {days: mon, max: 2}}", "budget-of-closed"),
        ("{open: {max: 2}}", "endless-budget"),
        ("{open: {from: 2026-01-01, max: 2}}", "endless-budget"),
    ):
        with pytest.raises(ConfigurationError) as caught:
            configure(shop_with(f"  - {{name: staging, calendars: [{entry}]}}"))
        assert code in [problem.code for problem in caught.value.problems]


def test_windows_of_every_kind_are_read(configure: Configure) -> None:
    windows = """open:
  - {every: quarter, for: 1w12h, starting: 2026-02-01}
  - {rrule: "RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=4TH", starting: 2026-11-26, for: 5d}
  - {from: "2026-11-26T09:00:00Z"}
  - {hours: 00:00-24:00}
  - {}
"""
    text = shop_with("  - {name: a, calendars: [all]}") + f"\n---\nkind: Calendar\nname: all\ntimezone: UTC\n{windows}"
    (use,) = configure(text).policy("shop/web@a").calendars
    assert use.calendar.open == (
        Window(every="quarter", length=(7, 12 * HOUR), starting="2026-02-01"),
        Window(rrule="FREQ=YEARLY;BYMONTH=11;BYDAY=4TH", starting="2026-11-26", length=(5, 0)),
        Window(start="2026-11-26T09:00:00Z"),
        Window(hours=(0, 1440)),
        Window(),
    )


def test_times_of_a_check_come_from_the_entry_the_protection_or_the_rule(configure: Configure) -> None:
    protections = (
        "protections: [{use: slow}, {use: slow, name: fast, interval: 5s, maxAge: 70s}, {use: always, informational: true}]"
    )
    text = (
        shop_with("  - {name: a}", protections)
        + "\n---\nkind: Protection\nname: slow\nprogram: {command: [check]}\ninterval: 10s\ntimeout: 1m\nat: [pre-approval]\n"
    )
    slow, fast, always = configure(text).policy("shop/web@a").checks
    assert (slow.check.interval, slow.check.timeout, slow.check.max_age) == (10 * SECOND, MINUTE, 80 * SECOND)
    assert (slow.phase, always.informational) == (Phase.PRE_APPROVAL, True)
    assert (always.check.interval, always.check.timeout, always.check.max_age) == (60 * SECOND, 30 * SECOND, 150 * SECOND)
    assert fast.check.interval == 5 * SECOND


def test_a_protections_arguments_are_declared_and_looked_up(configure: Configure, mistakes: Mistakes) -> None:
    protection = """
---
kind: Protection
name: tables
parameters: {count: {type: int, default: 3}, table: {required: true, pattern: "[a-z]+"}}
program: {command: [check, "${with.table}", "${with.count}"], env: {WHERE: "${channel.name}"}}
"""
    text = shop_with("  - {name: a, protections: [{use: tables, with: {table: users}}]}") + protection
    check = configure(text).policy("shop/web@a").checks[0].check
    assert check.options["command"] == ["check", "users", "3"]
    assert check.env["WHERE"] == "a"
    wrong = text.replace("{table: users}", "{tabel: users}")
    assert [problem.message for problem in mistakes(wrong)] == ['"tables": "tabel" is not a parameter. Did you mean "table"?']
    assert "must match" in mistakes(text.replace("users", "Users"))[0].message


def test_an_http_protection_is_compiled(configure: Configure) -> None:
    text = shop_with("  - {name: a, protections: [probe]}")
    text += """
---
kind: Protection
name: probe
http: {url: "https://${channel.name}.example/", headers: {X-Channel: "${channel.name}", N: 1.0}, status: 200}
"""
    check = configure(text).policy("shop/web@a").checks[0].check
    assert check.use == "http"
    assert check.options == {
        "url": "https://a.example/",
        "method": "GET",
        "headers": {"X-Channel": "a", "N": "1.0"},
        "status": "200",
    }


def test_a_probe_of_the_instances_own_address_is_the_attempts(configure: Configure) -> None:
    check = (
        configure(shop_with("  - {name: a, protections: [{use: http-probe, with: {path: /ok}}]}"))
        .policy("shop/web@a")
        .checks[0]
        .check
    )
    assert check.subject == "attempt:shop/web@a"


def test_scripts_of_a_migration_check_are_stored_unless_they_are_mutable(configure: Configure) -> None:
    protections = "{use: db-migrated, with: {directory: db/migrations, url: 'sqlite:///x.db'}}"
    text = shop_with(f"  - {{name: a, protections: [{protections}]}}")
    configuration = configure(text, db__migrations__versions__1_dot_py="")
    check = configuration.policy("shop/web@a").checks[0].check
    assert check.options == {"directory": "db/migrations", "url": "sqlite:///x.db"}
    assert check.paths == ("directory",)
    assert list(configuration.trees.shown(check.tree)) == ["db/migrations/versions/1.py"]
    check = configure(text.replace("with: {", "with: {mutable: true, ")).policy("shop/web@a").checks[0].check
    assert check.options == {"directory": "/srv/config/db/migrations", "url": "sqlite:///x.db"}
    assert (check.tree, check.paths) == ("", ())


def test_approvers_may_be_looked_up(configure: Configure) -> None:
    text = shop_with(
        "  - {name: a, constants: {contact: ops@acme.example}, "
        'approvals: [{topic: go, from: ["email:${constants.contact}", group:x]}]}'
    )
    assert configure(text).policy("shop/web@a").approvals[0].approvers == ("email:ops@acme.example", "group:x")


def test_how_an_instance_selects_and_recovers(configure: Configure) -> None:
    service = """progressDeadline: 1h
rollback: {auto: false}
drift: {mode: report, breaker: 2}
rollout: {maxUnavailable: 25%, maxSurge: 0}
"""
    channels = """  - {name: a, strategy: newest, accepts: ^1.4}
  - {name: b, mirror: a, accepts: {range: "*", prereleases: true, when: urgent}}
"""
    configuration = configure(shop_with(channels, service=service) + "poll: {moving: 1s, settled: 1m}\ngrace: 7s\n")
    a, b = configuration.policy("shop/web@a"), configuration.policy("shop/web@b")
    assert (a.strategy, b.strategy, b.mirror) == ("newest", "mirror", "shop/web@a")
    assert a.accepts is not None
    assert a.accepts.range == "^1.4"
    assert b.accepts is not None
    assert b.accepts.prereleases
    assert (a.progress_deadline, a.auto_rollback, a.drift.mode, a.drift.breaker) == (HOUR, False, "report", 2)
    assert (a.poll_moving, a.poll_settled, a.grace) == (SECOND, MINUTE, 7 * SECOND)
    assert configuration.compile("shop/web@a", "1", {}).rollout.max_unavailable == "25%"


def test_an_argument_that_asks_for_the_release_stays_open_inside_of_the_program(configure: Configure) -> None:
    protection = """
---
kind: Protection
name: tables
program: {command: [check, "${with.what}", "v=${with.what}", "${with.odd}", "${channel.name}"]}
"""
    use = '{use: tables, with: {what: "${version}-$${x}", odd: "${constants.odd}"}}'
    text = shop_with(f'  - {{name: a, constants: {{odd: "$${{version}}"}}, protections: [{use}]}}') + protection
    check = configure(text).policy("shop/web@a").checks[0].check
    assert check.subject == "attempt:shop/web@a"
    assert resolve(check.options["command"], {"version": "7"}) == ["check", "7-${x}", "v=7-${x}", "${version}", "a"]


def test_release_channel_stable_is_checked_like_after(mistakes: Mistakes) -> None:
    def told(arguments: str) -> list[tuple[str, str]]:
        entry = f"{{use: release-channel-stable, with: {{{arguments}}}}}"
        problems = mistakes(shop_with(f"  - {{name: a}}\n  - {{name: b, protections: [{entry}]}}"))
        return [(problem.code, problem.message) for problem in problems]

    assert told("channel: a, soak: long") == [("bad-duration", '`soak`: "long" is not a valid duration.')]
    assert told("channel: a, need: 0") == [("never-holds-back", "`need`: `need: 0` waits for nothing.")]
    assert [code for code, _ in told("channel: c")] == ["unknown-reference"]
    assert [code for code, _ in told("soak: 1h")] == ["bad-argument"]


def test_release_channel_stable_may_have_a_name_of_its_own(configure: Configure, mistakes: Mistakes) -> None:
    protection = "\n---\nkind: Protection\nname: soaked\nuse: release-channel-stable\nwith: {channel: a, soak: 1d}\n"
    text = shop_with("  - {name: a}\n  - {name: b, after: {channels: a, name: soaked}, protections: [soaked]}") + protection
    assert [(o.name, o.soak) for o in configure(text).policy("shop/web@b").orderings] == [("soaked", 0), ("soaked-2", DAY)]
    assert [problem.code for problem in mistakes(text.replace("channel: a", "channel: z"))] == ["unknown-reference"]
    assert [problem.code for problem in mistakes(text.replace("channel: a, ", ""))] == ["bad-argument"]


def test_exit_codes_are_part_of_the_check_only_where_they_are_written(configure: Configure) -> None:
    def text(codes: str) -> str:
        return shop_with("  - {name: staging, protections: [probe]}", service=PROBE.format(codes=codes))

    written = configure(text("exitCodes: {fail: [10, 11], unavailable: 75}")).policy("shop/web@staging").checks[0].check
    plain = configure(text("")).policy("shop/web@staging").checks[0].check
    assert written.options["exitCodes"] == {"fail": [10, 11], "unavailable": [75]}
    assert "exitCodes" not in plain.options
    assert written.attachment != plain.attachment, "its results so far count no more"


PROBE = """
---
kind: Protection
name: probe
program: {{command: ["true"]}}
{codes}
"""


def test_fail_after_may_stand_in_every_phase(configure: Configure) -> None:
    phases = ("pre-approval", "pre-deployment", "deployment", "post-deployment")
    at = ", ".join(f"{phase}: {{failAfter: {minute}m}}" for minute, phase in enumerate(phases, 1))
    policy = configure(shop_with(f"  - {{name: staging, protections: [{{use: always, at: {{{at}}}}}]}}")).policy(
        "shop/web@staging"
    )
    assert [(str(use.phase), use.fail_after) for use in policy.checks] == [
        (phase, minute * MINUTE) for minute, phase in enumerate(phases, 1)
    ]
