"""A set starts as one: one that is larger than a ``maxConcurrent`` above it could never start, and is refused (§10.5)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from setpoint.config.catalog import Catalog, CatalogEntry
from setpoint.config.documents.validate import locate
from setpoint.config.instances.scope import Instance
from setpoint.config.policies.dependencies import sets_of
from setpoint.config.problems import Position, Problems
from setpoint.config.syntax.merging import is_null
from setpoint.config.syntax.yaml import Mapping as Tree
from setpoint.model.names import channel_of, key_of, kind_of
from setpoint.model.policy import Policy


def oversized(members: Collection[str], policies: Mapping[str, Policy]) -> Iterator[tuple[str, int, int]]:
    """Of instances that start as one: each limit (its unit) that fewer may hold, how many need it, and how many it admits."""
    limits = {use.unit: use.limit for name in members for use in policies[name].limits}
    needed = Counter(unit for name in members for unit in {use.unit for use in policies[name].limits})
    yield from ((unit, needed[unit], limit) for unit, limit in limits.items() if needed[unit] > limit)


def check_sets(catalog: Catalog, instances: Mapping[str, Instance], policies: Mapping[str, Policy], problems: Problems) -> None:
    """One error for each limit, about the largest set below it."""
    found: dict[str, tuple[int, int, str, str]] = {}
    for name, members in sets_of(instances).items():
        for unit, needed, limit in oversized(members, policies):
            found[unit] = max(found.get(unit, (0, 0, "", "")), (needed, limit, name, members[0]))
    for unit, (needed, limit, name, member) in found.items():
        place = _place(catalog, instances[member], unit)
        message = f"`maxConcurrent` admits {limit}, but the {needed} instances of {name} start as one: they never could."
        hint = f"Write at least {needed}, or take them apart (`together`)."
        problems.add("set-above-limit", place, catalog.where_at(place), message, hint)


def _place(catalog: Catalog, instance: Instance, unit: str) -> Position:
    """Where the limit is written."""
    kind, name = kind_of(unit), key_of(unit)
    application = str(instance.application.name)
    group = catalog.groups(application).get(instance.group_name)
    bearers: dict[str, CatalogEntry[Any] | None] = {
        "policy": catalog.policies.get(name),
        "runtime": catalog.runtimes.get(str(instance.runtime.name)),
        "application": catalog.applications.get(application),
        "group": group.entry if group else None,
        "channel": catalog.channels(application)[str(instance.channel.name)],
        "service": catalog.services(application)[str(instance.service.name)],
    }
    entry = bearers[kind]
    tree = entry.tree if entry else Tree(position=Position(""))
    fragments = tree.get("perChannel")
    part = fragments.get(channel_of(unit)) if kind == "service" and isinstance(fragments, Tree) else None
    if isinstance(part, Tree) and not is_null(part.get("limits")) and "limits" in part:
        tree = part
    return locate(tree, ("limits", "maxConcurrent"))
