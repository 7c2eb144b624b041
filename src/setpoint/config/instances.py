"""Which instances there are: services × channels, each with its service's ``perChannel`` merged in."""

from __future__ import annotations

from typing import Any

from setpoint.config.catalog import Catalog, Entry
from setpoint.config.documents import Application, ChannelFields, Runtime, Service
from setpoint.config.documents.runtime import Local
from setpoint.config.merging import merge_trees
from setpoint.config.problems import Position, Problems
from setpoint.config.scope import Instance
from setpoint.config.validate import read_model
from setpoint.config.yaml import Mapping

LOCAL = Runtime(kind="Runtime", name="local", local=Local())
"""The runtime that exists by itself."""
NOT_PER_CHANNEL = ("application", "parameters", "sources", "select", "kind", "name", "apiVersion", "perChannel")


def build_instances(catalog: Catalog, problems: Problems) -> dict[str, Instance]:
    """Every instance by name, by application, service and channel as written; what cannot be built is left out."""
    instances = [
        instance
        for name, application in catalog.applications.items()
        for service in catalog.services(name).values()
        for channel in catalog.channels(name).values()
        if (instance := _instance(catalog, application, service, channel, problems))
    ]
    return {instance.name: instance for instance in instances}


def _instance(
    catalog: Catalog, application: Entry[Application], service: Entry[Service], channel: Entry[ChannelFields], problems: Problems
) -> Instance | None:
    effective, sound = effective_service(service, channel.name, problems)
    runtime = find_runtime(catalog, channel.model)
    if not (application.model and channel.model and effective and runtime):
        return None
    contributing: list[Entry[Any] | None] = [
        application,
        channel,
        service,
        catalog.organization,
        catalog.runtimes.get(str(runtime.name)),
    ]
    whole = sound and all(entry.sound for entry in contributing if entry)
    organization = catalog.organization.model if catalog.organization else None
    instance = Instance(application.model, channel.model, effective, runtime, organization, whole)
    return instance if _exists(instance, service) else None


def _exists(instance: Instance, service: Entry[Service]) -> bool:
    wanted = instance.channel.services
    if wanted is not None and instance.service.name not in wanted:
        return False
    select = service.model.select if service.model else None
    return select is None or select.matches(instance.labels)


def find_runtime(catalog: Catalog, channel: ChannelFields | None) -> Runtime | None:
    """The runtime of a channel, if it is known."""
    name = str(channel.runtime) if channel else "local"
    if name in catalog.runtimes:
        return catalog.runtimes[name].model
    return LOCAL if name == "local" else None


def effective_tree(service: Entry[Service], channel: str, problems: Problems | None = None) -> Mapping:
    """The service's fields with those for one channel over them."""
    base = Mapping({key: value for key, value in service.tree.items() if key != "perChannel"}, position=service.tree.position)
    fragments = service.tree.get("perChannel")
    fragment = fragments.get(channel) if isinstance(fragments, Mapping) else None
    if not isinstance(fragment, Mapping):
        return base
    allowed = Mapping({key: value for key, value in fragment.items() if key not in NOT_PER_CHANNEL}, position=fragment.position)

    def report(place: Position, kind: str, name: str) -> None:
        if problems is not None:
            message = f'`remove` names "{name}", which is not among the `{kind}` of the service.'
            problems.add("nothing-to-remove", place, service.label, message, "Remove this entry, or correct its name.")

    return merge_trees(base, allowed, report)


def effective_service(service: Entry[Service], channel: str, problems: Problems) -> tuple[Service | None, bool]:
    """The service as it is in one channel, and whether it is sound; without anything of its own there, as it is."""
    fragments = service.tree.get("perChannel")
    if not isinstance(fragments, Mapping) or channel not in fragments:
        return service.model, service.sound
    model, sound = read_model(Service, effective_tree(service, channel, problems), service.label, problems)
    return model, sound and service.sound
