"""What a configuration declares and this version does not act on, and what keeps it from being applied although it is right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from importlib.metadata import entry_points
from typing import Any

from setpoint.config.catalog import Catalog
from setpoint.config.documents.runtime import ADAPTERS
from setpoint.config.instances.scope import Instance
from setpoint.config.instances.specs import environment_tree
from setpoint.config.syntax.left_out import is_left_out
from setpoint.config.syntax.values import is_secret
from setpoint.model.policy import Policy
from setpoint.model.similar import listing

RUNTIMES = "setpoint.runtimes"
NEEDLESS = frozenset({"fake"})
"""Adapters that never need what a secret stands for."""


def installed() -> frozenset[str]:
    """Names of the runtime adapters that are installed."""
    return frozenset(point.name for point in entry_points(group=RUNTIMES))


def adapter_of(instance: Instance) -> str:
    """Entry point of the adapter that would run an instance."""
    return ADAPTERS.get(instance.runtime.block[0], "")


def left_out(files: Mapping[str, bytes]) -> list[str]:
    """One line for the files that are not copied with the directory they lie in."""
    names = [path for path, content in files.items() if is_left_out(path, content)]
    if not names:
        return []
    way_out = "pass their values by `env`; to copy one all the same, name the file itself in the `command`"
    return [f"not copied, because such files usually hold secrets: {listing(sorted(names))} – {way_out}"]


def notices(catalog: Catalog, instances: Mapping[str, Instance], adapters: Collection[str]) -> list[str]:
    """One calm line for each sort of thing that is declared and checked, and that has no effect yet."""
    found = Counter(_declared(catalog, instances))
    lines = []
    if found:
        what = ", ".join(f"{name} ({number})" for name, number in sorted(found.items()))
        lines.append(f"declared, but this version does not act on it: {what}")
    if mutable := sorted(_mutable(catalog)):
        lines.append(f"run where they lie, so that an edit takes effect without apply (`mutable`): {listing(mutable)}")
    absent: dict[str, Counter[str]] = {}
    for instance in instances.values():
        if adapter_of(instance) not in adapters:
            absent.setdefault(instance.runtime.block[0], Counter())[str(instance.runtime.name)] += 1
    for kind, runtimes in sorted(absent.items()):
        number = sum(runtimes.values())
        names, count = listing(sorted(runtimes)), f"{number} instance{'s' if number > 1 else ''}"
        lines.append(f"no adapter for {kind} runtimes is installed, so nothing can run there yet: {names} ({count})")
    return lines


def _declared(catalog: Catalog, instances: Mapping[str, Instance]) -> Iterator[str]:
    organization = catalog.organization.model if catalog.organization else None
    if organization:
        yield from ["roles"] * len(organization.roles)
        yield from ["secret stores"] * len(organization.secret_stores)
        yield from ["retention"] * (organization.retention is not None)
    entries: list[Any] = [*catalog.applications.values(), *catalog.policies.values()]
    bearers: list[Any] = [organization, *(entry.model for entry in entries)]
    for bearer in bearers:
        yield from ["notifications"] * (len(bearer.notifications) if bearer else 0)
    for application in catalog.below:
        for service in (entry.model for entry in catalog.services(application).values() if entry.model):
            yield from ["sources"] * len(service.sources)
    for _ in {(one.application.name, one.service.name) for one in instances.values() if one.service.drift.ignore}:
        yield "drift.ignore"


def _mutable(catalog: Catalog) -> Iterator[str]:
    """What is run with files that are not stored at ``apply`` (§10.6)."""
    named: list[tuple[str, Any]] = [("protection", entry.model) for entry in catalog.protections.values()]
    named += [("task", entry.model) for entry in catalog.tasks.values()]
    for kind, model in named:
        if model and ((model.program and model.program.mutable) or is_true(model.with_.get("mutable"))):
            yield f"{kind} {model.name}"
    for entry in catalog.runtimes.values():
        if entry.model and entry.model.custom and entry.model.custom.mutable:
            yield f"runtime {entry.model.name}"
    organization = catalog.organization.model if catalog.organization else None
    entries = [(str(name), with_) for name, with_ in organization.defaults.items()] if organization else []
    for node in _with_gates(catalog):
        entries += [(str(one.use), one.with_) for one in (*node.protections, *node.tasks)]
    yield from {f"check {name}" for name, with_ in entries if is_true(with_.get("mutable"))}


def _with_gates(catalog: Catalog) -> Iterator[Any]:
    found: list[Any] = [
        catalog.organization,
        *catalog.applications.values(),
        *catalog.policies.values(),
        *catalog.runtimes.values(),
    ]
    for application in catalog.below:
        found += [*catalog.services(application).values(), *catalog.channels(application).values()]
    yield from (entry.model for entry in found if entry and entry.model and hasattr(entry.model, "protections"))


def self_approving(instances: Mapping[str, Instance], policies: Mapping[str, Policy]) -> list[str]:
    """One line where approvals meet processes of the engine's own user."""
    names = [
        name
        for name, instance in instances.items()
        if policies[name].approvals
        and instance.runtime.block[0] == "local"
        and getattr(instance.service.workload[1], "user", None) is None
    ]
    if not names:
        return []
    what = "a version runs as the user of the engine, and so can approve itself: set `process.user`"
    return [f"{what} ({listing(sorted(names), most=4)})"]


def is_true(value: Any) -> bool:
    """Whether a flag among free arguments is set."""
    return value is True or value == "true"


def refusals(
    catalog: Catalog, instances: Mapping[str, Instance], policies: Mapping[str, Policy], adapters: Collection[str]
) -> list[str]:
    """Why this version cannot apply it: what an adapter that is here, or a check, would have to heed and does not."""
    found: dict[str, list[str]] = {}
    for name, instance in instances.items():
        for reason in (*_of_runtime(catalog, instance, adapters), *_of_gates(policies[name])):
            found.setdefault(reason, []).append(name)
    return [f"{reason} ({listing(names, most=4)})" for reason, names in found.items()]


def _of_runtime(catalog: Catalog, instance: Instance, adapters: Collection[str]) -> Iterator[str]:
    adapter = adapter_of(instance)
    if adapter not in adapters:
        return
    runtime = f'runtime "{instance.runtime.name}"'
    if instance.runtime.agent is not None:
        yield f'{runtime} is reached through the agent "{instance.runtime.agent}", and this version has no agents'
    if instance.service.rollout.steps:
        yield f"`rollout.steps` need a runtime that can shift traffic, and {runtime} cannot"
    if instance.service.rollout.keep_old:
        yield f"`rollout.keepOld` needs a runtime that can keep the old version beside the new one, and {runtime} cannot"
    if any(approval.plan for node in _bearers(catalog, instance) for approval in node.approvals):
        yield f"an approval of a plan (`plan: true`) needs a runtime that makes plans, and {runtime} makes none"
    if adapter not in NEEDLESS:
        _, block = instance.service.workload
        names = sorted({*secrets_in(environment_tree(instance)), *secrets_in(getattr(block, "with_", None))})
        if names:
            yield f"the secrets {listing(names)} are needed to run it, and this version has no secret store"


def _bearers(catalog: Catalog, instance: Instance) -> tuple[Any, ...]:
    return (*catalog.policies_of(instance.labels), instance.application, instance.runtime, instance.channel, instance.service)


def _of_gates(policy: Policy) -> Iterator[str]:
    checks = [(f'check "{use.name}"', use.check.options) for use in policy.checks]
    for what, options in (*checks, *((f'task "{use.name}"', use.task.options) for use in policy.tasks)):
        if names := sorted(set(secrets_in(options))):
            yield f"the secrets {listing(names)} are needed by the {what}, and this version has no secret store"


def secrets_in(value: Any) -> Iterator[str]:
    """Names of the secrets that a tree of values refers to."""
    if is_secret(value):
        yield str(value["secret"])
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from secrets_in(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from secrets_in(item)
