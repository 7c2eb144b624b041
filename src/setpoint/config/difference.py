"""What a new configuration changes, for each instance, in words that can be read before anything is applied."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from setpoint.config.compile import CompiledConfiguration
from setpoint.model.grammars.selector import Selector
from setpoint.model.grammars.text import without_credentials
from setpoint.model.policy import Policy
from setpoint.model.time import format_duration

ABSENT = ""
FILES_OF = ("protection ", "task ", "runtime ")
"""Paths that name a file which gates or a custom runtime are run with, such as ``protection web-migrated: check-migrations``."""
_DURATIONS = frozenset(
    {"window", "delay", "soak", "expires", "interval", "timeout", "max_age", "progress_deadline", "poll_moving", "poll_settled"}
    | {"grace", "takes", "stopTimeout"}
)
_LONGEST = 60
_SECRET = re.compile(r"\(secret [a-z0-9-]+( of [a-z0-9-]+)?\)")


class Value(NamedTuple):
    """A value of a configuration as text: whole, for comparing; and for people, cut and without credentials."""

    whole: str
    shown: str


NOTHING = Value(ABSENT, ABSENT)


class InstanceChange(msgspec.Struct, frozen=True):
    """One change of one instance."""

    instance: str
    what: str
    """``added``, ``removed``, ``runs`` (a release of its own) or ``policy`` (counts immediately)."""
    path: str = ""
    """Such as ``process.replicas`` or ``checks.alerts-not-firing.window``; empty for whole instances."""
    old: str = ABSENT
    new: str = ABSENT
    """For people; with `` (changed)`` behind it where what changed is not shown: a credential, or the end of a long text."""
    origin: str = ""
    """``file:line`` of the new value, where it is known."""

    def __str__(self) -> str:
        if not self.path:
            return f"{self.instance}  {self.what}"
        if self.path.startswith(FILES_OF):
            how = "added" if not self.old else "changed" if self.new else "removed"
            return f"{self.instance}  {self.what:<6}  {self.path} {how}"
        values = f"{self.old or '(nothing)'} → {self.new or '(nothing)'}"
        return f"{self.instance}  {self.what:<6}  {self.path}: {values}{f'  ({self.origin})' if self.origin else ''}"


def difference(old: CompiledConfiguration | None, new: CompiledConfiguration) -> list[InstanceChange]:
    """Every change from ``old`` (None: from nothing) to ``new``, instance by instance; equal configurations have none."""
    before = set(old.all_instances) if old else set()
    changes = [InstanceChange(name, "added") for name in new.all_instances if name not in before]
    if old is None:
        return changes
    changes += [InstanceChange(name, "removed") for name in old.all_instances if name not in set(new.all_instances)]
    for name in new.all_instances:
        if name in before:
            changes += _instance_changes(name, old, new)
    return changes


def lines(changes: list[InstanceChange]) -> list[str]:
    """The changes as text, instances with the same changes listed once."""
    by_change: dict[tuple[str, str, str, str, str], list[str]] = {}
    for change in changes:
        by_change.setdefault((change.what, change.path, change.old, change.new, change.origin), []).append(change.instance)
    return [str(InstanceChange(", ".join(instances), *key)) for key, instances in by_change.items()]


def _instance_changes(name: str, old: CompiledConfiguration, new: CompiledConfiguration) -> Iterator[InstanceChange]:
    origins = new.origins(name)
    pairs = (
        ("runs", flat(_running(old.template(name))), flat(_running(new.template(name)))),
        ("policy", *_policies(old.policy(name), new.policy(name))),
        ("policy", _floor(old, name), _floor(new, name)),
        ("policy", *_kept_on_both_sides(_stored(old, name), _stored(new, name))),
    )
    for what, before, after in pairs:
        for path in sorted(before.keys() | after.keys()):
            was, comes = before.get(path, NOTHING), after.get(path, NOTHING)
            if was.whole != comes.whole:
                shown = f"{comes.shown} (changed)" if comes.shown == was.shown else comes.shown
                yield InstanceChange(name, what, path, was.shown, shown, origins.get(path, ""))


def _floor(configuration: CompiledConfiguration, name: str) -> dict[str, Value]:
    return flat({"rollback": {"notBelow": configuration.floor(name)}})


def _stored(configuration: CompiledConfiguration, name: str) -> dict[str, dict[str, str]]:
    """What is run with files -> path -> what stands for the content."""
    policy, shown = configuration.policy(name), configuration.trees.shown
    trees = {f"protection {use.check.protection}": use.check.tree for use in policy.checks if use.check.tree}
    trees |= {f"task {use.task.task}": use.task.tree for use in policy.tasks if use.task.tree}
    runtime = configuration.runtimes[policy.labels["runtime"]]
    return {user: shown(tree) for user, tree in {**trees, f"runtime {runtime.name}": runtime.tree}.items()}


def _kept_on_both_sides(
    old: dict[str, dict[str, str]], new: dict[str, dict[str, str]]
) -> tuple[dict[str, Value], dict[str, Value]]:
    """Files of what there was before and is still: all files of a new gate are not a change of their own."""
    both = old.keys() & new.keys()
    before, after = (
        {f"{user}: {path}": Value(text, text) for user in both for path, text in side[user].items()} for side in (old, new)
    )
    return before, after


def _running(template: dict[str, Any]) -> dict[str, Any]:
    files = {path: f"content {sha[:8]}" for path, sha in template["files"].items()}
    rollout = dict(zip(("maxUnavailable", "maxSurge"), template["rollout"], strict=True))
    return {
        "runtime": template["runtime"],
        template["kind"]: template["options"],
        "env": template["env"],
        "rollout": rollout,
        "parameters": template["defaults"],
        "files": files,
    }


_GATES = {
    "checks": "check.subject",
    "tasks": "task.subject",
    "orderings": "channels",
    "services": "instance",
    "approvals": "subject",
    "calendars": "timezone",
    "limits": "limit",
}
"""Lists of gates -> the field that best describes a whole one."""


def _policies(old: Policy, new: Policy) -> tuple[dict[str, Value], dict[str, Value]]:
    """Both policies as paths; a gate that comes or goes is one line, not one for each of its fields."""
    before, after = _fields(old), _fields(new)
    gates = {side: {gate for path in paths if (gate := _gate(path))} for side, paths in (("old", before), ("new", after))}
    return _without(before, gates["old"] - gates["new"]), _without(after, gates["new"] - gates["old"])


def _fields(policy: Policy) -> dict[str, Value]:
    fields = _plain(policy)
    del fields["instance"], fields["watched"]
    for kind, what in (("checks", "check"), ("tasks", "task")):
        fields[kind] = [gate | {"name": f"{gate['name']}@{gate['phase']}"} for gate in fields[kind]]
        for gate in fields[kind]:  # each of its changed files is listed
            gate[what] = {key: value for key, value in gate[what].items() if key not in {"tree", "paths"}}
    fields["services"] = [one | {"name": f"{one['name']}@{one['instance']}"} for one in fields["services"]]
    return {path: value for path, value in flat(fields).items() if value.whole != "[]" or path not in _GATES}


def _plain(value: Any) -> Any:
    if isinstance(value, Selector):
        return value.text
    if isinstance(value, msgspec.Struct):
        return {field: _plain(getattr(value, field)) for field in value.__struct_fields__}
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _gate(path: str) -> str:
    """``checks.NAME`` of ``checks.NAME.check.interval``; empty for anything else. A name has a dot only before its node."""
    kind, _, rest = path.partition(".")
    if kind not in _GATES:
        return ""
    name, _, more = rest.partition(".")
    node = more.partition(".")[0].partition("@")[0].partition("-")[0]
    return (
        f"{kind}.{name}.{more.partition('.')[0]}"
        if node in {"policy", "runtime", "application", "channel", "service"}
        else f"{kind}.{name}"
    )


def _without(paths: dict[str, Value], gates: set[str]) -> dict[str, Value]:
    kept = {path: value for path, value in paths.items() if _gate(path) not in gates}
    return kept | {gate: paths.get(f"{gate}.{_GATES[gate.partition('.')[0]]}", NOTHING) for gate in gates}


def flat(value: Any, path: str = "", name: str = "") -> dict[str, Value]:
    """Path -> value; entries of a list by name where they have one. ``name``: the last part of the path."""
    if isinstance(value, dict):
        return {
            place: text
            for key, item in value.items()
            for place, text in flat(
                item, f"{path}.{key}" if path else str(key), f"{name} value" if key == "value" else str(key)
            ).items()
        }
    if isinstance(value, list | tuple) and value and all(isinstance(item, dict) and item.get("name") for item in value):
        return flat({item["name"]: {key: inner for key, inner in item.items() if key != "name"} for item in value}, path)
    if isinstance(value, list | tuple) and any(isinstance(item, dict) for item in value):
        return {key: text for number, item in enumerate(value) for key, text in flat(item, f"{path}[{number}]").items()}
    shown = _text(path, value if _names_secret(value) else without_credentials({name: value})[name])
    return {path: Value(_text(path, value), shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 1]}…")}


def _names_secret(value: Any) -> bool:
    """Whether a value is the name of a secret, as the compiler writes it: names may be shown."""
    return isinstance(value, str) and _SECRET.fullmatch(value) is not None


def _text(path: str, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and path.rpartition(".")[2] in _DURATIONS:
        return format_duration(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(str(item) for item in value)}]"
    return "" if value is None else str(value)
