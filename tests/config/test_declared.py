"""What this version checks and does not act on is said; what it could not pass over without doing wrong is refused by apply."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from setpoint.config.compile import CompiledConfiguration
from setpoint.config.difference import difference, lines
from setpoint.config.problems import ConfigurationProblem
from setpoint.model.spec import Secret

Configure = Callable[..., CompiledConfiguration]
Mistakes = Callable[[str], list[ConfigurationProblem]]
CLUSTER = """
kind: Application
name: shop
channels: [{name: staging, runtime: cluster}]
---
kind: Runtime
name: cluster
kubernetes: {context: east}
---
kind: Service
application: shop
name: web
"""
FAKE = """
kind: Application
name: shop
channels: [{name: staging, runtime: pretend}]
---
kind: Runtime
name: pretend
fake: {}
---
kind: Service
application: shop
name: web
fake: {}
"""
KUBERNETES = 'kubernetes: {manifests: deploy/, images: {web: "shop/web:${version}"}}\n'
DEPLOY = {"deploy__web_dot_yaml": "kind: Deployment\n"}


# --- notices


def test_a_configuration_of_which_everything_is_heeded_says_nothing(configure: Configure, shop: str) -> None:
    assert configure(shop).notices == []
    assert configure(shop).refusals == []


def test_what_is_declared_is_counted_by_its_sort(configure: Configure, shop: str) -> None:
    text = f"""
kind: Organization
name: acme
roles: [{{name: approver, members: user:ann}}]
retention: 90d
secretStores: {{vault: {{url: "https://vault.example"}}}}
notifications: [{{name: mail, on: failed, to: {{email: ops@acme.example}}}}]
---
kind: Policy
name: all
select: "*"
notifications: [{{name: pager, on: [stuck], to: {{webhook: {{secret: pager-url}}}}, when: urgent}}]
---{shop}sources: [{{image: shop/web, range: ^1.4, to: staging}}, {{git: "github:acme/shop", paths: deploy, branch: main}}]
drift: {{ignore: [/spec/replicas, /spec/*/image]}}
"""
    sorts = "drift.ignore (1), notifications (2), retention (1), roles (1), secret stores (1), sources (2)"
    assert configure(text).notices == [f"declared, but this version does not act on it: {sorts}"]


def test_runtimes_without_an_adapter_are_named(configure: Configure) -> None:
    configuration = configure(CLUSTER + KUBERNETES, **DEPLOY)
    assert configuration.notices == [
        "no adapter for kubernetes runtimes is installed, so nothing can run there yet: cluster (1 instance)"
    ]
    assert configuration.refusals == []


# --- refusals


@pytest.mark.parametrize(
    ("field", "reason"),
    [
        ("rollout: {steps: [{traffic: 5%}]}", "`rollout.steps` need a runtime that can shift traffic"),
        ("rollout: {keepOld: 1h}", "`rollout.keepOld` needs a runtime"),
        ("approvals: [{topic: plan, plan: true}]", "an approval of a plan (`plan: true`) needs a runtime that makes plans"),
    ],
)
def test_what_waits_for_somebody_is_not_passed_over(configure: Configure, field: str, reason: str) -> None:
    (refusal,) = configure(FAKE + field).refusals
    assert refusal.startswith(reason)
    assert refusal.endswith("(shop/web@staging)")
    assert configure(CLUSTER + KUBERNETES + field, **DEPLOY).refusals == []


def test_nothing_is_run_here_that_an_agent_should_run(configure: Configure) -> None:
    (refusal,) = configure(FAKE.replace("fake: {}\n---", "fake: {}\nagent: east\n---")).refusals
    assert 'the agent "east"' in refusal


def test_secrets_are_refused_where_something_that_acts_needs_one(configure: Configure, shop: str) -> None:
    secret = "env: {PASSWORD: {secret: db-password}}\n"
    assert configure(FAKE + secret).refusals == []
    assert configure(CLUSTER + KUBERNETES + secret, **DEPLOY).refusals == []
    (refusal,) = configure(shop + secret).refusals
    assert refusal.startswith("the secrets db-password are needed to run it, and this version has no secret store")
    assert refusal.endswith("(shop/web@staging, shop/web@production)")
    checks = "protections: [{use: alerts-not-firing, with: {url: {secret: alerts}}}]\n"
    (refusal,) = configure(FAKE + checks).refusals
    assert refusal.startswith('the secrets alerts are needed by the check "alerts-not-firing"')
    task = "tasks: migrate\n---\nkind: Task\nname: migrate\nprogram: {command: [migrate], env: {URL: {secret: url}}}\n"
    (refusal,) = configure(FAKE + task).refusals
    assert refusal.startswith('the secrets url are needed by the task "migrate"')
    http = 'http: {url: "https://a.example", headers: {A: {secret: token}}}'
    (refusal,) = configure(f"{FAKE}protections: probe\n---\nkind: Protection\nname: probe\n{http}").refusals
    assert refusal.startswith('the secrets token are needed by the check "probe"')


# --- secrets


def test_a_secret_is_carried_as_a_reference_and_never_as_text(configure: Configure) -> None:
    text = FAKE + 'env: {PASSWORD: {secret: "${channel.name}/password", store: vault}, PLAIN: a}'
    spec = configure(text).compile("shop/web@staging", "1", {})
    assert spec.env == {"PLAIN": "a"}
    assert spec.secrets == {"PASSWORD": Secret("staging/password", "vault")}
    assert spec == spec.sealed()


def test_another_secret_is_another_version_and_is_shown_by_its_name(configure: Configure) -> None:
    one, other = (configure(f"{FAKE}env: {{PASSWORD: {{secret: {name}}}}}") for name in ("first", "second"))
    assert one.revision("shop", "web") != other.revision("shop", "web")
    assert one.compile("shop/web@staging", "1", {}).digest != other.compile("shop/web@staging", "1", {}).digest
    (line,) = lines(difference(one, other))
    assert "env.PASSWORD: (secret first) → (secret second)" in line


def test_a_nearer_secret_replaces_a_wider_one_as_a_whole(configure: Configure) -> None:
    text = FAKE.replace("channels:", "env: {PASSWORD: {secret: a, store: vault}, TEXT: {secret: b}}\nchannels:")
    spec = configure(text + "env: {PASSWORD: {secret: c}, TEXT: plain}").compile("shop/web@staging", "1", {})
    assert spec.secrets == {"PASSWORD": Secret("c")}
    assert spec.env == {"TEXT": "plain"}


def test_where_a_secret_cannot_stand_it_is_told(mistakes: Mistakes, shop: str) -> None:
    for field in ("constants: {key: {secret: a}}", "progressDeadline: {secret: a}"):
        (problem,) = mistakes(shop + field)
        assert problem.code == "secret-not-here"


# --- roles


ROLES = """
kind: Organization
name: acme
roles:
  - {name: approver, members: [user:ann, group:leads], select: channel=production}
  - {name: nobody}
---
"""


def test_a_role_stands_for_its_members_where_it_reaches(configure: Configure, shop: str) -> None:
    text = (
        shop
        + 'approvals: [{topic: go, from: ["role:approver", user:bob], override: role:approver}]\n'
        + "calendars: {open: {}, override: role:nobody}"
    )
    configuration = configure(ROLES + text)
    production, staging = (configuration.policy(f"shop/web@{channel}") for channel in ("production", "staging"))
    assert production.approvals[0].approvers == ("user:ann", "group:leads", "user:bob")
    assert production.approvals[0].override == ("user:ann", "group:leads")
    assert production.calendars[0].override == ()
    assert staging.approvals[0].approvers == ("user:bob",)


# --- workloads, runtimes, roles of runtimes


def test_files_that_a_workload_names_are_stored_with_the_version(configure: Configure) -> None:
    configuration = configure(CLUSTER + KUBERNETES, **DEPLOY)
    spec = configuration.compile("shop/web@staging", "1.4", {})
    assert spec.workload.kind == "kubernetes"
    assert spec.workload.options == {"manifests": "deploy", "images": {"web": "shop/web:1.4"}}
    assert list(spec.files) == ["deploy/web.yaml"]
    assert list(configuration.file_bytes(spec).values()) == [b"kind: Deployment\n"]
    assert configuration.runtimes["cluster"].kind == "kubernetes"
    assert configuration.runtimes["cluster"].options == {"context": "east"}


def test_a_changed_manifest_is_another_version(configure: Configure) -> None:
    one = configure(CLUSTER + KUBERNETES, **DEPLOY)
    other = configure(CLUSTER + KUBERNETES, deploy__web_dot_yaml="kind: StatefulSet\n")
    assert one.revision("shop", "web") != other.revision("shop", "web")


def test_a_path_may_depend_on_the_channel(configure: Configure) -> None:
    text = CLUSTER + 'kubernetes: {kustomize: "overlays/${channel.name}"}'
    spec = configure(text, overlays__staging__kustomization_dot_yaml="resources: []").compile("shop/web@staging", "1", {})
    assert spec.workload.options == {"kustomize": "overlays/staging"}
    assert list(spec.files) == ["overlays/staging/kustomization.yaml"]


@pytest.mark.parametrize(
    ("block", "workload", "options"),
    [
        (
            "containers: {socket: /run/docker.sock}",
            'container: {image: "web:${version}", replicas: 4, ports: "8080", health: {http: /ready}}',
            {"image": "web:1", "replicas": 4, "ports": ["8080"], "health": {"http": "/ready", "interval": 1000, "timeout": 5000}},
        ),
        (
            "kubernetes: {}",
            'helm: {chart: bitnami/nginx, version: 1.2.3, values: {tag: "${version}", key: {secret: k}}, releaseName: web}',
            {"chart": "bitnami/nginx", "version": "1.2.3", "values": {"tag": "1", "key": {"secret": "k"}}, "releaseName": "web"},
        ),
        ("aws: {region: eu-1}", 'ecs: {family: web, image: "web:${version}"}', {"family": "web", "image": "web:1"}),
        ("gcp: {}", 'cloudRun: {image: "web:${version}"}', {"image": "web:1"}),
        ("aws: {}", 'lambda: {handler: "app.${version}"}', {"handler": "app.1"}),
        ("nomad: {}", "nomad: {job: web}", {"job": "web"}),
        ("ssh: {}", "systemd: {unit: web}", {"unit": "web"}),
        ("objectStorage: {}", "static: {bucket: web}", {"bucket": "web"}),
    ],
)
def test_each_workload_comes_to_what_its_adapter_takes(
    configure: Configure, block: str, workload: str, options: dict[str, object]
) -> None:
    text = CLUSTER.replace("kubernetes: {context: east}", block) + workload
    spec = configure(text).compile("shop/web@staging", "1", {})
    assert spec.workload.kind == workload.partition(":")[0]
    assert spec.workload.options == options


def test_services_of_a_channel_may_run_in_different_places(configure: Configure, shop: str) -> None:
    text = shop.replace("{name: staging}", "{name: staging, runtimes: {apps: local, trial: pretend}}")
    text = text.replace("after: staging}", "after: staging, services: [web]}")
    db = "\n---\nkind: Service\napplication: shop\nname: db\nruntime: trial\nfake: {}\n"
    configuration = configure(text + "runtime: apps" + db + "---\nkind: Runtime\nname: pretend\nfake: {}\n")
    runtimes = {name: configuration.policy(name).labels["runtime"] for name in configuration.all_instances}
    assert runtimes == {"shop/web@staging": "local", "shop/web@production": "local", "shop/db@staging": "pretend"}
    assert next(one.runtime for one in configuration.channels("shop") if one.name == "staging") == "local, pretend"


# --- steps, removal


def test_steps_are_compiled_with_their_gates(configure: Configure) -> None:
    smoke = "{traffic: 0%, protections: [{use: http-probe, with: {path: /smoke}}], approvals: [{topic: cut-over}]}"
    steps = f"rollout: {{steps: [{smoke}, {{traffic: 25%, for: 10m}}]}}"
    first, second = configure(CLUSTER + KUBERNETES + steps, **DEPLOY).policy("shop/web@staging").steps
    assert (first.traffic, [use.name for use in first.checks], [use.topic for use in first.approvals]) == (
        0,
        ["http-probe"],
        ["cut-over"],
    )
    assert first.checks[0].phase == "deployment"
    assert (second.traffic, second.window) == (25, 600_000)


def test_a_channel_may_be_without_steps(configure: Configure) -> None:
    text = FAKE + "rollout: {steps: [{traffic: 5%}]}\nperChannel: {staging: {rollout: {steps: []}}}"
    assert configure(text).refusals == []
    assert configure(text).policy("shop/web@staging").steps == ()


def test_what_becomes_of_what_runs_is_said_by_the_service_else_by_its_channel(configure: Configure, shop: str) -> None:
    text = shop.replace("{name: staging}", "{name: staging, onRemove: destroy}")
    said = configure(text).on_remove
    assert (said("shop/web@staging"), said("shop/web@production")) == ("destroy", "keep")
    said = configure(text + "onRemove: keep\nperChannel: {production: {onRemove: destroy}}").on_remove
    assert (said("shop/web@staging"), said("shop/web@production")) == ("keep", "destroy")


def test_a_plan_that_a_policy_wants_approved_is_not_passed_over_either(configure: Configure) -> None:
    policy = '\n---\nkind: Policy\nname: plans\nselect: "*"\napprovals: [{topic: plan, plan: true}]\n'
    (refusal,) = configure(FAKE + policy).refusals
    assert refusal.startswith("an approval of a plan")


def test_what_only_one_channel_declares_is_counted_too(configure: Configure, shop: str) -> None:
    text = shop + "perChannel: {staging: {drift: {ignore: [/spec/replicas]}}}"
    assert configure(text).notices == ["declared, but this version does not act on it: drift.ignore (1)"]


def test_a_role_may_skip_a_wave(configure: Configure, shop: str) -> None:
    waves = "{name: eu, each: {items: [{name: west}, {name: east}]}, limits: {waves: [{size: 1, override: role:approver}]}}"
    text = ROLES.replace(", select: channel=production", "") + shop.replace("{name: staging}", f"{{name: staging}}, {waves}")
    wave = configure(text).policy("shop/web@eu-west").wave
    assert wave is not None
    assert wave.override == ("user:ann", "group:leads")
