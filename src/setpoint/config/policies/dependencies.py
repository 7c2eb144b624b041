"""Services beside each other in a channel: which comes after which, and which move as one."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from setpoint.config.catalog import Catalog, CatalogEntry
from setpoint.config.documents import ApplicationDocument
from setpoint.config.documents.service import ServiceAfter
from setpoint.config.instances.conditions import NEVER, decide
from setpoint.config.instances.scope import Instance
from setpoint.config.policies.circles import circle
from setpoint.config.problems import Problems
from setpoint.config.syntax.lookups import LookupReport, resolve_tree
from setpoint.config.syntax.values import as_text
from setpoint.config.syntax.yaml import Scalar, place_of
from setpoint.model.grammars.versions import parse_range
from setpoint.model.names import format_instance, format_members, service_of
from setpoint.model.policy import ServiceOrdering


@dataclass(frozen=True)
class ServiceOrderings:
    """Compiles a service's ``after``; errors go to ``problems``."""

    catalog: Catalog
    problems: Problems
    waits: dict[str, dict[str, Scalar]] = field(default_factory=dict)
    """Of those compiled so far: instance -> the one it waits for, and where that is written."""

    def of(
        self, instance: Instance, there: Container[str], also: Iterable[tuple[ServiceAfter, Any]] = ()
    ) -> tuple[ServiceOrdering, ...]:
        """One for each service named that this channel has; one that is not there counts as met.

        ``also``: entries from elsewhere, each with what is left of its ``when``.
        """
        own = [(entry, decide(entry.when, instance.labels)) for entry in instance.service.after]
        found: list[ServiceOrdering] = []
        for entry, when in (*own, *also):
            for service in entry.services if when is not NEVER else ():
                other = beside(instance, service)
                if other in there and other != instance.name:
                    found.append(self._one(instance, entry, other, when))
                    self._note(instance, other, service)
        return tuple(dict.fromkeys(found))

    def _note(self, instance: Instance, other: str, service: str) -> None:
        if isinstance(service, Scalar):
            self.waits.setdefault(instance.name, {}).setdefault(other, service)

    def _one(self, instance: Instance, entry: ServiceAfter, other: str, when: Any) -> ServiceOrdering:
        return ServiceOrdering(
            name=str(entry.name or f"after-{service_of(other)}"),
            instance=other,
            range=self._range(instance, entry),
            when=when,
            override=None if entry.override is None else tuple(str(principal) for principal in entry.override),
        )

    def _range(self, instance: Instance, entry: ServiceAfter) -> str:
        place, known = place_of(entry.version), {}  # type: tuple[Any, dict[str, Any]]
        where_at = self.catalog.where_at
        report = LookupReport(self.problems, where_at, "instance", sound=instance.sound, known=known, place=place)
        known |= instance.values("instance", report)
        text = as_text(resolve_tree(entry.version, known, report))
        try:
            return parse_range(text).text if not report.errors else "*"
        except ValueError as error:
            hint = 'Let it be one such as "^1.4", ">=2 <4", "1.x" or "*".'
            self.problems.add("bad-range", place, where_at(place), f"`version`: {str(error).rstrip('.')}.", hint)
            return "*"


def beside(instance: Instance, service: str) -> str:
    """Name of another service's instance in the same channel."""
    return format_instance(instance.application.name, service, instance.channel.name)


def check_together(application: CatalogEntry[ApplicationDocument], problems: Problems) -> None:
    """Sets that move as one: of at least two services each, and no service in two of them."""
    first: dict[str, Scalar] = {}
    for services in application.model.together if application.model else ():
        for service in services:
            if not isinstance(service, Scalar):
                continue
            if service in first:
                message = f'`together` names "{service}" twice: a service moves with one set only.'
                hint = "Merge the two sets, or take it out of one."
                problems.add("twice-together", service.position, application.label, message, hint)
            first.setdefault(service, service)
        if len(services) < 2:
            place = place_of(services[0]) if services else application.tree.position
            message = "`together` has a set of fewer than two services."
            problems.add("alone-together", place, application.label, message, "Write a list of lists, such as [[api, worker]].")


def sets_of(instances: Mapping[str, Instance]) -> dict[str, tuple[str, ...]]:
    """Name of each set, such as ``bank/ledger+ledger-worker@production`` -> the instances that move as one."""
    found: dict[str, list[str]] = {}
    for name, instance in instances.items():
        if not instance.channel.mirror:
            found.setdefault(_set_of(instance), []).append(name)
    return {name: tuple(members) for name, members in found.items() if len(members) > 1}


def _set_of(instance: Instance) -> str:
    """The set that an instance is in: its services that are together, in its channel or in a group that moves as one."""
    own = str(instance.service.name)
    services = next((services for services in instance.application.together if own in services), (own,))
    place = instance.group_name if instance.group and instance.group.together else str(instance.channel.name)
    return format_members(instance.application.name, services, place)


def check_waiting(
    catalog: Catalog, instances: Mapping[str, Instance], waits: Mapping[str, Mapping[str, Scalar]], problems: Problems
) -> None:
    """Services that wait for each other would wait without end, also where they only do because others move with them."""
    alone = {name: name for name in instances}
    as_one = alone | {member: members[0] for members in sets_of(instances).values() for member in members}
    reported: set[frozenset[str]] = set()
    for nodes in (alone, as_one):
        edges = _edges(waits, nodes)
        for start in edges:
            found = circle(edges, start)
            names = frozenset(service_of(name) for name in found)
            if found and names not in reported:
                reported.add(names)
                _tell(catalog, found, edges[start][found[1]], problems)


def _edges(waits: Mapping[str, Mapping[str, Scalar]], nodes: Mapping[str, str]) -> dict[str, dict[str, Scalar]]:
    edges: dict[str, dict[str, Scalar]] = {}
    for name, others in waits.items():
        for other, service in others.items():
            if nodes[other] != nodes[name]:
                edges.setdefault(nodes[name], {}).setdefault(nodes[other], service)
    return edges


def _tell(catalog: Catalog, found: list[str], at: Scalar, problems: Problems) -> None:
    path = " → ".join(f'"{service_of(name)}"' for name in [*found, found[0]])
    message = f"these services wait for each other: {path}."
    problems.add("circle", at.position, catalog.where_at(at.position), message, "Remove one `after` of the circle.")
