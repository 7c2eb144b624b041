"""Which instances there are: services × channels, each with its service's ``perChannel`` merged in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from setpoint.config.catalog import Catalog, CatalogEntry
from setpoint.config.documents import ApplicationDocument, ChannelFields, RuntimeDocument, ServiceDocument
from setpoint.config.documents.runtime import Local
from setpoint.config.documents.validate import read_model
from setpoint.config.instances.scope import Instance
from setpoint.config.problems import Position, Problems
from setpoint.config.syntax.merging import merge_trees
from setpoint.config.syntax.yaml import Mapping

LOCAL = RuntimeDocument(kind="Runtime", name="local", local=Local())
"""The built-in runtime."""
MOST_PAIRS = 50_000
"""Pairs of service and channel in one application: each is looked at, whether or not the service is there."""
NOT_PER_CHANNEL = ("application", "parameters", "sources", "select", "kind", "name", "apiVersion", "perChannel")


def build_instances(catalog: Catalog, problems: Problems) -> dict[str, Instance]:
    """Every instance by name, by application, service and channel as written; what cannot be built is left out."""
    services = _Effective(catalog, problems)
    instances = [
        instance
        for name, application in catalog.applications.items()
        if not _too_many(catalog, application, problems)
        for service in catalog.services(name).values()
        for channel in catalog.channels(name).values()
        if (instance := _instance(catalog, application, service, channel, services))
    ]
    return {instance.name: instance for instance in instances}


def _too_many(catalog: Catalog, application: CatalogEntry[ApplicationDocument], problems: Problems) -> bool:
    services, channels = catalog.services(application.name), catalog.channels(application.name)
    if len(services) * len(channels) <= MOST_PAIRS:
        return False
    problems.add(
        "too-many-instances",
        application.tree.position,
        application.label,
        f"{len(services):,} services in {len(channels):,} channels are more than {MOST_PAIRS:,} pairs.",
        "Divide the application.",
    )
    return True


class _Effective:
    """Services as they are in one channel; those of a group that set nothing for its channels are read once."""

    def __init__(self, catalog: Catalog, problems: Problems) -> None:
        self._catalog, self._problems = catalog, problems
        self._read: dict[tuple[int, tuple[str, ...]], tuple[ServiceDocument | None, bool]] = {}

    def of(self, application: str, service: CatalogEntry[ServiceDocument], channel: str) -> tuple[ServiceDocument | None, bool]:
        group = self._catalog.group_of(application, channel)
        names = tuple(name for name in (group, channel) if name in _fragments(service))
        key = (id(service), names)
        if key not in self._read:
            self._read[key] = effective_service(service, names, self._problems)
        return self._read[key]


def _instance(
    catalog: Catalog,
    application: CatalogEntry[ApplicationDocument],
    service: CatalogEntry[ServiceDocument],
    channel: CatalogEntry[ChannelFields],
    services: _Effective,
) -> Instance | None:
    effective, sound = services.of(application.name, service, channel.name)
    runtime = find_runtime(catalog, channel.model, effective)
    if not (application.model and channel.model and effective and runtime):
        return None
    group = catalog.groups(application.name).get(catalog.group_of(application.name, channel.name))
    contributing: list[CatalogEntry[Any] | None] = [
        application,
        channel,
        service,
        catalog.organization,
        catalog.runtimes.get(str(runtime.name)),
    ]
    whole = sound and all(entry.sound for entry in contributing if entry)
    organization = catalog.organization.model if catalog.organization else None
    instance = Instance(
        application.model, channel.model, effective, runtime, organization, whole, group.entry.model if group else None
    )
    return instance if _exists(instance, service) else None


def _exists(instance: Instance, service: CatalogEntry[ServiceDocument]) -> bool:
    wanted = instance.channel.services
    if wanted is not None and instance.service.name not in wanted:
        return False
    select = service.model.select if service.model else None
    return select is None or select.matches(instance.labels)


def find_runtime(
    catalog: Catalog, channel: ChannelFields | None, service: ServiceDocument | None = None
) -> RuntimeDocument | None:
    """The runtime of a channel, if it is known; of one with several that of the service's role."""
    name = str(channel.runtime) if channel else "local"
    if channel and channel.runtimes:
        name = str(channel.runtimes.get(str(service.runtime), "")) if service and service.runtime else ""
    if name in catalog.runtimes:
        return catalog.runtimes[name].model
    return LOCAL if name == "local" else None


def effective_tree(service: CatalogEntry[ServiceDocument], places: Sequence[str], problems: Problems | None = None) -> Mapping:
    """The service's fields with those for a channel over them; ``places`` are its group and itself."""
    result = Mapping({key: value for key, value in service.tree.items() if key != "perChannel"}, position=service.tree.position)

    def report(place: Position, kind: str, name: str) -> None:
        if problems is not None:
            message = f'`remove` names "{name}", which is not among the `{kind}` of the service.'
            problems.add("nothing-to-remove", place, service.label, message, "Remove this entry, or correct its name.")

    for place in places:
        fragment = _fragments(service).get(place)
        if isinstance(fragment, Mapping):
            fields = {key: value for key, value in fragment.items() if key not in NOT_PER_CHANNEL}
            result = merge_trees(result, Mapping(fields, position=fragment.position), report)
    return result


def effective_service(
    service: CatalogEntry[ServiceDocument], places: Sequence[str], problems: Problems
) -> tuple[ServiceDocument | None, bool]:
    """The service as it is in one channel, and whether it is sound; without anything of its own there, as it is."""
    if not any(place in _fragments(service) for place in places):
        return service.model, service.sound
    model, sound = read_model(ServiceDocument, effective_tree(service, places, problems), service.label, problems)
    return model, sound and service.sound


def _fragments(service: CatalogEntry[ServiceDocument]) -> Mapping:
    found = service.tree.get("perChannel")
    return found if isinstance(found, Mapping) else Mapping(position=service.tree.position)
