"""Selectors whose keys and values are known and that match nothing now (§10.5): shown wherever a configuration is shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from setpoint.config.catalog import Catalog, CatalogEntry
from setpoint.config.documents import ChannelFields, ServiceDocument
from setpoint.config.documents.channel import After
from setpoint.config.documents.validate import locate
from setpoint.config.instances.conditions import NEVER, decide
from setpoint.config.instances.labels import data_of
from setpoint.config.instances.scope import Instance
from setpoint.config.instances.selectors import find_selector
from setpoint.config.policies.orderings import Neighbours, neighbours_of
from setpoint.config.problems import Position
from setpoint.config.syntax.yaml import place_of
from setpoint.model.grammars.selector import Selector
from setpoint.model.names import format_instance
from setpoint.model.similar import listing

GATES = ("protections", "tasks", "approvals", "calendars")


def unmatched(catalog: Catalog, instances: Mapping[str, Instance]) -> list[str]:
    """One line for each selector, with its place."""
    found = dict.fromkeys(_rules(catalog, instances))
    for application in catalog.applications:
        neighbours = neighbours_of(catalog, application, instances.keys())
        found |= dict.fromkeys(_groups(catalog, application, neighbours))
        found |= dict.fromkeys(_orderings(catalog, application, neighbours))
        found |= dict.fromkeys(_services(catalog, application, instances))
    found |= dict.fromkeys(_conditions(catalog, instances))
    return list(found)


def _line(entry: CatalogEntry[Any], field: str, selector: Selector, what: str, key: str = "") -> str:
    place = find_selector(entry.tree, selector.text, key or field) or entry.tree.position
    return f"{place}  {entry.label}: `{field}: {selector.text}` matches no {what} now."


def _rules(catalog: Catalog, instances: Mapping[str, Instance]) -> Iterator[str]:
    """Policies, invariants and roles."""
    rules: list[CatalogEntry[Any]] = [*catalog.policies.values(), *catalog.invariants.values()]
    bearers: list[tuple[CatalogEntry[Any], Selector]] = [(entry, entry.model.select) for entry in rules if entry.model]
    organization = catalog.organization
    if organization and organization.model:
        bearers += [(organization, role.select) for role in organization.model.roles]
    for entry, select in bearers:
        if not any(select.matches(instance.labels) for instance in instances.values()):
            yield _line(entry, "select", select, "instance")


def _groups(catalog: Catalog, application: str, neighbours: Neighbours) -> Iterator[str]:
    """Entries, overrides and waves."""
    for name, group in catalog.groups(application).items():
        entry, model = group.entry, group.entry.model
        if not group.members:
            source = data_of(entry.tree) or "items"
            yield f'{locate(entry.tree, ("each",))}  {entry.label}: `each.{source}` gives group "{name}" no channel now.'
            continue
        for number, override in enumerate(model.overrides if model else ()):
            if override.position not in catalog.overrides_in_use:
                place = locate(entry.tree, ("overrides", number, "select"))
                yield f"{place}  {entry.label}: `overrides: {override['select']}` matches no channel of the group now."
        for wave in model.limits.waves if model and model.limits else ():
            select = wave.select
            if select and not any(select.matches(neighbours.labels.get(one, {})) for one in group.members):
                yield _line(entry, "waves", select, "channel of the group", "select")


def _orderings(catalog: Catalog, application: str, neighbours: Neighbours) -> Iterator[str]:
    """What channels come after, once where channels have it of their group."""
    reported: set[Position] = set()
    for name, channel in catalog.channels(application).items():
        services = [
            one for one in catalog.services(application) if format_instance(application, one, name) in neighbours.instances
        ]
        for entry in channel.model.after if channel.model else ():
            at = _place_of_after(channel, entry)
            written = f"select: {entry.select.text}" if entry.select else ", ".join(map(str, entry.channels or ()))
            there = neighbours.meant(entry).channels
            lacking = [
                one
                for one in services
                if not any(format_instance(application, one, other) in neighbours.instances for other in there)
            ]
            label = catalog.where_at(at) or channel.label
            if at not in reported and not there:
                yield f"{at}  {label}: `after: {written}` selects no channel now."
            elif at not in reported and lacking and not entry.allow_empty:
                yield f"{at}  {label}: `after: {written}` selects no channel that has {listing(lacking)} now."
            reported.add(at)


def _place_of_after(channel: CatalogEntry[ChannelFields], entry: After) -> Position:
    if entry.select is not None:
        return find_selector(channel.tree, entry.select.text, "select") or channel.tree.position
    return next(map(place_of, entry.channels or ()), channel.tree.position)


def _services(catalog: Catalog, application: str, instances: Mapping[str, Instance]) -> Iterator[str]:
    """Services that exist nowhere, and those that come after one that is in none of their channels."""
    mine = [instance for instance in instances.values() if instance.application.name == application]
    places: dict[str, set[str]] = {}
    for instance in mine:
        places.setdefault(str(instance.service.name), set()).add(str(instance.channel.name))
    for name, entry in catalog.services(application).items():
        if entry.model is None or not catalog.channels(application):
            continue
        if name not in places:
            if entry.model.select and entry.model.select.alternatives:
                yield _line(entry, "select", entry.model.select, "channel")
            continue
        for after in entry.model.after:
            for other in after.services:
                if not places[name] & places.get(str(other), set()):
                    at = getattr(other, "position", entry.tree.position)
                    yield f"{at}  {entry.label}: `after: {other}` holds nothing back: no channel has both."


def _conditions(catalog: Catalog, instances: Mapping[str, Instance]) -> Iterator[str]:
    """Gates whose ``when`` can hold for none of the instances that they are for."""
    alive: dict[tuple[Position, str], bool] = {}
    label: dict[tuple[Position, str], str] = {}
    known: dict[int, tuple[Position, str]] = {}
    for instance in instances.values():
        for entry, bearer in _bearers(catalog, instance):
            for gate in _gates(bearer):
                if id(gate) not in known:
                    place = find_selector(entry.tree, gate.when.text, "when") or entry.tree.position
                    known[id(gate)] = (place, gate.when.text)
                    label.setdefault(known[id(gate)], entry.label)
                key = known[id(gate)]
                alive[key] = alive.get(key, False) or decide(gate.when, instance.labels) is not NEVER
    for (place, text), holds in alive.items():
        if not holds:
            yield f"{place}  {catalog.where_at(place) or label[place, text]}: `when: {text}` holds for no instance now."


def _bearers(catalog: Catalog, instance: Instance) -> Iterator[tuple[CatalogEntry[Any], Any]]:
    application = str(instance.application.name)
    for _, policy in sorted(catalog.policies.items()):
        if policy.model and policy.model.select.matches(instance.labels):
            yield policy, policy.model
    if (runtime := catalog.runtimes.get(str(instance.runtime.name))) is not None:
        yield runtime, instance.runtime
    yield catalog.applications[application], instance.application
    yield catalog.channels(application)[str(instance.channel.name)], instance.channel
    yield catalog.services(application)[str(instance.service.name)], instance.service


def _gates(bearer: Any) -> Iterator[Any]:
    entries = [gate for kind in GATES for gate in getattr(bearer, kind)]
    if isinstance(bearer, ChannelFields):
        entries += bearer.after
    if isinstance(bearer, ServiceDocument):
        entries += bearer.after
    yield from (gate for gate in entries if gate.when is not None and gate.when.alternatives)
