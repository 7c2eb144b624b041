"""Channel groups: one channel per entry, named after both, with the group's fields, what overrides add, and its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from setpoint.config.compile import CompiledConfiguration, check_files
from setpoint.config.files import collect
from setpoint.config.problems import ConfigurationError, ConfigurationProblem
from setpoint.model.policy import Strategy
from setpoint.model.time import DAY, HOUR

Configure = Callable[..., CompiledConfiguration]
Mistakes = Callable[[str], list[ConfigurationProblem]]
WEB = """
---
kind: Service
application: saas
name: web
process: {command: [server, "${version}"]}
"""
TENANTS = """
kind: Application
name: saas
labels: {team: core}
channels:
  - {name: production}
  - name: tenants
    each:
      items:
        - {name: initech, labels: {ring: early}, constants: {plan: gold}}
        - {name: hooli, labels: {updates: manual}, after: []}
        - {name: acme, strategy: newest, constants: {plan: silver}}
    after: {channels: production, soak: 2d}
    constants: {plan: none}
    env: {PLAN: "${constants.plan}", GROUP: "${channel.group}", NAME: "${channel.name}"}
    overrides:
      - {select: updates=manual, strategy: manual}
      - {select: "group=tenants, channel!=tenants-acme", labels: {kind: plain}}
      - {select: kind=plain, timezone: Asia/Tokyo}
"""


def test_each_entry_is_a_channel_named_after_the_group_and_itself(configure: Configure) -> None:
    configuration = configure(TENANTS + WEB)
    assert [channel.name for channel in configuration.channels("saas")] == [
        "production",
        "tenants-initech",
        "tenants-hooli",
        "tenants-acme",
    ]
    assert configuration.members("saas") == {"tenants": ("tenants-initech", "tenants-hooli", "tenants-acme")}
    assert [channel.group for channel in configuration.channels("saas")] == ["", "tenants", "tenants", "tenants"]
    labels = configuration.labels("saas/web@tenants-initech")
    assert (labels["group"], labels["ring"], labels["team"]) == ("tenants", "early", "core")
    assert configuration.labels("saas/web@production")["group"] == ""


def test_the_groups_fields_look_up_what_an_entry_says(configure: Configure) -> None:
    configuration = configure(TENANTS + WEB)
    env = {name: configuration.compile(f"saas/web@tenants-{name}", "1", {}).env for name in ("initech", "hooli")}
    assert env == {
        "initech": {"PLAN": "gold", "GROUP": "tenants", "NAME": "tenants-initech"},
        "hooli": {"PLAN": "none", "GROUP": "tenants", "NAME": "tenants-hooli"},
    }


def test_overrides_come_over_the_groups_fields_from_top_to_bottom_and_the_entry_over_them(configure: Configure) -> None:
    configuration = configure(TENANTS + WEB)
    policies = {name: configuration.policy(f"saas/web@tenants-{name}") for name in ("initech", "hooli", "acme")}
    assert [policy.strategy for policy in policies.values()] == [Strategy.NEWEST_READY, Strategy.MANUAL, Strategy.NEWEST]
    assert [policy.timezone for policy in policies.values()] == ["Asia/Tokyo", "Asia/Tokyo", "UTC"]
    assert [len(policy.orderings) for policy in policies.values()] == [1, 0, 1]
    assert policies["acme"].orderings[0].soak == 2 * DAY


def test_gates_of_a_group_an_override_and_an_entry_merge_by_name(configure: Configure) -> None:
    text = TENANTS.replace("    overrides:\n", "    approvals: [{topic: go, min: 2}, {topic: other}]\n    overrides:\n").replace(
        "name: hooli,", "name: hooli, approvals: [{topic: go, expires: 1h}, {name: other, remove: true}, {topic: own}],"
    )
    configuration = configure(text + WEB)
    hooli = configuration.policy("saas/web@tenants-hooli").approvals
    assert [(use.topic, use.min, use.expires) for use in hooli] == [("go", 2, HOUR), ("own", 1, 0)]
    assert [use.topic for use in configuration.policy("saas/web@tenants-acme").approvals] == ["go", "other"]


def test_entries_may_stand_in_a_file_of_their_own(configure: Configure) -> None:
    text = "kind: Application\nname: saas\nchannels: {name: tenants, each: {itemsFrom: lists/tenants.yaml}}\n" + WEB
    configuration = configure(text, lists__tenants_dot_yaml="- {name: b, runtime: local}\n- name: a\n")
    assert configuration.instances("saas") == ["saas/web@tenants-b", "saas/web@tenants-a"]
    in_json = configure(text.replace("tenants.yaml", "tenants.json"), lists__tenants_dot_json='[\n\t{"name": "x"}\n]')
    assert in_json.instances("saas") == ["saas/web@tenants-x"]


def test_a_file_of_entries_is_read_with_the_documents(tmp_path: Path) -> None:
    (tmp_path / "setpoint.yaml").write_text(
        "kind: Application\nname: saas\nchannels: {name: tenants, each: {itemsFrom: tenants.yaml}}\n"
        "---\nkind: Channel\napplication: saas\nname: more\neach: {itemsFrom: more.json}\n",
        encoding="utf-8",
    )
    (tmp_path / "tenants.yaml").write_text("[{name: a}]", encoding="utf-8")
    (tmp_path / "more.json").write_text("[]", encoding="utf-8")
    (tmp_path / "unnamed.yaml").write_text("[]", encoding="utf-8")
    assert set(collect(tmp_path)) == {"setpoint.yaml", "tenants.yaml", "more.json"}


def test_a_mistake_in_a_file_of_entries_is_told_there() -> None:
    text = "kind: Application\nname: saas\nchannels: {name: tenants, each: {itemsFrom: tenants.yaml}}\n"
    files = {"setpoint.yaml": text.encode(), "tenants.yaml": b"- {name: a, runtime: nowhere}\n- {name: b, tiem: 1d}\n- c\n"}
    found = check_files(files, Path("/srv"))
    assert [(problem.file, problem.line, problem.code) for problem in found] == [
        ("tenants.yaml", 2, "unknown-key"),
        ("tenants.yaml", 3, "expected-map"),
    ]
    assert [problem.where for problem in found] == ['channels[0] "tenants" entry "b"', 'channels[0] "tenants"']


def test_a_group_of_runtimes_has_a_channel_on_each_with_these_labels(configure: Configure) -> None:
    runtimes = "".join(
        f"---\nkind: Runtime\nname: {name}\nlabels: {{env: {env}}}\nfake: {{}}\n"
        for name, env in (("west", "production"), ("east", "production"), ("lab", "test"))
    )
    text = f"""
kind: Application
name: saas
channels: {{name: production, each: {{runtimes: env=production}}}}
{WEB.replace("process: {command: [server, ", "fake: {becomes: healthy}#")}{runtimes}"""
    configuration = configure(text)
    assert [(one.name, one.runtime) for one in configuration.channels("saas")] == [
        ("production-east", "east"),
        ("production-west", "west"),
    ]


def test_a_service_may_say_something_of_a_group_and_of_one_of_its_channels(configure: Configure) -> None:
    fields = "perChannel: {tenants: {process: {replicas: 2}, env: {A: group}}, tenants-acme: {env: {A: own}}}"
    configuration = configure(TENANTS + WEB + fields)
    specs = {name: configuration.compile(f"saas/web@{name}", "1", {}) for name in ("production", "tenants-hooli", "tenants-acme")}
    assert [spec.workload.options["replicas"] for spec in specs.values()] == [1, 2, 2]
    assert [spec.env.get("A") for spec in specs.values()] == [None, "group", "own"]
    assert configuration.origins("saas/web@tenants-acme")["env.A"].startswith("setpoint.yaml:")


def test_a_topic_may_be_asked_once_for_a_whole_group(configure: Configure) -> None:
    approvals = 'approvals: [{topic: go, per: group, from: "group:${channel.group:-nobody}"}]\n'
    configuration = configure(TENANTS.replace("labels: {team: core}", approvals) + WEB)
    asked = {
        name: configuration.policy(f"saas/web@{name}").approvals[0] for name in ("production", "tenants-acme", "tenants-hooli")
    }
    assert asked["tenants-acme"] == asked["tenants-hooli"]
    assert asked["tenants-acme"].subject == "group:saas/tenants"
    assert asked["tenants-acme"].approvers == ("group:tenants",)
    assert asked["production"].subject == "channel:saas/production"


def test_a_check_of_a_group_knows_no_single_channel(mistakes: Mistakes) -> None:
    check = 'protections: [{use: always, per: group, with: {reason: "${channel.name}"}}]'
    (problem,) = mistakes(TENANTS.replace("    overrides:", f"    {check}\n    overrides:") + WEB)
    assert (problem.code, problem.hint) == ("lookup-needs-per", "Add `per: channel` or `per: instance`.")


def test_an_ordering_after_a_group_waits_for_all_its_channels(configure: Configure) -> None:
    channels = "channels:\n  - {name: last, after: tenants}\n  - {name: some, after: {channels: tenants, need: 50%}}\n"
    configuration = configure(TENANTS.replace("channels:\n", channels, 1) + WEB)
    (after,) = configuration.policy("saas/web@last").orderings
    assert (after.name, after.channels, after.need) == ("after-tenants", ("tenants",), 0)
    assert after.instances == after.members == tuple(f"saas/web@tenants-{name}" for name in ("initech", "hooli", "acme"))
    assert configuration.policy("saas/web@some").orderings[0].need == 2
    assert [channel.name for channel in configuration.channels("saas")][-2:] == ["last", "some"]


def test_an_ordering_may_select_channels_by_label(configure: Configure) -> None:
    channels = 'channels:\n  - {name: last, after: [{select: "ring=early | channel=production", soak: 1h, override: []}]}\n'
    configuration = configure(TENANTS.replace("channels:\n", channels, 1) + WEB)
    (after,) = configuration.policy("saas/web@last").orderings
    assert after.instances == ("saas/web@production", "saas/web@tenants-initech")
    assert after.members == ("saas/web@tenants-initech",)
    assert (after.name, after.channels) == (
        "after-ring-early-channel-production",
        ("channels with ring=early | channel=production",),
    )
    assert (after.soak, after.override) == (HOUR, ())


def test_an_ordering_after_nobody_is_a_mistake_unless_it_may_be(configure: Configure, mistakes: Mistakes) -> None:
    text = TENANTS.replace("channels:\n", "channels:\n  - {name: last, after: [{select: team=none}]}\n", 1) + WEB
    (problem,) = mistakes(text)
    assert (problem.code, problem.message) == ("unknown-in-selector", 'no label is "team=none".')
    (after,) = configure(text.replace("team=none}", "team=none, allowEmpty: true}")).policy("saas/web@last").orderings
    assert (after.instances, after.channels) == ((), ("channels with team=none",))


def test_circles_through_groups_and_selectors_are_shown(mistakes: Mistakes) -> None:
    told = mistakes(TENANTS.replace("{name: production}", "{name: production, after: tenants}"))
    assert [problem.code for problem in told] == ["circle"]
    assert told[0].message == 'these channels wait for each other: "production" → "tenants" → "tenants-initech" → "production".'
    text = TENANTS.replace("{name: production}", "{name: production, labels: {ring: none}, after: {select: ring=early}}")
    (selected,) = mistakes(text)
    assert selected.message == 'these channels wait for each other: "production" → "tenants-initech" → "production".'
    (itself,) = mistakes(TENANTS.replace("{name: production}", "{name: production, after: {select: channel=production}}"))
    assert itself.code == "refers-to-itself"


@pytest.mark.parametrize(
    ("each", "code"),
    [
        ("{}", "one-source-of-entries"),
        ("{items: [{name: a}], runtimes: '*'}", "one-source-of-entries"),
        ("{items: []}", "empty-group"),
        ("{runtimes: env=none}", "unknown-label"),
        ("{itemsFrom: ../a.yaml}", "path-outside"),
        ("{itemsFrom: a.yaml}", "missing-file"),
        ("{itemsFrom: a.setpoint.yaml}", "file-is-a-document"),
        ("{items: [{}]}", "missing-key"),
        ("{items: [{name: A}]}", "bad-name"),
        ("{items: [{name: a}, {name: a}]}", "duplicate-name"),
        ("{items: [{name: a, each: {items: [{name: b}]}}]}", "not-per-entry"),
        ("{items: [{name: a, runtim: local}]}", "unknown-key"),
        ("{items: [{name: a, select: x=y}]}", "unknown-key"),
        ("{items: a}", "expected-map"),
        ("{pullRequests: {repository: x}}", "later"),
    ],
)
def test_what_cannot_be_a_group_is_told_once(mistakes: Mistakes, each: str, code: str) -> None:
    text = f"kind: Application\nname: saas\nchannels:\n  - name: tenants\n    each: {each}\n{WEB}"
    assert [problem.code for problem in mistakes(text)] == [code]


def test_a_group_may_be_empty_where_it_says_so(configure: Configure) -> None:
    text = "kind: Application\nname: saas\nchannels: [{name: tenants, each: {items: [], allowEmpty: true}}]\n" + WEB
    assert configure(text).all_instances == []


def test_names_of_entries_and_channels_do_not_meet(mistakes: Mistakes) -> None:
    text = "kind: Application\nname: saas\nchannels: [{name: a-b}, {name: a, each: {items: {name: b}}}]\n"
    (problem,) = mistakes(text)
    assert problem.code == "duplicate-name"
    assert problem.message.startswith('"a-b" names two channels of application "saas"')


def test_a_selector_of_the_groups_name_as_a_channel_is_a_slip(mistakes: Mistakes) -> None:
    approvals = "approvals: [{topic: go, when: channel=tenants}]\n"
    (problem,) = mistakes(TENANTS.replace("labels: {team: core}", approvals) + WEB)
    assert (problem.code, problem.hint) == ("unknown-in-selector", "It is a group: write group=tenants.")


def test_only_groups_have_overrides_and_none_can_be_mirrored(configure: Configure) -> None:
    text = TENANTS.replace("{name: production}", "{name: production, mirror: tenants, overrides: [{select: '*'}]}")
    with pytest.raises(ConfigurationError) as caught:
        configure(text + WEB)
    assert [problem.code for problem in caught.value.problems] == ["circle", "group-as-channel", "not-a-group"]
