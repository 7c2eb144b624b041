"""The features of the configuration language, each as what it adds to a small configuration that has none of them.

Two features of one factor are values of the same field: they are never drawn together. What a feature needs besides – a task for
``after: task``, a second runtime – it brings along.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Tree = dict[str, Any]
DAILY = {"hours": "01:00-23:00"}
"""In whatever time zone: windows of different features leave hours in which all are open."""
BASE: Tree = {
    "pretend": {"kind": "Runtime", "name": "pretend", "labels": {"zone": "eu"}, "fake": {}},
    "shop": {"kind": "Application", "name": "shop"},
    "staging": {"kind": "Channel", "application": "shop", "name": "staging", "runtime": "pretend", "labels": {"env": "test"}},
    "production": {
        "kind": "Channel",
        "application": "shop",
        "name": "production",
        "runtime": "pretend",
        "labels": {"env": "live"},
        "after": [{"channels": ["staging"]}],
    },
    "tenants": {
        "kind": "Channel",
        "application": "shop",
        "name": "tenants",
        "runtime": "pretend",
        "after": [{"channels": ["production"]}],
        "each": {"items": [{"name": "a", "labels": {"ring": "early"}}, {"name": "b", "labels": {"ring": "late"}}]},
    },
    "web": {"kind": "Service", "application": "shop", "name": "web", "fake": {"becomes": "healthy"}, "env": {"V": "${version}"}},
    "worker": {"kind": "Service", "application": "shop", "name": "worker", "fake": {}, "env": {"V": "${version}"}},
}


@dataclass(frozen=True, eq=False)
class Feature:
    """One optional field or one of its variants."""

    factor: str
    name: str
    patch: Mapping[str, Any]
    """Document -> fields: maps merge, lists are appended to, everything else is replaced."""

    def __str__(self) -> str:
        return f"{self.factor}: {self.name}"


def _of(factor: str, document: str, **variants: Any) -> list[Feature]:
    """Variants of one field."""
    return [Feature(factor, name.replace("_", "-"), {document: fields}) for name, fields in variants.items()]


def _gate(kind: str, document: str, name: str, entry: Tree, **more: Any) -> Feature:
    key = {"protections": "name", "tasks": "name", "approvals": "topic", "calendars": "name"}[kind]
    return Feature(f"{kind} {name}", name, {document: {kind: [{**entry, key: entry.get(key, name)}]}, **more})


def _check(name: str, document: str = "web", **entry: Any) -> Feature:
    return _gate("protections", document, name, {"use": "always", **entry})


def _task(name: str, document: str = "web", **entry: Any) -> Feature:
    task = {"kind": "Task", "name": "run-it", "program": {"command": ["/bin/true"]}}
    return _gate("tasks", document, name, {"use": "run-it", **entry}, **{"run-it": task})


def _calendar(name: str, **window: Any) -> Feature:
    return _gate("calendars", "production", name, {"open": [window]})


def _require(name: str, **require: Any) -> Feature:
    document = {"kind": "Invariant", "name": name, "select": "channel=production", "require": require}
    return Feature(f"invariant {name}", name, {name: document})


def _rules(name: str, **fields: Any) -> Feature:
    return Feature(f"policy {name}", name, {name: {"kind": "Policy", "name": name, "select": "env=live", **fields}})


def _checked_by(name: str, **how: Any) -> Feature:
    document = {"kind": "Protection", "name": name, **how}
    return Feature(f"protection {name}", name, {name: document, "production": {"protections": [{"use": name}]}})


ORGANIZATION: Tree = {"kind": "Organization", "name": "acme"}
LATE: Tree = {
    "kind": "Channel",
    "application": "shop",
    "name": "late",
    "runtime": "pretend",
    "after": [{"channels": ["production"]}],
}
CLOSE: Tree = {"kind": "Invariant", "name": "close", "select": "channel=production"}
EVERY = {"week": "1w", "month": "4w", "quarter": "12w", "year": "52w"}
FEATURES: tuple[Feature, ...] = (
    # channels
    *_of(
        "strategy", "production", newest={"strategy": "newest"}, ready={"strategy": "newest-ready"}, every={"strategy": "every"}
    ),
    *_of("strategy", "production", manual={"strategy": "manual"}),
    Feature(
        "mirror",
        "mirror",
        {"copy": {"kind": "Channel", "application": "shop", "name": "copy", "runtime": "pretend", "mirror": "production"}},
    ),
    *_of("accepts range", "production", range={"accepts": {"range": ">=1"}}, prereleases={"accepts": {"prereleases": True}}),
    *_of("accepts step", "production", least={"accepts": {"minStep": "minor"}}, most={"accepts": {"maxStep": "major"}}),
    *_of("accepts when", "production", when={"accepts": {"maxStep": "major", "when": "!urgent"}}),
    *_of("cadence", "production", daily={"cadence": {**DAILY, "max": 2}}),
    Feature("after soak", "soak", {"production": {"after": [{"name": "soaked", "channels": ["staging"], "soak": "1h"}]}}),
    Feature("after need", "any", {"tenants": {"after": [{"channels": ["staging", "production"], "need": "any", "name": "one"}]}}),
    Feature("after need", "amount", {"tenants": {"after": [{"channels": ["staging", "production"], "need": 1, "name": "n"}]}}),
    Feature("after select", "select", {"tenants": {"after": [{"select": "env=test", "need": "all"}]}}),
    Feature("after empty", "empty", {"tenants": {"after": [{"select": "env=test, !zone", "allowEmpty": True}]}}),
    Feature("after when", "when", {"tenants": {"after": [{"channels": ["staging"], "when": "!urgent", "override": []}]}}),
    *_of("channel zone", "production", zone={"timezone": "Asia/Tokyo"}),
    *_of("channel data", "production", data={"constants": {"size": "large"}, "env": {"SIZE": "${constants.size}"}}),
    *_of("channel services", "production", services={"services": ["web", "worker"]}),
    *_of("startFrom", "tenants", from_production={"startFrom": "production"}),
    *_of("channel onRemove", "production", keep={"onRemove": "keep"}, destroy={"onRemove": "destroy"}),
    Feature("overrides", "overrides", {"tenants": {"overrides": [{"select": "ring=late", "strategy": "newest"}]}}),
    *_of("group together", "tenants", together={"together": True}),
    *_of("group empty", "tenants", empty={"each": {"allowEmpty": True}}),
    Feature(
        "runtime roles",
        "roles",
        {
            "lab": {
                "kind": "Channel",
                "application": "shop",
                "name": "lab",
                "runtimes": {"main": "pretend"},
            },
            "web": {"runtime": "main"},
            "worker": {"runtime": "main"},
        },
    ),
    Feature(
        "each runtimes",
        "runtimes",
        {"clusters": {"kind": "Channel", "application": "shop", "name": "clusters", "each": {"runtimes": "zone=eu"}}},
    ),
    Feature(
        "each file",
        "itemsFrom",
        {
            "list": {
                "kind": "Channel",
                "application": "shop",
                "name": "list",
                "runtime": "pretend",
                "each": {"itemsFrom": "list.yaml"},
            }
        },
    ),
    Feature("channels in place", "in-place", {"shop": {"channels": [{"name": "early", "runtime": "pretend"}]}}),
    # limits
    *_of("waves", "tenants", size={"limits": {"waves": [{"size": 1, "soak": "10m", "need": "100%"}]}}),
    *_of("waves", "tenants", select={"limits": {"waves": [{"select": "ring=early", "allowEmpty": True}, {"size": "rest"}]}}),
    *_of("waves", "tenants", when={"limits": {"waves": [{"size": 1, "when": "!urgent", "override": []}]}}),
    *_of("maxFailures", "tenants", one={"limits": {"maxFailures": 1}}, half={"limits": {"maxFailures": "50%"}}),
    *_of("maxConcurrent group", "tenants", one={"limits": {"maxConcurrent": 1}}),
    *_of("maxConcurrent runtime", "pretend", two={"limits": {"maxConcurrent": 2, "when": "!urgent", "override": []}}),
    *_of("maxConcurrent application", "shop", share={"limits": {"maxConcurrent": "50%"}}),
    # protections
    _check("before", at={"pre-approval": {"for": "5m"}}),
    _check("ready", at={"pre-deployment": {"for": "5m"}}),
    _check("during", at={"deployment": {"onFail": "fail"}}),
    _check("during-wait", at={"deployment": {"onFail": "wait"}}),
    _check("verify", at={"post-deployment": {"for": "5m", "delay": "1m", "tolerate": 1}}),
    _check("shown", informational=True),
    _check("timed", interval="30s", timeout="10s", maxAge="2m"),
    _check("picky", when="!urgent", override=[]),
    *(_check(f"per-{per}", "production", per=per) for per in ("application", "runtime", "group", "channel", "instance")),
    _check("whole", "production", per="organization"),
    Feature(
        "protections after",
        "after-task",
        {
            "web": {"protections": [{"use": "always", "name": "migrated", "after": "migrate"}], "tasks": ["migrate"]},
            "migrate": {"kind": "Task", "name": "migrate", "program": {"command": ["/bin/true"]}},
        },
    ),
    _checked_by(
        "by-program",
        program={"command": ["/bin/true"], "env": {"A": "b"}},
        parameters={
            "a": {"type": "int", "default": 1, "values": [1, 2], "description": "one"},
            "b": {"pattern": "x+", "default": "x"},
        },
        at=["pre-deployment"],
        interval="1m",
        timeout="10s",
        maxAge="5m",
        **{"with": {"a": 2}},
    ),
    _checked_by("by-http", http={"url": "http://x", "method": "POST", "headers": {"A": "b"}, "body": "x", "status": "200-299"}),
    _checked_by("by-built-in", use="always"),
    # tasks
    *(_task(f"task-{phase}", at=phase) for phase in ("pre-approval", "pre-deployment", "deployment", "post-deployment")),
    _task("keyed", key="${channel.name}", retries=2, onFail="fail", per="channel", when="!urgent", override=[]),
    _task("waiting", onFail="wait"),
    Feature(
        "task once",
        "once",
        {
            "web": {"tasks": [{"use": "never-again", "with": {"a": "1"}}]},
            "never-again": {
                "kind": "Task",
                "name": "never-again",
                "program": {"command": ["/bin/true"]},
                "parameters": {"a": {"required": True}},
                "timeout": "1m",
                "once": True,
            },
        },
    ),
    Feature(
        "task irreversible",
        "irreversible",
        {
            "worker": {"tasks": [{"use": "one-way"}]},
            "one-way": {"kind": "Task", "name": "one-way", "use": "always", "irreversible": True},
            "worker-hook": {"kind": "Task", "name": "hook", "http": {"url": "http://x"}, "parameters": {"b": {"default": "1"}}},
        },
    ),
    # approvals and calendars
    _gate("approvals", "production", "one", {"topic": "one", "from": ["user:eve"], "min": 1, "expires": "30d"}),
    _gate("approvals", "production", "two", {"topic": "two", "from": ["group:leads"], "min": 2, "per": "channel"}),
    _gate(
        "approvals", "production", "own", {"topic": "own", "allowAuthor": True, "when": "!urgent", "override": [], "name": "own"}
    ),
    _gate("approvals", "production", "planned", {"topic": "planned", "plan": True}),
    _calendar("hours", **DAILY, max=5, reason="by day"),
    _calendar("days", days="mon-sun"),
    _calendar("span", **{"from": "2025-01-01", "until": "2030-01-01"}),
    _calendar("every", every="day", starting="2025-01-01", **{"for": "1d"}),
    _calendar("rule", rrule="FREQ=DAILY", starting="2025-01-01", **{"for": "22h"}),
    Feature(
        "calendar document",
        "document",
        {
            "nights": {
                "kind": "Calendar",
                "name": "nights",
                "closed": [{"hours": "22:00-02:00"}],
                "open": [{}],
                "timezone": "UTC",
                "inFlight": "finish",
                "when": "!urgent",
                "override": ["group:leads"],
            },
            "production": {"calendars": ["nights"]},
        },
    ),
    Feature(
        "calendar document",
        "pausing-document",
        {
            "lunch": {"kind": "Calendar", "name": "lunch", "closed": [{"hours": "12:00-13:00"}], "inFlight": "pause"},
            "production": {"calendars": ["lunch"]},
        },
    ),
    Feature(
        "calendar in place",
        "pausing",
        {
            "production": {
                "calendars": [
                    {
                        "name": "pausing",
                        "closed": [{"hours": "01:00-02:00"}],
                        "inFlight": "pause",
                        "timezone": "UTC",
                        "per": "instance",
                        "when": "!urgent",
                        "override": [],
                    }
                ]
            }
        },
    ),
    # services
    *_of(
        "service after", "worker", after={"after": [{"services": ["web"], "version": ">=1", "name": "web-first", "override": []}]}
    ),
    *_of("service after", "worker", when={"after": [{"services": ["web"], "when": "!urgent"}]}),
    *_of("service select", "worker", select={"select": "env!=nowhere"}),
    *_of("rollout", "web", rollout={"rollout": {"maxUnavailable": 1, "maxSurge": "50%"}}, keep={"rollout": {"keepOld": "1h"}}),
    *_of(
        "rollout",
        "web",
        steps={
            "rollout": {"steps": [{"traffic": "5%", "for": "1m", "protections": ["always"], "approvals": [{"topic": "cut"}]}]}
        },
    ),
    *_of("progressDeadline", "web", five={"progressDeadline": "5m"}),
    *_of("rollback", "worker", off={"rollback": {"auto": False}}),
    *_of("notBelow", "web", floor={"rollback": {"notBelow": "0.5.0"}}),
    *_of("drift mode", "web", heal={"drift": {"mode": "heal"}}, report={"drift": {"mode": "report"}}),
    *_of("drift mode", "web", observe={"perChannel": {"tenants": {"drift": {"mode": "observe"}}}}),
    *_of("drift more", "web", breaker={"drift": {"breaker": 2}}, ignore={"drift": {"ignore": ["/spec/replicas"]}}),
    *_of("service onRemove", "web", keep={"onRemove": "keep"}, destroy={"onRemove": "destroy"}),
    *_of("perChannel", "web", production={"perChannel": {"production": {"fake": {"replicas": 2, "takes": "1s"}}}}),
    *_of("perChannel", "web", group={"perChannel": {"tenants": {"env": {"T": "x"}}}}),
    *_of("service data", "web", data={"constants": {"a": "b"}, "env": {"A": "${constants.a}"}}),
    *_of(
        "parameters",
        "web",
        typed={
            "parameters": {
                "size": {"type": "int", "default": 1, "carry": False, "description": "how much"},
                "mode": {"values": ["a", "b"], "default": "a"},
                "on": {"type": "bool", "default": True},
                "word": {"pattern": "[a-z]+", "default": "x", "required": False},
            },
            "env": {"SIZE": "${params.size}"},
        },
    ),
    *_of(
        "sources",
        "web",
        image={"sources": [{"name": "i", "image": "shop/web", "pick": "semver", "range": "*", "tags": "v.*", "interval": "1m"}]},
        git={
            "sources": [
                {"git": "github:a/b", "branch": "main", "paths": ["x"], "pick": "newest", "to": ["staging"], "release": False}
            ]
        },
        digest={"sources": [{"image": "shop/web", "pick": "digest"}]},
    ),
    # application, policies, invariants, organization, runtime
    *_of("application together", "shop", together={"together": [["web", "worker"]]}),
    *_of("onConfigChange", "shop", release={"onConfigChange": "release"}, later={"onConfigChange": "with-next"}),
    *_of("application data", "shop", data={"constants": {"x": "y"}, "env": {"X": "${constants.x}"}, "timezone": "Europe/Paris"}),
    *_of(
        "application notices",
        "shop",
        notify={"notifications": [{"name": "n", "on": ["failed"], "to": {"slack": "#a"}, "when": "urgent"}]},
    ),
    _rules("gated", protections=[{"use": "always", "name": "from-outside"}], approvals=[{"topic": "board", "min": 1}]),
    _rules("slow", limits={"maxConcurrent": 2}),
    _rules("notified", notifications=[{"name": "n", "on": ["stuck"], "to": {"email": "a@b.example"}}]),
    _rules("timed", calendars=[{"name": "day", "open": [DAILY]}]),
    _require("ordered", finalizedIn=["staging"]),
    _require("good", notBad=True),
    Feature(
        "invariant voted",
        "voted",
        {
            "voted": {
                "kind": "Invariant",
                "name": "voted",
                "select": "channel=production",
                "require": {"approved": {"topic": "vote", "min": 1}},
            },
            "production": {"approvals": [{"topic": "vote"}]},
        },
    ),
    _require("ranged", runs=">=1"),
    _require("same", sameAs="staging"),
    _require("near", skew={"service": "worker", "maxStep": "major"}),
    _require("steady", moving=2),
    Feature(
        "invariant open",
        "open",
        {
            "workdays": {"kind": "Calendar", "name": "workdays", "open": [{"days": "mon-sun"}]},
            "by-day": {
                "kind": "Invariant",
                "name": "by-day",
                "select": "channel=production",
                "when": "!urgent",
                "require": {"open": "workdays"},
                "onViolation": "alarm",
            },
        },
    ),
    Feature(
        "invariant freeze",
        "freeze",
        {
            "frozen": {
                "kind": "Invariant",
                "name": "frozen",
                "select": "channel=production",
                "require": {"notBad": True},
                "onViolation": "stop-the-line",
            }
        },
    ),
    Feature(
        "organization",
        "plain",
        {"acme": {**ORGANIZATION, "timezone": "Europe/Berlin", "constants": {"o": "p"}, "env": {"O": "p"}}},
    ),
    Feature(
        "organization declared",
        "declared",
        {
            "acme": {
                **ORGANIZATION,
                "defaults": {"always": {"reason": "as ever"}},
                "roles": [{"name": "approver", "members": ["user:eve"], "may": ["approve"], "select": "*"}],
                "notifications": [
                    {"name": "hook", "on": ["drift"], "to": {"webhook": "http://x"}},
                    {"name": "all", "on": ["failed"], "to": {"apprise": "x"}},
                ],
                "secretStores": {"vault": {"url": "x"}},
                "retention": "30d",
            }
        },
    ),
    *_of("runtime poll", "pretend", poll={"poll": {"moving": "5s", "settled": "1m"}, "grace": "20s"}),
    *_of("runtime data", "pretend", data={"constants": {"r": "s"}, "env": {"R": "s"}}),
    # variants of words, and gates on nodes of every sort
    *_of(
        "accepts step", "production", least_patch={"accepts": {"minStep": "patch"}}, least_major={"accepts": {"minStep": "major"}}
    ),
    Feature("accepts tenants", "at-most-minor", {"late": {**LATE, "accepts": {"maxStep": "minor", "when": "urgent"}}}),
    Feature("accepts tenants", "at-most-patch", {"late": {**LATE, "accepts": {"maxStep": "patch", "when": "urgent"}}}),
    *(_calendar(f"each-{every}", every=every, starting="2025-01-01", **{"for": long}) for every, long in EVERY.items()),
    *(
        _gate("approvals", "production", f"requested-{per}", {"topic": f"requested-{per}", "per": per})
        for per in ("organization", "application", "runtime", "group", "instance")
    ),
    *(
        _gate("calendars", "production", f"open-{per}", {"open": [DAILY], "per": per, "inFlight": "finish"})
        for per in ("organization", "application", "runtime", "group", "channel")
    ),
    *(
        _task(f"run-{per}", "production", per=per, at="pre-deployment")
        for per in ("organization", "application", "runtime", "group", "instance")
    ),
    _gate("approvals", "shop", "of-application", {"topic": "of-application"}),
    _gate("calendars", "shop", "of-application", {"open": [DAILY]}),
    _check("of-application", "shop"),
    _task("of-application", "shop"),
    _gate("approvals", "pretend", "of-runtime", {"topic": "of-runtime"}),
    _gate("calendars", "pretend", "of-runtime", {"open": [DAILY]}),
    _check("of-runtime", "pretend"),
    _task("of-runtime", "pretend"),
    _gate("approvals", "web", "of-service", {"topic": "of-service"}),
    _gate("calendars", "web", "of-service", {"open": [DAILY]}),
    *_of("maxConcurrent service", "worker", two={"limits": {"maxConcurrent": 2}}),
    _gate("protections", "web", "argued", {"use": "always", "with": {"result": "passing", "reason": "as configured"}}),
    _check("bounded-before", at={"pre-deployment": {"failAfter": "1h"}}),
    _check("bounded-during", at={"deployment": {"failAfter": "1h"}}),
    _check("bounded-after", at={"post-deployment": {"failAfter": "1h"}}),
    Feature(
        "policy running",
        "running",
        {
            "running": {"kind": "Policy", "name": "running", "select": "env=live", "tasks": [{"use": "from-policy"}]},
            "from-policy": {"kind": "Task", "name": "from-policy", "program": {"command": ["/bin/true"]}, "with": {}},
        },
    ),
    _checked_by("by-codes", program={"command": ["/bin/true"], "mutable": True}, exitCodes={"fail": [3], "unavailable": [4]}),
    Feature("skew", "minor", {"close": {**CLOSE, "require": {"skew": {"service": "worker", "maxStep": "minor"}}}}),
    Feature("skew", "patch", {"close": {**CLOSE, "require": {"skew": {"service": "worker", "maxStep": "patch"}}}}),
    *_of("runtime agent", "pretend", agent={"agent": "east"}),
)
